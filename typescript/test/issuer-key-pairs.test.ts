/** JWKS mode: the same tokens, signed by Better Auth's own key pairs, verified with the key set of `/jwks`. */

import { generateKeyPairSync } from "node:crypto";
import { symmetricEncrypt } from "better-auth/crypto";
import { exportJWK, generateKeyPair } from "jose";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { createVerifier } from "../src/verifier.js";
import { database, email, fetchToken, postgres, sql, start, verifier } from "./issuer-kit.js";
import { fetchKeySet, KEY_PAIR_ALGORITHMS, serve, verifierOf } from "./key-sets.js";
import {
  AUDIENCE,
  createBrowser,
  ORIGIN,
  OTHER_SECRET,
  readClaims,
  readHeader,
  SECRET,
} from "./real-auth.js";

beforeEach(async () => {
  await sql("truncate jwks");
});

const TYPES = { EdDSA: "OKP", ES256: "EC", RS256: "RSA" };
const keyIds = async (): Promise<string[]> =>
  (await sql('select id from jwks order by "createdAt"')).rows.map(({ id }) => id);

/** A browser of another Better Auth that holds the same cookies. */
function share(jar: Map<string, string>, { browser, auth }: ReturnType<typeof start>) {
  for (const [name, value] of jar) browser.jar.set(name, value);
  return { browser, auth };
}

describe.each(KEY_PAIR_ALGORITHMS)("%s", (algorithm) => {
  test("has the claims of HS256, its own header, and passes with the key set of /jwks", async () => {
    const { auth, browser } = start({}, { algorithm });
    await browser.signUp(email());
    const token = await fetchToken(browser);
    const other = await fetchToken(share(browser.jar, start()).browser);
    const drop = ({ jti: _jti, iat: _iat, exp: _exp, ...claims }: Record<string, unknown>) => claims;
    const [claims, expected] = [readClaims(token), readClaims(other)];
    expect(Object.keys(claims)).toEqual(Object.keys(expected));
    expect(drop(claims)).toEqual(drop(expected));
    expect(claims.jti).toMatch(/^[A-Za-z0-9_-]{22}$/);
    expect(Number(claims.exp) - Number(claims.iat)).toBe(300);
    const [kid] = await keyIds();
    expect(readHeader(token)).toEqual({ alg: algorithm, typ: "at+jwt", kid });
    const principal = await (await verifierOf(auth)).verify(token);
    expect(principal).toMatchObject({ subject: claims.sub, sessionId: claims.sid, tokenId: claims.jti });
    // One kind of key for one verifier: that of the shared secret does not take it.
    await expect(verifier.verify(token)).rejects.toMatchObject({ code: "algorithm_not_allowed" });
  });

  test("passes with jwksUri, over HTTP, and with a key set that is fetched once", async () => {
    const { auth, browser } = start({}, { algorithm });
    const user = await browser.signUp(email());
    const server = await serve(auth);
    try {
      const log = () => {};
      const remote = createVerifier({ issuer: ORIGIN, audience: AUDIENCE, jwksUri: server.url, log });
      for (const _ of [1, 2]) {
        expect((await remote.verify(await fetchToken(browser))).subject).toBe(user.id);
      }
      expect(await remote.keyIds).toEqual(await keyIds());
      expect(server.requests).toEqual(["/api/auth/jwks"]);
    } finally {
      await server.close();
    }
  });

  test("the key set has public members only, and no oct key", async () => {
    const { auth, browser } = start({}, { algorithm });
    await browser.signUp(email());
    await fetchToken(browser);
    await fetchToken(share(browser.jar, start({}, { algorithm: "EdDSA" })).browser);
    const { keys } = await fetchKeySet(auth);
    expect(keys.map(({ kty }) => kty)).toContain(TYPES[algorithm]);
    for (const key of keys) {
      expect(["OKP", "EC", "RSA"]).toContain(key.kty);
      for (const name of ["d", "p", "q", "dp", "dq", "qi", "oth", "k"]) expect(key).not.toHaveProperty(name);
    }
  });

  test("costs two adapter calls, the session's and the key's", async () => {
    const { auth, browser } = start({}, { algorithm });
    await browser.signUp(email());
    await fetchToken(browser);
    const { adapter } = await auth.$context;
    const calls = [vi.spyOn(adapter, "findOne"), vi.spyOn(adapter, "findMany")];
    database.statements.length = 0;
    await fetchToken(browser);
    expect(calls.map(({ mock }) => mock.calls.length)).toEqual([1, 1]);
    expect(database.statements).toHaveLength(2);
    vi.restoreAllMocks();
  });

  test("twenty first tokens at once make one key pair", async () => {
    const { auth, browser } = start({}, { algorithm });
    await browser.signUp(email());
    const tokens = await Promise.all(Array.from({ length: 20 }, () => fetchToken(browser)));
    expect(await keyIds()).toHaveLength(1);
    const api = await verifierOf(auth);
    for (const token of tokens) await api.verify(token);
  });

  test("a newer pair of another algorithm never signs", async () => {
    const { auth, browser } = start({}, { algorithm });
    await browser.signUp(email());
    const others = KEY_PAIR_ALGORITHMS.filter((each) => each !== algorithm);
    for (const other of others) {
      await fetchToken(share(browser.jar, start({}, { algorithm: other })).browser);
    }
    const token = await fetchToken(browser);
    expect(readHeader(token).alg).toBe(algorithm);
    for (const other of others) {
      await fetchToken(share(browser.jar, start({}, { algorithm: other })).browser);
    }
    expect(readHeader(await fetchToken(browser)).kid).toBe(readHeader(token).kid);
    expect(await keyIds()).toHaveLength(3);
    await (await verifierOf(auth)).verify(token);
    await (await verifierOf(auth, { algorithms: [algorithm] })).verify(token);
  });

  test("an ended pair signs no more, and is still published", async () => {
    const { auth, browser } = start({}, { algorithm });
    await browser.signUp(email());
    const old = await fetchToken(browser);
    await sql("update jwks set \"expiresAt\" = now() - interval '1 second'");
    const token = await fetchToken(browser);
    expect(readHeader(token).kid).not.toBe(readHeader(old).kid);
    const api = await verifierOf(auth);
    await api.verify(old);
    await api.verify(token);
  });

  test("a pair that was deleted signs no more, at once", async () => {
    const { browser } = start({}, { algorithm });
    await browser.signUp(email());
    const { kid } = readHeader(await fetchToken(browser));
    await sql("delete from jwks where id = $1", [kid]);
    expect(readHeader(await fetchToken(browser)).kid).not.toBe(kid);
  });

  test("who gets none: signed out, banned; impersonated sessions have act", async () => {
    const { auth, browser } = start({}, { algorithm });
    const administrator = await browser.signUp(email());
    const response = await browser.request("/token");
    expect(response.headers.get("cache-control")).toBe("no-store");
    await sql(`update "user" set role = 'admin' where id = $1`, [administrator.id]);
    const user = await createBrowser(auth).signUp(email());
    await browser.request("/admin/impersonate-user", { userId: user.id });
    expect(readClaims(await fetchToken(browser))).toMatchObject({
      sub: user.id,
      act: { sub: administrator.id },
    });
    await sql('update "user" set banned = true where id = $1', [user.id]);
    expect((await browser.request("/token")).status).toBe(401);
    expect((await createBrowser(auth).request("/token")).status).toBe(401);
  });
});

