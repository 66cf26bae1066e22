/** The fetch of a page without tokens, through the real proxy: what one user wrote is never sent as another. */

import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { SessionMissingError } from "../src/client/index.js";
import { readEvents } from "../src/client/live.js";
import { createProxiedFetch } from "../src/client/proxied.js";
import { untilSessionEnds } from "../src/client/session-end.js";
import { SAME_ORIGIN, startAll, stopServers } from "./proxy-kit.js";
import { ORIGIN } from "./real-auth.js";

afterAll(stopServers);
beforeEach(() => vi.stubGlobal("location", new URL(`${ORIGIN}/tasks`)));
afterEach(() => vi.unstubAllGlobals());

const PATH = "/api/{user_id}/tasks";
let people = 0;

/** A page of the signed-in user; `act`: as after a sign-in or sign-out in this tab; `sent`: what left the page. */
async function openPage() {
  const all = await startAll();
  const sent: Request[] = [];
  let act = () => {};
  const $store = {
    listen(_: string, listener: () => void) {
      act = listener;
    },
  };
  const api = createProxiedFetch({
    basePath: "/backend",
    authClient: { $store },
    fetch: async (input, init) => {
      const request = new Request(input, init);
      sent.push(request);
      if (new URL(request.url).pathname.split("/")[1] !== "backend") return new Response("elsewhere");
      const body = request.body && (await request.text());
      const { method, headers } = request;
      return all.call(new URL(request.url).pathname, { method, body }, Object.fromEntries(headers));
    },
  });
  const post = () => api(PATH, { method: "POST", body: "{}" });
  const become = async () => {
    all.browser.jar.clear();
    return all.browser.signUp(`other-${++people}@example.com`);
  };
  const written = () => all.api.received.filter(({ method }) => method === "POST").map(({ url }) => url);
  return { ...all, api, sent, post, become, written, act: () => act() };
}

describe("one user after the other", () => {
  test("another user in another tab: nothing is sent as them, and the page knows", async () => {
    const { post, become, written, user, api } = await openPage();
    await post();
    expect(api.tokenSource.state()).toEqual({ status: "signed-in", subject: user.id });
    await become();
    for (let times = 0; times < 2; times += 1)
      await expect(post()).rejects.toThrow(new SessionMissingError("Another user has signed in"));
    expect(written()).toEqual([`/api/${user.id}/tasks`]);
    expect(api.tokenSource.state()).toEqual({ status: "signed-out", subject: null, reason: "user-changed" });
  });

  test("also on a path without the user, and with a Request", async () => {
    const { api, become, written } = await openPage();
    await api("/tasks");
    await become();
    const request = new Request(`${ORIGIN}/backend/tasks`, { method: "POST", body: "{}" });
    await expect(api(request)).rejects.toThrow("Another user");
    expect(written()).toEqual([]);
  });

  test("who signs in in this tab is the page's user from then on", async () => {
    const { post, become, act, written, user, api } = await openPage();
    await post();
    const next = await become();
    act();
    await post();
    expect(written()).toEqual([user, next].map(({ id }) => `/api/${id}/tasks`));
    expect(api.tokenSource.state().subject).toBe(next.id);
  });

  test("an answer from before an action says nothing about after it", async () => {
    const { post, become, act, api } = await openPage();
    await post();
    await become();
    const late = post();
    act();
    await expect(late).rejects.toThrow(SessionMissingError);
    expect(api.tokenSource.state().status).toBe("unknown"); // and not signed out
  });

  test("the proxy alone refuses it, too, with no more than a missing session would show", async () => {
    const { call, become, user, api } = await openPage();
    const fields = { "x-bridge-user": user.id };
    const before = await call("/backend/tasks", {}, fields);
    expect([before.status, before.headers.get("x-bridge-user")]).toEqual([200, user.id]);
    const other = await become();
    const answer = await call("/backend/tasks", {}, fields);
    expect(answer.status).toBe(401);
    expect(answer.headers.get("www-authenticate")).toBe("Bearer");
    const text = await answer.text();
    expect(JSON.parse(text)).toEqual({ detail: "Another user has signed in", error: "user_changed" });
    expect(text + JSON.stringify([...answer.headers])).not.toContain(other.id);
    expect(api.tokenSource.state().status).toBe("unknown");
  });

  test("the API neither sees the field nor sets it", async () => {
    const all = await startAll({ responseHeaders: ["X-Total"] });
    all.api.answer = (_, response) => response.setHeader("x-bridge-user", "somebody").end("{}");
    const answer = await all.call("/backend/tasks", {}, { "x-bridge-user": all.user.id });
    expect(answer.headers.get("x-bridge-user")).toBe(all.user.id);
    expect(all.api.received[0]?.headers).not.toHaveProperty("x-bridge-user");
    await expect(startAll({ requestHeaders: ["X-Bridge-User"] })).rejects.toThrow(/x-bridge-user/i);
  });
});

