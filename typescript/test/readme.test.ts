/**
 * The TypeScript lines of the README, of docs/start.md and of docs/typescript.md, executed as they stand: on a real
 * Better Auth, on a real PostgreSQL, on real frameworks, through the built package.
 */

import { hkdfSync, randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { createVerifier } from "jwt-auth-bridge/verify";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { type Postgres, startPostgres } from "../../scripts/postgres.mjs";
import { API, block, importAll, person, place, removePlaces, stubNetwork, WEB } from "./pages.js";

const START = "docs/start.md";
const TYPESCRIPT = "docs/typescript.md";

let postgres: Postgres;
let secret: string;

beforeAll(async () => {
  postgres = await startPostgres({ temporary: true });
  vi.stubEnv("DATABASE_URL", postgres.url);
  await importAll(await place(START, ["migrate.mjs"]), ["migrate.mjs"]);
});

afterAll(async () => {
  await postgres?.dispose();
});

beforeEach(() => {
  secret = randomBytes(32).toString("base64url");
  vi.stubEnv("DATABASE_URL", postgres.url);
  vi.stubEnv("BETTER_AUTH_SECRET", secret);
  vi.stubEnv("BETTER_AUTH_SECRETS", "");
  vi.stubEnv("BETTER_AUTH_URL", WEB);
  vi.stubEnv("BETTER_AUTH_TELEMETRY", "0");
  vi.stubEnv("JWT_BRIDGE_AUDIENCE", API);
  vi.stubEnv("JWT_BRIDGE_ISSUER", "");
  vi.stubEnv("NEXT_RUNTIME", "nodejs");
});

afterEach(async () => {
  vi.unstubAllGlobals();
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
  await removePlaces();
});

describe.each(["README.md", START])("%s", (page) => {
  it("issues a token that comes out, verifies, and reaches the API", async () => {
    const folder = await place(page, ["lib/auth.ts", "lib/api.ts", "instrumentation.ts"]);
    const { auth } = await importAll(folder, ["lib/auth.ts"]);
    const calls = stubNetwork(auth.handler, secret);
    const { authClient, tokenSource, api } = await importAll(folder, ["lib/api.ts"]);

    const { data, error } = await authClient.signUp.email(person());
    expect(error).toBeNull();
    const held = await tokenSource.get();
    const principal = await createVerifier({ issuer: WEB, audience: API, secret }).verify(held.value);
    expect(principal.subject).toBe(data.user.id);
    expect(principal.expiresAt - principal.issuedAt).toBe(300);

    const response = await api("/api/{user_id}/tasks");
    expect(await response.json()).toEqual([`a task of ${data.user.id}`]);
    expect(calls.at(-1)).toBe(`GET ${API}/api/${data.user.id}/tasks`);

    await authClient.signOut();
    tokenSource.clear();
    await expect(api("/api/{user_id}/tasks")).rejects.toMatchObject({ code: "session_missing" });
  });

  it("prints issuer, audience and key IDs at start", async () => {
    const info = vi.spyOn(console, "info").mockImplementation(() => {});
    const exit = vi.spyOn(process, "exit").mockImplementation(() => undefined as never);
    const folder = await place(page, ["lib/auth.ts", "instrumentation.ts"]);
    await (await importAll(folder, ["instrumentation.ts"])).register();
    expect(exit).not.toHaveBeenCalled();
    const [keyId] = await createVerifier({ issuer: WEB, audience: API, secret }).keyIds;
    expect(info).toHaveBeenCalledWith(`jwt-auth-bridge: issuer ${WEB}, audience ${API}, key IDs ${keyId}`);
  });

  it.each(["BETTER_AUTH_SECRET", "JWT_BRIDGE_AUDIENCE", "BETTER_AUTH_URL"])(
    "ends the process where %s is not set",
    async (name) => {
      vi.stubEnv(name, "");
      vi.spyOn(console, "warn").mockImplementation(() => {});
      const said = vi.spyOn(console, "error").mockImplementation(() => {});
      const exit = vi.spyOn(process, "exit").mockImplementation(() => undefined as never);
      const folder = await place(page, ["lib/auth.ts", "instrumentation.ts"]);
      await (await importAll(folder, ["instrumentation.ts"])).register();
      expect(exit).toHaveBeenCalledWith(1);
      expect(said.mock.calls.flat().join(" ")).toContain(name);
    },
  );
});

it("README.md's call in a component is one that api understands", async () => {
  const line = await block("README.md", "any component");
  const api = vi.fn(async (target: string) => new Response(target));
  const run = new Function("api", `return (async () => { ${line}; return response; })();`);
  expect(await (await run(api)).text()).toBe("/api/{user_id}/tasks");
});

it("docs/start.md's route hands requests to Better Auth", async () => {
  const folder = await place(START, ["lib/auth.ts", "app/api/auth/[...all]/route.ts"]);
  const { GET, POST } = await importAll(folder, ["app/api/auth/[...all]/route.ts"]);
  stubNetwork((request) => (request.method === "GET" ? GET(request) : POST(request)), secret);
  expect((await fetch(`${WEB}/api/auth/token`)).status).toBe(401);
  const headers = { "content-type": "application/json" };
  await fetch(`${WEB}/api/auth/sign-up/email`, { method: "POST", headers, body: JSON.stringify(person()) });
  const answer = await fetch(`${WEB}/api/auth/token`);
  expect(answer.status).toBe(200);
  expect(answer.headers.get("cache-control")).toBe("no-store");
});

/** A token as jwtBridge() issues it for WEB and API under a secret, for a user who just signed up. */
async function signUp(): Promise<{ token: string; user: string }> {
  const { auth } = await importAll(await place("README.md", ["lib/auth.ts"]), ["lib/auth.ts"]);
  const { headers, response } = await auth.api.signUpEmail({ body: person(), returnHeaders: true });
  const cookie = headers
    .getSetCookie()
    .map((line: string) => line.split(";")[0])
    .join("; ");
  const { token } = await auth.api.getToken({ headers: new Headers({ cookie }) });
  return { token, user: response.user.id };
}

type Call = (path: string, headers: Record<string, string>) => Promise<Response>;

/** Serves on a free port of this machine, for as long as the calls take. */
async function serving<Result>(
  listener: RequestListener,
  use: (call: Call) => Promise<Result>,
): Promise<Result> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  try {
    return await use((target, headers) => fetch(`http://127.0.0.1:${port}${target}`, { headers }));
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

/** The statuses that the documents promise: no token, a good one, and a good one under another user's path. */
async function expectGuarded(call: Call): Promise<void> {
  const { token, user } = await signUp();
  const authorization = `Bearer ${token}`;
  const missing = await call(`/api/${user}/tasks`, {});
  expect([missing.status, await missing.json()]).toEqual([
    401,
    { detail: "Not authenticated", error: "token_missing" },
  ]);
  const good = await call(`/api/${user}/tasks`, { authorization });
  expect([good.status, await good.json()]).toEqual([200, [`a task of ${user}`]]);
  expect((await call("/api/somebody/tasks", { authorization })).status).toBe(403);
}

it("README.md's TypeScript verifier has ten lines, and answers as they say", async () => {
  expect((await block("README.md", "verify.ts")).trim().split("\n")).toHaveLength(10);
  const { handle } = await importAll(await place("README.md", ["verify.ts"]), ["verify.ts"]);
  const { token, user } = await signUp();
  const call = (headers: Record<string, string>) => handle(new Request(API, { headers }));
  expect((await call({})).headers.get("www-authenticate")).toBe("Bearer");
  const good = await call({ authorization: `Bearer ${token}` });
  expect([good.status, await good.json()]).toEqual([200, [`a task of ${user}`]]);
  const bad = await call({ authorization: `Bearer ${token}x` });
  expect([bad.status, (await bad.json()).error]).toEqual([401, "invalid_token"]);
});

describe(TYPESCRIPT, () => {
  beforeEach(() => {
    vi.spyOn(console, "info").mockImplementation(() => {});
  });

  it("guards a Hono app, and its browser may read a refusal", async () => {
    const { app } = await importAll(await place(TYPESCRIPT, ["hono.ts"]), ["hono.ts"]);
    await expectGuarded(async (target, headers) => app.request(target, { headers }));
    const refused = await app.request("/api/alice/tasks", { headers: { origin: WEB } });
    expect(refused.headers.get("access-control-allow-origin")).toBe(WEB);
    const preflight = { origin: WEB, "access-control-request-method": "GET" };
    expect((await app.request("/api/alice/tasks", { method: "OPTIONS", headers: preflight })).status).toBe(
      204,
    );
  });

  it("guards an Express app", async () => {
    const { app } = await importAll(await place(TYPESCRIPT, ["express.ts"]), ["express.ts"]);
    await serving(app, expectGuarded);
  });

  it("guards a Fastify app", async () => {
    const { app } = await importAll(await place(TYPESCRIPT, ["fastify.ts"]), ["fastify.ts"]);
    await app.ready();
    await serving((request, response) => app.routing(request, response), expectGuarded);
    await app.close();
  });

  it("verifies with a key set that holds the derived key alone", async () => {
    const { token, user } = await signUp();
    const folder = await place(TYPESCRIPT, ["keys.ts"]);
    const [kid] = await createVerifier({ issuer: WEB, audience: API, secret }).keyIds;
    const key = hkdfSync("sha256", secret, "", `jwt-auth-bridge/v1/HS256/${API}`, 32);
    const set = { keys: [{ kty: "oct", kid, k: Buffer.from(key).toString("base64url") }] };
    await writeFile(path.join(folder, "keys.json"), JSON.stringify(set));
    // The program runs in its own folder; here the path says so.
    const file = path.join(folder, "keys.ts");
    const there = JSON.stringify(path.join(folder, "keys.json"));
    await writeFile(file, (await readFile(file, "utf8")).replace('"keys.json"', there));
    const { verifier } = await importAll(folder, ["keys.ts"]);
    expect((await verifier.verify(token)).subject).toBe(user);
  });
});