describe("nothing that its own verifier would refuse", () => {
  function watch(more: object = {}, bridge: object = {}) {
    const log = vi.fn();
    const logged = () => JSON.stringify(log.mock.calls.map(([, ...said]) => said.map(String)));
    return { ...start({ logger: { level: "error", log }, ...more }, bridge), logged };
  }

  async function expectUnissued({ browser, logged }: ReturnType<typeof watch>, ...words: string[]) {
    const response = await browser.request("/token");
    expect(response.status).toBe(500);
    expect(response.headers.get("cache-control")).toBe("no-store");
    expect(await response.json()).toMatchObject({ code: "TOKEN_NOT_ISSUED" });
    for (const word of words) expect(logged()).toContain(word);
    return logged();
  }

  test.each(KEY_PAIR_ALGORITHMS)("%s: too large, 500, and the log names the claim", async (algorithm) => {
    const started = watch({}, { algorithm, claims: { big: () => "x".repeat(8000) } });
    await started.browser.signUp(email());
    await expectUnissued(started, "the largest claim is big");
  });

  test("a user's ID that no verifier would take", async () => {
    const started = watch({}, { algorithm: "EdDSA" });
    const user = await started.browser.signUp(email());
    const odd = "a\u0007b";
    const fields = 'id, name, email, "emailVerified", "createdAt", "updatedAt"';
    await sql(`insert into "user" (${fields}) values ($1, 'A', $2, false, now(), now())`, [odd, email()]);
    await sql('update session set "userId" = $2 where "userId" = $1', [user.id, odd]);
    await expectUnissued(started, "look at sub");
  });

  test("another secret can not decrypt the private key: 500, the log has the cure, and the cure works", async () => {
    const first = start({}, { algorithm: "ES256" });
    await first.browser.signUp(email());
    const { kid } = readHeader(await fetchToken(first.browser));
    const [{ privateKey }] = (await sql("select * from jwks")).rows;
    const started = watch({ secret: OTHER_SECRET }, { algorithm: "ES256" });
    await started.browser.signUp(email());
    const said = await expectUnissued(
      started,
      String(kid),
      "BETTER_AUTH_SECRETS",
      "BETTER_AUTH_SECRET beside",
    );
    for (const secret of [SECRET, OTHER_SECRET, privateKey]) expect(said).not.toContain(secret.slice(1, 12));
    expect(await keyIds()).toEqual([kid]);
    // The cure: the new secret is versioned, the old one, which had no version, stays beside it.
    const secrets = [{ version: 2, value: OTHER_SECRET }];
    const cured = share(started.browser.jar, start({ secret: SECRET, secrets }, { algorithm: "ES256" }));
    expect(readHeader(await fetchToken(cured.browser)).kid).toBe(kid);
    // The other cure: the row goes.
    await sql("delete from jwks");
    await (await verifierOf(started.auth)).verify(await fetchToken(started.browser));
  });

  test("a versioned secret that was dropped too early", async () => {
    const value = (version: number, text: string) => ({ version, value: text });
    const old = start({ secret: undefined, secrets: [value(1, SECRET)] }, { algorithm: "EdDSA" });
    await old.browser.signUp(email());
    await fetchToken(old.browser);
    const started = watch({ secret: undefined, secrets: [value(2, OTHER_SECRET)] }, { algorithm: "EdDSA" });
    await started.browser.signUp(email());
    await expectUnissued(started, "can not be decrypted");
    const both = { secret: undefined, secrets: [value(2, OTHER_SECRET), value(1, SECRET)] };
    await fetchToken(share(started.browser.jar, start(both, { algorithm: "EdDSA" })).browser);
  });

  test("halves of two pairs, weak keys, another algorithm's key, and what is no key at all", async () => {
    const started = watch({}, { algorithm: "RS256" });
    await started.browser.signUp(email());
    await fetchToken(started.browser);
    const encrypted = async (text: string) =>
      JSON.stringify(await symmetricEncrypt({ key: SECRET, data: text }));
    const pair = async (alg: string, modulusLength: number) => {
      const { publicKey, privateKey } = await generateKeyPair(alg, { modulusLength, extractable: true });
      const [open, secret] = [await exportJWK(publicKey), await exportJWK(privateKey)];
      return [JSON.stringify(open), await encrypted(JSON.stringify(secret))] as const;
    };
    const set = (publicKey: string, privateKey: string) =>
      sql('update jwks set "publicKey" = $1, "privateKey" = $2', [publicKey, privateKey]);
    const strong = await pair("RS256", 2048);
    const other = await pair("RS256", 2048);
    await set(strong[0], other[1]);
    await expectUnissued(started, "do not belong together");
    const es256 = await pair("ES256", 0);
    await set(strong[0], es256[1]);
    await expectUnissued(started, "is none for RS256");
    const weak = generateKeyPairSync("rsa", { modulusLength: 1024 });
    await set(
      JSON.stringify(weak.publicKey.export({ format: "jwk" })),
      await encrypted(JSON.stringify(weak.privateKey.export({ format: "jwk" }))),
    );
    await expectUnissued(started, "no verifier would use the public key");
    await set(strong[0], await encrypted("no JSON"));
    expect(await expectUnissued(started, "is none for RS256")).not.toContain("no JSON");
    await set(strong[0], '{"kty":"RSA"}');
    await expectUnissued(started, "can not be decrypted");
    await set(strong[0], strong[1]);
    await fetchToken(started.browser);
    // A row whose public key is another algorithm's, or none, is no pair at all: the next token makes one.
    const [old] = await keyIds();
    for (const publicKey of [es256[0], "no JSON", "null", "{}"]) {
      await set(publicKey, strong[1]);
      await sql("delete from jwks where id <> $1", [old]);
      const token = await fetchToken(started.browser);
      expect(readHeader(token)).toMatchObject({ alg: "RS256" });
      expect(readHeader(token).kid).not.toBe(old);
    }
  });
});

