/** Verifiers whose keys are fetched, and migration verifiers: many at once, and whoever wants to confuse them. */

import { createHmac } from "node:crypto";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { createVerifier, type VerifierOptions } from "../src/verifier.js";
import { keyPair, type Serving, serve } from "./key-set-server.js";
import {
  AUDIENCE,
  CLAIMS,
  claims,
  deriveKey,
  HEADER,
  ISSUER,
  KEY,
  NOW,
  OTHER_SECRET,
  SECRET,
  sign,
} from "./tokens.js";

const pairs = {
  EdDSA: keyPair("EdDSA", "ed"),
  ES256: keyPair("ES256", "ec"),
  RS256: keyPair("RS256", "rsa"),
};
const every = Object.values(pairs);
const jwks = (...keys: object[]) => ({ keys });
const OCT = { kty: "oct", k: KEY.toString("base64url"), alg: "HS256", use: "sig" };

/** What the issuer publishes, how often it was asked, and whether it answers at all. */
let published: object;
let requests: number;
let healthy: boolean;
let server: Serving;
let seconds: number;
const lines: string[] = [];

beforeAll(async () => {
  server = await serve((_, response) => {
    requests += 1;
    if (!healthy) response.writeHead(503).end();
    else
      response.writeHead(200, { "content-type": "application/jwk-set+json" }).end(JSON.stringify(published));
  });
});
afterAll(() => server.stop());
beforeEach(() => {
  published = jwks(...every.map(({ jwk }) => jwk));
  requests = 0;
  healthy = true;
  seconds = 100;
  lines.length = 0;
  vi.spyOn(performance, "now").mockImplementation(() => seconds * 1000);
});
afterEach(() => {
  vi.restoreAllMocks();
});

const common = {
  issuer: ISSUER,
  audience: AUDIENCE,
  clock: () => NOW,
  log: (line: string) => lines.push(line),
};
const fetching = (more: Partial<VerifierOptions> = {}) =>
  createVerifier({ ...common, jwksUri: server.url, ...more });
const refused = (code: string) => expect.objectContaining({ name: "InvalidTokenError", code });
const unavailable = expect.objectContaining({ name: "KeySetUnavailableError", status: 503 });

