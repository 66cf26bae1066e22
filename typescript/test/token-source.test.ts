/** The token source, with a clock that the test moves: what it gives, and what it knows of the session. */

import { createAuthClient } from "better-auth/client";
import { jwtClient } from "better-auth/client/plugins";
import { describe, expect, test, vi } from "vitest";
import {
  createTokenSource,
  SessionMissingError,
  type SessionState,
  TokenUnavailableError,
} from "../src/client/index.js";
import { issuer } from "./client-kit.js";
import { clock, idOf, time } from "./token-source-kit.js";
import { claims, NOW, sign } from "./tokens.js";

describe("the token source", () => {
  test("asks once however many wait, and then answers from memory", async () => {
    const getToken = issuer();
    const source = createTokenSource({ getToken, clock });
    const tokens = await Promise.all(Array.from({ length: 500 }, () => source.get()));
    expect(new Set(tokens.map(({ value }) => value)).size).toBe(1);
    expect(tokens[0]?.subject).toBe("u1");
    await source.get();
    expect(getToken).toHaveBeenCalledTimes(1);
  });

  test.each([
    [300, 270],
    [20, 16],
    [3600, 3570],
  ])("a lifetime of %d is renewed after %d seconds, by the server's clock", async (lifetime, after) => {
    const getToken = issuer({ exp: NOW + lifetime });
    time.now += 86_400_000; // the local clock is wrong by a day
    const source = createTokenSource({ getToken, clock });
    expect(await idOf(source)).toBe("t1");
    time.now += after * 1000 - 1;
    expect(await idOf(source)).toBe("t1");
    time.now += 1;
    expect(await idOf(source)).toBe("t2");
  });

  test("a clock that goes back renews", async () => {
    const source = createTokenSource({ getToken: issuer(), clock });
    await source.get();
    time.now -= 3_600_000;
    expect(await idOf(source)).toBe("t2");
  });

  test("an issuer that is away does no harm while the token is good", async () => {
    const getToken = issuer();
    const source = createTokenSource({ getToken, clock });
    await source.get();
    getToken.mockRejectedValue(new TypeError("fetch failed"));
    time.now += 280_000;
    expect(await idOf(source)).toBe("t1");
    time.now += 20_000;
    await expect(source.get()).rejects.toMatchObject({
      name: "TokenUnavailableError",
      code: "token_unavailable",
    });
  });

  test("nobody signed in: SessionMissingError, and what was held is dropped", async () => {
    const getToken = issuer();
    const source = createTokenSource({ getToken, clock });
    await source.get();
    time.now += 280_000;
    getToken.mockResolvedValue(null);
    await expect(source.get()).rejects.toMatchObject({
      name: "SessionMissingError",
      code: "session_missing",
    });
    getToken.mockRejectedValue(new Error("away"));
    await expect(source.get()).rejects.toMatchObject({ name: "TokenUnavailableError" });
  });

  test("clear() drops the token, also one that is on its way", async () => {
    const getToken = issuer();
    const source = createTokenSource({ getToken, clock });
    await source.get();
    source.clear();
    const late = source.get();
    source.clear();
    const next = idOf(source);
    await expect(late).rejects.toMatchObject({ name: "SessionMissingError" });
    expect(await next).toBe("t3");
    expect(await idOf(source)).toBe("t3");
  });

  test("a refused token is replaced once, however many were refused", async () => {
    const getToken = issuer();
    const source = createTokenSource({ getToken, clock });
    const { value } = await source.get();
    const again = await Promise.all(Array.from({ length: 10 }, () => source.get({ rejected: value })));
    expect(new Set(again.map((token) => token.value)).size).toBe(1);
    await source.get({ rejected: value });
    expect(getToken).toHaveBeenCalledTimes(2);
  });

  test("another user's token counts as no session until clear() is called", async () => {
    let sub = "alice";
    const getToken = async () => sign(claims({ sub, user_id: sub }));
    const source = createTokenSource({ getToken, clock });
    expect((await source.get()).subject).toBe("alice");
    sub = "bob"; // signed in from another tab
    time.now += 280_000;
    await expect(source.get()).rejects.toThrow(SessionMissingError);
    await expect(source.get()).rejects.toThrow("Another user has signed in");
    sub = "alice";
    expect((await source.get()).subject).toBe("alice");
    source.clear();
    sub = "bob";
    expect((await source.get()).subject).toBe("bob");
  });

  test("a signal ends one wait and not the others", async () => {
    let answer: (token: string) => void = () => {};
    const getToken = () => new Promise<string>((resolve) => (answer = resolve));
    const source = createTokenSource({ getToken, clock });
    const controller = new AbortController();
    const aborted = source.get({ signal: controller.signal });
    const other = source.get();
    controller.abort();
    await expect(aborted).rejects.toMatchObject({ name: "AbortError" });
    answer(sign());
    expect((await other).subject).toBe("u1");
    await expect(source.get({ signal: AbortSignal.abort() })).rejects.toMatchObject({ name: "AbortError" });
  });

  test.each([
    ["an opaque session token", "a1".repeat(16)],
    ["a stock token, without user_id", sign(claims({ user_id: undefined }))],
    ["another user_id", sign(claims({ user_id: "u2" }))],
    ["no lifetime", sign(claims({ exp: NOW }))],
    ["no dates", sign(claims({ exp: undefined }))],
    ["no JSON", "a.b.c"],
  ])("%s is never handed out", async (_, token) => {
    const source = createTokenSource({ getToken: async () => token });
    await expect(source.get()).rejects.toMatchObject({ name: "TokenUnavailableError" });
  });

  test("a user's ID of many letters", async () => {
    const sub = "𝄞/ü?&=";
    const source = createTokenSource({ getToken: issuer({ sub, user_id: sub }), clock });
    expect((await source.get()).subject).toBe(sub);
  });

  test("authClient or getToken, one of them", () => {
    // @ts-expect-error neither
    expect(() => createTokenSource({})).toThrow(TypeError);
    const authClient = createAuthClient({ baseURL: "http://localhost", plugins: [jwtClient()] });
    // @ts-expect-error both
    expect(() => createTokenSource({ authClient, getToken: async () => null })).toThrow(TypeError);
  });

  test("an audience is passed on, and no other API's token is handed out", async () => {
    const getToken = vi.fn(async (audience?: string) => sign(claims({ aud: audience ?? "default" })));
    const asked = () => getToken.mock.calls.map(([audience]) => audience);
    await createTokenSource({ getToken, audience: "a", clock }).get();
    await createTokenSource({ getToken, clock }).get();
    expect(asked()).toEqual(["a", undefined]);
    const deaf = async () => sign(claims({ aud: "default" }));
    const wrong = createTokenSource({ getToken: deaf, audience: "a", clock }).get();
    await expect(wrong).rejects.toMatchObject({
      name: "TokenUnavailableError",
      message: "The issuer's token is for another API; is this audience among jwtBridge()'s?",
    });
    const several = async () => sign(claims({ aud: ["a", "b"] }));
    await expect(createTokenSource({ getToken: several, audience: "a", clock }).get()).rejects.toThrow(
      "another API",
    );
  });

  test.each([
    [200, { token: sign() }, undefined],
    [401, { code: "UNAUTHORIZED" }, { name: "SessionMissingError" }],
    [503, { code: "X" }, { name: "TokenUnavailableError", status: 503 }],
    [429, {}, { name: "TokenUnavailableError", status: 429 }],
    [0, {}, { name: "TokenUnavailableError" }],
  ])("authClient.token() answering %d", async (status, body, error) => {
    const authClient = createAuthClient({
      baseURL: "http://localhost",
      plugins: [jwtClient()],
      fetchOptions: {
        customFetchImpl: async () => {
          if (status === 0) throw new TypeError("fetch failed");
          return Response.json(body, { status });
        },
      },
    });
    const got = createTokenSource({ authClient }).get();
    if (error) await expect(got).rejects.toMatchObject(error);
    else expect(await got).toMatchObject({ subject: "u1" });
  });
});

