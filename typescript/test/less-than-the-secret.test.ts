/**
 * An API that holds its derived key alone: it can issue tokens for itself, and opens nothing of Better Auth's.
 *
 * Each attack is made twice, with the derived key in every form that somebody might try, and with the shared secret:
 * so that one sees that the attack itself is right.
 */

import { makeSignature, symmetricDecrypt, symmetricEncodeJWT } from "better-auth/crypto";
import { SignJWT } from "jose";
import { describe, expect, test } from "vitest";
import { deriveKey, deriveKeys, issuedHeader, keyId } from "../src/keys.js";
import { createMac, encodeBase64url } from "../src/primitives-node.js";
import { createVerifier } from "../src/verifier.js";
import { email, fetchToken, sql, start } from "./issuer-kit.js";
import { AUDIENCE, createBrowser, ORIGIN, readClaims, SECRET } from "./real-auth.js";

const OTHER_API = "https://api-b.example.com";
const [[, KEY] = []] = await deriveKeys([SECRET], AUDIENCE);
if (KEY === undefined) throw new Error("no key was derived");

/** The `k` of the JWK that the API is given; its bytes as text; and in the other spellings of 32 bytes. */
const FORMS: readonly (readonly [string, string])[] = [
  ["k", encodeBase64url(KEY)],
  ["hexadecimal", Buffer.from(KEY).toString("hex")],
  ["base64", Buffer.from(KEY).toString("base64")],
  ["latin1", Buffer.from(KEY).toString("latin1")],
];
/** What Better Auth would take as the secret: `true` for the shared one, which must succeed. */
const SECRETS: readonly (readonly [string, string, boolean])[] = [
  ...FORMS.map(([name, text]) => [`the derived key (${name})`, text, false] as const),
  ["the shared secret", SECRET, true],
];

const LATER = 300_000;
const SESSION_COOKIE = "better-auth.session_token";
const CACHE_COOKIE = "better-auth.session_data";
const signHmac = (secret: string, text: string) =>
  encodeBase64url(createMac(new TextEncoder().encode(secret)).compute(text) as Uint8Array);
const signJwt = (secret: string | Uint8Array, claims: Record<string, unknown>) =>
  new SignJWT(claims)
    .setProtectedHeader({ alg: "HS256" })
    .setIssuedAt()
    .setExpirationTime("5m")
    .sign(typeof secret === "string" ? new TextEncoder().encode(secret) : secret);

describe.each(SECRETS)("with %s", (_, secret, opens) => {
  test("a session cookie for a known session token", async () => {
    const { auth, browser } = start();
    const victim = await browser.signUp(email());
    const [{ token }] = (await sql('select token from session where "userId" = $1', [victim.id])).rows;
    const attacker = createBrowser(auth);
    const forged = encodeURIComponent(`${token}.${await makeSignature(token, secret)}`);
    attacker.jar.set(SESSION_COOKIE, forged);
    const session = await (await attacker.request("/get-session")).json();
    expect(session?.user.id ?? null).toBe(opens ? victim.id : null);
    attacker.jar.set(SESSION_COOKIE, forged);
    expect((await attacker.request("/token")).status).toBe(opens ? 200 : 401);
  });

  test.each(["compact", "jwt", "jwe"])(
    "a cookie cache (%s) that says that one is the administrator",
    async (strategy) => {
      const { browser } = start({ session: { cookieCache: { enabled: true, maxAge: 300, strategy } } });
      const user = await browser.signUp(email());
      const known = (await (await browser.request("/get-session")).json()) as {
        session: object;
        user: object;
      };
      const payload = {
        ...known,
        user: { ...known.user, role: "admin" },
        updatedAt: Date.now(),
        version: "1",
      };
      const expiresAt = Date.now() + LATER;
      const forge: Record<string, () => string | Promise<string>> = {
        compact() {
          const signature = signHmac(secret, JSON.stringify({ ...payload, expiresAt }));
          const text = JSON.stringify({ session: payload, expiresAt, signature });
          return Buffer.from(text).toString("base64url");
        },
        jwt: () => signJwt(secret, payload),
        jwe: () => symmetricEncodeJWT(payload, secret, "better-auth-session", 300),
      };
      browser.jar.set(CACHE_COOKIE, (await forge[strategy]?.()) ?? "");
      const session = await (await browser.request("/get-session")).json();
      // A forged cache is thrown away, and the session is read from the store.
      expect([session.user.id, session.user.role]).toEqual([user.id, opens ? "admin" : "user"]);
    },
  );

  test("an e-mail verification link", async () => {
    const address = email();
    const { auth, browser } = start({ emailVerification: { sendVerificationEmail: async () => {} } });
    await browser.signUp(address);
    const proof = await signJwt(secret, { email: address });
    const response = await createBrowser(auth).request(`/verify-email?token=${proof}`);
    expect(response.status).toBe(opens ? 200 : 401);
    const { rows } = await sql('select "emailVerified" from "user" where email = $1', [address]);
    expect(rows[0].emailVerified).toBe(opens);
  });

  test("a private key of the jwks table", async () => {
    const { browser } = start({}, { algorithm: "EdDSA" });
    await browser.signUp(email());
    await fetchToken(browser);
    const [{ privateKey }] = (await sql("select * from jwks")).rows;
    const opened = symmetricDecrypt({ key: secret, data: JSON.parse(privateKey) }).then(JSON.parse);
    if (opens) await expect(opened).resolves.toMatchObject({ d: expect.any(String) });
    else await expect(opened).rejects.toThrow();
  });
});

