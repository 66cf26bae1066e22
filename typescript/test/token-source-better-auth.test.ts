/** The token source on Better Auth itself: its client, its endpoint, its signals, in process. */

import { betterAuth } from "better-auth";
import { memoryAdapter } from "better-auth/adapters/memory";
import { createAuthClient } from "better-auth/client";
import { jwtClient } from "better-auth/client/plugins";
import { createAuthClient as createReactClient } from "better-auth/react";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { jwtBridge } from "../src/better-auth/index.js";
import { createTokenSource, type TokenSource } from "../src/client/index.js";
import { AUDIENCE, ORIGIN, PLAIN_PASSWORDS, readClaims, SECRET } from "./real-auth.js";

const PASSWORD = "correct horse";
type Auth = ReturnType<typeof startAuth>["auth"];

function startAuth(options: Partial<Parameters<typeof betterAuth>[0]> = {}) {
  const rows: Record<string, Record<string, unknown>[]> = {
    user: [],
    session: [],
    account: [],
    verification: [],
    jwks: [],
  };
  const database = memoryAdapter(rows);
  const auth = betterAuth({
    database,
    secret: SECRET,
    baseURL: ORIGIN,
    emailAndPassword: { enabled: true, password: PLAIN_PASSWORDS },
    rateLimit: { enabled: false },
    telemetry: { enabled: false },
    logger: { disabled: true },
    plugins: [jwtBridge({ audience: [AUDIENCE, "https://other.example"] })],
    ...options,
  });
  return { auth, rows };
}

/** One browser: its cookies, and what it asked for. */
function openBrowser(auth: Auth) {
  const jar = new Map<string, string>();
  const asked: string[] = [];
  const customFetchImpl = async (input: string | URL | Request, init?: RequestInit) => {
    const url = new URL(String(input));
    asked.push(url.pathname.replace("/api/auth", "") + url.search);
    const headers = new Headers(init?.headers);
    headers.set("origin", ORIGIN);
    headers.set("cookie", [...jar].map(([name, value]) => `${name}=${value}`).join("; "));
    const response = await auth.handler(new Request(url, { ...init, headers }));
    for (const line of response.headers.getSetCookie()) {
      const [pair = "", ...attributes] = line.split(";");
      const [name = "", value = ""] = pair.split(/=(.*)/s);
      if (attributes.some((attribute) => /max-age=0$/i.test(attribute.trim()))) jar.delete(name);
      else jar.set(name, value);
    }
    return response;
  };
  const openTab = (fetchOptions: { throw?: boolean } = {}, plugins: object[] = []) => {
    const authClient = createAuthClient({
      baseURL: ORIGIN,
      plugins: [jwtClient(), ...(plugins as [])],
      fetchOptions: { customFetchImpl, ...fetchOptions },
    });
    return { authClient, source: createTokenSource({ authClient }) };
  };
  const tokens = () => asked.filter((path) => path.startsWith("/token"));
  return { openTab, asked, tokens, jar };
}

/** Better Auth's signal comes 10 ms after the action. */
const signal = () => vi.advanceTimersByTimeAsync(10);
const settled = async (source: TokenSource) => {
  await signal();
  await source.get().catch(() => {});
};

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

async function signUp({ authClient }: ReturnType<ReturnType<typeof openBrowser>["openTab"]>, name = "alice") {
  const email = `${name}@example.com`;
  const { data, error } = await authClient.signUp.email({ name, email, password: PASSWORD });
  if (!data) throw new Error(error?.message);
  return data.user;
}

