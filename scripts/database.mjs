// The reference app's database: two schemas, and the role that keeps them apart.
//
// `auth` holds Better Auth's tables and `api` the API's; the owner has both and runs the migrations. The API connects
// as `todo_api`, which may use the rows of `api` and nothing else: it owns nothing, creates nothing, and cannot see
// `auth`. Everything here may be done again and again.

import { randomBytes } from "node:crypto";
import { connect, retarget, scram, urlProblem } from "./database-url.mjs";
import { addToEnv, readEnv } from "./env-file.mjs";
import { apiEnv } from "./repository.mjs";
import { Stop } from "./say.mjs";

/** The role that the API connects as. */
const ROLE = "todo_api";
/** Alembic's own table in schema `api`, which the API's role has no business with. */
const VERSION_TABLE = "alembic_version";

/** In a server of our own: the database `todo` and its owner, who is no superuser. Answers the owner's URL. */
export async function makeOwner(superuserUrl) {
  const password = randomBytes(24).toString("base64url");
  const client = await connect(superuserUrl, "the embedded PostgreSQL");
  try {
    const role = await client.query("SELECT FROM pg_roles WHERE rolname = 'todo_owner'");
    const verb = role.rowCount === 0 ? "CREATE" : "ALTER";
    await client.query(
      `${verb} ROLE todo_owner LOGIN CREATEROLE NOSUPERUSER NOCREATEDB PASSWORD '${scram(password)}'`,
    );
    const database = await client.query("SELECT FROM pg_database WHERE datname = 'todo'");
    if (database.rowCount === 0) await client.query("CREATE DATABASE todo OWNER todo_owner");
    // This server is ours alone: nobody but its superuser has business in its other databases.
    await client.query("REVOKE CONNECT, TEMPORARY ON DATABASE postgres, template1 FROM PUBLIC");
  } finally {
    await client.end();
  }
  return retarget(superuserUrl, { user: "todo_owner", password, database: "todo" });
}

/**
 * Makes the schemas and the API's role with its rights. Before the migrations.
 *
 * @param {string} ownerUrl
 * @param {{ apiUrl?: string, envFile?: string | null, notice?: (sentence: string) => void }} options apiUrl: the
 *   person's own API_DATABASE_URL; envFile: where the generated one is kept (null: nowhere, for a stack that passes).
 * @returns {Promise<string>} the URL that the API connects with.
 * @throws {Stop} with the SQL to run by hand, where the owner may not create what is missing.
 */
export async function provision(ownerUrl, { apiUrl, envFile = apiEnv, notice } = {}) {
  if (apiUrl !== undefined && urlProblem(apiUrl, "API_DATABASE_URL"))
    throw new Stop(urlProblem(apiUrl, "API_DATABASE_URL"));
  const owner = await connect(ownerUrl);
  try {
    await owner.query("SELECT pg_advisory_lock(8274431107)"); // two set-ups of one database take turns
    const kept = apiUrl ?? (envFile === null ? undefined : readEnv(envFile).API_DATABASE_URL);
    const role = (kept && decodeURIComponent(new URL(kept).username)) || ROLE;
    const password =
      (kept && decodeURIComponent(new URL(kept).password)) || randomBytes(24).toString("base64url");
    const own = retarget(ownerUrl, { user: role, password });
    if (envFile !== null && kept === undefined) addToEnv(envFile, { API_DATABASE_URL: own });
    // The address in the file may be an older one of this database (another port), or a pooler in front of it.
    const candidates = apiUrl ? [apiUrl] : [...new Set([kept ?? own, own])];

    const may = await rightsOf(owner, role);
    const works = await firstThatWorks(candidates, owner);
    if (works) await judgeRole(works, may.owner);
    await execute(owner, may, statements(may, role, works ? undefined : scram(password)), notice);
    const url = works ?? (await firstThatWorks(candidates, owner));
    if (url === undefined) {
      throw new Stop(
        `The API's role ${role} cannot connect with API_DATABASE_URL: correct its address, or take it out of ${envFile ?? "the environment"}.`,
      );
    }
    if (!works) await judgeRole(url, may.owner);
    return url;
  } catch (error) {
    throw refused(error);
  } finally {
    await owner.end();
  }
}

/** After the migrations: the API's role may use the rows of every table in `api` but Alembic's own. */
export async function settleRights(ownerUrl, apiUrl) {
  const role = quoted(decodeURIComponent(new URL(apiUrl).username));
  const owner = await connect(ownerUrl);
  try {
    await owner.query(`GRANT USAGE ON SCHEMA api TO ${role}`);
    await owner.query(`GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA api TO ${role}`);
    const version = await owner.query("SELECT to_regclass($1) AS found", [`api.${VERSION_TABLE}`]);
    if (version.rows[0].found) await owner.query(`REVOKE ALL ON api.${VERSION_TABLE} FROM ${role}`);
  } catch (error) {
    throw refused(error);
  } finally {
    await owner.end();
  }
}

