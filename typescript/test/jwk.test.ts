/** JWK Sets: which verifiers they make. Which entries are usable, the vectors say. */

import { generateKeyPairSync, sign as signWith } from "node:crypto";
import { describe, expect, test } from "vitest";
import { usableKeys } from "../src/jwk.js";
import { createVerifier, type VerifierOptions } from "../src/verifier.js";
import { AUDIENCE, CLAIMS, HEADER, ISSUER, KEY, NOW, SECRET, sign } from "./tokens.js";

const OCT = { kty: "oct", kid: HEADER.kid, k: KEY.toString("base64url") };
const PAIRS = {
  RS256: generateKeyPairSync("rsa", { modulusLength: 2048 }),
  ES256: generateKeyPairSync("ec", { namedCurve: "P-256" }),
  EdDSA: generateKeyPairSync("ed25519"),
};
type Algorithm = keyof typeof PAIRS;
const ALGORITHMS = Object.keys(PAIRS) as Algorithm[];
const jwkOf = (name: Algorithm) => ({ ...PAIRS[name].publicKey.export({ format: "jwk" }), kid: name });
const ALL = { keys: ALGORITHMS.map(jwkOf) };

function signed(name: Algorithm, header: object = {}): string {
  const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString("base64url");
  const input = `${encode({ alg: name, typ: "at+jwt", kid: name, ...header })}.${encode(CLAIMS)}`;
  const key = { key: PAIRS[name].privateKey, dsaEncoding: "ieee-p1363" } as const;
  const signature = signWith(name === "EdDSA" ? null : "sha256", Buffer.from(input), key);
  return `${input}.${signature.toString("base64url")}`;
}

const options = { issuer: ISSUER, audience: AUDIENCE, clock: () => NOW };
const verify = (token: string, more: Partial<VerifierOptions>) =>
  createVerifier({ ...options, ...more }).verify(token);
const fails = (token: string, code: string, more: Partial<VerifierOptions>) =>
  expect(verify(token, more)).rejects.toMatchObject({ name: "InvalidTokenError", code });

describe.each(ALGORITHMS)("%s", (name) => {
  test("a good token passes, with one key and among others", async () => {
    expect((await verify(signed(name), { keys: { keys: [jwkOf(name)] } })).subject).toBe("u1");
    expect((await verify(signed(name), { keys: ALL, algorithms: [name] })).subject).toBe("u1");
  });

  test("altered bytes, a cut or longer signature: refused", async () => {
    const [head = "", body = "", tail = ""] = signed(name).split(".");
    const signature = Buffer.from(tail, "base64url");
    const wrong = Buffer.from(signature);
    wrong[wrong.length - 1] = (wrong.at(-1) ?? 0) ^ 1;
    for (const other of [
      wrong,
      signature.subarray(1),
      Buffer.concat([signature, signature]),
      Buffer.alloc(64),
    ]) {
      await fails(`${head}.${body}.${other.toString("base64url")}`, "signature_invalid", { keys: ALL });
    }
    const claims = Buffer.from(JSON.stringify({ ...CLAIMS, sub: "u2", user_id: "u2" })).toString("base64url");
    await fails(`${head}.${claims}.${tail}`, "signature_invalid", { keys: ALL });
  });

  test("the key decides, never alg", async () => {
    for (const alg of ALGORITHMS.filter((other) => other !== name)) {
      await fails(signed(name, { alg }), "algorithm_not_allowed", { keys: ALL });
      await fails(signed(name), "algorithm_not_allowed", { keys: ALL, algorithms: [alg] });
    }
    await fails(signed(name, { alg: "HS256" }), "algorithm_not_allowed", { keys: ALL });
    await fails(signed(name), "algorithm_not_allowed", { secret: SECRET });
  });
});

test("Ed25519 and EdDSA are one name, in every direction", async () => {
  for (const [alg, algorithms] of [
    ["Ed25519", ["EdDSA"]],
    ["EdDSA", ["Ed25519"]],
  ] as const) {
    expect((await verify(signed("EdDSA", { alg }), { keys: ALL, algorithms })).subject).toBe("u1");
  }
});

test("an ES256 signature in DER is none", async () => {
  const [head, body] = signed("ES256").split(".");
  const der = signWith("sha256", Buffer.from(`${head}.${body}`), PAIRS.ES256.privateKey);
  await fails(`${head}.${body}.${der.toString("base64url")}`, "signature_invalid", { keys: ALL });
});

test("a derived key as JWK verifies what its secret verifies", async () => {
  const verifier = createVerifier({ ...options, keys: { keys: [OCT] } });
  expect((await verifier.verify(sign())).subject).toBe("u1");
  expect(await verifier.keyIds).toEqual([HEADER.kid]);
});

