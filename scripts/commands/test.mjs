// `npm test`: the set-up, then every test there is; one suite's failure does not keep the next from running. Two
// lanes of suites run side by side, each line with its suite's name in front.

import fs from "node:fs";
import path from "node:path";
import { requireChromium } from "../chromium.mjs";
import { startPostgres } from "../postgres.mjs";
import { cache } from "../repository.mjs";
import { command, Ended, startProgram } from "../run.mjs";
import { bold, misuse, red, say, sayFailure } from "../say.mjs";
import { setUp } from "../setup.mjs";
import { allSuites, lanesOf, selectSuites } from "../suites.mjs";

const HELP = `npm test: sets up what is missing, then runs every test: both languages, the example, the browser.

  npm test                      all suites
  npm test -- typescript e2e    only these; a name stands for all suites that begin with it (python: three)

Suites:
${allSuites()
  .map((suite) => `  ${suite.name.padEnd(22)} ${suite.what}`)
  .join("\n")}

Each suite that needs PostgreSQL gets a new one of its own, whatever DATABASE_URL says. The browser is Chromium, found
in PATH or named by CHROMIUM. Two suites run side by side. The last line is "tests: N passed, M failed"; a skipped test counts as failed.
`;

await command(async ({ signal, later }) => {
  const args = process.argv.slice(2);
  if (args.includes("--help") || args.includes("-h")) {
    say(HELP);
    return 0;
  }
  const { unknown, chosen } = selectSuites(args);
  if (unknown.length > 0) throw misuse(`There is no suite "${unknown[0]}": npm test -- --help lists them.`);

  await setUp({ signal, secrets: false, web: chosen.some(({ name }) => name === "e2e") });
  const lanes = lanesOf(chosen);
  const results = new Map();
  await Promise.all(
    lanes.map(async (lane) => {
      for (const suite of lane) {
        say(`\n${bold(suite.name)}: ${suite.what}`);
        results.set(suite, await runSuite(suite, { signal, later, plain: lanes.length === 1 }));
      }
    }),
  );
  return table(chosen.map((suite) => results.get(suite)));
});

async function runSuite(suite, { signal, later, plain }) {
  const began = performance.now();
  const finish = (counts) => ({ ...suite, ...counts, seconds: (performance.now() - began) / 1000 });
  let postgres;
  try {
    fs.mkdirSync(path.join(cache, "reports"), { recursive: true });
    fs.rmSync(suite.report, { force: true });
    const env = { ...cleanEnvironment(), ...suite.env };
    if (suite.needs?.includes("chromium")) env.CHROMIUM = await requireChromium({ signal });
    if (suite.needs?.includes("postgres")) {
      postgres = await startPostgres({ temporary: true, notice: say });
      later(postgres.dispose);
      env.DATABASE_URL = postgres.url;
    }
    await suite.prepare?.({ signal });
    const outcome = await runCommand(suite, env, { signal, plain });
    return finish(counted(suite, outcome));
  } catch (error) {
    if (error instanceof Ended) throw error;
    sayFailure(error);
    return finish({ passed: 0, failed: 1, skipped: 0 });
  } finally {
    await postgres?.dispose();
  }
}

async function runCommand(suite, env, { signal, plain }) {
  const program = startProgram(suite.name, suite.command, suite.args, { cwd: suite.cwd, env, plain });
  const end = () => program.stop();
  signal.addEventListener("abort", end, { once: true });
  const outcome = await program.exited;
  signal.removeEventListener("abort", end);
  signal.throwIfAborted();
  return outcome;
}

/** The numbers of the report; a suite that failed without a failed test in its report failed all the same. */
function counted(suite, outcome) {
  let counts;
  try {
    counts = suite.read();
  } catch {
    say(red(`${suite.name} left no report (${outcome}).`));
    return { passed: 0, failed: 1, skipped: 0 };
  }
  const silent = counts.failed === 0 && (outcome !== "exit 0" || counts.passed === 0);
  return { ...counts, failed: counts.failed + (silent ? 1 : 0) };
}

function table(results) {
  say();
  const row = (cells) =>
    say(
      `  ${cells[0].padEnd(24)}${cells
        .slice(1)
        .map((cell) => String(cell).padStart(9))
        .join("")}`,
    );
  row(["suite", "passed", "failed", "skipped", "seconds"]);
  for (const { name, passed, failed, skipped, seconds } of results) {
    row([name, passed, failed, skipped, seconds.toFixed(1)]);
  }
  const sum = (key) => results.reduce((total, result) => total + result[key], 0);
  const failed = sum("failed") + sum("skipped");
  say();
  say(`tests: ${sum("passed")} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

/** The person's environment without what would change what is tested. */
function cleanEnvironment() {
  const env = { ...process.env, NEXT_TELEMETRY_DISABLED: "1" };
  const ours =
    /^(BETTER_AUTH_|JWT_BRIDGE_|AUTH_SECRET$|DATABASE_URL$|API_DATABASE_URL$|API_URL$|WEB_ORIGIN$|PG[A-Z]+$|PYTEST_|PYTHONPATH$|PYTHONHOME$|NODE_ENV$|VITEST)/;
  for (const name of Object.keys(env)) if (ours.test(name)) delete env[name];
  if (!process.stdout.isTTY) env.NO_COLOR = "1"; // some take CI for a terminal
  return env;
}
