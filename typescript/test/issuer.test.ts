/** The issuer, in process, against a real Better Auth on a real PostgreSQL. */

import { createEmailVerificationToken } from "better-auth/api";
import { createAuthClient } from "better-auth/client";
import { jwtClient } from "better-auth/client/plugins";
import { describe, expect, test, vi } from "vitest";
import { tolerateAbsence } from "../src/better-auth/schema-check.js";
import { createVerifier } from "../src/verifier.js";
import { database, email, fetchToken, postgres, sql, start, verifier } from "./issuer-kit.js";
import {
  AUDIENCE,
  createBrowser,
  ORIGIN,
  OTHER_SECRET,
  readClaims,
  readHeader,
  SECRET,
} from "./real-auth.js";

describe("the token", () => {
  test("is what the contract says, and nothing else", async () => {
    const { browser } = start();
    const user = await browser.signUp(email());
    const response = await browser.request("/token");
    expect(response.headers.get("cache-control")).toBe("no-store");
    const { token } = (await response.json()) as { token: string };
    expect(readHeader(token)).toEqual({
      alg: "HS256",
      typ: "at+jwt",
      kid: "vrqa5TdV3SOpsaQDoGDZt7cQeMU-zDyJtkjBoBupOLM",
    });
    const { rows } = await sql('select id, token from session where "userId" = $1', [user.id]);
    const { jti, iat, exp, ...claims } = readClaims(token);
    expect(claims).toEqual({
      iss: ORIGIN,
      aud: AUDIENCE,
      sub: user.id,
      user_id: user.id,
      client_id: ORIGIN,
      sid: rows[0].id,
    });
    expect(jti).toMatch(/^[A-Za-z0-9_-]{22}$/);
    expect(Number(exp) - Number(iat)).toBe(300);
    expect(token).not.toContain(rows[0].token);
    const principal = await verifier.verify(token);
    expect(principal).toMatchObject({
      subject: user.id,
      sessionId: rows[0].id,
      tokenId: jti,
      issuedAt: iat,
      expiresAt: exp,
    });
    expect(readClaims(await fetchToken(browser)).jti).not.toBe(jti);
  });

  test("auth.api.getToken and authClient.token() answer the same", async () => {
    const { auth, browser } = start();
    const user = await browser.signUp(email());
    const { token } = await auth.api.getToken({ headers: browser.headers });
    expect((await verifier.verify(token)).subject).toBe(user.id);
    const authClient = createAuthClient({
      baseURL: ORIGIN,
      plugins: [jwtClient()],
      fetchOptions: {
        headers: { cookie: browser.headers.get("cookie") ?? "" },
        customFetchImpl: (input, init) => auth.handler(new Request(input, init)),
      },
    });
    const { data } = await authClient.token();
    expect((await verifier.verify(data?.token ?? "")).subject).toBe(user.id);
  });

  test("costs one adapter call, which is one SQL statement with joins", async () => {
    const { auth, browser } = start();
    await browser.signUp(email());
    await fetchToken(browser);
    const context = await auth.$context;
    const calls: string[] = [];
    for (const name of [
      "findOne",
      "findMany",
      "create",
      "update",
      "updateMany",
      "delete",
      "count",
    ] as const) {
      const original = context.adapter[name] as (...values: unknown[]) => unknown;
      vi.spyOn(context.adapter, name).mockImplementation((...values: unknown[]) => {
        calls.push(name);
        return original(...values) as never;
      });
    }
    database.statements.length = 0;
    await fetchToken(browser);
    expect(calls).toEqual(["findOne"]);
    expect(database.statements).toHaveLength(1);
    vi.restoreAllMocks();
  });

  test("ends with its session at the latest, and in the last second there is none", async () => {
    const { browser } = start();
    const user = await browser.signUp(email());
    const now = Date.parse("2026-11-21T12:00:00.500Z");
    vi.useFakeTimers({ toFake: ["Date"], now });
    const endAt = (at: number) =>
      sql('update session set "expiresAt" = $2, "updatedAt" = $3 where "userId" = $1', [
        user.id,
        new Date(at),
        new Date(now),
      ]);
    const token = (query = "") => browser.request(`/token?disableRefresh=true${query}`);
    await endAt(now + 60_000);
    const { token: first } = (await (await token()).json()) as { token: string };
    expect(readClaims(first)).toMatchObject({
      iat: Math.floor(now / 1000),
      exp: Math.floor(now / 1000) + 60,
    });
    await endAt(now + 499); // the session is good until 12:00:00.999, and iat and exp would both be 12:00:00
    expect((await token()).status).toBe(401);
  });

  test("has act in an impersonated session", async () => {
    const { browser } = start();
    const administrator = await browser.signUp(email());
    await sql(`update "user" set role = 'admin' where id = $1`, [administrator.id]);
    const user = await createBrowser(start().auth).signUp(email());
    expect((await browser.request("/admin/impersonate-user", { userId: user.id })).status).toBe(200);
    const claims = readClaims(await fetchToken(browser));
    expect(claims).toMatchObject({ sub: user.id, user_id: user.id, act: { sub: administrator.id } });
  });

  test("is good for all secrets in force, and signed with the first", async () => {
    const rotated = {
      secret: undefined,
      secrets: [
        { version: 2, value: OTHER_SECRET },
        { version: 1, value: SECRET },
      ],
    };
    const { browser } = start(rotated);
    await browser.signUp(email());
    const token = await fetchToken(browser);
    await expect(verifier.verify(token)).rejects.toMatchObject({ code: "key_not_found" });
    const both = createVerifier({ issuer: ORIGIN, audience: AUDIENCE, secrets: [OTHER_SECRET, SECRET] });
    await both.verify(token);
    expect(readHeader(token).kid).toBe((await both.keyIds)[0]);
  });
});