describe("fetched keys", () => {
  test.each(every.map((pair) => [pair.alg, pair] as const))("%s verifies", async (_, pair) => {
    const verifier = fetching();
    expect(await verifier.verify(pair.token())).toMatchObject({ subject: "u1", claims: CLAIMS });
    await expect(verifier.verify(`${pair.token().slice(0, -4)}AAAA`)).rejects.toEqual(
      refused("signature_invalid"),
    );
    await expect(verifier.verify(pair.token(claims({ exp: NOW - 100 })))).rejects.toEqual(
      refused("token_expired"),
    );
    expect(requests).toBe(1);
  });

  test("a thousand first verifications at once are one fetch", async () => {
    const verifier = fetching();
    const tokens = Array.from({ length: 1000 }, (_, index) => every[index % 3]?.token() ?? "");
    const principals = await Promise.all(tokens.map((token) => verifier.verify(token)));
    expect(principals.every(({ subject }) => subject === "u1")).toBe(true);
    expect(requests).toBe(1);
  });

  test("ten thousand random kids are at most one fetch per cool-down, and valid tokens pass meanwhile", async () => {
    const verifier = fetching();
    await verifier.verify(pairs.EdDSA.token());
    const [, body = "", signature = ""] = pairs.EdDSA.token().split(".");
    const random = (index: number) => {
      const header = { alg: "EdDSA", typ: "at+jwt", kid: `random-${index}` };
      return `${Buffer.from(JSON.stringify(header)).toString("base64url")}.${body}.${signature}`;
    };
    const good = pairs.EdDSA.token();
    for (let round = 0; round < 10; round += 1) {
      // 10 rounds of 6 seconds are two cool-downs.
      seconds += 6;
      const bad = Array.from({ length: 1000 }, (_, index) => verifier.verify(random(round * 1000 + index)));
      const outcomes = Promise.allSettled(bad);
      // Known keys wait for nobody: not for a fetch that is under way either.
      expect((await verifier.verify(good)).subject).toBe("u1");
      for (const outcome of await outcomes) {
        expect(outcome).toMatchObject({ status: "rejected", reason: refused("key_not_found") });
      }
    }
    expect(requests).toBe(3);
  });

  test("what can never verify fetches nothing", async () => {
    const verifier = fetching();
    const cases: [string, string][] = [
      ["rubbish", "token_malformed"],
      [pairs.EdDSA.token(CLAIMS, { alg: "HS256" }), "algorithm_not_allowed"],
      [pairs.EdDSA.token(CLAIMS, { alg: "none" }), "algorithm_not_allowed"],
      [pairs.EdDSA.token(CLAIMS, { typ: "JWT" }), "token_type_mismatch"],
      [pairs.EdDSA.token(CLAIMS, { crit: [] }), "critical_header_unsupported"],
      [pairs.EdDSA.token(CLAIMS, { kid: undefined }), "key_not_found"],
      [pairs.EdDSA.token(CLAIMS, { kid: "" }), "key_not_found"],
      [pairs.EdDSA.token(CLAIMS, { kid: ["ed"] }), "key_not_found"],
      [sign(), "algorithm_not_allowed"],
    ];
    for (const [token, code] of cases) await expect(verifier.verify(token)).rejects.toEqual(refused(code));
    expect(requests).toBe(0);
  });

  test("no token says where keys are: jku, x5u, jwk", async () => {
    const evil = keyPair("EdDSA", "evil");
    const other = vi.fn();
    const elsewhere = await serve((_, response) => {
      other();
      response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(jwks(evil.jwk)));
    });
    const header = { jku: elsewhere.url, x5u: elsewhere.url, jwk: evil.jwk };
    await expect(fetching().verify(evil.token(CLAIMS, header))).rejects.toEqual(refused("key_not_found"));
    await expect(fetching().verify(evil.token(CLAIMS, { ...header, kid: "ed" }))).rejects.toEqual(
      refused("signature_invalid"),
    );
    expect(other).not.toHaveBeenCalled();
    await elsewhere.stop();
  });

  test("an oct key that is published, and an HS256 token signed with it", async () => {
    published = jwks({ ...OCT, kid: "oct" }, pairs.EdDSA.jwk);
    const verifier = fetching();
    await verifier.verify(pairs.EdDSA.token());
    expect(await verifier.keyIds).toEqual(["ed"]);
    const token = sign(CLAIMS, { ...HEADER, kid: "oct" });
    await expect(verifier.verify(token)).rejects.toEqual(refused("algorithm_not_allowed"));
    const named = sign(CLAIMS, { ...HEADER, alg: "EdDSA", kid: "oct" });
    await expect(verifier.verify(named)).rejects.toEqual(refused("key_not_found"));
  });

  test.each(every.map((pair) => [pair.alg, pair] as const))(
    "%s's public key as a secret",
    async (_, pair) => {
      const verifier = fetching();
      for (const format of ["pem", "der"] as const) {
        const secret = pair.publicKey.export({ type: "spki", format } as { type: "spki"; format: "der" });
        const token = sign(CLAIMS, { ...HEADER, kid: pair.kid }, Buffer.from(secret));
        await expect(verifier.verify(token)).rejects.toEqual(refused("algorithm_not_allowed"));
      }
    },
  );

  test("one key's token under another key's name or algorithm", async () => {
    const verifier = fetching();
    await expect(verifier.verify(pairs.ES256.token(CLAIMS, { kid: "ed" }))).rejects.toEqual(
      refused("algorithm_not_allowed"),
    );
    await expect(verifier.verify(pairs.ES256.token(CLAIMS, { alg: "EdDSA" }))).rejects.toEqual(
      refused("algorithm_not_allowed"),
    );
    await expect(fetching({ algorithms: ["RS256"] }).verify(pairs.EdDSA.token())).rejects.toEqual(
      refused("algorithm_not_allowed"),
    );
  });

  test("an issuer that is down: 503 before the first fetch, keys in hand after it", async () => {
    healthy = false;
    const verifier = fetching();
    await expect(verifier.verify(pairs.EdDSA.token())).rejects.toEqual(unavailable);
    await expect(verifier.authenticate(bearing(pairs.EdDSA.token()))).rejects.toEqual(unavailable);
    expect(requests).toBe(1);
    healthy = true;
    seconds += 5;
    await verifier.verify(pairs.EdDSA.token());
    healthy = false;
    seconds += 3600;
    expect((await verifier.authenticate(bearing(pairs.EdDSA.token()))).subject).toBe("u1");
    await vi.waitFor(() => expect(lines).toHaveLength(3));
    expect(lines[0]).toContain("status 503 instead of 200");
    expect(lines[1]).toBe("key IDs ed, ec, rsa");
    expect(lines[2]).toBe(lines[0]);
  });

  test("a key that was published before it signs is picked up without a failure", async () => {
    const next = keyPair("EdDSA", "next");
    const verifier = fetching();
    await verifier.verify(pairs.EdDSA.token());
    published = jwks(pairs.EdDSA.jwk, next.jwk);
    seconds += 30;
    const tokens = Array.from({ length: 50 }, (_, index) => (index % 2 ? next : pairs.EdDSA).token());
    await Promise.all(tokens.map((token) => verifier.verify(token)));
    expect(requests).toBe(2);
    published = jwks(next.jwk);
    seconds += 300;
    await verifier.verify(pairs.EdDSA.token());
    await vi.waitFor(async () => expect(await verifier.keyIds).toEqual(["next"]));
    await expect(verifier.verify(pairs.EdDSA.token())).rejects.toEqual(refused("key_not_found"));
  });

  test("prefetch() has the keys at hand, or says that they can not be had; keyIds fetches nothing", async () => {
    const verifier = fetching();
    expect([await verifier.keyIds, requests]).toEqual([[], 0]);
    await verifier.prefetch();
    await verifier.prefetch();
    expect([await verifier.keyIds, requests]).toEqual([["ed", "ec", "rsa"], 1]);
    healthy = false;
    await expect(fetching().prefetch()).rejects.toEqual(unavailable);
    for (const source of [{ secret: SECRET }, { keys: jwks(pairs.EdDSA.jwk) }]) {
      await createVerifier({ ...common, ...source }).prefetch();
    }
    expect(requests).toBe(2);
  });

  test("a failing fetch is told to the console where no log is given", async () => {
    healthy = false;
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    await expect(fetching({ log: undefined }).prefetch()).rejects.toEqual(unavailable);
    expect(warn.mock.calls).toEqual([
      [`the key set at ${server.url} can not be used: status 503 instead of 200`],
    ]);
  });
});