describe("what the user does in this tab", () => {
  test("a sign-up: the token is the user's, and says which session it is of", async () => {
    const { auth, rows } = startAuth();
    const browser = openBrowser(auth);
    const tab = browser.openTab();
    expect(tab.source.state().status).toBe("unknown");
    const user = await signUp(tab);
    const token = await tab.source.get();
    expect(token).toMatchObject({ subject: user.id, sessionId: rows.session?.[0]?.id });
    expect(token.endsAt - Date.now()).toBeGreaterThan(298_000);
    expect(tab.source.state()).toEqual({ status: "signed-in", subject: user.id });
  });

  test("a call right after the sign-in goes through, although the signal comes while it waits", async () => {
    const { auth } = startAuth();
    const browser = openBrowser(auth);
    const tab = browser.openTab();
    const user = await signUp(tab);
    const early = tab.source.get();
    await signal();
    expect((await early).subject).toBe(user.id);
  });

  test("a sign-in after a sign-out: not signed out any more, before the token is there", async () => {
    const { auth } = startAuth();
    const tab = openBrowser(auth).openTab();
    await signUp(tab);
    await settled(tab.source);
    await tab.authClient.signOut();
    await settled(tab.source);
    expect(tab.source.state().reason).toBe("signed-out");
    const user = await signUp(tab, "bob");
    const states: string[] = [];
    tab.source.subscribe(({ status }) => states.push(status));
    vi.advanceTimersByTime(10);
    // A page that is shown now would send them back to the form.
    expect(states).toEqual(["unknown"]);
    expect((await tab.source.get()).subject).toBe(user.id);
    expect(states).toEqual(["unknown", "signed-in"]);
  });

  test("a sign-out: the token is dropped, nobody is signed in, and calls say so", async () => {
    const { auth } = startAuth();
    const browser = openBrowser(auth);
    const tab = browser.openTab();
    await signUp(tab);
    await settled(tab.source);
    const heard = vi.fn();
    tab.source.subscribe(heard);
    await tab.authClient.signOut();
    await signal();
    await expect(tab.source.get()).rejects.toMatchObject({ code: "session_missing" });
    expect(heard.mock.calls).toEqual([[{ status: "signed-out", subject: null, reason: "signed-out" }]]);
  });

  test("a sign-out while a token is on its way: nobody gets it", async () => {
    const { auth } = startAuth();
    const browser = openBrowser(auth);
    const tab = browser.openTab();
    await signUp(tab);
    await settled(tab.source);
    const { value } = await tab.source.get();
    let give: (token: Response) => void = () => {};
    const handler = vi.spyOn(auth, "handler");
    handler.mockReturnValueOnce(new Promise((resolve) => (give = resolve)));
    const late = tab.source.get({ rejected: value });
    late.catch(() => {});
    await tab.authClient.signOut();
    await signal();
    give(Response.json({ token: value }));
    await expect(late).rejects.toMatchObject({ code: "session_missing" });
    expect(tab.source.state().reason).toBe("signed-out");
    handler.mockRestore();
  });

  test("somebody else signs in, without a sign-out before: the page is theirs", async () => {
    const { auth } = startAuth();
    const browser = openBrowser(auth);
    const tab = browser.openTab();
    const alice = await signUp(tab);
    await settled(tab.source);
    const bob = await signUp(tab, "bob");
    await signal();
    expect((await tab.source.get()).subject).toBe(bob.id);
    expect(tab.source.state()).toEqual({ status: "signed-in", subject: bob.id });
    await tab.authClient.signOut();
    await settled(tab.source);
    await tab.authClient.signIn.email({ email: alice.email, password: PASSWORD });
    await settled(tab.source);
    expect((await tab.source.get()).subject).toBe(alice.id);
  });

  test("another name is no other user: nothing to hear, and a fresh token", async () => {
    const { auth } = startAuth();
    const browser = openBrowser(auth);
    const tab = browser.openTab();
    await signUp(tab);
    await settled(tab.source);
    const { value } = await tab.source.get();
    const heard = vi.fn();
    tab.source.subscribe(heard);
    const state = tab.source.state();
    await tab.authClient.updateUser({ name: "Alicia" });
    await signal();
    expect((await tab.source.get()).value).not.toBe(value);
    expect(heard).not.toHaveBeenCalled();
    expect(tab.source.state()).toBe(state);
  });

  test("a new password ends the old session, and not the page", async () => {
    const { auth } = startAuth();
    const browser = openBrowser(auth);
    const tab = browser.openTab();
    await signUp(tab);
    await settled(tab.source);
    const { sessionId } = await tab.source.get();
    await tab.authClient.changePassword({
      currentPassword: PASSWORD,
      newPassword: "another horse",
      revokeOtherSessions: true,
    });
    await signal();
    expect((await tab.source.get()).sessionId).not.toBe(sessionId);
    expect(tab.source.state().status).toBe("signed-in");
  });

  test("a failed sign-in changes nothing", async () => {
    const { auth } = startAuth();
    const browser = openBrowser(auth);
    const tab = browser.openTab();
    await signUp(tab);
    await settled(tab.source);
    const token = await tab.source.get();
    await tab.authClient.signIn.email({ email: "alice@example.com", password: "wrong horse" });
    await signal();
    expect(await tab.source.get()).toBe(token);
  });

  test("listeners of the app's that match every path do not make it ask without end", async () => {
    const { auth } = startAuth();
    const browser = openBrowser(auth);
    const every = {
      id: "every",
      atomListeners: [{ signal: "$sessionSignal", matcher: () => true }],
    };
    const tab = browser.openTab({}, [every]);
    await signUp(tab);
    for (let time = 0; time < 10; time += 1) await settled(tab.source);
    expect(browser.tokens()).toHaveLength(1);
  });

  test("an issuer that is away after the action: unknown, until it is back", async () => {
    const { auth } = startAuth();
    const browser = openBrowser(auth);
    const tab = browser.openTab();
    const user = await signUp(tab);
    await settled(tab.source);
    const handler = vi.spyOn(auth, "handler");
    await tab.authClient.updateUser({ name: "Alicia" });
    handler.mockResolvedValue(new Response("{}", { status: 503 }));
    await settled(tab.source);
    expect(tab.source.state()).toEqual({ status: "unknown", subject: null });
    handler.mockRestore();
    expect((await tab.source.get()).subject).toBe(user.id);
    expect(tab.source.state().status).toBe("signed-in");
  });
});