describe("who gets none", () => {
  test("nobody without a session, 401 and never cached", async () => {
    const { auth, browser } = start();
    const response = await browser.request("/token");
    expect(response.status).toBe(401);
    expect(response.headers.get("cache-control")).toBe("no-store");
    await expect(auth.api.getToken({ headers: new Headers() })).rejects.toMatchObject({ statusCode: 401 });
  });

  test("a signed-out user whose cookie cache is still good", async () => {
    const { browser } = start({ session: { cookieCache: { enabled: true, maxAge: 300 } } });
    await browser.signUp(email());
    await fetchToken(browser);
    const cookies = new Map(browser.jar);
    expect((await browser.request("/sign-out", {})).status).toBe(200);
    for (const [name, value] of cookies) browser.jar.set(name, value);
    expect(await (await browser.request("/get-session")).json()).not.toBeNull(); // the cache still says so
    expect((await browser.request("/token")).status).toBe(401);
  });

  test("a banned user, until the ban has ended", async () => {
    const { browser } = start();
    const user = await browser.signUp(email());
    const ban = (banned: boolean, expires: Date | null) =>
      sql('update "user" set banned = $2, "banExpires" = $3 where id = $1', [user.id, banned, expires]);
    await ban(true, null);
    expect((await browser.request("/token")).status).toBe(401);
    await ban(true, new Date(Date.now() + 60_000));
    expect((await browser.request("/token")).status).toBe(401);
    await ban(true, new Date(Date.now() - 60_000));
    expect((await browser.request("/token")).status).toBe(200);
    await ban(false, null);
    expect((await browser.request("/token")).status).toBe(200);
  });

  test("anybody while the session store is stopped: 503, and again a token when it is back", async () => {
    const { auth, browser } = start();
    await browser.signUp(email());
    await postgres.stop();
    const response = await browser.request("/token");
    expect(response.status).toBe(503);
    expect(response.headers.get("retry-after")).toBe("5");
    expect(response.headers.get("cache-control")).toBe("no-store");
    expect(response.headers.getSetCookie()).toEqual([]);
    await expect(auth.api.getToken({ headers: browser.headers })).rejects.toMatchObject({ statusCode: 503 });
    expect((await start().browser.request("/token")).status).toBe(401); // without a cookie nothing is read
    const cold = start();
    for (const [name, value] of browser.jar) cold.browser.jar.set(name, value);
    expect((await cold.browser.request("/token")).status).toBe(503); // also where nothing was ever connected
    await postgres.start();
    expect((await browser.request("/token")).status).toBe(200);
    expect((await cold.browser.request("/token")).status).toBe(200);
  });
});

describe("secondary storage", () => {
  test("is a session store too: its dates are text, and its absence is 503", async () => {
    const stored = new Map<string, string>();
    let away = false;
    const get = async (key: string) => {
      if (away) throw new Error("connection refused");
      return stored.get(key) ?? null;
    };
    const set = async (key: string, value: string) => void stored.set(key, value);
    const secondaryStorage = { get, set, delete: async (key: string) => void stored.delete(key) };
    const { browser } = start({ secondaryStorage });
    await browser.signUp(email());
    expect(readClaims(await fetchToken(browser))).toMatchObject({ sid: expect.any(String) });
    const [key = ""] = [...stored.keys()].filter((each) => !each.startsWith("active-sessions"));
    const ban = (banExpires: string) => {
      const record = JSON.parse(stored.get(key) ?? "");
      stored.set(key, JSON.stringify({ ...record, user: { ...record.user, banned: true, banExpires } }));
    };
    ban(new Date(Date.now() + 60_000).toISOString());
    expect((await browser.request("/token")).status).toBe(401);
    ban("no date");
    expect((await browser.request("/token")).status).toBe(401);
    ban(new Date(Date.now() - 60_000).toISOString());
    expect((await browser.request("/token")).status).toBe(200);
    away = true;
    expect((await browser.request("/token")).status).toBe(503);
  });
});

