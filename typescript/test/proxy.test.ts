/** The proxy and its sessions, and its configuration. */

import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { ConfigurationError } from "../src/index.js";
import { createProxy } from "../src/next/proxy.js";
import { createVerifier } from "../src/verifier.js";
import { createMemoryAuth, OTHER_AUDIENCE, SAME_ORIGIN, startAll, stopServers } from "./proxy-kit.js";
import { AUDIENCE, createBrowser, ORIGIN, readClaims, SECRET } from "./real-auth.js";

let all: Awaited<ReturnType<typeof startAll>>;
beforeAll(async () => {
  all = await startAll();
});
afterAll(stopServers);
afterEach(() => {
  vi.useRealTimers();
  all.api.answer = undefined;
  all.api.received.length = 0;
  all.notices.length = 0;
});

const tokenOf = (index = 0) => all.api.received[index]?.headers.authorization?.replace("Bearer ", "") ?? "";
const until = (condition: () => unknown) => vi.waitFor(() => expect(condition()).toBeTruthy());

describe("the session", () => {
  test("a request arrives with a token that the API's verifier takes, and the path filled", async () => {
    const response = await all.call("/backend/api/{user_id}/tasks?done=1", {
      method: "POST",
      body: '{"a":1}',
    });
    expect([response.status, await response.json()]).toEqual([200, { ok: true }]);
    expect(all.api.received).toMatchObject([
      { method: "POST", url: `/api/${all.user.id}/tasks?done=1`, body: '{"a":1}', complete: true },
    ]);
    const verifier = createVerifier({ issuer: ORIGIN, audience: AUDIENCE, secret: SECRET });
    expect((await verifier.verify(tokenOf())).subject).toBe(all.user.id);
    expect(all.notices).toEqual([]);
  });

  test.each([
    ["no cookie", ""],
    ["a forged cookie", "better-auth.session_token=x.y"],
    ["another app's cookie", "session=1"],
  ])("%s is 401, as the contract says it", async (_name, cookie) => {
    const response = await all.call("/backend/tasks", { method: "POST", body: "x" }, { cookie });
    expect(response.status).toBe(401);
    expect(response.headers.get("www-authenticate")).toBe("Bearer");
    expect(await response.text()).toBe('{"detail":"Not authenticated","error":"token_missing"}');
    expect(all.api.received).toEqual([]);
  });

  test("an Authorization header is no credential here", async () => {
    await all.call("/backend/tasks");
    const response = await all.call(
      "/backend/tasks",
      {},
      { cookie: "", authorization: `Bearer ${tokenOf()}` },
    );
    expect(response.status).toBe(401);
  });

  test("the session is read for each request: after a sign-out, at once 401", async () => {
    const browser = createBrowser(all.auth);
    await browser.signUp("out@example.com");
    const cookie = browser.headers.get("cookie") ?? "";
    expect((await all.call("/backend/tasks", {}, { cookie })).status).toBe(200);
    await browser.request("/sign-out", {});
    const response = await all.call("/backend/tasks", {}, { cookie });
    expect(response.status).toBe(401);
    expect(response.headers.getSetCookie().join()).toMatch(/session_token=;.*Max-Age=0/);
  });

  test("a store that is away is 503 with Retry-After, never 401", async () => {
    const { session } = all.store;
    all.store.session = undefined as never;
    try {
      const response = await all.call("/backend/tasks");
      expect([response.status, response.headers.get("retry-after")]).toEqual([503, "5"]);
      expect(await response.json()).toMatchObject({ error: "temporarily_unavailable" });
    } finally {
      all.store.session = session as never;
    }
    expect(all.notices).toMatchObject([[expect.stringContaining("503"), { level: "error" }]]);
    expect(all.api.received).toEqual([]);
  });

  test("a session in use is extended, and its cookie reaches the browser whatever the API answers", async () => {
    const ends = () =>
      new Date(all.store.session?.find(({ userId }) => userId === all.user.id)?.expiresAt as Date);
    for (const status of [200, 404, 502]) {
      const before = ends().getTime();
      await until(() => Date.now() > before - 7 * 86_400_000 + 2);
      all.api.answer = (_request, response) => {
        if (status === 502) response.destroy();
        else response.writeHead(status, { "set-cookie": "better-auth.session_token=evil" }).end();
      };
      const response = await all.call("/backend/tasks");
      expect(response.status).toBe(status);
      expect(ends().getTime()).toBeGreaterThan(before);
      const lines = response.headers.getSetCookie();
      expect(lines.join()).toContain("better-auth.session_token=");
      expect(lines.join()).not.toContain("evil");
    }
  });

  test("a live stream, which reconnects by itself, extends nothing", async () => {
    const response = await all.call("/backend/events", {}, { accept: "text/event-stream" });
    expect(response.headers.getSetCookie()).toEqual([]);
  });

  test("two users at once get their own", async () => {
    const other = createBrowser(all.auth);
    const { id } = await other.signUp("two@example.com");
    const cookies = [all.browser.headers.get("cookie") ?? "", other.headers.get("cookie") ?? ""];
    all.api.answer = (request, response) => {
      const subject = readClaims(request.headers.authorization?.slice(7) ?? "").sub;
      response.end(JSON.stringify([subject, request.url]));
    };
    const answers = await Promise.all(
      Array.from({ length: 40 }, async (_, index) =>
        (await all.call("/backend/{user_id}", {}, { cookie: cookies[index % 2] ?? "" })).json(),
      ),
    );
    answers.forEach((answer, index) => {
      const expected = index % 2 ? id : all.user.id;
      expect(answer).toEqual([expected, `/${expected}`]);
    });
  });

  test("audience: another API's token", async () => {
    const make = (audience: string) =>
      createProxy({ auth: all.auth, target: all.api.url, basePath: "/backend", audience, log: () => {} });
    const headers = { ...SAME_ORIGIN, cookie: all.browser.headers.get("cookie") ?? "" };
    const request = () => new Request("http://localhost:1/backend/a", { headers });
    expect((await make(OTHER_AUDIENCE).GET(request())).status).toBe(200);
    expect(readClaims(tokenOf()).aud).toBe(OTHER_AUDIENCE);
    const unknown = await make("https://unknown.example.com").GET(request());
    expect([unknown.status, await unknown.json()]).toMatchObject([500, { error: "token_unavailable" }]);
  });
});

