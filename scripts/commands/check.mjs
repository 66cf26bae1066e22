// `npm run check`: format, lint and types of both languages, the shape of the npm package, and what must not be committed.
// `npm run format` (`--write`) formats instead.

import fs from "node:fs";
import { findings } from "../clean.mjs";
import { python } from "../python.mjs";
import { api, inRoot, program, root } from "../repository.mjs";
import { command, Ended, runProgram } from "../run.mjs";
import { green, misuse, red, Stop, say } from "../say.mjs";
import { setUp } from "../setup.mjs";

const HELP = `npm run check: everything about the sources that is no test; one line per check, and what it found below.
npm run format: formats both languages and applies the safe fixes of the linters.
`;

const node = (...args) => [process.execPath, args];
const ruff = (...args) => [python, ["-m", "ruff", ...args]];
/** Python with a pyproject.toml above it, and Python without, which follows the package's. */
const OWN = ["python", "examples/todo/api"];
const guest = () => {
  const folders = ["e2e", "specs", "bench", "docs"].filter((folder) => fs.existsSync(inRoot(folder)));
  return ["--config", inRoot("python", "pyproject.toml"), ...folders];
};

/** [name, [command, arguments], cwd] of what `npm run format` does. */
const formatting = [
  ["biome", node(program("@biomejs", "biome", "bin", "biome"), "check", "--write", "."), root],
  ["ruff check --fix", ruff("check", "--fix", "--quiet", ...OWN), root],
  ["ruff check --fix, elsewhere", ruff("check", "--fix", "--quiet", ...guest()), root],
  ["ruff format", ruff("format", "--quiet", ...OWN), root],
  ["ruff format, elsewhere", ruff("format", "--quiet", ...guest()), root],
];

function checks() {
  const types = ["typescript", "examples/todo/web", "e2e", "bench"]
    .filter((folder) => fs.existsSync(inRoot(folder, "tsconfig.json")))
    .map((folder) => [
      `tsc ${folder}`,
      node(program("typescript", "bin", "tsc"), "--noEmit", "-p", "."),
      inRoot(folder),
    ]);
  return [
    [
      "biome (format, lint)",
      node(program("@biomejs", "biome", "bin", "biome"), "check", "--error-on-warnings", "."),
      root,
    ],
    ["the API's types are fresh", node(inRoot("scripts", "types.mjs"), "--check"), root],
    ...types,
    ["ruff format", ruff("format", "--check", ...OWN), root],
    ["ruff format, elsewhere", ruff("format", "--check", ...guest()), root],
    ["ruff check", ruff("check", "--quiet", ...OWN), root],
    ["ruff check, elsewhere", ruff("check", "--quiet", ...guest()), root],
    ["mypy python", mypy("src"), inRoot("python")],
    ["mypy examples/todo/api", mypy("todo_api", "migrations"), api],
    ["publint", node(program("publint", "src", "cli.js"), "--strict", "."), inRoot("typescript")],
    [
      "attw",
      node(
        program("@arethetypeswrong", "cli", "dist", "index.js"),
        "--pack",
        ".",
        "--profile",
        "esm-only",
        "--no-color",
      ),
      inRoot("typescript"),
    ],
  ];
}

const mypy = (...folders) => [python, ["-m", "mypy", "--strict", ...folders]];

await command(async ({ signal }) => {
  const args = process.argv.slice(2);
  if (args.includes("--help") || args.includes("-h")) {
    say(HELP);
    return 0;
  }
  const write = args.includes("--write");
  const unknown = args.find((argument) => argument !== "--write");
  if (unknown) throw misuse(`There is no option ${unknown}: npm run check -- --help says what there is.`);

  await setUp({ signal, secrets: false, web: !write });
  let failed = 0;
  const answer = (name, problem) => {
    say(`${problem ? red("✗") : green("✓")} ${name}`);
    if (problem) say(problem.replace(/^/gm, "    "));
    failed += problem ? 1 : 0;
  };
  for (const [name, [program, parameters], cwd] of write ? formatting : checks()) {
    try {
      await runProgram(name, program, parameters, {
        cwd,
        signal,
        shown: false,
        env: { ...process.env, NO_COLOR: "1" },
      });
      answer(name);
    } catch (error) {
      if (error instanceof Ended) throw error;
      answer(name, error.details || error.message);
    }
  }
  if (!write) answer("nothing of a machine or a registry is committed", findings().join("\n"));
  if (failed > 0) throw new Stop(`${failed} of the checks failed: what they found stands above.`);
  return 0;
});