describe("what is known of the session", () => {
  const signedIn: SessionState = { status: "signed-in", subject: "u1" };
  const signedOut = (reason: string) => ({ status: "signed-out", subject: null, reason });

  test("unknown, signed-in, signed-out: one frozen object each, told once, after it is so", async () => {
    let token: string | null = sign();
    const source = createTokenSource({ getToken: async () => token, clock });
    const heard: SessionState[] = [];
    source.subscribe((state) => {
      expect(state).toBe(source.state());
      expect(Object.isFrozen(state)).toBe(true);
      heard.push(state);
    });
    expect(source.state()).toEqual({ status: "unknown", subject: null });
    expect(source.state()).toBe(source.state());
    await source.get();
    time.now += 280_000;
    await source.get();
    token = null;
    time.now += 280_000;
    await source.get().catch(() => {});
    await source.get().catch(() => {});
    expect(heard).toEqual([signedIn, signedOut("session-missing")]);
  });

  test("nobody was signed in: signed-out, too", async () => {
    const source = createTokenSource({ getToken: async () => null });
    await source.get().catch(() => {});
    expect(source.state()).toEqual(signedOut("session-missing"));
  });

  test("clear(): who was signed in is signed out; what is not known stays so", async () => {
    const source = createTokenSource({ getToken: issuer(), clock });
    const heard = vi.fn();
    source.subscribe(heard);
    source.clear(); // a sign-in, say
    expect(heard).not.toHaveBeenCalled();
    await source.get();
    source.clear();
    source.clear();
    expect(heard.mock.calls).toEqual([[signedIn], [signedOut("signed-out")]]);
    await source.get();
    expect(source.state()).toEqual(signedIn);
  });

  test("an issuer that is away says nothing about the session", async () => {
    const getToken = issuer();
    const source = createTokenSource({ getToken, clock });
    await source.get();
    const heard = vi.fn();
    source.subscribe(heard);
    getToken.mockRejectedValue(new TokenUnavailableError("away", { status: 503 }));
    time.now += 400_000;
    await expect(source.get()).rejects.toMatchObject({ status: 503 });
    expect(heard).not.toHaveBeenCalled();
  });

  test("a listener may throw, unsubscribe, clear, and be there twice", async () => {
    const source = createTokenSource({ getToken: issuer(), clock });
    // What it throws is reported, as a browser reports it; here Vitest would hear of it.
    const reporters = process.listeners("unhandledRejection");
    const reported = vi.fn();
    process.removeAllListeners("unhandledRejection").on("unhandledRejection", reported);
    const order: string[] = [];
    source.subscribe(() => {
      throw new Error("not my day");
    });
    const endFirst = source.subscribe(() => {
      order.push("first");
      endFirst();
    });
    const twice = () => order.push("twice");
    const endTwice = source.subscribe(twice);
    source.subscribe(twice);
    await source.get();
    expect(order).toEqual(["first", "twice", "twice"]);
    endTwice();
    source.subscribe((state) => {
      if (state.status === "signed-in") source.clear();
    });
    source.clear();
    await expect(source.get()).rejects.toThrow("The session has ended");
    expect(source.state()).toEqual(signedOut("signed-out"));
    expect(order.slice(3)).toEqual(["twice", "twice", "twice"]);
    await new Promise((resolve) => setImmediate(resolve));
    process.removeAllListeners("unhandledRejection");
    for (const reporter of reporters) process.on("unhandledRejection", reporter);
    expect(reported).toHaveBeenCalledTimes(4);
  });
});

