/** The token source, attacked: users who change while calls wait, answers that are none, and an issuer that hangs. */

import { createAuthClient } from "better-auth/client";
import { jwtClient } from "better-auth/client/plugins";
import { afterEach, describe, expect, test, vi } from "vitest";
import { createBridgeFetch, createTokenSource, type TokenClient } from "../src/client/index.js";
import { clock, time } from "./token-source-kit.js";
import { claims, sign } from "./tokens.js";

afterEach(() => {
  vi.useRealTimers();
});

const tokenFor = (user: string, jti = "t") => sign(claims({ sub: user, user_id: user, jti }));

/** Better Auth's client, as far as it is used: `answers` are given by hand, `signal` says that the user did something. */
function handClient() {
  const answers: ((token: string | null) => void)[] = [];
  let signal = () => {};
  const authClient: TokenClient = {
    async token() {
      const token = await new Promise<string | null>((resolve) => void answers.push(resolve));
      return token ? { data: { token }, error: null } : { data: null, error: { status: 401 } };
    },
    $store: {
      listen: (_, listener) => {
        signal = listener;
      },
    },
  };
  return { authClient, answers, act: () => signal() };
}

async function openAsAlice() {
  const hand = handClient();
  const source = createTokenSource({ authClient: hand.authClient, clock });
  const first = source.get();
  hand.answers[0]?.(tokenFor("alice"));
  await first;
  return { ...hand, source };
}

describe("another user signs in while calls wait", () => {
  test("what the first one wrote is not sent as the second", async () => {
    const { source, answers, act } = await openAsAlice();
    const sent: string[] = [];
    const api = createBridgeFetch({
      baseURL: "https://api.example.com",
      tokenSource: source,
      fetch: async (url) => {
        sent.push(String(url));
        return new Response("ok");
      },
    });
    time.now += 300_000; // the laptop slept past the token's end
    const post = api("/api/{user_id}/notes", { method: "POST", body: "alice's" });
    await vi.waitFor(() => expect(answers).toHaveLength(2));
    act();
    const next = source.get(); // bob's own call, which came after
    answers[2]?.(tokenFor("bob"));
    await expect(post).rejects.toMatchObject({
      code: "session_missing",
      message: "Another user has signed in",
    });
    expect(sent).toEqual([]);
    expect((await next).subject).toBe("bob");
    expect(source.state()).toEqual({ status: "signed-in", subject: "bob" });
  });

  test("the same user's calls go on, and so do those of who signs in after a session that was lost", async () => {
    const { source, answers, act } = await openAsAlice();
    time.now += 300_000;
    const renamed = source.get();
    act();
    answers[2]?.(tokenFor("alice", "renamed"));
    expect((await renamed).value).toBe(tokenFor("alice", "renamed"));
    time.now += 300_000;
    const lost = source.get();
    answers[3]?.(null);
    await expect(lost).rejects.toThrow("Nobody is signed in");
    const early = source.get(); // right after bob's sign-in; the signal comes 10 ms later
    act();
    answers[5]?.(tokenFor("bob"));
    expect((await early).subject).toBe("bob");
  });
});

const answering = (respond: (signal?: AbortSignal | null) => Promise<Response>) =>
  createAuthClient({
    baseURL: "http://localhost",
    plugins: [jwtClient()],
    fetchOptions: { customFetchImpl: async (_, init) => respond(init?.signal) },
  });

describe("an answer that says nothing about the session signs nobody out", () => {
  test.each([
    ["a captive portal's page", "<!doctype html><title>Wi-Fi</title>", "text/html"],
    ["a page in the place of JSON", "<!doctype html>", "application/json"],
    ["an object without a token", "{}", "application/json"],
    ["a token that is null", '{"token":null}', "application/json"],
    ["a list", "[]", "application/json"],
    ["nothing", "", "application/json"],
    ["bytes", "\0\u0001", "application/octet-stream"],
  ])("%s, as 200", async (_, body, type) => {
    let next: () => Response = () => Response.json({ token: sign() });
    const source = createTokenSource({ authClient: answering(async () => next()), clock });
    await source.get();
    const heard = vi.fn();
    source.subscribe(heard);
    next = () => new Response(body, { headers: { "content-type": type } });
    time.now += 280_000;
    expect((await source.get()).subject).toBe("u1"); // still good
    time.now += 20_000;
    await expect(source.get()).rejects.toMatchObject({ code: "token_unavailable" });
    expect(heard).not.toHaveBeenCalled();
  });

  test("getToken() that forgets to return: not null, and so not signed out", async () => {
    const getToken = async () => undefined as unknown as null;
    const source = createTokenSource({ getToken });
    await expect(source.get()).rejects.toMatchObject({ code: "token_unavailable" });
    expect(source.state().status).toBe("unknown");
  });
});

describe("what is around a token makes it none, and stands in no message", () => {
  const token = sign();
  test.each([
    ["JSON, from text() in the place of json()", JSON.stringify({ token })],
    ["the scheme before it", `Bearer ${token}`],
    ["quotes", `"${token}"`],
    ["a line break within", token.replace(/^(.{90})/, "$1\n")],
    ["a fourth part", `${token}.x`],
  ])("%s", async (_, value) => {
    const send = vi.fn();
    const tokenSource = createTokenSource({ getToken: async () => value });
    const api = createBridgeFetch({ baseURL: "https://api.example.com", tokenSource, fetch: send });
    const error = await api("/x").catch((thrown: Error) => thrown);
    expect(error).toMatchObject({ code: "token_unavailable" });
    expect(String((error as Error).stack)).not.toContain("eyJ");
    expect(send).not.toHaveBeenCalled();
  });
});

test("an issuer that hangs is given up after 15 seconds: the token in hand serves, and it is asked again later", async () => {
  let hangs = false;
  let asked = 0;
  const authClient = answering((signal) => {
    asked += 1;
    if (!hangs) return Promise.resolve(Response.json({ token: sign(claims({ jti: `t${asked}` })) }));
    return new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason)));
  });
  const source = createTokenSource({ authClient, clock });
  const { value } = await source.get();
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  hangs = true;
  time.now += 270_000;
  const late = source.get();
  await vi.advanceTimersByTimeAsync(15_000);
  expect((await late).value).toBe(value);
  hangs = false;
  time.now += 15_000;
  expect((await source.get()).value).toBe(sign(claims({ jti: "t3" })));
  expect([asked, vi.getTimerCount()]).toEqual([3, 0]);
});