describe("the derived key's bytes", () => {
  test("sign no session cookie", async () => {
    const { auth, browser } = start();
    const victim = await browser.signUp(email());
    const [{ token }] = (await sql('select token from session where "userId" = $1', [victim.id])).rows;
    const attacker = createBrowser(auth);
    const forged = encodeURIComponent(`${token}.${await makeSignature(token, KEY)}`);
    attacker.jar.set(SESSION_COOKIE, forged);
    expect(await (await attacker.request("/get-session")).json()).toBeNull();
    attacker.jar.set(SESSION_COOKIE, forged);
    expect((await attacker.request("/token")).status).toBe(401);
  });

  test("sign no e-mail verification link, and no cookie cache", async () => {
    const address = email();
    const cookieCache = { enabled: true, maxAge: 300, strategy: "jwt" };
    const { browser } = start({
      emailVerification: { sendVerificationEmail: async () => {} },
      session: { cookieCache },
    });
    await browser.signUp(address);
    const proof = await signJwt(KEY, { email: address });
    expect((await browser.request(`/verify-email?token=${proof}`)).status).toBe(401);
    const known = (await (await browser.request("/get-session")).json()) as { user: object };
    const payload = { ...known, user: { ...known.user, role: "admin" }, updatedAt: Date.now(), version: "1" };
    browser.jar.set(CACHE_COOKIE, await signJwt(KEY, payload));
    expect((await (await browser.request("/get-session")).json()).user.role).toBe("user");
  });

  const sign = (header: string, claims: object) => {
    const input = `${header}.${encodeBase64url(new TextEncoder().encode(JSON.stringify(claims)))}`;
    return `${input}.${encodeBase64url(createMac(KEY).compute(input) as Uint8Array)}`;
  };

  test("make tokens for their own API, and none for another", async () => {
    const { browser } = start();
    await browser.signUp(email());
    const claims = readClaims(await fetchToken(browser));
    const own = await keyId(KEY);
    const api = createVerifier({
      issuer: ORIGIN,
      audience: AUDIENCE,
      keys: { keys: [{ kty: "oct", k: encodeBase64url(KEY), kid: own, alg: "HS256", use: "sig" }] },
    });
    const other = createVerifier({ issuer: ORIGIN, audience: OTHER_API, secret: SECRET });
    const [theirs = ""] = await other.keyIds;
    expect(
      (await api.verify(sign(issuedHeader(own), { ...claims, sub: "anybody", user_id: "anybody" }))).subject,
    ).toBe("anybody");
    for (const aud of [OTHER_API, [AUDIENCE, OTHER_API]]) {
      const refusal = (kid: string) => other.verify(sign(issuedHeader(kid), { ...claims, aud }));
      await expect(refusal(own)).rejects.toMatchObject({ code: "key_not_found" });
      await expect(refusal(theirs)).rejects.toMatchObject({ code: "signature_invalid" });
    }
  });

  test("are no step to another API's key", async () => {
    const theirs = await keyId(await deriveKey(SECRET, OTHER_API));
    const bytes = FORMS.map(([, text]) => text);
    for (const secret of bytes) {
      for (const audience of [OTHER_API, AUDIENCE]) {
        expect(await keyId(await deriveKey(secret, audience))).not.toBe(theirs);
      }
    }
    const raw = createMac(KEY).compute(
      `jwt-auth-bridge/v1/HS256/${OTHER_API}\u0001`,
    ) as Uint8Array<ArrayBuffer>;
    expect(await keyId(raw)).not.toBe(theirs);
  });
});