describe("whether a user is behind a call", () => {
  test("a renewal is a background one where no user's call came since the last", async () => {
    const getToken = vi.fn(async (_audience?: string, _options?: { background: boolean }) => sign());
    const source = createTokenSource({ getToken, clock });
    const kinds = () => getToken.mock.calls.map(([, options]) => options?.background);
    const renew = (background: boolean) => {
      time.now += 280_000;
      return source.get({ background });
    };
    await source.get({ background: true });
    await renew(true);
    await renew(false);
    await renew(true);
    await source.get(); // from memory
    await renew(true);
    await renew(true);
    expect(kinds()).toEqual([true, true, false, true, false, true]);
  });
});

test("clear() while 500 wait: all hear of it at once, whenever the issuer answers", async () => {
  let give: (token: string) => void = () => {};
  const getToken = vi.fn(() => new Promise<string>((resolve) => (give = resolve)));
  const source = createTokenSource({ getToken, clock });
  const waits = Array.from({ length: 500 }, () => source.get());
  source.clear();
  const ends = await Promise.allSettled(waits);
  expect(ends.every((end) => end.status === "rejected" && end.reason instanceof SessionMissingError)).toBe(
    true,
  );
  const next = source.get();
  const late = give;
  late(sign());
  expect((await next).subject).toBe("u1");
  expect(getToken).toHaveBeenCalledTimes(2);
});
