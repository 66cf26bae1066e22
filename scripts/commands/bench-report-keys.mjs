// The part of `npm run bench`'s report about public keys: each algorithm's price, and fetched key sets.

import { ratio, shown, table, us } from "./bench-table.mjs";

const LANGUAGES = { python: "Python", typescript: "TypeScript" };
/** What is still somebody's usual speed. */
const USUAL = 1.1;
const COOL_DOWN = 30;

/** One table per language; `figures` by algorithm, the second contender is the peer. */
export function algorithmTables({ python, typescript }) {
  return [
    ...algorithms("Verification by algorithm, Python", python, "PyJWT"),
    ...algorithms("Verification by algorithm, TypeScript", typescript, "jose"),
  ];
}

function algorithms(title, figures, peer) {
  return [
    "",
    `## ${title}`,
    "",
    `The same key and token for all; ${peer} with the key imported once. The floor is the primitive and one JSON parse.`,
    "",
    table(
      ["", "ours, µs", `${peer}, µs`, "floor, µs", `ours / ${peer}`, "ours / floor"],
      Object.entries(figures).map(([algorithm, times]) => [
        algorithm,
        ...["ours", peer, "floor"].map((name) => us(times[name])),
        ...[peer, "floor"].map((name) => ratio(times.ours / times[name])),
      ]),
    ),
  ];
}

/** What issue and contract ask of a fetched key set. */
export function keySetTargets(figures) {
  return Object.entries(LANGUAGES).flatMap(([key, language]) => {
    const { flood, cold, rotation } = figures[key];
    // Both ways in which the new key is published first.
    const failures = Object.values(rotation)
      .slice(0, 2)
      .map((each) => each.failures);
    const slowest = Math.max(
      ...Object.values(rotation).map(({ seconds }) => seconds ?? Number.POSITIVE_INFINITY),
    );
    return [
      [`${language}: fetches, 10,000 random kids in one cool-down`, flood.fetches["in one cool-down"], 1],
      [`${language}: fetches, 1,000 more in ten cool-downs`, flood.fetches["in ten more"], 10],
      [`${language}: a valid token meanwhile / usually`, flood.ratio, USUAL],
      [`${language}: fetches, 1,000 first requests at once`, cold.fetches, 1],
      [`${language}: failures, 1,000 first requests at once`, cold.failures, 0],
      [`${language}: failures, new key published a cool-down before`, Math.max(...failures), 0],
      [`${language}: seconds to pick a new key up, worst moment`, slowest, COOL_DOWN],
    ];
  });
}

export function keySetTables(figures) {
  const each = (row) => Object.entries(LANGUAGES).map(([key, language]) => row(language, figures[key]));
  return [
    "",
    "## Fetched keys: random kids beside valid tokens",
    "",
    "10,000 tokens with random kids, ten on their way at a time, within one cool-down; 1,000 more in ten cool-downs. All",
    "are refused; every valid token passes. The key-set server on loopback takes 50 ms for an answer. The ratio",
    "is the median of twenty rounds, each with its own usual speed.",
    "",
    table(
      [
        "",
        "valid, usually, µs",
        "meanwhile, µs",
        "meanwhile / usually",
        "99th percentile, usually",
        "99th percentile, meanwhile",
        "fetches",
      ],
      each((language, { flood }) => [
        language,
        us(flood.usual.median),
        us(flood.meanwhile.median),
        ratio(flood.ratio),
        us(flood.usual.p99),
        us(flood.meanwhile.p99),
        `${flood.fetches["in one cool-down"]} + ${flood.fetches["in ten more"]}`,
      ]),
    ),
    "",
    "## Fetched keys: 1,000 first requests at once",
    "",
    table(
      ["", "fetches", "failures", "ms for all"],
      each((language, { cold }) => [language, cold.fetches, cold.failures, cold.milliseconds.toFixed(0)]),
    ),
    "",
    "## Fetched keys: a rotation at the issuer",
    "",
    "Ten good tokens a second for three minutes of a clock that is stepped by hand; among random kids: one of those a",
    "second as well, so that no cool-down is ever over early. Published and used at once is not how to rotate.",
    "",
    table(
      ["", "failures of 1,800", "fetches", "seconds until the new key is accepted"],
      Object.entries(LANGUAGES).flatMap(([key, language]) =>
        Object.entries(figures[key].rotation).map(([name, { failures, fetches, seconds }]) => [
          `${language}: ${name}`,
          failures,
          fetches,
          seconds === undefined || seconds === null ? "never" : shown(seconds),
        ]),
      ),
    ),
  ];
}
