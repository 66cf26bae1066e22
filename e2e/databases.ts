/**
 * One PostgreSQL for the stacks of all files, and in it a database with both migrations done, of which each stack gets
 * a copy. A file that stops PostgreSQL has one of its own, made and migrated as a user's is.
 */
import pg from "pg";
import { migrate, startDatabase } from "../scripts/stack.mjs";

/** Addresses, which can be told to another process. */
export type Databases = {
  readonly superuserUrl: string;
  /** The owner's, and the API's role's, of the database that is copied: nobody may be connected to it. */
  readonly databaseUrl: string;
  readonly apiDatabaseUrl: string;
};

export async function startDatabases(webFolder: string): Promise<Databases & { stop(): Promise<void> }> {
  const { databaseUrl, apiDatabaseUrl, postgres } = await startDatabase({ temporary: true });
  if (postgres === undefined) throw new Error("There is no PostgreSQL of our own");
  await migrate({ databaseUrl, apiDatabaseUrl, webFolder });
  return { superuserUrl: postgres.url, databaseUrl, apiDatabaseUrl, stop: postgres.dispose };
}

/** A new database, as a migrated one of a user is; for `startStack`. */
export async function copyOf({ superuserUrl, databaseUrl, apiDatabaseUrl }: Databases) {
  const name = `todo_${crypto.randomUUID().replaceAll("-", "")}`;
  const client = new pg.Client({ connectionString: superuserUrl });
  await client.connect();
  try {
    await client.query(`CREATE DATABASE ${name} TEMPLATE todo OWNER todo_owner`);
  } finally {
    await client.end();
  }
  const inCopy = (url: string) => Object.assign(new URL(url), { pathname: `/${name}` }).href;
  return { databaseUrl: inCopy(databaseUrl), apiDatabaseUrl: inCopy(apiDatabaseUrl), migrated: true };
}
