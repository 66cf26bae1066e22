// `npm run bench`: what authentication costs beside what a user would pick instead, in one run on one machine.

import fs from "node:fs";
import os from "node:os";
import { startPostgres } from "../postgres.mjs";
import { installRequirements, python } from "../python.mjs";
import { cache, inRoot } from "../repository.mjs";
import { command, runProgram } from "../run.mjs";
import { misuse, say } from "../say.mjs";
import { setUp } from "../setup.mjs";
import { hashOf, stamped } from "../stamp.mjs";
import { report } from "./bench-report.mjs";

/** What each section runs: programs of bench/python and bench/typescript, one after the other. */
const SECTIONS = {
  verify: async (inPython, inTypeScript) => ({
    python: await inPython("verify"),
    typescript: await inTypeScript("verify"),
  }),
  request: async (inPython, inTypeScript) => ({
    fastapi: await inPython("request"),
    hono: await inTypeScript("request"),
  }),
  issue: (_, inTypeScript) => inTypeScript("issue"),
  algorithms: async (inPython, inTypeScript) => ({
    python: await inPython("algorithms"),
    typescript: await inTypeScript("algorithms"),
  }),
  keys: async (inPython, inTypeScript) => ({
    python: await inPython("key_set"),
    typescript: await inTypeScript("key-set"),
  }),
  scope: (inPython) => inPython("scope"),
};
/** The sections that need PostgreSQL. */
const DATABASE = ["issue", "scope"];

const HELP = `npm run bench: measures what authentication costs, and writes bench/RESULTS.md.

Every figure is the median of interleaved rounds, and every comparison is a ratio measured in one run on one machine.
It takes about three minutes. Let the machine rest meanwhile.

  npm run bench                     everything
  npm run bench -- --print          print the tables and leave bench/RESULTS.md as it is
  npm run bench -- keys scope       only these sections, printed:

    verify        one verification, against PyJWT, joserfc, Authlib, jose and fast-jwt; refusals
    request       a request in FastAPI against HTTPBearer with PyJWT, and in Hono against jose
    issue         issuing a token against Better Auth's stock plugin, on PostgreSQL
    algorithms    HS256, EdDSA, ES256 and RS256, against PyJWT and jose with the same key
    keys          fetched key sets: random kids, a cold cache, a rotation; how often is the issuer asked?
    scope         the query scope and row-level security against a hand-written where, on PostgreSQL
`;

await command(async ({ signal, later }) => {
  const args = process.argv.slice(2);
  if (args.includes("--help") || args.includes("-h")) {
    say(HELP);
    return 0;
  }
  const { sections, isPrinted } = understand(args);

  await setUp({ signal, secrets: false, web: false });
  const peers = await installPeers(signal);
  let url;
  if (sections.some((name) => DATABASE.includes(name))) {
    const postgres = await startPostgres({ temporary: true });
    later(() => postgres.dispose());
    url = postgres.url;
  }

  const env = { ...process.env, DATABASE_URL: url };
  const inPython = (name) =>
    measured(`Measuring ${name} (Python)`, python, [inRoot("bench", "python", `${name}.py`)], {
      env: { ...env, PYTHONPATH: peers },
      signal,
    });
  const inTypeScript = (name) =>
    measured(
      `Measuring ${name} (TypeScript)`,
      process.execPath,
      [inRoot("bench", "typescript", `${name}.mjs`)],
      { env: { ...env, NODE_ENV: "production" }, signal },
    );
  const figures = {};
  for (const name of sections) figures[name] = await SECTIONS[name](inPython, inTypeScript);
  const text = report(figures, machine());
  say();
  say(text);
  if (!isPrinted) fs.writeFileSync(inRoot("bench", "RESULTS.md"), text);
  return 0;
});

/** A part of the sections would leave the file a part of the results. */
function understand(args) {
  const named = args.filter((arg) => arg !== "--print");
  const unknown = named.find((arg) => !(arg in SECTIONS));
  if (unknown) {
    throw misuse(`npm run bench has no section and no option ${unknown}: see npm run bench -- --help.`);
  }
  const sections = Object.keys(SECTIONS).filter((name) => named.length === 0 || named.includes(name));
  return { sections, isPrinted: named.length > 0 || args.includes("--print") };
}

/** The peers in Python, in a folder of their own: nothing else ever imports them. */
async function installPeers(signal) {
  const requirements = inRoot("python", "requirements", "bench.txt");
  const overlay = `${cache}/bench`;
  await stamped("bench", hashOf([requirements, python]), [overlay], async () => {
    fs.rmSync(overlay, { recursive: true, force: true });
    await installRequirements(requirements, ["--target", overlay, "--no-deps"], { signal });
  });
  return overlay;
}

/** Runs a program that prints JSON as its last line. */
async function measured(step, program, args, options) {
  const output = await runProgram(step, program, args, options);
  return JSON.parse(output.trim().split("\n").at(-1));
}

function machine() {
  const [cpu] = os.cpus();
  const memory = Math.round(os.totalmem() / 2 ** 30);
  return `${os.cpus().length} × ${cpu?.model.trim()}, ${memory} GiB, ${os.type()} ${os.release()}, Node ${process.version}`;
}