function bearing(token: string): Request {
  return new Request("https://api.example.com", { headers: { authorization: `Bearer ${token}` } });
}

describe.each<[string, () => Partial<VerifierOptions>]>([
  ["secrets and a fetched set", () => ({ secrets: [SECRET], jwksUri: server.url })],
  ["secrets and public keys", () => ({ secrets: [SECRET], keys: jwks(...every.map(({ jwk }) => jwk)) })],
  [
    "derived keys and a fetched set",
    () => ({ keys: jwks({ ...OCT, kid: HEADER.kid }), jwksUri: server.url }),
  ],
])("migration from %s", (_, source) => {
  const create = () => createVerifier({ ...common, ...source(), migration: true });

  test("tokens of both kinds verify", async () => {
    const verifier = create();
    for (const token of [sign(), ...every.map((pair) => pair.token())]) {
      expect((await verifier.verify(token)).subject).toBe("u1");
    }
    expect(await verifier.keyIds).toEqual([HEADER.kid, "ed", "ec", "rsa"]);
  });

  test("a token of the old kind fetches nothing", async () => {
    await create().verify(sign());
    expect(requests).toBe(0);
  });

  test.each(every.map((pair) => [pair.alg, pair] as const))(
    "no kind passes for the other: %s",
    async (_, pair) => {
      const verifier = create();
      const spki = Buffer.from(pair.publicKey.export({ type: "spki", format: "der" }));
      const pem = Buffer.from(pair.publicKey.export({ type: "spki", format: "pem" }));
      const cases: [string, string][] = [
        // HS256 under a public kid: by the shared key, and by the public key as secret.
        [sign(CLAIMS, { ...HEADER, kid: pair.kid }), "algorithm_not_allowed"],
        [sign(CLAIMS, { ...HEADER, kid: pair.kid }, spki), "algorithm_not_allowed"],
        [sign(CLAIMS, { ...HEADER, kid: pair.kid }, pem), "algorithm_not_allowed"],
        // The public key as secret, under the symmetric kid.
        [sign(CLAIMS, HEADER, spki), "signature_invalid"],
        [sign(CLAIMS, HEADER, pem), "signature_invalid"],
        // A public token under a symmetric kid, whatever it calls itself.
        [pair.token(CLAIMS, { kid: HEADER.kid }), "algorithm_not_allowed"],
        [pair.token(CLAIMS, { kid: HEADER.kid, alg: "HS256" }), "signature_invalid"],
        [pair.token(CLAIMS, { alg: "HS256" }), "algorithm_not_allowed"],
        [sign(CLAIMS, { ...HEADER, alg: pair.alg }), "algorithm_not_allowed"],
        [sign(CLAIMS, { ...HEADER, alg: pair.alg, kid: pair.kid }), "signature_invalid"],
        // A secret that is no longer in force, and no kid at all.
        [
          sign(CLAIMS, { ...HEADER, kid: "dropped" }, deriveKey(OTHER_SECRET, AUDIENCE)),
          "algorithm_not_allowed",
        ],
        [sign(CLAIMS, { ...HEADER, kid: undefined }), "algorithm_not_allowed"],
        [pair.token(CLAIMS, { kid: undefined }), "key_not_found"],
      ];
      for (const [token, code] of cases) await expect(verifier.verify(token)).rejects.toEqual(refused(code));
    },
  );
});