describe("configuration", () => {
  const { auth } = createMemoryAuth();
  const good = { auth, target: "http://api.test:8000", basePath: "/backend" };

  test.each([
    ["no auth", { auth: undefined }, "jwtBridge()"],
    ["no plugin", { auth: { api: {} } }, "jwtBridge()"],
    ["no base path", { basePath: undefined }, "basePath"],
    ["a base path without a slash", { basePath: "backend" }, "basePath"],
    ["a base path with a slash behind", { basePath: "/backend/" }, "basePath"],
    ["the root", { basePath: "/" }, "basePath"],
    ["a template", { basePath: "/backend/[...path]" }, "basePath"],
    ["a target without scheme", { target: "localhost:8000" }, "target"],
    ["another scheme", { target: "file:///etc/passwd" }, "target"],
    ["a password", { target: "http://user:hunter2@api.test" }, "target"],
    ["a query", { target: "http://api.test/?a=b" }, "target"],
    ["a fragment", { target: "http://api.test/#a" }, "target"],
    ["a time-out of zero", { timeout: 0 }, "timeout"],
    ["no end of time", { timeout: Number.POSITIVE_INFINITY }, "timeout"],
    ["a negative limit", { bodyLimit: -1 }, "bodyLimit"],
    ["a text as limit", { bodyLimit: "10mb" }, "bodyLimit"],
    ["an empty audience", { audience: "" }, "audience"],
    ["a log that is none", { log: "console" }, "log"],
    ["names that are no list", { requestHeaders: "x-a" }, "requestHeaders"],
    ["an unknown option", { changeOrigin: true }, "changeOrigin"],
  ])("%s is refused when the module loads", (_name, change, words) => {
    const create = () => createProxy({ ...good, ...(change as object) });
    expect(create).toThrow(ConfigurationError);
    expect(create).toThrow(words);
    expect(create).not.toThrow("hunter2");
  });

  test.each([undefined, ""])(
    "a target that is not set (%j) lets the module load, for next build, and no request pass",
    async (target) => {
      const proxy = createProxy({ ...good, target });
      await expect(proxy.GET(new Request("http://localhost:1/backend/a"))).rejects.toThrow(
        ConfigurationError,
      );
    },
  );

  test("a target with a path: nothing above it can be reached", async () => {
    const proxy = createProxy({
      auth: all.auth,
      target: `${all.api.url}/v1/`,
      basePath: "/backend",
      log: () => {},
    });
    const headers = { ...SAME_ORIGIN, cookie: all.browser.headers.get("cookie") ?? "" };
    const get = (path: string) => proxy.GET(new Request(`http://localhost:1/backend${path}`, { headers }));
    expect((await get("/tasks")).status).toBe(200);
    expect((await get("/../metrics")).status).toBe(400);
    expect(all.api.received.map(({ url }) => url)).toEqual(["/v1/tasks"]);
  });

  test("every method's handler is the same", () => {
    expect(Object.keys(createProxy(good)).sort()).toEqual(["DELETE", "GET", "HEAD", "PATCH", "POST", "PUT"]);
  });
});
