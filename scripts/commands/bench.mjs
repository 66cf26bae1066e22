// `npm run bench`: what authentication costs beside what a user would pick instead, in one run on one machine.

import fs from "node:fs";
import os from "node:os";
import { startPostgres } from "../postgres.mjs";
import { installRequirements, python } from "../python.mjs";
import { cache, inRoot } from "../repository.mjs";
import { command, runProgram } from "../run.mjs";
import { Stop, say } from "../say.mjs";
import { setUp } from "../setup.mjs";
import { hashOf, stamped } from "../stamp.mjs";
import { report } from "./bench-report.mjs";

const HELP = `npm run bench: measures what authentication costs, and writes bench/RESULTS.md.

Every figure is the median of interleaved rounds, and every comparison is a ratio measured in one run on one machine:
verification against PyJWT, joserfc, Authlib, jose and fast-jwt; a request in FastAPI against HTTPBearer with PyJWT;
issuing against Better Auth's stock plugin. It takes about two minutes. Let the machine rest meanwhile.

  npm run bench -- --print     print the table and leave bench/RESULTS.md as it is
`;

await command(async ({ signal, later }) => {
  const args = process.argv.slice(2);
  if (args.includes("--help") || args.includes("-h")) {
    say(HELP);
    return 0;
  }
  const unknown = args.find((arg) => arg !== "--print");
  if (unknown) throw new Stop(`npm run bench takes no argument ${unknown}: see npm run bench -- --help.`);

  await setUp({ signal, secrets: false, web: false });
  const peers = await installPeers(signal);
  const postgres = await startPostgres({ temporary: true });
  later(() => postgres.dispose());

  const inPython = (name) =>
    measured(`Measuring ${name} (Python)`, python, [inRoot("bench", "python", `${name}.py`)], {
      env: { ...process.env, PYTHONPATH: peers },
      signal,
    });
  const inTypeScript = (name) =>
    measured(
      `Measuring ${name} (TypeScript)`,
      process.execPath,
      [inRoot("bench", "typescript", `${name}.mjs`)],
      {
        env: { ...process.env, DATABASE_URL: postgres.url, NODE_ENV: "production" },
        signal,
      },
    );
  const figures = {
    python: await inPython("verify"),
    fastapi: await inPython("request"),
    typescript: await inTypeScript("verify"),
    hono: await inTypeScript("request"),
    issue: await inTypeScript("issue"),
  };
  const text = report(figures, machine());
  say();
  say(text);
  if (!args.includes("--print")) fs.writeFileSync(inRoot("bench", "RESULTS.md"), text);
  return 0;
});

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