describe("the key set", () => {
  test("keeps a private key to itself that somebody stored as a public one, and no token is signed with it", async () => {
    const { auth, browser } = start({}, { algorithm: "EdDSA" });
    await browser.signUp(email());
    await fetchToken(browser);
    const { privateKey } = await generateKeyPair("EdDSA", { extractable: true });
    const [old] = await keyIds();
    await sql('update jwks set "publicKey" = $1', [JSON.stringify(await exportJWK(privateKey))]);
    expect(await fetchKeySet(auth)).toEqual({ keys: [] });
    expect(await auth.api.getJwks()).toEqual({ keys: [] });
    // The first has the right type, and no verifier would use it; this one is no key pair at all, and another is made.
    await sql('update jwks set "publicKey" = $1', [JSON.stringify({ kty: "oct", k: "x".repeat(43) })]);
    for (const { keys } of [await fetchKeySet(auth), await auth.api.getJwks()]) {
      expect(keys).toEqual([
        { alg: "EdDSA", crv: "Ed25519", kty: "OKP", kid: expect.any(String), x: expect.any(String) },
      ]);
    }
    const { kid } = readHeader(await fetchToken(browser));
    expect(kid).not.toBe(old);
    await sql('update jwks set "publicKey" = $1', [JSON.stringify(await exportJWK(privateKey))]);
    expect((await browser.request("/token")).status).toBe(500);
  });
});

