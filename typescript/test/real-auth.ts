/**
 * A real Better Auth on a real PostgreSQL, in process, for the issuer's tests.
 */

import { type BetterAuthOptions, betterAuth } from "better-auth";
import { getMigrations } from "better-auth/db/migration";
import pg from "pg";
import type { Postgres } from "../../scripts/postgres.mjs";

export const SECRET = "k3Zq9vT1xW7pL0sD5fG8hJ2nB4mC6rY+uQeAoI/tX1E=";
export const OTHER_SECRET = "Vb8Xo2Lk5Hn1Tq7Zc4Rw9Fy3Jd6Gs0Pm+aEuIi/yQ2M=";
export const AUDIENCE = "https://api.example.com";
export const ORIGIN = "http://localhost:3000";

/** Waits no longer than this for a connection, in milliseconds: a stopped server refuses at once anyway. */
const CONNECTION_LIMIT = 2000;

/** Counts the SQL statements that pass through a pool. */
export function openPool(postgres: Postgres): { pool: pg.Pool; statements: string[]; end(): Promise<void> } {
  const statements: string[] = [];
  const pool = new pg.Pool({
    connectionString: postgres.url,
    max: 4,
    connectionTimeoutMillis: CONNECTION_LIMIT,
  });
  pool.on("error", () => {}); // an idle client whose server stops
  pool.on("connect", (client) => {
    const query = client.query.bind(client) as (...values: unknown[]) => unknown;
    const counted = (first: unknown, ...more: unknown[]) => {
      statements.push(typeof first === "string" ? first : String((first as { text?: string }).text));
      return query(first, ...more);
    };
    Object.assign(client, { query: counted });
  });
  return { pool, statements, end: () => pool.end() };
}

/**
 * Passwords kept as they are: Better Auth's own hash costs a tenth of a second of a core, once for each person who
 * signs up, and nothing here is about it. The example, and the pages of the documents, have the real one.
 */
export const PLAIN_PASSWORDS = {
  hash: async (password: string) => password,
  verify: async ({ hash, password }: { hash: string; password: string }) => hash === password,
};

/** Better Auth with e-mail and password, quiet, over the given pool. */
export function createAuth<Options extends Partial<BetterAuthOptions>>(pool: pg.Pool, options: Options) {
  return betterAuth({
    database: pool,
    secret: SECRET,
    baseURL: ORIGIN,
    emailAndPassword: { enabled: true, password: PLAIN_PASSWORDS },
    rateLimit: { enabled: false },
    telemetry: { enabled: false },
    logger: { disabled: true },
    ...options,
  });
}

export async function migrate(options: BetterAuthOptions): Promise<void> {
  await (await getMigrations(options)).runMigrations();
}

interface Handler {
  handler(request: Request): Promise<Response>;
}

/** A browser's part: keeps cookies, and sends them back. */
export function createBrowser(auth: Handler) {
  const jar = new Map<string, string>();
  return {
    jar,
    get headers() {
      return new Headers({ cookie: [...jar].map(([name, value]) => `${name}=${value}`).join("; ") });
    },
    async request(path: string, body?: object): Promise<Response> {
      const headers = this.headers;
      headers.set("origin", ORIGIN);
      if (body) headers.set("content-type", "application/json");
      const init = body ? { method: "POST", headers, body: JSON.stringify(body) } : { headers };
      const response = await auth.handler(new Request(`${ORIGIN}/api/auth${path}`, init));
      for (const line of response.headers.getSetCookie()) {
        const [pair = "", ...attributes] = line.split(";");
        const [name = "", value = ""] = pair.split(/=(.*)/s);
        if (attributes.some((attribute) => /max-age=0$/i.test(attribute.trim()))) jar.delete(name);
        else jar.set(name, value);
      }
      return response;
    },
    async signUp(email: string): Promise<{ id: string }> {
      const response = await this.request("/sign-up/email", { email, password: "correct horse", name: "A" });
      if (response.status !== 200)
        throw new Error(`sign-up answered ${response.status}: ${await response.text()}`);
      return ((await response.json()) as { user: { id: string } }).user;
    },
  };
}

/** The claims of a token, unverified. */
export function readClaims(token: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());
}

export function readHeader(token: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(token.split(".")[0] ?? "", "base64url").toString());
}
