// The table of `npm run bench`: figures in, Markdown out. Targets stand beside what was measured, misses too.

const us = (value) => (value < 10 ? value.toFixed(1) : value.toFixed(0));
const ratio = (value) => value.toFixed(2);

/** All tables as one Markdown text. */
export function report({ python, fastapi, typescript, hono, issue }, machine) {
  const inProcess = fastapi["in process"];
  const added = (name) => inProcess[name] - inProcess["bare route"];
  const worst = (refuse) => Math.max(...usual(refuse).map(([, value]) => value)) / refuse["a good token"];
  const targets = [
    ["Python verification / PyJWT", python.verify.ours / python.verify.PyJWT, 1 / 4],
    ["Python verification / floor", python.verify.ours / python.verify.floor, 2.5],
    ["FastAPI: path_user adds / bare route", added("bridge.path_user") / inProcess["bare route"], 0.25],
    [
      "FastAPI: path_user adds / async HTTPBearer + PyJWT adds",
      added("bridge.path_user") / added("async HTTPBearer + PyJWT"),
      1 / 5,
    ],
    ...["jose, secret as bytes", "jose, imported CryptoKey"].map((name) => [
      `TypeScript verification / ${name}`,
      typescript.verify.ours / typescript.verify[name],
      1 / 8,
    ]),
    ["TypeScript verification / fast-jwt", typescript.verify.ours / typescript.verify["fast-jwt"], 1],
    ["issuing / stock jwt()", issue.issue.ours / issue.issue["stock jwt()"], 2 / 3],
    ["issuing: SQL statements", issue.statements.ours, 1],
    ["Python: dearest refusal / a good token", worst(python.refuse), 1],
    ["TypeScript: dearest refusal / a good token", worst(typescript.refuse), 1],
  ];
  return [
    "# What authentication costs",
    "",
    `Measured by \`npm run bench\` on ${new Date().toISOString().slice(0, 10)}: ${machine}. Medians of interleaved rounds, in`,
    "microseconds; only the ratios, measured in this one run, are meant to be compared with other machines.",
    "",
    "## Targets",
    "",
    table(
      ["ratio", "measured", "target", ""],
      targets.map(([name, value, target]) => [
        name,
        ratio(value),
        `at most ${ratio(target)}`,
        // A refusal that costs the same is measured as a little more or a little less.
        value <= target * 1.005 ? "met" : "missed",
      ]),
    ),
    ...section("One verification, Python", python.verify),
    ...section("One verification, TypeScript", typescript.verify),
    ...section("A request in FastAPI, in process over ASGI", inProcess, "bare route"),
    ...section("A request in FastAPI, under uvicorn", fastapi["under uvicorn"], "bare route"),
    ...section("A request in Hono, in process", hono, "bare route"),
    ...section("Issuing, with PostgreSQL", issue.issue),
    "",
    `SQL statements for one token: ours ${issue.statements.ours}, stock jwt() ${issue.statements["stock jwt()"]}.`,
    ...section("Refusing, Python", python.refuse, "a good token"),
    ...section("Refusing, TypeScript", typescript.refuse, "a good token"),
    ...growth("Growth, Python", python.growth),
    ...growth("Growth, TypeScript", typescript.growth),
    "",
  ].join("\n");
}

/** Refusals of tokens as long as the good one: a token of 8 KiB costs more to hash, accepted or not. */
const usual = (refuse) =>
  Object.entries(refuse).filter(([name]) => name !== "a good token" && !name.startsWith("8 KiB with"));

function section(title, times, base = Object.keys(times)[0]) {
  const rows = Object.entries(times).map(([name, value]) => [name, us(value), ratio(value / times[base])]);
  return ["", `## ${title}`, "", table(["", "µs", `/ ${base}`], rows)];
}

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

function table(head, rows) {
  const lines = [head, head.map((_, at) => (at === 0 ? "---" : "---:")), ...rows];
  return lines.map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}