describe("the key set after a change of the algorithm", () => {
  const MODES = ["HS256", ...KEY_PAIR_ALGORITHMS];
  test.each(KEY_PAIR_ALGORITHMS.flatMap((from) => MODES.map((to) => [from, to] as const)))(
    "from %s to %s: a token of before still passes",
    async (from, to) => {
      const before = start({}, { algorithm: from });
      await before.browser.signUp(email());
      const token = await fetchToken(before.browser);
      const after = share(before.browser.jar, start({}, { algorithm: to }));
      await fetchToken(after.browser);
      await (await verifierOf(after.auth)).verify(token);
    },
  );

  test.each(KEY_PAIR_ALGORITHMS)("has a key for %s before the first token is signed with it", async (to) => {
    const from = to === "EdDSA" ? "RS256" : "EdDSA";
    await fetchKeySet(start({}, { algorithm: from }).auth);
    const { auth, browser } = start({}, { algorithm: to });
    const { keys } = await fetchKeySet(auth);
    expect(keys.map(({ alg }) => alg).sort()).toEqual([from, to].sort());
    await browser.signUp(email());
    const { kid } = readHeader(await fetchToken(browser));
    expect(keys.find((key) => key.kid === kid)).toMatchObject({ alg: to });
  });
});

describe("the key store", () => {
  const stored = new Map<string, string>();
  const secondaryStorage = {
    get: async (key: string) => stored.get(key) ?? null,
    set: async (key: string, value: string) => void stored.set(key, value),
    delete: async (key: string) => void stored.delete(key),
  };

  test("is away while the session's is there: 503 with Retry-After, never 401, and again a token", async () => {
    const log = vi.fn();
    const more = { secondaryStorage, logger: { level: "error", log } };
    const { auth, browser } = start(more, { algorithm: "EdDSA" });
    await browser.signUp(email());
    await fetchToken(browser);
    await postgres.stop();
    const response = await browser.request("/token");
    expect(response.status).toBe(503);
    expect(response.headers.get("retry-after")).toBe("5");
    expect(response.headers.get("cache-control")).toBe("no-store");
    expect(await response.json()).toMatchObject({ code: "KEY_STORE_UNAVAILABLE" });
    expect(JSON.stringify(log.mock.calls)).toContain("key pairs can not be read");
    await expect(auth.api.getToken({ headers: browser.headers })).rejects.toMatchObject({ statusCode: 503 });
    const keySet = await browser.request("/jwks");
    expect(keySet.status).toBe(503);
    expect(keySet.headers.get("retry-after")).toBe("5");
    await postgres.start();
    await fetchToken(browser);
  });

  test("can not be written when the first pair is made: 503", async () => {
    const { auth, browser } = start({}, { algorithm: "EdDSA" });
    await browser.signUp(email());
    const { adapter } = await auth.$context;
    vi.spyOn(adapter, "create").mockRejectedValue(new Error("read-only transaction"));
    const response = await browser.request("/token");
    expect(response.status).toBe(503);
    expect(response.headers.get("retry-after")).toBe("5");
    vi.restoreAllMocks();
    await fetchToken(browser);
  });
});