/** A page whose answers, and whose Better Auth, are made up: `answers` in the order of the calls, each given by hand. */
function alone() {
  const answers: ((status: number, fields?: Record<string, string>) => void)[] = [];
  const session = { answer: async (): Promise<unknown> => ({ data: null, error: null }) };
  const sent: (string | null)[] = [];
  let act = () => {};
  const api = createProxiedFetch({
    basePath: "/backend",
    authClient: {
      $store: {
        listen(_: string, listener: () => void) {
          act = listener;
        },
      },
      getSession: () => session.answer() as never,
    },
    fetch: (_, init) => {
      sent.push(new Headers(init?.headers).get("x-bridge-user"));
      return new Promise((resolve) =>
        answers.push((status, headers = {}) => resolve(new Response("{}", { status, headers }))),
      );
    },
  });
  const { state } = api.tokenSource;
  const become = (id: string | null) => {
    session.answer = async () => ({ data: id && { user: { id } }, error: null });
    act();
  };
  return { api, answers, session, sent, state, become, act: () => act() };
}
const of = (user: string) => ({ "x-bridge-user": user });

describe("whose page it is", () => {
  test("of two first calls at once, the answer to somebody else is given to nobody", async () => {
    const { api, answers, state } = alone();
    const calls = [api("/a"), api("/b")];
    answers[0]?.(200, of("a"));
    await calls[0];
    answers[1]?.(200, of("b"));
    await expect(calls[1]).rejects.toThrow(new SessionMissingError("Another user has signed in"));
    expect(state()).toEqual({ status: "signed-out", subject: null, reason: "user-changed" });
  });

  test("what does not say whose token it was got with says nothing of the session", async () => {
    const { api, answers, state } = alone();
    const call = async (status: number, fields?: Record<string, string>) => {
      const answer = api("/a");
      answers.at(-1)?.(status, fields);
      return (await answer).status;
    };
    await call(200);
    expect(state().status).toBe("unknown");
    await call(200, of("a%20%E9%9B%AA"));
    expect(state().subject).toBe("a 雪");
    await expect(call(401, { "www-authenticate": "Bearer" })).rejects.toThrow(SessionMissingError);
    // A path that is refused, a session store that is away, a page of somebody in between.
    for (const status of [400, 503, 200]) {
      expect(await call(status)).toBe(status);
      expect(state()).toMatchObject({ status: "signed-out", reason: "session-missing" });
    }
  });

  test("an API's own 401 without an error, as FastAPI's own guards give it, is no end of the session", async () => {
    const { api, answers, state } = alone();
    const call = api("/a");
    answers[0]?.(401, { "www-authenticate": "Bearer", ...of("a") });
    expect((await call).status).toBe(401);
    expect(state().status).toBe("signed-in");
  });

  test("who was seen on the page before its first call is named in it", async () => {
    const { api, answers, sent } = alone();
    api.tokenSource.see("a 雪");
    const call = api("/a", { method: "POST" });
    answers[0]?.(200, of("a%20%E9%9B%AA"));
    await call;
    expect(sent).toEqual(["a%20%E9%9B%AA"]);
  });

  test.each([
    ["a sign-out", null, { status: "signed-out", subject: null, reason: "signed-out" }],
    ["a sign-in", "b", { status: "signed-in", subject: "b" }],
  ])("after %s in this tab it is asked for at once, and live connections end", async (_, next, expected) => {
    const { api, answers, state, become } = alone();
    const first = api("/a");
    answers[0]?.(200, of("a"));
    await first;
    const { stop } = untilSessionEnds(api, undefined);
    become(next);
    expect(stop.signal.aborted).toBe(false);
    await vi.waitFor(() => expect(state()).toEqual(expected));
    expect(stop.signal.reason).toBeInstanceOf(SessionMissingError);
    expect(answers).toHaveLength(1);
  });

  test("with Better Auth away it is not known, and the next answer says it; the same user's stream goes on", async () => {
    const { api, answers, sent, session, state, act } = alone();
    api.tokenSource.see("a");
    const { stop } = untilSessionEnds(api, undefined);
    session.answer = async () => Promise.reject(new TypeError("fetch failed"));
    act();
    await vi.waitFor(() => expect(state().status).toBe("unknown"));
    const call = api("/a");
    answers[0]?.(200, of("a"));
    await call;
    expect([sent, state().subject, stop.signal.aborted]).toEqual([[null], "a", false]);
  });
});

