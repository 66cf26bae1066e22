// @ts-check
/**
 * Better Auth's options, in plain JavaScript so that migrate.mjs can import them without a compiler.
 *
 * Nothing is judged while this is imported: `next build` imports it on machines without secrets and without a
 * database. instrumentation.ts judges when the server starts.
 */
import { APIError } from "better-auth/api";
import { jwtBridge } from "jwt-auth-bridge/better-auth";
import pg from "pg";

const env = process.env;

/** Better Auth's tables live in a schema of their own. Behind pgbouncer, set the path on the role instead. */
export const pool = new pg.Pool({
  connectionString: env.DATABASE_URL,
  options: "-c search_path=auth",
  max: 10,
  // Milliseconds. A database that hangs is one that is away.
  connectionTimeoutMillis: 5000,
  query_timeout: 5000,
});

// An idle connection that breaks is an event, and an event nobody listens to ends the process.
pool.on("error", (error) => console.warn(`A database connection was lost: ${error.message}`));

/** Seconds; only tests set it, to see a token renewed without waiting five minutes. */
const lifetime = env.JWT_BRIDGE_LIFETIME ? Number(env.JWT_BRIDGE_LIFETIME) : undefined;

/** HS256, the default, or EdDSA, ES256, RS256: then the API fetches public keys and needs no secret. */
const algorithm = /** @type {import("jwt-auth-bridge/better-auth").JwtBridgeOptions["algorithm"]} */ (
  env.JWT_BRIDGE_ALGORITHM || undefined
);

/** One API, in this app; the tests of several give the second one's identifier here. */
const second = env.TODO_TEST_SECOND_AUDIENCE;
const audience = second ? [env.JWT_BRIDGE_AUDIENCE ?? "", second] : env.JWT_BRIDGE_AUDIENCE;

/**
 * Better Auth lets one address try three sign-ins in ten seconds. The tests are many people at one address, so
 * they raise the number with this variable; the limit is not taken away. Better Auth takes the address from
 * X-Forwarded-For, which a client of a server without a proxy can write: see SECURITY.md.
 */
const attempts = env.TODO_TEST_SIGN_INS ? Number(env.TODO_TEST_SIGN_INS) : undefined;
const rule = attempts && { window: 10, max: attempts };

/** A lone surrogate is no text: PostgreSQL would be given U+FFFD in its place, without a word. */
async function refuseLoneSurrogates(/** @type {{ name?: string }} */ user) {
  if (/\p{Surrogate}/u.test(user.name ?? "")) {
    throw new APIError("UNPROCESSABLE_ENTITY", { message: "The name has a character that is no text" });
  }
}
const before = { before: refuseLoneSurrogates };

export const authOptions = /** @satisfies {import("better-auth").BetterAuthOptions} */ ({
  database: pool,
  emailAndPassword: { enabled: true },
  advanced: { database: { joins: true } },
  plugins: [jwtBridge({ audience, algorithm, lifetime })],
  databaseHooks: { user: { create: before, update: before } },
  telemetry: { enabled: false },
  ...(rule && { rateLimit: { customRules: { "/sign-in/*": rule, "/sign-up/*": rule } } }),
});
