// The whole stack: PostgreSQL, the migrations, FastAPI, Next.js. `npm start`, `npm run walk` and the tests in the
// browser all start it here, so that what is tested is what a user gets.
//
//   const stack = await startStack({ temporary: true });      // free ports, new data, secrets in memory only
//   await fetch(`${stack.apiUrl}/healthz`);
//   await stack.api.stop(); await stack.api.start();
//   await stack.stop();

import { createRequire } from "node:module";
import path from "node:path";
import { isPublic } from "./algorithm.mjs";
import { makeOwner, provision, settleRights } from "./database.mjs";
import { freePort } from "./ports.mjs";
import { startPostgres } from "./postgres.mjs";
import { python } from "./python.mjs";
import { api, apiEnv, web } from "./repository.mjs";
import { runProgram, startProgram } from "./run.mjs";
import { Stop } from "./say.mjs";
import { jwksUrlOf, ownEnvironment, settingsOf } from "./settings.mjs";

/** How long a process may take until it answers /healthz, in milliseconds. */
const START_LIMIT = 60_000;

/**
 * Starts the stack and resolves when both servers answer. Run the set-up (setup.mjs) before.
 *
 * @param {object} options
 * @param {number} [options.webPort] [options.apiPort] [options.pgPort] 0 or nothing draws a free one.
 * @param {string} [options.databaseUrl] the owner's URL of a PostgreSQL that is there; else the embedded one is started.
 * @param {boolean} [options.migrated] the database of `databaseUrl` has the tables of both sides already.
 * @param {boolean} [options.temporary] new data that goes with the stack, generated secrets kept in memory, and nothing
 *   read from the person's environment or `.env` files.
 * @param {Record<string, string>} [options.secrets] BETTER_AUTH_SECRET or BETTER_AUTH_SECRETS for both sides.
 * @param {string} [options.algorithm] how tokens are signed (algorithm.mjs). Default: JWT_BRIDGE_ALGORITHM of the web
 *   app, else HS256. Where it is not HS256, the API gets the address of the public keys and no secret.
 * @param {Record<string, string>} [options.webEnv] [options.apiEnv] more variables for one side; these win.
 * @param {string} [options.webFolder] a copy of the web app, built, with a Next.js of its own; default: the web app.
 * @param {boolean} [options.quiet] the servers' output is kept for errors and not shown.
 * @param {AbortSignal} [options.signal] ends the start.
 * @param {(sentence: string) => void} [options.notice]
 * @returns {Promise<{ webUrl: string, apiUrl: string, jwksUrl: string, algorithm: string, databaseUrl: string,
 *   apiDatabaseUrl: string, secrets: Record<string, string>, postgres: object | undefined, web: object, api: object,
 *   startApi: (env?: Record<string, string>) => Promise<object>, stop: () => Promise<void> }>}
 *   web and api have url, start, stop, kill, restart(env), env(), output() and exited(); startApi starts one more
 *   process of the API, on a port of its own; postgres is undefined for `databaseUrl`.
 */
export async function startStack(options = {}) {
  const { temporary = false, quiet = temporary, webFolder = web, signal, notice } = options;
  const undo = [];
  const stop = async () => {
    for (const work of undo.splice(0).reverse()) await work();
  };
  try {
    const webPort = options.webPort || (await freePort());
    const apiPort = options.apiPort || (await freePort());
    const database = await startDatabase({ ...options, notice, later: (work) => undo.push(work) });
    if (!options.migrated) await migrate({ ...database, webFolder, signal });
    signal?.throwIfAborted();

    const settings = settingsOf({ ...options, temporary, webPort, apiPort, ...database });
    const apiOn = (port, env) =>
      server("api", port, env, { quiet, cwd: api, command: python, args: apiArguments(port) });
    const servers = {
      api: apiOn(apiPort, settings.api),
      web: server("web", webPort, settings.web, {
        quiet,
        cwd: webFolder,
        command: process.execPath,
        args: [nextOf(webFolder), "start", "-H", "127.0.0.1", "-p", String(webPort)],
        // The address that it listens on; Better Auth knows the app as localhost only and refuses to sign in there.
        hide: /^\s*- (Local|Network):/,
      }),
    };
    undo.push(servers.api.stop, servers.web.stop);
    const start = (name) => servers[name].start(signal);
    // An API that fetches its keys asks for them at once; one that does not needs nobody.
    if (isPublic(settings.algorithm)) for (const name of ["web", "api"]) await start(name);
    else await Promise.all(["web", "api"].map(start));
    return {
      webUrl: servers.web.url,
      apiUrl: servers.api.url,
      jwksUrl: jwksUrlOf(webPort),
      algorithm: settings.algorithm,
      secrets: settings.secrets,
      ...database,
      ...servers,
      startApi: async (env) => {
        const another = apiOn(await freePort(), { ...servers.api.env(), ...env });
        undo.push(another.stop);
        await another.start(signal);
        return another;
      },
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
export async function migrate({ databaseUrl, apiDatabaseUrl, webFolder = web, signal }) {
  const env = { ...ownEnvironment(), DATABASE_URL: databaseUrl, BETTER_AUTH_TELEMETRY: "0" };
  const failure = (name) => () => `The migration of ${name} failed: its last lines stand above.`;
  const alembic = ["-m", "alembic", "-c", `${api}/alembic.ini`, "upgrade", "head"];
  const steps = [
    ["Better Auth's tables", process.execPath, ["migrate.mjs"], webFolder],
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

/** The Next.js that a folder has. */
export const nextOf = (folder) =>
  createRequire(path.join(folder, "package.json")).resolve("next/dist/bin/next");

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
    url: `http://localhost:${port}`,
    start,
    stop,
    kill: async () => program?.kill(),
    restart: async (more = {}) => {
      await stop();
      settings = { ...settings, ...more };
      await start();
    },
    env: () => ({ ...settings }),
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