describe("what others do", () => {
  test("another user in another tab does not make this page theirs", async () => {
    const { auth } = startAuth();
    const browser = openBrowser(auth);
    const [tab, other] = [browser.openTab(), browser.openTab()];
    await signUp(tab);
    await settled(tab.source);
    const { value } = await tab.source.get();
    await signUp(other, "bob");
    await settled(other.source);
    await expect(tab.source.get({ rejected: value })).rejects.toThrow("Another user has signed in");
    expect(tab.source.state()).toEqual({ status: "signed-out", subject: null, reason: "user-changed" });
  });

  test("a sign-out in one tab signs the other out; a new name in one does not", async () => {
    vi.stubGlobal("document", {});
    const { auth } = startAuth();
    const browser = openBrowser(auth);
    const [tab, other] = [browser.openTab(), browser.openTab()];
    await signUp(tab);
    await settled(tab.source);
    await other.source.get();
    const heard = vi.fn();
    other.source.subscribe(heard);
    await tab.authClient.updateUser({ name: "Alicia" });
    await settled(tab.source);
    await tab.authClient.signOut();
    await settled(tab.source);
    for (let turn = 0; turn < 1000 && heard.mock.calls.length === 0; turn += 1)
      await new Promise((resolve) => setImmediate(resolve));
    expect(heard.mock.calls).toEqual([[{ status: "signed-out", subject: null, reason: "signed-out" }]]);
    await expect(other.source.get()).rejects.toMatchObject({ code: "session_missing" });
  });

  test("a session that was ended elsewhere: session-missing", async () => {
    const { auth, rows } = startAuth();
    const browser = openBrowser(auth);
    const tab = browser.openTab();
    await signUp(tab);
    await settled(tab.source);
    const { value } = await tab.source.get();
    rows.session?.splice(0);
    await expect(tab.source.get({ rejected: value })).rejects.toMatchObject({ code: "session_missing" });
    expect(tab.source.state().reason).toBe("session-missing");
  });
});

describe("the session's life", () => {
  // Extended by each request that may.
  const session = { updateAge: 0, expiresIn: 3600 };

  test("a call in the background does not extend it; a user's call does", async () => {
    vi.useRealTimers();
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"] });
    const { auth, rows } = startAuth({ session });
    const browser = openBrowser(auth);
    const tab = browser.openTab();
    await signUp(tab);
    await settled(tab.source);
    await tab.source.get(); // from memory: the user is there
    const end = () => Number(rows.session?.[0]?.expiresAt);
    const later = () => vi.setSystemTime(Date.now() + 300_000);

    later();
    await tab.source.get({ background: true });
    const before = end();
    expect(browser.tokens().at(-1)).toBe("/token");
    for (let time = 0; time < 3; time += 1) {
      later();
      await tab.source.get({ background: true });
      expect(browser.tokens().at(-1)).toBe("/token?disableRefresh=true");
      expect(end()).toBe(before);
    }
    later();
    await tab.source.get();
    expect(browser.tokens().at(-1)).toBe("/token");
    expect(end()).toBeGreaterThan(before);
  });
});

describe("what the issuer answers", () => {
  test("another of its APIs", async () => {
    const { auth } = startAuth();
    const browser = openBrowser(auth);
    const { authClient } = browser.openTab();
    await authClient.signUp.email({ name: "a", email: "a@example.com", password: PASSWORD });
    const source = createTokenSource({ authClient, audience: "https://other.example" });
    const { value } = await source.get({ background: true });
    expect(readClaims(value).aud).toBe("https://other.example");
    expect(browser.tokens()).toEqual(["/token?audience=https%3A%2F%2Fother.example&disableRefresh=true"]);
  });

  test.each([
    ["as an answer", {}],
    ["as an exception", { throw: true }],
  ])("where the app has its errors %s: 401, and a token", async (_, fetchOptions) => {
    const { auth } = startAuth();
    const browser = openBrowser(auth);
    const tab = browser.openTab(fetchOptions);
    await expect(tab.source.get()).rejects.toMatchObject({ code: "session_missing" });
    await tab.authClient.signUp.email({ name: "a", email: "a@example.com", password: PASSWORD });
    expect((await tab.source.get()).subject).not.toBe("");
  });

  test("a session store that is away: 503, and when to try again", async () => {
    const { auth } = startAuth();
    const browser = openBrowser(auth);
    const tab = browser.openTab();
    await signUp(tab);
    const { adapter } = await auth.$context;
    vi.spyOn(adapter, "findOne").mockRejectedValue(new Error("connection refused"));
    vi.spyOn(adapter, "findMany").mockRejectedValue(new Error("connection refused"));
    await expect(tab.source.get()).rejects.toMatchObject({
      code: "token_unavailable",
      status: 503,
      retryAfter: expect.any(Number),
    });
    vi.restoreAllMocks();
  });

  test("too many requests: 429, and when to try again", async () => {
    const { auth } = startAuth({ rateLimit: { enabled: true, window: 60, max: 1 } });
    const browser = openBrowser(auth);
    const tab = browser.openTab();
    await tab.source.get().catch(() => {});
    await expect(tab.source.get()).rejects.toMatchObject({ status: 429, retryAfter: 60 });
  });
});

test("React's client fits as well", () => {
  const authClient = createReactClient({ baseURL: ORIGIN, plugins: [jwtClient()] });
  expect(createTokenSource({ authClient }).state().status).toBe("unknown");
});