describe("the session", () => {
  test("is extended once it is old enough, unless disableRefresh is asked for", async () => {
    const { auth, browser } = start();
    const user = await browser.signUp(email());
    const end = async () =>
      (await sql('select "expiresAt" from session where "userId" = $1', [user.id])).rows[0].expiresAt;
    const old = new Date(Date.now() + 86_400_000);
    await sql('update session set "expiresAt" = $2 where "userId" = $1', [user.id, old]);
    await auth.api.getToken({ headers: browser.headers, query: { disableRefresh: true } });
    const quiet = await browser.request("/token?disableRefresh=true");
    expect(quiet.headers.getSetCookie()).toEqual([]);
    expect(await end()).toEqual(old);
    const response = await browser.request("/token");
    expect(response.headers.getSetCookie().join()).toContain("session_token=");
    expect((await end()).getTime()).toBeGreaterThan(old.getTime());
  });
});

describe("the look at the schema", () => {
  const context: { checkSchema?: () => PromiseLike<unknown> | undefined } = {};
  tolerateAbsence(context);

  test("tolerates a database that is away, and not a wrong schema", async () => {
    expect(context.checkSchema).toBeUndefined();
    context.checkSchema = () => Promise.reject(new Error("ECONNREFUSED"));
    await context.checkSchema();
    context.checkSchema = () =>
      Promise.reject(Object.assign(new Error("no column"), { code: "SCHEMA_MISMATCH" }));
    await expect(context.checkSchema()).rejects.toThrow("no column");
    context.checkSchema = () => undefined;
    expect(context.checkSchema()).toBeUndefined();
  });
});

describe("what stays as it was", () => {
  test("/jwks answers, signJWT signs with EdDSA, /get-session carries no token", async () => {
    const { auth, browser } = start();
    await browser.signUp(email());
    const response = await browser.request("/jwks");
    const { keys } = (await response.json()) as { keys: { alg: string; kty: string }[] };
    expect(keys).toMatchObject([{ alg: "EdDSA", kty: "OKP" }]);
    const { token } = await auth.api.signJWT({ body: { payload: { sub: "x" } } });
    expect(readHeader(token).alg).toBe("EdDSA");
    await expect(verifier.verify(token)).rejects.toMatchObject({ code: "algorithm_not_allowed" });
    expect((await browser.request("/get-session")).headers.has("set-auth-jwt")).toBe(false);
  });
});

describe("the crossing", () => {
  test("a bridge token proves no mailbox", async () => {
    const address = email();
    const { auth, browser } = start(
      { emailVerification: { sendVerificationEmail: async () => {} } },
      {
        claims: { email: () => address },
      },
    );
    await browser.signUp(address);
    const token = await fetchToken(browser);
    const verify = (proof: string) => createBrowser(auth).request(`/verify-email?token=${proof}`);
    expect((await verify(token)).status).toBe(401);
    const verified = async () =>
      (await sql('select "emailVerified" from "user" where email = $1', [address])).rows[0].emailVerified;
    expect(await verified()).toBe(false);
    expect((await verify(await createEmailVerificationToken(SECRET, address))).status).toBe(200);
    expect(await verified()).toBe(true);
  });

  test("Better Auth's e-mail and cookie-cache JWTs and its session cookie open no API", async () => {
    const { browser } = start({ session: { cookieCache: { enabled: true, strategy: "jwt" } } });
    await browser.signUp(email());
    await browser.request("/get-session");
    const refuse = async (token: string, code: string) =>
      expect(verifier.verify(token)).rejects.toMatchObject({ name: "InvalidTokenError", code });
    await refuse(await createEmailVerificationToken(SECRET, "a@example.com"), "token_type_mismatch");
    await refuse(browser.jar.get("better-auth.session_data") ?? "", "token_type_mismatch");
    const cookie = browser.jar.get("better-auth.session_token") ?? "";
    await refuse(cookie, "token_opaque");
    await refuse(decodeURIComponent(cookie), "token_opaque");
    await refuse(cookie.split(".")[0] ?? "", "token_opaque");
  });
});
