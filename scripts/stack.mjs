// The whole stack: PostgreSQL, the migrations, FastAPI, Next.js. `npm start`, `npm run walk` and the tests in the
// browser all start it here, so that what is tested is what a user gets.
//
//   const stack = await startStack({ temporary: true });      // free ports, new data, secrets in memory only
//   await fetch(`${stack.apiUrl}/healthz`);
//   await stack.api.stop(); await stack.api.start();
//   await stack.stop();

import { makeOwner, provision, settleRights } from "./database.mjs";
import { newSecret, readEnv } from "./env-file.mjs";
import { freePort } from "./ports.mjs";
import { startPostgres } from "./postgres.mjs";
import { python } from "./python.mjs";
import { api, apiEnv, program, web, webEnv } from "./repository.mjs";
import { runProgram, startProgram } from "./run.mjs";
import { Stop } from "./say.mjs";

/** How long a process may take until it answers /healthz, in milliseconds. */
const START_LIMIT = 60_000;

/** What another project's shell may hold and what must not reach a stack whose settings are given. */
const SETTINGS = [
  "BETTER_AUTH_SECRET",
  "BETTER_AUTH_SECRETS",
  "AUTH_SECRET",
  "BETTER_AUTH_URL",
  "JWT_BRIDGE_ISSUER",
  "JWT_BRIDGE_AUDIENCE",
  "JWT_BRIDGE_LIFETIME",
  "API_URL",
  "WEB_ORIGIN",
  "DATABASE_URL",
  "API_DATABASE_URL",
];

/** Empty means unset to both sides; unset would let Next.js take the one of its `.env` file. */
const SECRETS = { BETTER_AUTH_SECRET: "", BETTER_AUTH_SECRETS: "" };

/**
 * Starts the stack and resolves when both servers answer. Run the set-up (setup.mjs) before.
 *
 * @param {object} options
 * @param {number} [options.webPort] [options.apiPort] [options.pgPort] 0 or nothing draws a free one.
 * @param {string} [options.databaseUrl] the owner's URL of a PostgreSQL that is there; else the embedded one is started.
 * @param {boolean} [options.temporary] new data that goes with the stack, generated secrets kept in memory, and nothing
 *   read from the person's environment or `.env` files.
 * @param {Record<string, string>} [options.secrets] BETTER_AUTH_SECRET or BETTER_AUTH_SECRETS for both sides.
 * @param {Record<string, string>} [options.webEnv] [options.apiEnv] more variables for one side; these win.
 * @param {boolean} [options.quiet] the servers' output is kept for errors and not shown.
 * @param {AbortSignal} [options.signal] ends the start.
 * @param {(sentence: string) => void} [options.notice]
 * @returns {Promise<{ webUrl: string, apiUrl: string, databaseUrl: string, apiDatabaseUrl: string,
 *   secrets: Record<string, string>, postgres: object | undefined, web: object, api: object, stop: () => Promise<void> }>}
 *   web and api have start, stop, kill, restart(env), output() and exited(); postgres is undefined for `databaseUrl`.
 */
