// The table of `npm run bench`: figures in, Markdown out. Targets stand beside what was measured, misses too.

import { algorithmTables, keySetTables, keySetTargets } from "./bench-report-keys.mjs";
import { scopeTables, scopeTargets } from "./bench-report-scope.mjs";
import { ratio, section, shown, table, us } from "./bench-table.mjs";

/** Each section's targets, as name, measured value and most, and its tables. */
const SECTIONS = {
  verify: { targets: verifyTargets, tables: verifyTables },
  request: { targets: requestTargets, tables: requestTables },
  issue: { targets: issueTargets, tables: issueTables },
  algorithms: { targets: () => [], tables: algorithmTables },
  keys: { targets: keySetTargets, tables: keySetTables },
  scope: { targets: scopeTargets, tables: scopeTables },
};

/**
 * All tables as one Markdown text.
 *
 * @param {Record<string, object>} figures those of each section that was run.
 */
export function report(figures, machine) {
  const run = Object.entries(SECTIONS).filter(([name]) => name in figures);
  const targets = run.flatMap(([name, { targets }]) => targets(figures[name]));
  // What costs the same is measured as a little more or a little less.
  const missed = targets.filter(([, value, most]) => value > most * 1.005);
  const lines = [
    "# What authentication costs",
    "",
    `Measured by \`npm run bench\` on ${new Date().toISOString().slice(0, 10)}: ${machine}. Medians of interleaved rounds, in`,
    "microseconds; only the ratios, measured in this one run, are meant to be compared with other machines.",
  ];
  if (targets.length > 0) {
    lines.push(
      "",
      "## Targets",
      "",
      table(
        ["ratio or count", "measured", "target", ""],
        targets.map((target) => [
          target[0],
          shown(target[1]),
          `at most ${shown(target[2])}`,
          missed.includes(target) ? "missed" : "met",
        ]),
      ),
      "",
      `Missed: ${missed.map(([name]) => name).join("; ") || "none"}.`,
    );
  }
  return [...lines, ...run.flatMap(([name, { tables }]) => tables(figures[name])), ""].join("\n");
}

function verifyTargets({ python, typescript }) {
  const worst = (refuse) => Math.max(...usual(refuse).map(([, value]) => value)) / refuse["a good token"];
  return [
    ["Python verification / PyJWT", python.verify.ours / python.verify.PyJWT, 1 / 4],
    ["Python verification / floor", python.verify.ours / python.verify.floor, 2.5],
    ...["jose, secret as bytes", "jose, imported CryptoKey"].map((name) => [
      `TypeScript verification / ${name}`,
      typescript.verify.ours / typescript.verify[name],
      1 / 8,
    ]),
    ["TypeScript verification / fast-jwt", typescript.verify.ours / typescript.verify["fast-jwt"], 1],
    ["Python: dearest refusal / a good token", worst(python.refuse), 1],
    ["TypeScript: dearest refusal / a good token", worst(typescript.refuse), 1],
  ];
}

function verifyTables({ python, typescript }) {
  return [
    ...section("One verification, Python", python.verify),
    ...section("One verification, TypeScript", typescript.verify),
    ...section("Refusing, Python", python.refuse, "a good token"),
    ...section("Refusing, TypeScript", typescript.refuse, "a good token"),
    ...growth("Growth, Python", python.growth),
    ...growth("Growth, TypeScript", typescript.growth),
  ];
}

function requestTargets({ fastapi }) {
  const inProcess = fastapi["in process"];
  const added = (name) => inProcess[name] - inProcess["bare route"];
  const ours = added("bridge.path_user");
  return [
    ["FastAPI: path_user adds / bare route", ours / inProcess["bare route"], 0.25],
    [
      "FastAPI: path_user adds / async HTTPBearer + PyJWT adds",
      ours / added("async HTTPBearer + PyJWT"),
      1 / 5,
    ],
  ];
}

function requestTables({ fastapi, hono }) {
  return [
    ...section("A request in FastAPI, in process over ASGI", fastapi["in process"], "bare route"),
    ...section("A request in FastAPI, under uvicorn", fastapi["under uvicorn"], "bare route"),
    ...section("A request in Hono, in process", hono, "bare route"),
  ];
}

function issueTargets({ issue, statements }) {
  return [
    ["issuing / stock jwt()", issue.ours / issue["stock jwt()"], 2 / 3],
    ["issuing: SQL statements", statements.ours, 1],
  ];
}

function issueTables({ issue, statements }) {
  return [
    ...section("Issuing, with PostgreSQL", issue),
    "",
    `SQL statements for one token: ours ${statements.ours}, stock jwt() ${statements["stock jwt()"]}.`,
  ];
}

/** Refusals of tokens as long as the good one: a token of 8 KiB costs more to hash, accepted or not. */
const usual = (refuse) =>
  Object.entries(refuse).filter(([name]) => name !== "a good token" && !name.startsWith("8 KiB with"));

function growth(title, { "keys in force": keys, characters }) {
  const [first] = Object.values(keys);
  const sizes = Object.keys(characters).filter((name) => !name.startsWith("floor"));
  return [
    "",
    `## ${title}`,
    "",
    table(
      ["keys in force", "µs", "/ one key"],
      Object.entries(keys).map(([name, value]) => [name, us(value), ratio(value / first)]),
    ),
    "",
    table(
      ["characters", "µs", "/ floor of that size"],
      sizes.map((name) => [
        name,
        us(characters[name]),
        ratio(characters[name] / characters[`floor ${name}`]),
      ]),
    ),
  ];
}
