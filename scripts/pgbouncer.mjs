// pgbouncer between the query scope and PostgreSQL, in transaction mode: many clients share a server connection, so what
// one transaction sets must be gone before the next. The randomized test of the scope runs through it, the check that no
// setting outlives its transaction, and that check once more with a copy of the package in which one does.

import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { installPackages } from "./debian.mjs";
import { keep } from "./keeper.mjs";
import { freePort } from "./ports.mjs";
import { startPostgres } from "./postgres.mjs";
import { serverAccount, temporaryBase } from "./postgres-place.mjs";
import { python } from "./python.mjs";
import { cache, inRoot } from "./repository.mjs";
import { startProgram } from "./run.mjs";
import { red, Stop, say } from "./say.mjs";
import { setUp } from "./setup.mjs";
import { junitCounts } from "./suites.mjs";

/** How long pgbouncer may take until it listens, in milliseconds. */
const START_LIMIT = 20_000;
/** Debian keeps it where only root's PATH leads. */
const PROGRAMS = ["pgbouncer", "/usr/sbin/pgbouncer"];
const RANDOM = inRoot("python", "tests", "sqlalchemy", "test_scope_random.py");
const LEAKS = inRoot("e2e", "pgbouncer");
/** What makes the setting the transaction's, and what would leave it in the connection. */
const LOCAL = 'func.set_config(SETTING, bindparam("subject", type_=String), True)';
const LASTING = 'func.set_config(SETTING, bindparam("subject", type_=String), False)';

/** The system suite. */
export function pgbouncerSuite() {
  return {
    name: "pgbouncer",
    what: "the query scope and row-level security, through pgbouncer in transaction mode",
    run: ({ signal }) => runThrough(signal),
  };
}

async function runThrough(signal) {
  const command = await findPgbouncer(signal);
  await setUp({ signal, secrets: false, web: false });
  const account = serverAccount();
  const base = temporaryBase(account);
  keep({ remove: base });
  let postgres;
  let pgbouncer;
  try {
    postgres = await startPostgres({ temporary: true, notice: say });
    pgbouncer = await startPgbouncer({ command, account, base, server: postgres.url });
    const env = {
      ...process.env,
      TEST_DATABASE_URL: postgres.url,
      SCOPE_TEST_POOLER: pgbouncer.url,
      PYTHONPATH: "",
      PYTEST_ADDOPTS: "",
    };
    return await ask(env, { base, pgbouncer, signal });
  } finally {
    await pgbouncer?.stop();
    await postgres?.dispose();
    fs.rmSync(base, { recursive: true, force: true });
    keep({ spare: base });
  }
}

async function ask(env, { base, pgbouncer, signal }) {
  const random = await runPytest("pgbouncer-random", RANDOM, env, signal);
  const leaks = await runPytest("pgbouncer-leaks", LEAKS, env, signal);
  const count = await transactions(pgbouncer.url, env.TEST_DATABASE_URL);
  say(`  ${count} transactions went through pgbouncer, one server connection for each database and role.`);
  const through = verdict(count > 1000, "pgbouncer saw hardly a transaction: the tests went past it");

  const lasting = { ...env, PYTHONPATH: lastingCopy(base) };
  const broken = await runPytest("pgbouncer-lasting", LEAKS, lasting, signal, { quiet: true });
  const noticed = broken.report
    .split("<testcase ")
    .filter((test) => test.includes("<failure ") && /AssertionError: the setting outlived/.test(test)).length;
  say(`  With a setting that lasts as long as the connection ${noticed} of ${broken.total} tests fail.`);
  const control = verdict(
    // All but the one that says how many server connections there are.
    noticed > 0 && noticed === broken.total - 1 && noticed === broken.failed,
    "a setting that lasts as long as the connection was not noticed by every test",
  );
  const all = [random, leaks, through, control];
  const sum = (key) => all.reduce((total, counts) => total + counts[key], 0);
  return { passed: sum("passed"), failed: sum("failed") };
}

function verdict(good, sentence) {
  if (!good) say(`  ${red("✗")} ${sentence}`);
  return { passed: good ? 1 : 0, failed: good ? 0 : 1 };
}

