/** The server's fetch, with a real Better Auth in process; what Next.js gives of a request is given here by hand. */

import { AsyncLocalStorage } from "node:async_hooks";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { betterAuth } from "better-auth";
import { memoryAdapter } from "better-auth/adapters/memory";
import { jwt } from "better-auth/plugins";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { jwtBridge } from "../src/better-auth/index.js";
import { createServerFetch, SessionMissingError, TokenUnavailableError } from "../src/next/index.js";
import { AUDIENCE, createBrowser, ORIGIN, PLAIN_PASSWORDS, readClaims, SECRET } from "./real-auth.js";

interface NextRequest {
  readonly headers: Headers;
  /** What `cookies()` says: the browser's, and what an action has set. */
  readonly jar: Map<string, string>;
}

const next = new AsyncLocalStorage<NextRequest>();
const OUTSIDE = new Error("`headers` was called outside a request scope");

vi.mock("next/headers.js", () => ({
  headers: async () => {
    const request = next.getStore();
    if (!request) throw OUTSIDE;
    return request.headers;
  },
  cookies: async () => ({
    getAll: () => [...(next.getStore()?.jar ?? [])].map(([name, value]) => ({ name, value })),
  }),
}));

type Browser = ReturnType<typeof createBrowser>;

/** One request of a browser, as Next.js answers it. */
function answering<T>(browser: Browser, work: (request: NextRequest) => Promise<T>): Promise<T> {
  const jar = new Map([...browser.jar].map(([name, value]) => [name, decodeURIComponent(value)]));
  const request = { headers: browser.headers, jar };
  return next.run(request, () => work(request));
}

const OTHER_AUDIENCE = "https://other.example.com";
const store = { user: [], session: [] as { expiresAt: Date }[], account: [], verification: [], jwks: [] };
/** Every reading extends the session, unless it is asked not to. */
const auth = betterAuth({
  database: memoryAdapter(store),
  secret: SECRET,
  baseURL: ORIGIN,
  session: { updateAge: 0 },
  emailAndPassword: { enabled: true, password: PLAIN_PASSWORDS },
  rateLimit: { enabled: false },
  telemetry: { enabled: false },
  logger: { disabled: true },
  plugins: [jwtBridge({ audience: [AUDIENCE, OTHER_AUDIENCE] })],
});
const getToken = vi.spyOn(auth.api, "getToken");

let emails = 0;
async function signIn(): Promise<{ browser: Browser; id: string }> {
  const browser = createBrowser(auth);
  const { id } = await browser.signUp(`person${++emails}@example.com`);
  return { browser, id };
}

/** The API, and what it saw; `refusals` of the next calls are answered with 401. */
const seen: { path: string; token: string; body: string }[] = [];
let refusals = 0;
let baseURL = "";
const api = createServer(async (request, response) => {
  let body = "";
  for await (const chunk of request) body += chunk;
  const token = (request.headers.authorization ?? "").replace("Bearer ", "");
  seen.push({ path: request.url ?? "", token, body });
  response.statusCode = refusals-- > 0 ? 401 : 200;
  if (response.statusCode === 401) response.setHeader("www-authenticate", 'Bearer error="invalid_token"');
  response.end(JSON.stringify({ subject: token && readClaims(token).sub }));
});