describe("the session", () => {
  test("that is missing is an error; every other answer is an answer", async () => {
    const { api, browser, api: call, store } = await openPage();
    expect((await api("/tasks")).status).toBe(200);
    browser.jar.clear();
    await expect(call("/tasks")).rejects.toThrow(new SessionMissingError("Nobody is signed in"));
    expect(api.tokenSource.state()).toMatchObject({ status: "signed-out", reason: "session-missing" });
    expect((await api("/a;b")).status).toBe(400);
    expect(store.user).toHaveLength(1);
  });

  test("an API's own 401 passes untouched", async () => {
    const challenge = 'Bearer error="invalid_token"';
    const all = await startAll();
    all.api.answer = (_, response) => response.writeHead(401, { "www-authenticate": challenge }).end("{}");
    const api = createProxiedFetch({
      basePath: "/backend",
      authClient: {},
      fetch: (input, init) => all.call(new URL(String(input)).pathname, init),
    });
    const answer = await api("/tasks");
    expect([answer.status, answer.headers.get("www-authenticate")]).toEqual([401, challenge]);
  });

  test("its end ends live connections, and a stream does not reconnect as somebody else", async () => {
    const { api, become, written } = await openPage();
    await api("/tasks");
    await become();
    await expect(readEvents(api, "/events").next()).rejects.toThrow(SessionMissingError);
    expect(written()).toEqual([]);
  });
});

describe("addresses", () => {
  test.each([
    ["/api/tasks", "/backend/api/tasks"],
    ["api/tasks", "/backend/api/tasks"],
    ["/backend/api/tasks", "/backend/api/tasks"],
    [`${ORIGIN}/backend/api/tasks?x=1`, "/backend/api/tasks?x=1"],
    ["/backends", "/backend/backends"],
    ["//evil.example/x", "/backend//evil.example/x"],
  ])("%s is %s", async (input, expected) => {
    const { api, sent } = await openPage();
    await api(input);
    expect(sent[0]?.url).toBe(ORIGIN + expected);
  });

  test.each(["https://api.example.com/tasks", `${ORIGIN}/backend/../api/auth/token`, `${ORIGIN}/backends`])(
    "%s is not the proxy's: it passes untouched",
    async (input) => {
      const { api, sent } = await openPage();
      await api("/tasks");
      expect(await (await api(input)).text()).toBe("elsewhere");
      expect(sent[1]?.headers.has("x-bridge-user")).toBe(false);
    },
  );

  test.each(["backend", "/", "//backend", "/back end", "https://x.example/backend", ""])(
    "basePath %j is refused",
    (basePath) => {
      expect(() => createProxiedFetch({ basePath, authClient: {} })).toThrow("is no path like /backend");
    },
  );

  test("is a fetch of the platform's own, with the page's fields and signal", async () => {
    expect(SAME_ORIGIN["sec-fetch-site"]).toBe("same-origin");
    const { api, sent, user } = await openPage();
    await api("/tasks");
    await api("/tasks", { headers: { "if-match": "x" }, method: "DELETE" });
    expect(sent[1]?.headers.get("if-match")).toBe("x");
    expect(sent[1]?.headers.get("x-bridge-user")).toBe(user.id);
    expect(sent[1]?.method).toBe("DELETE");
  });
});
