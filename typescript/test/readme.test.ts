/**
 * The Next.js lines of the README and of docs/start.md, executed as they stand: on a real Better Auth, on a real
 * PostgreSQL, through the built package.
 */

import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { createVerifier } from "jwt-auth-bridge/verify";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { type Postgres, startPostgres } from "../../scripts/postgres.mjs";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const WEB = "http://localhost:3000";
const API = "http://localhost:8000";
const START = "docs/start.md";

type Handler = (request: Request) => Promise<Response>;

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

const folders: string[] = [];

afterEach(async () => {
  vi.unstubAllGlobals();
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
  for (const folder of folders.splice(0)) {
    if (existsSync(path.join(folder, "lib/auth.ts"))) {
      await (await importAll(folder, ["lib/auth.ts"])).auth.options.database.end();
    }
    await rm(folder, { recursive: true, force: true });
  }
});

/** The one block of a page that has this title. */
async function block(page: string, title: string): Promise<string> {
  const text = await readFile(path.join(ROOT, page), "utf8");
  const found = [...text.matchAll(/^```\w+ title="([^"\n]+)"\n(.*?)^```/gms)].filter(
    (match) => match[1] === title,
  );
  expect(found, `${page} needs one block with title="${title}"`).toHaveLength(1);
  return found[0]?.[2] ?? "";
}

/** Puts blocks of a page into a new folder, each as the file that its title names. */
async function place(page: string, titles: readonly string[]): Promise<string> {
  await mkdir(path.join(ROOT, ".cache"), { recursive: true });
  const folder = await mkdtemp(path.join(ROOT, ".cache", "readme-"));
  folders.push(folder);
  for (const title of titles) {
    const file = path.join(folder, title);
    await mkdir(path.dirname(file), { recursive: true });
    // "@/" is what Next.js's own tsconfig.json maps to the folder of the app.
    const up = path.relative(path.dirname(file), folder) || ".";
    await writeFile(file, (await block(page, title)).replaceAll('from "@/', `from "${up}/`));
  }
  return folder;
}

// biome-ignore lint/suspicious/noExplicitAny: what a page's blocks export is known to the test alone
type Exports = Record<string, any>;

async function importAll(folder: string, files: readonly string[]): Promise<Exports> {
  const modules = [];
  for (const file of files) modules.push(await import(pathToFileURL(path.join(folder, file)).href));
  return Object.assign({}, ...modules);
}

/** A browser with cookies, between a web app and an API that says whom it was called by. */
function stubNetwork(web: Handler): string[] {
  const jar = new Map<string, string>();
  const calls: string[] = [];
  const verifier = createVerifier({ issuer: WEB, audience: API, secret });
  vi.stubGlobal("fetch", async (input: RequestInfo | URL, init?: RequestInit) => {
    const request = new Request(input, init);
    const url = new URL(request.url);
    calls.push(`${request.method} ${url.origin}${url.pathname}`);
    if (url.origin === API) {
      const principal = await verifier.verify(
        (request.headers.get("authorization") ?? "").replace(/^Bearer /, ""),
      );
      return Response.json([`a task of ${principal.subject}`]);
    }
    request.headers.set("origin", WEB);
    request.headers.set("cookie", [...jar].map(([name, value]) => `${name}=${value}`).join("; "));
    const response = await web(request);
    for (const line of response.headers.getSetCookie()) {
      const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      if (/max-age=0/i.test(line)) jar.delete(name);
      else jar.set(name, value);
    }
    return response;
  });
  return calls;
}

const person = () => ({
  name: "Alice",
  email: `${randomBytes(6).toString("hex")}@example.com`,
  password: "correct horse battery",
});

describe.each(["README.md", START])("%s", (page) => {
  it("issues a token that comes out, verifies, and reaches the API", async () => {
    const folder = await place(page, ["lib/auth.ts", "lib/api.ts", "instrumentation.ts"]);
    const { auth } = await importAll(folder, ["lib/auth.ts"]);
    const calls = stubNetwork(auth.handler);
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
  stubNetwork((request) => (request.method === "GET" ? GET(request) : POST(request)));
  expect((await fetch(`${WEB}/api/auth/token`)).status).toBe(401);
  const headers = { "content-type": "application/json" };
  await fetch(`${WEB}/api/auth/sign-up/email`, { method: "POST", headers, body: JSON.stringify(person()) });
  const answer = await fetch(`${WEB}/api/auth/token`);
  expect(answer.status).toBe(200);
  expect(answer.headers.get("cache-control")).toBe("no-store");
});
