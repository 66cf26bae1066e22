/**
 * Creates Better Auth's tables in schema `auth`, as the owner (DATABASE_URL), and adds what a newer version needs.
 * Plain Node: `node migrate.mjs`. It never drops anything, and never looks at another schema.
 */
import { getMigrations } from "better-auth/db/migration";

if (!process.env.DATABASE_URL) {
  console.error("DATABASE_URL is not set; set it to the URL of the database's owner to migrate.");
  process.exit(1);
}
const { authOptions, pool } = await import("./lib/auth-options.mjs");
try {
  await pool.query("CREATE SCHEMA IF NOT EXISTS auth").catch(ignoreMissingRight);
  const { toBeCreated, toBeAdded, runMigrations } = await getMigrations(authOptions);
  await runMigrations();
  const tables = [...toBeCreated, ...toBeAdded].map(({ table }) => table);
  console.info(tables.length > 0 ? `Migrated: ${tables.join(", ")}` : "Nothing to migrate");
} catch (error) {
  console.error(
    `Better Auth's tables could not be migrated: ${error instanceof Error ? error.message : error}`,
  );
  process.exitCode = 1;
} finally {
  await pool.end();
}

/**
 * PostgreSQL asks for the right to create schemas even where there is nothing to create.
 *
 * @param {unknown} error
 */
function ignoreMissingRight(error) {
  if (!(error instanceof Error && "code" in error && error.code === "42501")) throw error;
}
