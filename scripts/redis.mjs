// A real Redis under the store of tickets: the tests of the stores run with it in place of their stand-in, and once more
// with a copy of the package that reads a ticket and takes it out in two steps, which they have to notice.

import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { installPackages } from "./debian.mjs";
import { keep } from "./keeper.mjs";
import { freePort } from "./ports.mjs";
import { serverAccount, temporaryBase } from "./postgres-place.mjs";
import { python } from "./python.mjs";
import { cache, inRoot } from "./repository.mjs";
import { startProgram } from "./run.mjs";
import { red, Stop, say } from "./say.mjs";
import { setUp } from "./setup.mjs";
import { junitCounts } from "./suites.mjs";

/** How long Redis may take until it listens, in milliseconds. */
const START_LIMIT = 20_000;
/** The same server under its two names. */
const PROGRAMS = ["redis-server", "valkey-server"];
const TESTS = inRoot("python", "tests", "tickets", "test_ticket_stores.py");
/** What takes a ticket out in one step, and what would let two have it. */
const ONE_STEP = "await self._client.getdel(self._key(digest))";
const TWO_STEPS =
  "await self._client.get(self._key(digest))\n            await self._client.delete(self._key(digest))";

/** The system suite. */
export function redisSuite() {
  return {
    name: "redis",
    what: "the store of tickets in a real Redis",
    run: ({ signal }) => runWith(signal),
  };
}

async function runWith(signal) {
  const command = await findRedis(signal);
  await setUp({ signal, secrets: false, web: false });
  const account = serverAccount();
  const base = temporaryBase(account);
  keep({ remove: base });
  let redis;
  try {
    redis = await startRedis({ command, account, base });
    const env = { ...process.env, TEST_REDIS_URL: redis.url, PYTHONPATH: "", PYTEST_ADDOPTS: "" };
    return await ask(env, { base, redis, signal });
  } finally {
    await redis?.stop();
    fs.rmSync(base, { recursive: true, force: true });
    keep({ spare: base });
  }
}

async function ask(env, { base, redis, signal }) {
  const tests = await runPytest("redis", env, signal);
  const count = redemptions(redis);
  say(`  Redis was asked for a ticket ${count} times.`);
  const through = verdict(count > 1000, "Redis was hardly asked: the tests went past it");
  const broken = await runPytest("redis-two-steps", { ...env, PYTHONPATH: twoStepCopy(base) }, signal, {
    quiet: true,
  });
  const noticed = broken.report
    .split("<testcase ")
    .some((test) => test.includes("test_of_fifty_at_once_one_gets_it[redis]") && test.includes("<failure "));
  const control = verdict(noticed, "a ticket that is read and taken out in two steps was not noticed");
  if (noticed)
    say("  With a ticket that is read and taken out in two steps the tests fail, as they have to.");
  const all = [tests, through, control];
  const sum = (key) => all.reduce((total, counts) => total + counts[key], 0);
  return { passed: sum("passed"), failed: sum("failed") };
}

function verdict(good, sentence) {
  if (!good) say(`  ${red("✗")} ${sentence}`);
  return { passed: good ? 1 : 0, failed: good ? 0 : 1 };
}

/** pytest over the tests that use Redis: their numbers, a skipped one counting as failed, and the report. */
async function runPytest(name, env, signal, { quiet = false } = {}) {
  const file = path.join(cache, "reports", `${name}.xml`);
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.rmSync(file, { force: true });
  const args = ["-m", "pytest", "-q", "-p", "no:cacheprovider", `--junitxml=${file}`, "-k", "redis", TESTS];
  const program = startProgram(name, python, args, { cwd: inRoot("python"), env, plain: true, quiet });
  const end = () => program.stop();
  signal?.addEventListener("abort", end, { once: true });
  const outcome = await program.exited;
  signal?.removeEventListener("abort", end);
  signal?.throwIfAborted();
  if (!fs.existsSync(file)) throw new Stop(`pytest left no report (${outcome}).`, program.lastLines());
  const report = fs.readFileSync(file, "utf8");
  const { passed, failed, skipped } = junitCounts(report);
  const silent = passed + failed === 0 || (outcome !== "exit 0" && failed === 0) ? 1 : 0;
  return { passed, failed: failed + skipped + silent, report };
}

/** A copy of the package in which two can read a ticket before one of them takes it out. */
function twoStepCopy(base) {
  const folder = path.join(base, "two-steps");
  const copy = path.join(folder, "jwt_auth_bridge");
  fs.cpSync(inRoot("python", "src", "jwt_auth_bridge"), copy, { recursive: true });
  const file = path.join(copy, "tickets.py");
  const source = fs.readFileSync(file, "utf8");
  if (source.split(ONE_STEP).length !== 2) {
    throw new Stop(`tickets.py does not hold "${ONE_STEP}" once: scripts/redis.mjs has to follow it.`);
  }
  fs.writeFileSync(file, source.replace(ONE_STEP, TWO_STEPS));
  return folder;
}

/** How many tickets Redis was asked for, by its own count. */
function redemptions({ port }) {
  const script = `import redis; print(redis.Redis(port=${port}).info("commandstats")["cmdstat_getdel"]["calls"])`;
  const { stdout } = spawnSync(python, ["-c", script], { encoding: "utf8" });
  return Number(stdout);
}

async function findRedis(signal) {
  const found = () =>
    PROGRAMS.find((name) => spawnSync(name, ["--version"], { stdio: "ignore" }).status === 0);
  const need = "This suite needs redis-server";
  if (!found()) {
    const cure = "install it, and put it into PATH";
    await installPackages({ names: ["redis-server"], what: "Redis", need, cure, signal });
    if (!found()) throw new Stop(`${need}, and it does not run: ${cure}.`);
  }
  return found();
}

/** A Redis that keeps nothing on disk and listens on this machine alone. Never as root. */
async function startRedis({ command, account, base }) {
  for (let attempt = 1; ; attempt += 1) {
    const port = await freePort();
    const program = await launch(command, port, { account, base });
    if (program.ready) return { port, url: `redis://127.0.0.1:${port}/0`, stop: () => program.stop() };
    const words = program.lastLines();
    await program.stop();
    // Between drawing a free port and listening on it somebody else may take it.
    if (attempt === 5 || !/in use/.test(words)) throw new Stop("Redis did not start: see its words.", words);
  }
}

async function launch(command, port, { account, base }) {
  let timer;
  let up;
  const ready = new Promise((resolve) => {
    up = () => resolve(true);
    timer = setTimeout(resolve, START_LIMIT, false);
  });
  const settings = { port, bind: "127.0.0.1", dir: base, save: "", appendonly: "no", daemonize: "no" };
  const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const program = startProgram("redis", command, args, {
    account,
    cwd: base,
    env: { PATH: process.env.PATH ?? "/usr/bin:/bin", LC_ALL: "C", TZ: "UTC" },
    quiet: true,
    onLine: (line) => /ready to accept connections/i.test(line) && up(),
  });
  const outcome = await Promise.race([ready, program.exited.then(() => false)]);
  clearTimeout(timer);
  return { ...program, ready: outcome };
}