test("material that the platform can not use verifies nothing", async () => {
  const even = {
    ...jwkOf("RS256"),
    n: Buffer.concat([Buffer.alloc(255, 0xff), Buffer.alloc(1)]).toString("base64url"),
  };
  const noPoint = { ...jwkOf("EdDSA"), x: Buffer.alloc(32, 0xff).toString("base64url") };
  await fails(signed("RS256"), "signature_invalid", { keys: { keys: [even] } });
  await fails(signed("EdDSA"), "signature_invalid", { keys: { keys: [noPoint] } });
});

test("usable is what the entry says by itself: no prototype, no crv in the place of kty", () => {
  const prototype = Object.assign(Object.create({ alg: "none", use: "enc", d: "x" }), OCT);
  expect([...usableKeys({ keys: [prototype] }).keys.keys()]).toEqual([HEADER.kid]);
  expect(usableKeys({ keys: [{ crv: "oct", kid: "x", k: OCT.k }] }).keys.size).toBe(0);
  expect(usableKeys({ keys: [{ ...OCT, kty: "EC P-256" }] }).keys.size).toBe(0);
});

test("an RSA exponent that is even, or not below the modulus, makes no key", () => {
  const rsa = jwkOf("RS256");
  for (const e of ["AQAC", `${rsa.n}`, `AQ${rsa.n}`])
    expect(usableKeys({ keys: [{ ...rsa, e }] }).keys.size).toBe(0);
  expect(usableKeys({ keys: [{ ...rsa, n: `AAAA${rsa.n}`, e: "AAEAAQ" }] }).keys.size).toBe(1);
});

test("a point has one form: no coordinate beyond the field", () => {
  // The point with x = 0: y is the square root of b, and x + p stands for 0 again.
  const p = 2n ** 256n - 2n ** 224n + 2n ** 192n + 2n ** 96n - 1n;
  const b = 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn;
  let y = 1n;
  for (const bit of ((p + 1n) / 4n).toString(2)) y = (y * y * (bit === "1" ? b : 1n)) % p;
  const encode = (value: bigint) =>
    Buffer.from(value.toString(16).padStart(64, "0"), "hex").toString("base64url");
  const point = (x: bigint) => ({ kty: "EC", crv: "P-256", kid: "x", x: encode(x), y: encode(y) });
  expect(usableKeys({ keys: [point(0n)] }).keys.size).toBe(1);
  expect(usableKeys({ keys: [point(p)] }).keys.size).toBe(0);
});

test("an algorithm of a shared kid is still one of the set's", () => {
  const { keys, algorithms } = usableKeys({ keys: [OCT, OCT] });
  expect([keys.size, [...algorithms]]).toEqual([0, ["HS256"]]);
});

describe("configuration", () => {
  test.each<[string, object]>([
    ["secret and keys", { secret: SECRET, keys: ALL }],
    ["secrets and keys", { secrets: [SECRET], keys: ALL }],
    ["secret and secrets", { secret: SECRET, secrets: [SECRET] }],
    ["secret", {}],
    ["secret", { secret: null }],
    ["secrets", { secrets: null }],
    ["keys is no JWK Set", { keys: null }],
    ["keys is no JWK Set", { keys: [] }],
    ["keys is no JWK Set", { keys: "{}" }],
    ["usable", { keys: { keys: [] } }],
    ["usable", { keys: { keys: [{ ...OCT, use: "enc" }] } }],
    ["mixes", { keys: { keys: [OCT, jwkOf("EdDSA")] } }],
    ["algorithms", { keys: ALL, algorithms: [] }],
    ["algorithms", { keys: ALL, algorithms: null }],
    ["algorithms", { keys: ALL, algorithms: "EdDSA" }],
    ["algorithms", { keys: ALL, algorithms: ["none"] }],
    ["algorithms", { keys: ALL, algorithms: ["HS256"] }],
    ["algorithms", { keys: ALL, algorithms: ["EdDSA", "HS256"] }],
    ["algorithms", { keys: ALL, algorithms: [["EdDSA"]] }],
    ["algorithms", { keys: ALL, algorithms: new Array(1) }],
    ["algorithms", { secret: SECRET, algorithms: ["EdDSA"] }],
    ["algorithms", { secret: SECRET, algorithms: ["HS256", "none"] }],
    ["clock", { secret: SECRET, clock: 1 }],
    ["clock", { secret: SECRET, clock: null }],
  ])("%s: %j is refused at once", (name, changes) => {
    const given = { ...options, ...changes } as VerifierOptions;
    const refusal = { name: "ConfigurationError", message: expect.stringContaining(name) };
    expect(() => createVerifier(given)).toThrow(expect.objectContaining(refusal));
  });

  test.each([undefined, null, "issuer", 1])("options %j are refused", (given) => {
    expect(() => createVerifier(given as unknown as VerifierOptions)).toThrow(
      expect.objectContaining({ name: "ConfigurationError" }),
    );
  });
});
