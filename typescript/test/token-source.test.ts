/** The token source, with a clock that the test moves. */

import { createAuthClient } from "better-auth/client";
import { jwtClient } from "better-auth/client/plugins";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { createTokenSource, SessionMissingError, type TokenSource } from "../src/client/index.js";
import { claims, NOW, sign } from "./tokens.js";

let now = NOW * 1000;
const clock = () => now;

beforeEach(() => {
  now = NOW * 1000;
});

/** Tokens t1, t2, … with the given claims; counts how often it is asked. */
function issuer(changes: Record<string, unknown> = {}) {
  const getToken = vi.fn(async (): Promise<string | null> => {
    const jti = `t${getToken.mock.calls.length}`;
    return sign(claims({ ...changes, jti }));
  });
  return getToken;
}

const idOf = async (source: TokenSource) => {
  const { value } = await source.get();
  return JSON.parse(Buffer.from(value.split(".")[1] ?? "", "base64url").toString()).jti;
};

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
    now += 86_400_000; // the local clock is wrong by a day
    const source = createTokenSource({ getToken, clock });
    expect(await idOf(source)).toBe("t1");
    now += after * 1000 - 1;
    expect(await idOf(source)).toBe("t1");
    now += 1;
    expect(await idOf(source)).toBe("t2");
  });

  test("a clock that goes back renews", async () => {
    const source = createTokenSource({ getToken: issuer(), clock });
    await source.get();
    now -= 3_600_000;
    expect(await idOf(source)).toBe("t2");
  });

  test("an issuer that is away does no harm while the token is good", async () => {
    const getToken = issuer();
    const source = createTokenSource({ getToken, clock });
    await source.get();
    getToken.mockRejectedValue(new TypeError("fetch failed"));
    now += 280_000;
    expect(await idOf(source)).toBe("t1");
    now += 20_000;
    await expect(source.get()).rejects.toMatchObject({
      name: "TokenUnavailableError",
      code: "token_unavailable",
    });
  });

  test("nobody signed in: SessionMissingError, and what was held is dropped", async () => {
    const getToken = issuer();
    const source = createTokenSource({ getToken, clock });
    await source.get();
    now += 280_000;
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
    now += 280_000;
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