export async function startStack(options = {}) {
  const { temporary = false, quiet = temporary, signal, notice } = options;
  const undo = [];
  const stop = async () => {
    for (const work of undo.splice(0).reverse()) await work();
  };
  try {
    const webPort = options.webPort || (await freePort());
    const apiPort = options.apiPort || (await freePort());
    const database = await startDatabase({ ...options, notice, later: (work) => undo.push(work) });
    await migrate({ ...database, signal });
    signal?.throwIfAborted();

    const settings = settingsOf({ ...options, temporary, webPort, apiPort, ...database });
    const servers = {
      api: server("api", apiPort, settings.api, {
        quiet,
        cwd: api,
        command: python,
        args: apiArguments(apiPort),
      }),
      web: server("web", webPort, settings.web, {
        quiet,
        cwd: web,
        command: process.execPath,
        args: [program("next", "dist", "bin", "next"), "start", "-H", "127.0.0.1", "-p", String(webPort)],
        // The address that it listens on; Better Auth knows the app as localhost only and refuses to sign in there.
        hide: /^\s*- (Local|Network):/,
      }),
    };
    undo.push(servers.api.stop, servers.web.stop);
    await Promise.all([servers.api.start(signal), servers.web.start(signal)]);
    return {
      webUrl: `http://localhost:${webPort}`,
      apiUrl: `http://localhost:${apiPort}`,
      secrets: settings.secrets,
      ...database,
      ...servers,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The database with its schemas and role: the person's own, or a PostgreSQL of ours. */
export async function startDatabase({
  databaseUrl,
  temporary = false,
  pgPort,
  apiDatabaseUrl,
  notice,
  later,
}) {
  const more = { apiUrl: apiDatabaseUrl, envFile: temporary ? null : apiEnv, notice };
  if (databaseUrl)
    return { databaseUrl, apiDatabaseUrl: await provision(databaseUrl, more), postgres: undefined };
  const postgres = await startPostgres({ temporary, port: pgPort, notice });
  later?.(postgres.dispose);
  const ownerUrl = await makeOwner(postgres.url);
  return { databaseUrl: ownerUrl, apiDatabaseUrl: await provision(ownerUrl, more), postgres };
}

/** Both migrations, each in its own schema, as the owner. */
export async function migrate({ databaseUrl, apiDatabaseUrl, signal }) {
  const env = { ...ownEnvironment(), DATABASE_URL: databaseUrl, BETTER_AUTH_TELEMETRY: "0" };
  const failure = (name) => () => `The migration of ${name} failed: its last lines stand above.`;
  const alembic = ["-m", "alembic", "-c", `${api}/alembic.ini`, "upgrade", "head"];
  const steps = [
    ["Better Auth's tables", process.execPath, ["migrate.mjs"], web],
    ["the API's tables", python, alembic, api],
  ];
  await Promise.all(
    steps.map(([name, command, args, cwd]) =>
      runProgram(`Migrating ${name}`, command, args, {
        cwd,
        env,
        signal,
        failure: failure(name),
        shown: false,
      }),
    ),
  );
  await settleRights(databaseUrl, apiDatabaseUrl);
}

/** What each side gets in its environment. The person's own environment wins over the files, computed values fill the rest. */
function settingsOf({
  temporary,
  webPort,
  apiPort,
  databaseUrl,
  apiDatabaseUrl,
  secrets,
  webEnv: moreWeb,
  apiEnv: moreApi,
}) {
  const base = ownEnvironment();
  const person = temporary ? {} : pick(process.env, SETTINGS);
  const shared = {
    BETTER_AUTH_URL: `http://localhost:${webPort}`,
    JWT_BRIDGE_AUDIENCE: `http://localhost:${apiPort}`,
    NO_COLOR: "1",
  };
  const drawn = { ...SECRETS, ...(secrets ?? { BETTER_AUTH_SECRET: newSecret() }) };
  const given = pick(person, Object.keys(SECRETS));
  const own =
    temporary || secrets ? drawn : Object.keys(given).length > 0 ? { ...SECRETS, ...given } : undefined;
  const sideOf = (file, computed, more) => ({
    ...base,
    ...shared,
    ...computed,
    ...(temporary ? {} : readEnv(file)),
    ...person,
    ...own,
    ...more,
  });
  const webSide = sideOf(
    webEnv,
    { API_URL: `http://localhost:${apiPort}`, NODE_ENV: "production", NEXT_TELEMETRY_DISABLED: "1" },
    { DATABASE_URL: databaseUrl, ...moreWeb },
  );
  const apiSide = sideOf(
    apiEnv,
    { WEB_ORIGIN: `http://localhost:${webPort}`, PYTHONUNBUFFERED: "1" },
    { API_DATABASE_URL: apiDatabaseUrl, ...moreApi },
  );
  delete webSide.API_DATABASE_URL; // neither side holds the other's way into the database
  delete apiSide.DATABASE_URL;
  return {
    web: webSide,
    api: apiSide,
    secrets: pick(webSide, Object.keys(SECRETS)),
  };
}

const apiArguments = (port) => [
  ...["-m", "uvicorn", "todo_api.main:app", "--host", "127.0.0.1", "--port", String(port)],
  ...["--timeout-graceful-shutdown", "3"],
];

/** One server that can be stopped and started again, with other settings too. */
function server(name, port, env, { command, args, cwd, quiet, hide }) {
  let program;
  let settings = env;
  const start = async (signal) => {
    if (program?.running()) return;
    program = startProgram(name, command, args, { cwd, env: settings, quiet, hide });
    try {
      await answering(program, `http://127.0.0.1:${port}/healthz`, { quiet, signal });
    } catch (error) {
      await program.stop();
      throw error;
    }
  };
  const stop = async () => program?.stop();
  return {
    start,
    stop,
    kill: async () => program?.kill(),
    restart: async (more = {}) => {
      await stop();
      settings = { ...settings, ...more };
      await start();
    },
    output: () => program?.lastLines() ?? "",
    exited: () => program.exited,
  };
}

/** Waits until the address answers 200; a process that ends before is named with its last words. */
async function answering(program, address, { quiet, signal }) {
  const words = () => (quiet ? program.lastLines() : ""); // shown already otherwise
  let outcome;
  program.exited.then((how) => {
    outcome = how;
  });
  for (const began = performance.now(); performance.now() - began < START_LIMIT; ) {
    signal?.throwIfAborted();
    if (outcome !== undefined) {
      throw new Stop(
        `${title(program.name)} ended while starting (${outcome}): its last lines stand above.`,
        words(),
      );
    }
    try {
      const answer = await fetch(address, { signal: AbortSignal.timeout(2000), redirect: "manual" });
      await answer.arrayBuffer();
      if (answer.status === 200) return;
    } catch {
      // not yet
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Stop(
    `${title(program.name)} does not answer ${address} after ${START_LIMIT / 1000} s: its last lines stand above.`,
    words(),
  );
}

/** The name of a server in a sentence. */
export const title = (name) => (name === "web" ? "The Next.js app" : "The API");

/**
 * What a test runner sets, and what must not reach a server under test: Better Auth switches its check of the Origin
 * off where TEST is set.
 */
const RUNNER = /^(TEST|VITEST.*|BASE_URL|MODE|DEV|PROD|SSR|NODE_ENV|NODE_OPTIONS)$/;

/** The environment without settings of ours, without what bends Python, and without what a test runner sets. */
function ownEnvironment() {
  const env = { ...process.env };
  for (const name of Object.keys(env)) if (RUNNER.test(name)) delete env[name];
  for (const name of [...SETTINGS, "PYTHONHOME", "PYTHONPATH"]) delete env[name];
  return env;
}

function pick(values, names) {
  return Object.fromEntries(names.filter((name) => values[name]).map((name) => [name, values[name]]));
}