/** pytest over one file or folder: its numbers, a skipped test counting as failed, and its report. */
async function runPytest(name, what, env, signal, { quiet = false } = {}) {
  const file = path.join(cache, "reports", `${name}.xml`);
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.rmSync(file, { force: true });
  const args = ["-m", "pytest", "-q", "-p", "no:cacheprovider", `--junitxml=${file}`, what];
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
  return { passed, failed: failed + skipped + silent, total: passed + failed + skipped, report };
}

/** A copy of the package in which the setting is the session's: what a pooled connection must never be given. */
function lastingCopy(base) {
  const folder = path.join(base, "lasting");
  const copy = path.join(folder, "jwt_auth_bridge");
  fs.cpSync(inRoot("python", "src", "jwt_auth_bridge"), copy, { recursive: true });
  const file = path.join(copy, "_sqlalchemy_scope.py");
  const source = fs.readFileSync(file, "utf8");
  if (source.split(LOCAL).length !== 2) {
    throw new Stop(
      `_sqlalchemy_scope.py does not hold "${LOCAL}" once: scripts/pgbouncer.mjs has to follow it.`,
    );
  }
  fs.writeFileSync(file, source.replace(LOCAL, LASTING));
  return folder;
}

/** How many transactions pgbouncer has passed on, by its own console. */
async function transactions(pooler, server) {
  const { default: pg } = await import("pg");
  const console = new URL(server);
  console.host = new URL(pooler).host;
  console.pathname = "/pgbouncer";
  const client = new pg.Client({ connectionString: console.href });
  await client.connect();
  try {
    const { rows } = await client.query("SHOW STATS_TOTALS");
    return rows.reduce((sum, row) => sum + Number(row.xact_count), 0);
  } finally {
    await client.end();
  }
}

async function findPgbouncer(signal) {
  const found = () =>
    PROGRAMS.find((name) => spawnSync(name, ["--version"], { stdio: "ignore" }).status === 0);
  const need = "This suite needs pgbouncer";
  if (!found()) {
    const cure = "install it, and put it into PATH";
    await installPackages({ names: ["pgbouncer"], what: "pgbouncer", need, cure, signal });
    if (!found()) throw new Stop(`${need}, and it does not run: ${cure}.`);
  }
  return found();
}

/** pgbouncer in front of a server: any database, any role, whose password it asks the server for. Never as root. */
async function startPgbouncer({ command, account, base, server }) {
  const { hostname, port: serverPort, username, password } = new URL(server);
  for (let attempt = 1; ; attempt += 1) {
    const port = await freePort();
    const ini = path.join(base, "pgbouncer.ini");
    const users = path.join(base, "users");
    const settings = {
      listen_addr: "127.0.0.1",
      listen_port: port,
      unix_socket_dir: "",
      pool_mode: "transaction",
      default_pool_size: 1,
      auth_type: "scram-sha-256",
      auth_file: users,
      admin_users: username,
      server_login_retry: 1, // connections are killed on purpose
    };
    const lines = Object.entries(settings).map(([name, value]) => `${name} = ${value}`);
    const databases = `* = host=${hostname} port=${serverPort} auth_user=${username}`;
    fs.writeFileSync(ini, `[databases]\n${databases}\n[pgbouncer]\n${lines.join("\n")}\n`, { mode: 0o600 });
    fs.writeFileSync(users, `"${username}" "${password}"\n`, { mode: 0o600 });
    if (account) for (const file of [ini, users]) fs.chownSync(file, account.uid, account.gid);
    const program = await launch(command, ini, { account, base });
    if (program.ready) return { url: `postgresql://127.0.0.1:${port}`, stop: () => program.stop("SIGINT") };
    const words = program.lastLines();
    await program.stop();
    // Between drawing a free port and listening on it somebody else may take it.
    if (attempt === 5 || !/in use/.test(words))
      throw new Stop("pgbouncer did not start: see its words.", words);
  }
}

async function launch(command, ini, { account, base }) {
  let timer;
  let up;
  const ready = new Promise((resolve) => {
    up = () => resolve(true);
    timer = setTimeout(resolve, START_LIMIT, false);
  });
  const program = startProgram("pgbouncer", command, [ini], {
    account,
    cwd: base,
    env: { PATH: process.env.PATH ?? "/usr/bin:/bin", LC_ALL: "C", TZ: "UTC" },
    quiet: true,
    onLine: (line) => /process up/.test(line) && up(),
  });
  const outcome = await Promise.race([ready, program.exited.then(() => false)]);
  clearTimeout(timer);
  return { ...program, ready: outcome };
}
