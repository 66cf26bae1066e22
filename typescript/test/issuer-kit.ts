/** Better Auth with the bridge on a real PostgreSQL, for the tests of the issuer. */

import { admin } from "better-auth/plugins";
import { afterAll, afterEach, beforeAll, expect, vi } from "vitest";
import { type Postgres, startPostgres } from "../../scripts/postgres.mjs";
import { jwtBridge } from "../src/better-auth/index.js";
import { createVerifier } from "../src/verifier.js";
import { AUDIENCE, createAuth, createBrowser, migrate, ORIGIN, openPool, SECRET } from "./real-auth.js";

/** One option, two names: of 1.7, and of 1.6. */
export const JOINS: object = { advanced: { database: { joins: true } }, experimental: { joins: true } };

export let postgres: Postgres;
export let database: ReturnType<typeof openPool>;
let emails = 0;
export const email = () => `user${++emails}@example.com`;

beforeAll(async () => {
  postgres = await startPostgres({ temporary: true });
  database = openPool(postgres);
  const { options } = createAuth(database.pool, { plugins: [admin(), jwtBridge({ audience: AUDIENCE })] });
  await migrate(options);
});

afterAll(async () => {
  await database?.end();
  await postgres?.dispose();
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
});

export function start(more: object = {}, bridge: object = {}) {
  const auth = createAuth(database.pool, {
    plugins: [admin(), jwtBridge({ audience: AUDIENCE, ...bridge })],
    ...JOINS,
    ...more,
  });
  return { auth, browser: createBrowser(auth) };
}

export const verifier = createVerifier({ issuer: ORIGIN, audience: AUDIENCE, secret: SECRET });

export async function fetchToken(browser: ReturnType<typeof createBrowser>): Promise<string> {
  const response = await browser.request("/token");
  expect(response.status).toBe(200);
  return ((await response.json()) as { token: string }).token;
}

export const sql = (text: string, values: unknown[] = []) => database.pool.query(text, values);