/** What is there, and what the owner may do about the rest. */
async function rightsOf(owner, role) {
  const found = await owner.query(
    `SELECT current_database() AS database,
            current_user AS owner,
            me.rolsuper OR me.rolcreaterole AS create_role,
            has_database_privilege(current_database(), 'CREATE') AS create_schema,
            pg_has_role(d.datdba, 'USAGE') AS owns_database,
            r.oid IS NOT NULL AS role_exists,
            me.rolsuper OR EXISTS (SELECT FROM pg_auth_members m
              WHERE m.roleid = r.oid AND m.admin_option AND pg_has_role(m.member, 'USAGE')) AS alter_role,
            EXISTS (SELECT FROM pg_shdepend s WHERE s.refclassid = 'pg_authid'::regclass AND s.refobjid = r.oid
              AND s.dbid NOT IN (0, d.oid)) AS role_is_used_elsewhere,
            EXISTS (SELECT FROM pg_db_role_setting s WHERE s.setrole = r.oid AND s.setdatabase = d.oid
              AND 'search_path=api' = ANY (s.setconfig)) AS path_set,
            to_regnamespace('auth') IS NOT NULL AS auth_exists,
            to_regnamespace('api') IS NOT NULL AS api_exists
     FROM pg_roles me
     JOIN pg_database d ON d.datname = current_database()
     LEFT JOIN pg_roles r ON r.rolname = $1
     WHERE me.rolname = current_user`,
    [role],
  );
  return found.rows[0];
}

/** The SQL that is missing, each with whether this owner may run it. `verifier` is given where the password is not yet in force. */
function statements(may, role, verifier) {
  const name = quoted(role);
  const database = quoted(may.database);
  const alter = may.role_exists ? may.alter_role : may.create_role;
  const list = [];
  const add = (needed, allowed, sql) => needed && list.push({ allowed, sql });
  add(!may.role_exists, may.create_role, `CREATE ROLE ${name} LOGIN PASSWORD '${verifier}';`);
  add(
    may.role_exists && verifier !== undefined,
    may.alter_role && !may.role_is_used_elsewhere,
    `ALTER ROLE ${name} LOGIN PASSWORD '${verifier}';`,
  );
  add(!may.path_set, alter, `ALTER ROLE ${name} IN DATABASE ${database} SET search_path = api;`);
  add(!may.auth_exists, may.create_schema, `CREATE SCHEMA auth AUTHORIZATION ${quoted(may.owner)};`);
  add(!may.api_exists, may.create_schema, `CREATE SCHEMA api AUTHORIZATION ${quoted(may.owner)};`);
  return list;
}

async function execute(owner, may, list, notice) {
  if (list.some(({ allowed }) => !allowed)) {
    throw new Stop(
      `The owner ${may.owner} of DATABASE_URL may not do all that is missing in database ${may.database}: run the SQL above as an administrator of that server, then start again.`,
      list.map(({ sql }) => sql).join("\n"),
    );
  }
  for (const { sql } of list) {
    if (sql.startsWith("ALTER ROLE") && sql.includes("PASSWORD")) {
      notice?.("  The database has the API's role already: it gets the password of this clone.");
    }
    await owner.query(sql);
  }
  await owner.query("REVOKE ALL ON SCHEMA auth FROM PUBLIC");
  if (!may.owns_database) return;
  await owner.query(`REVOKE CREATE, TEMPORARY ON DATABASE ${quoted(may.database)} FROM PUBLIC`);
  await owner.query("REVOKE CREATE ON SCHEMA public FROM PUBLIC");
}

/** The first URL that connects to the owner's own database; undefined where none does. */
async function firstThatWorks(urls, owner) {
  const place =
    "SELECT pg_postmaster_start_time() AS server, oid FROM pg_database WHERE datname = current_database()";
  const there = (await owner.query(place)).rows[0];
  for (const url of urls) {
    let client;
    try {
      client = await connect(url, "API_DATABASE_URL");
      const here = (await client.query(place)).rows[0];
      if (here.oid === there.oid && Number(here.server) === Number(there.server)) return url;
    } catch {
      // not this one
    } finally {
      await client?.end();
    }
  }
  return undefined;
}

/** A role that can do more than use rows would make the separation a decoration. */
async function judgeRole(url, owner) {
  const client = await connect(url, "API_DATABASE_URL");
  try {
    const { rows } = await client.query(
      `SELECT rolname, rolsuper OR rolcreaterole OR rolbypassrls OR pg_has_role($1, 'USAGE')
              OR coalesce(has_schema_privilege(to_regnamespace('auth')::oid, 'USAGE'), false)
              OR coalesce(has_schema_privilege(to_regnamespace('api')::oid, 'CREATE'), false) AS too_much
       FROM pg_roles WHERE rolname = current_user`,
      [owner],
    );
    if (rows[0].too_much) {
      throw new Stop(
        `The role ${rows[0].rolname} of API_DATABASE_URL can reach Better Auth's tables or change the API's: give the API a plain role of its own.`,
      );
    }
  } finally {
    await client.end();
  }
}

function refused(error) {
  if (error instanceof Stop || error.severity === undefined) return error;
  return new Stop(`The database of DATABASE_URL refused a step of the set-up: ${error.message}.`);
}

const quoted = (name) => `"${name.replaceAll('"', '""')}"`;