beforeAll(async () => {
  await new Promise<void>((resolve) => api.listen(0, "127.0.0.1", resolve));
  baseURL = `http://127.0.0.1:${(api.address() as AddressInfo).port}`;
});
afterAll(() => new Promise((resolve) => api.close(resolve)));
beforeEach(() => {
  seen.length = 0;
  refusals = 0;
  getToken.mockClear();
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const tokensSeen = () => new Set(seen.map(({ token }) => token));

describe("one request, one token", () => {
  test("attaches the user's token and fills their ID in", async () => {
    const { browser, id } = await signIn();
    const serverFetch = createServerFetch({ auth, baseURL });
    const response = await answering(browser, () => serverFetch("/api/{user_id}/tasks"));
    expect(await response.json()).toEqual({ subject: id });
    expect(seen[0]?.path).toBe(`/api/${id}/tasks`);
  });

  test("however many calls, at once and one after the other", async () => {
    const { browser } = await signIn();
    const serverFetch = createServerFetch({ auth, baseURL });
    await answering(browser, async () => {
      await Promise.all(Array.from({ length: 20 }, () => serverFetch("/at-once")));
      await serverFetch("/later");
    });
    expect(seen).toHaveLength(21);
    expect(tokensSeen().size).toBe(1);
    expect(getToken).toHaveBeenCalledTimes(1);
  });

  test("the next request of the same browser gets another", async () => {
    const { browser } = await signIn();
    const serverFetch = createServerFetch({ auth, baseURL });
    await answering(browser, () => serverFetch("/"));
    await answering(browser, () => serverFetch("/"));
    expect(tokensSeen().size).toBe(2);
  });

  test("500 requests at once, of ten people and of nobody: each is answered as its own", async () => {
    const people = await Promise.all(Array.from({ length: 10 }, signIn));
    const nobody = createBrowser(auth);
    const serverFetch = createServerFetch({ auth, baseURL });
    const answers = await Promise.all(
      Array.from({ length: 500 }, async (_, index) => {
        const person = people[index % 11]; // the eleventh is nobody
        const subjects = await answering(person?.browser ?? nobody, async () => {
          const call = async () =>
            ((await (await serverFetch("/{user_id}")).json()) as { subject: string }).subject;
          const two = await Promise.all([call(), call()]);
          return [...two, await call()];
        }).catch((error: Error) => error.name);
        return { expected: person ? [person.id, person.id, person.id] : "SessionMissingError", subjects };
      }),
    );
    for (const { expected, subjects } of answers) expect(subjects).toEqual(expected);
    for (const { path, token } of seen) expect(path).toBe(`/${readClaims(token).sub}`);
    expect(tokensSeen().size).toBe(455);
  });

  test("a request that lasts asks again before its token ends", async () => {
    const { browser } = await signIn();
    vi.useFakeTimers({ toFake: ["Date"] });
    const serverFetch = createServerFetch({ auth, baseURL });
    await answering(browser, async () => {
      await serverFetch("/");
      vi.setSystemTime(Date.now() + 269_000);
      await serverFetch("/");
      expect(tokensSeen().size).toBe(1);
      vi.setSystemTime(Date.now() + 2000);
      await Promise.all([serverFetch("/"), serverFetch("/")]);
      expect(tokensSeen().size).toBe(2);
      refusals = 1;
      expect((await serverFetch("/")).status).toBe(200);
    });
    expect(tokensSeen().size).toBe(3);
  });

  test("several APIs: each its own audience", async () => {
    const { browser } = await signIn();
    const first = createServerFetch({ auth, baseURL });
    const other = createServerFetch({ auth, baseURL, audience: OTHER_AUDIENCE });
    await answering(browser, async () => {
      await first("/");
      await other("/");
    });
    expect(seen.map(({ token }) => readClaims(token).aud)).toEqual([AUDIENCE, OTHER_AUDIENCE]);
  });
});

describe("the session", () => {
  test("is not extended, where another reading would", async () => {
    const { browser } = await signIn();
    vi.useFakeTimers({ toFake: ["Date"] });
    vi.setSystemTime(Date.now() + 60_000);
    const row = store.session.at(-1) as { expiresAt: Date };
    const before = row.expiresAt.getTime();
    await answering(browser, () => createServerFetch({ auth, baseURL })("/"));
    expect(row.expiresAt.getTime()).toBe(before);
    await auth.api.getSession({ headers: browser.headers });
    expect(row.expiresAt.getTime()).toBeGreaterThan(before + 59_000);
  });

  test("none: SessionMissingError, and the API is not asked", async () => {
    const serverFetch = createServerFetch({ auth, baseURL });
    await answering(createBrowser(auth), async () => {
      await expect(serverFetch("/")).rejects.toThrow(SessionMissingError);
    });
    expect(seen).toEqual([]);
  });

  test("an action that signs in calls as the one who signed in", async () => {
    const { browser, id } = await signIn();
    const serverFetch = createServerFetch({ auth, baseURL });
    await answering(createBrowser(auth), async ({ jar }) => {
      await expect(serverFetch("/")).rejects.toThrow(SessionMissingError);
      for (const [name, value] of browser.jar) jar.set(name, decodeURIComponent(value));
      expect(await (await serverFetch("/")).json()).toEqual({ subject: id });
    });
  });

  test("what an action sets stays in its own cookie", async () => {
    const [one, other] = [await signIn(), await signIn()];
    await answering(one.browser, async ({ jar }) => {
      jar.set("note", `50 %; ${other.browser.headers.get("cookie")}`);
      expect(await (await createServerFetch({ auth, baseURL })("/")).json()).toEqual({ subject: one.id });
    });
  });

  test("an action that signs out or changes the user leaves no token behind", async () => {
    const [one, other] = [await signIn(), await signIn()];
    const serverFetch = createServerFetch({ auth, baseURL });
    await answering(one.browser, async ({ jar }) => {
      await serverFetch("/");
      for (const [name, value] of other.browser.jar) jar.set(name, decodeURIComponent(value));
      expect(await (await serverFetch("/")).json()).toEqual({ subject: other.id });
      for (const name of jar.keys()) jar.set(name, ""); // as Next.js keeps a cookie that was deleted
      await expect(serverFetch("/")).rejects.toThrow(SessionMissingError);
    });
  });

  test("of two cookies with one name it takes the one that Better Auth's routes take", async () => {
    const [one, other] = [await signIn(), await signIn()];
    const headers = new Headers({
      cookie: `${one.browser.headers.get("cookie")}; a=%; ${other.browser.headers.get("cookie")}`,
    });
    const jar = new Map([...other.browser.jar].map(([name, value]) => [name, decodeURIComponent(value)]));
    const answer = await next.run({ headers, jar }, () => createServerFetch({ auth, baseURL })("/"));
    expect(await answer.json()).toEqual({ subject: one.id });
    expect((await auth.api.getSession({ headers }))?.user.id).toBe(one.id);
  });

  test("a cookie without `=`, which Next.js gives a value, is not put in front of the session's", async () => {
    const { browser, id } = await signIn();
    const [name = ""] = browser.jar.keys();
    const headers = new Headers({ cookie: `${browser.headers.get("cookie")}; ${name}` });
    const answer = await next.run({ headers, jar: new Map([[name, "true"]]) }, () =>
      createServerFetch({ auth, baseURL })("/"),
    );
    expect(await answer.json()).toEqual({ subject: id });
    expect((await auth.api.getSession({ headers }))?.user.id).toBe(id);
  });
});

describe("no token can be had", () => {
  const failing = (error: unknown) => ({ api: { getToken: () => Promise.reject(error) } });

  test("the store is away: TokenUnavailableError with the status, and the next call asks again", async () => {
    const { browser, id } = await signIn();
    const cause = Object.assign(new Error("away"), { statusCode: 503 });
    const serverFetch = createServerFetch({ auth, baseURL });
    await answering(browser, async () => {
      getToken.mockRejectedValueOnce(cause);
      const both = await Promise.allSettled([serverFetch("/"), serverFetch("/")]);
      for (const each of both) expect(each).toMatchObject({ reason: { status: 503, cause } });
      expect((both[0] as PromiseRejectedResult).reason).toBeInstanceOf(TokenUnavailableError);
      expect(await (await serverFetch("/")).json()).toEqual({ subject: id });
    });
    expect(getToken).toHaveBeenCalledTimes(2);
  });

  test("an audience that the issuer does not have", async () => {
    const { browser } = await signIn();
    const serverFetch = createServerFetch({ auth, baseURL, audience: "https://unknown.example.com" });
    await expect(answering(browser, () => serverFetch("/"))).rejects.toMatchObject({
      code: "token_unavailable",
      status: 400,
    });
  });

  test.each([
    ["an error", new TypeError("x")],
    ["nothing", undefined],
  ])("a throw of %s", async (_, thrown) => {
    const serverFetch = createServerFetch({ auth: failing(thrown), baseURL });
    await expect(answering(createBrowser(auth), () => serverFetch("/"))).rejects.toMatchObject({
      code: "token_unavailable",
      status: undefined,
    });
  });

  test("a token of the stock plugin, or for another API, is never sent", async () => {
    const stock = betterAuth({
      database: memoryAdapter({ user: [], session: [], account: [], verification: [], jwks: [] }),
      secret: SECRET,
      baseURL: ORIGIN,
      emailAndPassword: { enabled: true, password: PLAIN_PASSWORDS },
      telemetry: { enabled: false },
      logger: { disabled: true },
      plugins: [jwt()],
    });
    const stockBrowser = createBrowser(stock);
    await stockBrowser.signUp("stock@example.com");
    await expect(
      answering(stockBrowser, () => createServerFetch({ auth: stock, baseURL })("/")),
    ).rejects.toThrow("is not the bridge's");
    const { browser } = await signIn();
    const deaf = { api: { getToken: ({ headers }: { headers: Headers }) => auth.api.getToken({ headers }) } };
    const serverFetch = createServerFetch({ auth: deaf, baseURL, audience: OTHER_AUDIENCE });
    await expect(answering(browser, () => serverFetch("/"))).rejects.toThrow("is for another API");
    expect(seen).toEqual([]);
  });

  test("what Next.js throws passes through: it ends a rendering ahead of any request", async () => {
    for (const address of [baseURL, undefined]) {
      await expect(createServerFetch({ auth, baseURL: address })("/")).rejects.toBe(OUTSIDE);
    }
  });

  test("a page with force-static, where Next.js gives no headers at all: says what to remove", async () => {
    const serverFetch = createServerFetch({ auth, baseURL: "http://localhost:8000" });
    const page = { headers: new Headers(), jar: new Map<string, string>() };
    await expect(next.run(page, () => serverFetch("/"))).rejects.toThrow('dynamic = "force-static"');
  });

  test("no address: loading the module goes well, a call does not; a wrong one is refused at once", async () => {
    const { browser } = await signIn();
    for (const missing of [undefined, ""]) {
      const serverFetch = createServerFetch({ auth, baseURL: missing });
      await expect(answering(browser, () => serverFetch("/"))).rejects.toThrow("has no baseURL");
    }
    expect(() => createServerFetch({ auth, baseURL: "api.example.com" })).toThrow(TypeError);
    expect(() => createServerFetch({ auth, baseURL: "ftp://api.example.com" })).toThrow(
      "baseURL is not http(s)",
    );
  });
});

describe("the calls", () => {
  test("a refused token is replaced once in a request; the second refusal passes through", async () => {
    const { browser } = await signIn();
    const serverFetch = createServerFetch({ auth, baseURL });
    await answering(browser, async () => {
      refusals = 1;
      expect((await serverFetch("/", { method: "POST", body: "kept" })).status).toBe(200);
      expect(seen.map(({ body }) => body)).toEqual(["kept", "kept"]);
      refusals = 10;
      const both = await Promise.all([serverFetch("/"), serverFetch("/")]);
      expect(both.map(({ status }) => status)).toEqual([401, 401]);
    });
    expect(getToken).toHaveBeenCalledTimes(2);
  });

  test.each<[string, string, RequestInit & { next?: object }, string | undefined]>([
    ["nothing said", "/", {}, "no-store"],
    ["default said", "/", { cache: "default" }, "no-store"],
    ["tags only", "/", { next: { tags: ["tasks"] } }, "no-store"],
    ["force-cache said", "/", { cache: "force-cache" }, "force-cache"],
    ["a revalidation said", "/", { next: { revalidate: 60 } }, undefined],
    ["another origin", "https://elsewhere.example.com/", {}, undefined],
  ])("the data cache, %s", async (_, path, init, expected) => {
    const { browser } = await signIn();
    const send = vi.fn(async (_input: unknown, _init?: RequestInit) => new Response("{}"));
    vi.stubGlobal("fetch", send);
    await answering(browser, () => createServerFetch({ auth, baseURL })(path, init));
    const [, sent] = send.mock.calls[0] ?? [];
    expect(sent?.cache).toBe(expected);
    expect(sent).toMatchObject(init.next ? { next: init.next } : {});
    expect(new Headers(sent?.headers).has("authorization")).toBe(path === "/");
  });

  test("a Request is taken as fetch takes it, and is not kept either", async () => {
    const { browser, id } = await signIn();
    const serverFetch = createServerFetch({ auth, baseURL });
    const request = new Request(`${baseURL}/{user_id}`, { method: "PUT", body: "text" });
    await answering(browser, () => serverFetch(request));
    expect(seen).toMatchObject([{ path: `/${id}`, body: "text" }]);
  });

  test("an abort ends the wait for the token", async () => {
    const never = { api: { getToken: () => new Promise<never>(() => {}) } };
    const serverFetch = createServerFetch({ auth: never, baseURL });
    const controller = new AbortController();
    await answering(createBrowser(auth), async () => {
      const call = serverFetch("/", { signal: controller.signal });
      controller.abort();
      await expect(call).rejects.toMatchObject({ name: "AbortError" });
      await expect(serverFetch("/", { signal: AbortSignal.abort() })).rejects.toMatchObject({
        name: "AbortError",
      });
    });
  });
});
