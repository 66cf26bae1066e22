// The two schemas and the API's role: made once, made again without harm, and refused in one sentence.

import fs from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { makeOwner, provision, settleRights } from "../database.mjs";
import { connect, urlProblem } from "../database-url.mjs";
import { readEnv } from "../env-file.mjs";
import { startPostgres } from "../postgres.mjs";
import { folder } from "./helpers.mjs";

let postgres;
let ownerUrl;

beforeAll(async () => {
  postgres = await startPostgres({ temporary: true });
  ownerUrl = await makeOwner(postgres.url);
});
afterAll(() => postgres.dispose());

async function query(url, sql) {
  const client = await connect(url);
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

test("gives the API's role the rows of schema api and nothing else", async () => {
  const envFile = path.join(folder(), ".env");
  const apiUrl = await provision(ownerUrl, { envFile });
  await query(
    ownerUrl,
    "CREATE TABLE IF NOT EXISTS api.task (id int); CREATE TABLE IF NOT EXISTS api.alembic_version (v text)",
  );
  await query(ownerUrl, "CREATE TABLE IF NOT EXISTS auth.secret (id int)");
  await settleRights(ownerUrl, apiUrl);

  expect(fs.statSync(envFile).mode & 0o777).toBe(0o600);
  expect(readEnv(envFile).API_DATABASE_URL).toBe(apiUrl);
  expect(
    await query(
      apiUrl,
      "SELECT current_user AS role, current_schema AS schema, count(*)::int AS rows FROM task",
    ),
  ).toEqual([{ role: "todo_api", schema: "api", rows: 0 }]);
  await expect(query(apiUrl.replace(/[^/]*$/, "postgres"), "SELECT 1")).rejects.toThrow();
  for (const forbidden of [
    "SELECT FROM auth.secret",
    "SELECT FROM api.alembic_version",
    "TRUNCATE task",
    "CREATE TABLE api.mine ()",
    "CREATE TABLE public.mine ()",
    "CREATE TEMPORARY TABLE mine ()",
    "CREATE SCHEMA mine",
    "ALTER TABLE task ADD mine int",
    "CREATE ROLE mine",
    "SET ROLE todo_owner",
  ]) {
    await expect(query(apiUrl, forbidden), forbidden).rejects.toThrow(/permission denied|must be owner/);
  }
  expect(
    (await query(ownerUrl, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user"))[0].rolsuper,
  ).toBe(false);
});

test("is the same again, for a new owner's password and a new clone too", async () => {
  const envFile = path.join(folder(), ".env");
  const first = await provision(ownerUrl, { envFile });
  ownerUrl = await makeOwner(postgres.url);
  expect(await provision(ownerUrl, { envFile })).toBe(first);
  const notices = [];
  const other = await provision(ownerUrl, { envFile: null, notice: (sentence) => notices.push(sentence) });
  expect(other).not.toBe(first);
  expect(notices.join()).toMatch(/gets the password of this clone/);
  await expect(query(first, "SELECT")).rejects.toThrow(/refuses the user "todo_api"/);
});

test("an address of the file that is an older one of this database is corrected in memory, not in the file", async () => {
  const envFile = path.join(folder(), ".env");
  const apiUrl = await provision(ownerUrl, { envFile });
  const old = apiUrl.replace(`:${postgres.port}/`, ":1/");
  fs.writeFileSync(envFile, `API_DATABASE_URL=${old}\n`);
  expect(await provision(ownerUrl, { envFile })).toBe(apiUrl);
  expect(fs.readFileSync(envFile, "utf8")).toBe(`API_DATABASE_URL=${old}\n`);
});

test("an owner who may not do it all is shown the SQL, which works and holds no password", async () => {
  await query(postgres.url, "CREATE ROLE lame LOGIN PASSWORD 'lame'");
  await query(postgres.url, "CREATE DATABASE lame");
  const url = new URL(postgres.url);
  const lame = `postgresql://lame:lame@${url.host}/lame`;
  const envFile = path.join(folder(), ".env");
  const refused = await provision(lame, { envFile }).catch((error) => error);
  expect(refused.message).toMatch(/The owner lame of DATABASE_URL may not .* run the SQL above/);
  const password = new URL(readEnv(envFile).API_DATABASE_URL).password;
  expect(refused.details).not.toContain(password);
  expect(refused.details).toMatch(/ALTER ROLE "todo_api" LOGIN PASSWORD 'SCRAM-SHA-256/);
  expect(refused.details).toMatch(/CREATE SCHEMA auth AUTHORIZATION "lame"/);

  url.pathname = "/lame";
  await query(url.href, refused.details);
  expect(await provision(lame, { envFile })).toBe(readEnv(envFile).API_DATABASE_URL);
});

test("a role for the API that could reach Better Auth's tables is refused", async () => {
  await expect(provision(ownerUrl, { apiUrl: ownerUrl, envFile: null })).rejects.toThrow(
    /give the API a plain role of its own/,
  );
});

test.each([
  ["nonsense", /is not a URL/],
  ["mysql://localhost/x", /begins with mysql:\/\/ and only PostgreSQL will do/],
  ["postgresql://localhost", /names no database/],
])("%s: what is wrong with it", (url, sentence) => {
  expect(urlProblem(url)).toMatch(sentence);
});

test("where there is no server, no such user, no such database: one sentence without the password", async () => {
  const { host } = new URL(ownerUrl);
  for (const [url, sentence] of [
    [
      "postgresql://owner:geheim@127.0.0.1:1/todo",
      /cannot be reached at 127.0.0.1:1 \(ECONNREFUSED\): start it/,
    ],
    [`postgresql://nobody:geheim@${host}/todo`, /refuses the user "nobody" of DATABASE_URL/],
    [ownerUrl.replace(/todo$/, "missing"), /has no database "missing"/],
  ]) {
    const error = await provision(url, { envFile: null }).catch((reason) => reason);
    expect(error.name).toBe("Stop");
    expect(error.message).toMatch(sentence);
    expect(error.message).not.toContain("geheim");
  }
});