test("a fetched set that publishes the symmetric kid changes nothing", async () => {
  const evil = keyPair("EdDSA", HEADER.kid);
  published = jwks(
    evil.jwk,
    { ...OCT, k: Buffer.alloc(32, 1).toString("base64url"), kid: "oct" },
    pairs.ES256.jwk,
  );
  const verifier = createVerifier({ ...common, secret: SECRET, jwksUri: server.url, migration: true });
  await verifier.prefetch();
  expect((await verifier.verify(sign())).subject).toBe("u1");
  expect((await verifier.verify(pairs.ES256.token())).subject).toBe("u1");
  expect(await verifier.keyIds).toEqual([HEADER.kid, "ec"]);
  await expect(verifier.verify(evil.token())).rejects.toEqual(refused("algorithm_not_allowed"));
  await expect(verifier.verify(sign(CLAIMS, HEADER, Buffer.alloc(32, 1)))).rejects.toEqual(
    refused("signature_invalid"),
  );
  const input = sign().split(".").slice(0, 2).join(".");
  const forged = createHmac("sha256", Buffer.from(JSON.stringify(evil.jwk)))
    .update(input)
    .digest("base64url");
  await expect(verifier.verify(`${input}.${forged}`)).rejects.toEqual(refused("signature_invalid"));
});

describe("configuration", () => {
  const set = jwks(pairs.EdDSA.jwk);
  const oct = jwks({ ...OCT, kid: HEADER.kid });
  const url = "https://app.example.com/api/auth/jwks";
  test.each<[string, object]>([
    ["secret and jwksUri", { secret: SECRET, jwksUri: url }],
    ["keys and jwksUri", { keys: set, jwksUri: url }],
    ["secrets and keys", { secrets: [SECRET], keys: set }],
    ["jwksUri is not set", { jwksUri: undefined }],
    ["jwksUri", { jwksUri: "" }],
    ["jwksUri", { jwksUri: "http://app.example.com/jwks" }],
    ["jwksUri", { jwksUri: "https://user:pa55@app.example.com/jwks" }],
    ["internalHosts", { jwksUri: url, internalHosts: ["web:3000"] }],
    ["internalHosts", { jwksUri: url, internalHosts: "web" }],
    ["internalHosts is given without jwksUri", { secret: SECRET, internalHosts: ["web"] }],
    ["migration", { secret: SECRET, migration: true }],
    ["migration", { jwksUri: url, migration: true }],
    ["migration", { keys: set, migration: true }],
    ["migration", { migration: true }],
    ["migration", { keys: set, jwksUri: url, migration: true }],
    ["migration", { secret: SECRET, keys: oct, migration: true }],
    ["migration", { secret: SECRET, secrets: [SECRET], migration: true }],
    ["migration", { secret: SECRET, keys: set, jwksUri: url, migration: true }],
    ["migration must be true or false", { secret: SECRET, jwksUri: url, migration: "true" }],
    ["keys mixes", { secret: SECRET, keys: jwks(pairs.EdDSA.jwk, { ...OCT, kid: "o" }), migration: true }],
    ["keys has no usable key", { keys: jwks(pairs.EdDSA.jwk, pairs.EdDSA.jwk) }],
    ["algorithms", { jwksUri: url, algorithms: ["HS256"] }],
    ["algorithms", { jwksUri: url, algorithms: ["EdDSA", "HS256"] }],
    ["algorithms", { secret: SECRET, jwksUri: url, migration: true, algorithms: ["HS256"] }],
    ["log", { jwksUri: url, log: "console" }],
  ])("%s: %j is refused at once", (words, changes) => {
    const create = () => createVerifier({ ...common, ...changes } as VerifierOptions);
    expect(create).toThrow(expect.objectContaining({ name: "ConfigurationError" }));
    expect(create).toThrow(words);
    for (const hidden of [SECRET, "pa55"]) expect(create).not.toThrow(hidden);
  });

  test.each<[string, object]>([
    ["migration: false says nothing", { secret: SECRET, migration: false }],
    ["a container's name", { jwksUri: "http://web:3000/api/auth/jwks", internalHosts: ["web"] }],
    ["no internal hosts", { jwksUri: url, internalHosts: [] }],
    ["given and derived", { keys: oct, jwksUri: url, migration: true }],
    ["algorithms of the public keys", { secret: SECRET, keys: set, migration: true, algorithms: ["EdDSA"] }],
  ])("%s", (_, changes) => {
    createVerifier({ ...common, ...changes } as VerifierOptions);
  });
});
