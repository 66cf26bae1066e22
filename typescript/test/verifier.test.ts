/** The rules V1 to V17, each from both sides: the last value that passes, the first that fails. */

import { createHmac, generateKeyPairSync, sign as signWith } from "node:crypto";
import { describe, expect, test } from "vitest";
import { createVerifier, type VerifierOptions } from "../src/verifier.js";
import {
  AUDIENCE,
  CLAIMS,
  claims,
  deriveKey,
  HEADER,
  ISSUER,
  KEY,
  keyId,
  NOW,
  OTHER_SECRET,
  SECRET,
  sign,
} from "./tokens.js";

const options = { issuer: ISSUER, audience: AUDIENCE, secret: SECRET, leeway: 0, clock: () => NOW };

function verify(token: string, more: Partial<VerifierOptions> = {}) {
  return createVerifier({ ...options, ...more }).verify(token);
}

const passes = async (token: string, more: Partial<VerifierOptions> = {}): Promise<void> => {
  await verify(token, more);
};
const fails = (token: unknown, code: string, more: Partial<VerifierOptions> = {}) =>
  expect(verify(token as string, more)).rejects.toMatchObject({
    name: "InvalidTokenError",
    status: 401,
    code,
  });

test("a good token becomes a principal", async () => {
  expect(await verify(sign())).toEqual({
    subject: "u1",
    sessionId: "s1",
    tokenId: "j1",
    issuedAt: NOW,
    expiresAt: NOW + 300,
    claims: CLAIMS,
  });
  expect((await verify(sign(claims({ sid: undefined })))).sessionId).toBeNull();
});

describe("V1, V2: characters, segments, base64url", () => {
  // Not every length can be had with one payload: the header's length shifts it.
  const padded = (length: number) => {
    for (const shift of ["", "y", "yy"]) {
      for (let size = 5600; size < 6000; size += 1) {
        const token = sign(claims({ pad: "x".repeat(size) }), { ...HEADER, shift });
        if (token.length === length) return token;
      }
    }
    throw new Error(`no token of ${length} characters`);
  };
  test("8192 characters pass, 8193 do not", async () => {
    await passes(padded(8192));
    await fails(padded(8193), "token_malformed");
  });

  const [head = "", body = "", tail = ""] = sign().split(".");
  test.each([
    ["nothing", ""],
    ["no string", undefined],
    ["non-ASCII", `${head}.${body}.${tail.slice(1)}ä`],
    ["one segment", head],
    ["two", `${head}.${body}`],
    ["four", `${head}.${body}.${tail}.${tail}`],
    ["an empty header", `.${body}.${tail}`],
    ["an empty payload", `${head}..${tail}`],
    ["an empty signature", `${head}.${body}.`],
    ["padding", `${head}.${body}.${tail}=`],
    ["whitespace", `${head}.${body}.${tail}\n`],
    ["the standard alphabet", `${head}.${body}.${"+".repeat(43)}`],
    [
      "stray bits",
      `${head}.${body}.${tail.slice(0, -1)}${tail.endsWith("A") ? "B" : String.fromCharCode(tail.charCodeAt(42) + 1)}`,
    ],
    ["an impossible length", `${head}.${body}.${tail}AA`],
    ["10 MB", "a".repeat(10_000_000)],
  ])("%s", (_, token) => fails(token, "token_malformed"));

  test.each([
    ["Better Auth's session token", "a1".repeat(16), "token_opaque"],
    ["its cookie", `${"a1".repeat(16)}.${"+".repeat(43)}=`, "token_opaque"],
    ["its cookie, encoded", `${"a1".repeat(16)}.${"a".repeat(43)}%3D`, "token_opaque"],
    ["a signature of 40", `${"a".repeat(32)}.${"a".repeat(40)}`, "token_opaque"],
    ["one of 64", `${"a".repeat(32)}.${"a".repeat(64)}`, "token_opaque"],
    ["one of 39", `${"a".repeat(32)}.${"a".repeat(39)}`, "token_malformed"],
    ["one of 65", `${"a".repeat(32)}.${"a".repeat(65)}`, "token_malformed"],
    ["31 letters", "a".repeat(31), "token_malformed"],
    ["33 letters", "a".repeat(33), "token_malformed"],
    ["a line break", `${"a".repeat(32)}\n`, "token_malformed"],
  ])("%s", (_, token, code) => fails(token, code));
});

/** What JSON may be, tried as a header (V3) and as a payload (V9) by adding it to the usual members. */
const STRICT: readonly (readonly [string, string | Buffer])[] = [
  ["a duplicate name", '"a":1,"a":1'],
  ["a duplicate name after unescaping", '"a":1,"\\u0061":1'],
  ["a duplicate name further down", '"a":[{"b":{"c":1,"c":2}}]'],
  ["a duplicate name in what a duplicate drops", '"a":{"b":1},"a":{}'],
  ["__proto__ twice", '"__proto__":1,"__proto__":1'],
  ["a lone surrogate", '"a":"\\ud800"'],
  ["a lone low surrogate", '"a":"\\uDC00"'],
  ["surrogates in the wrong order", '"a":"\\uDC00\\uD800"'],
  ["a lone surrogate in a name", '"\\ud800":1'],
  ["65 levels", `"a":${"[".repeat(64)}${"]".repeat(64)}`],
  ["65 levels of objects", `"a":${'{"a":'.repeat(64)}1${"}".repeat(64)}`],
  ["2^53", '"a":9007199254740992'],
  ["2^53 + 1", '"a":9007199254740993'],
  ["-2^53", '"a":-9007199254740992'],
  ["an integer of 400 digits", `"a":${"1".repeat(400)}`],
  ["1e400", '"a":1e400'],
  ["-1e400", '"a":-1e400'],
  ["400 digits and a fraction", `"a":${"1".repeat(400)}.5`],
  ["NaN", '"a":NaN'],
  ["Infinity", '"a":Infinity'],
  ["a leading zero", '"a":01'],
  ["a plus sign", '"a":+1'],
  ["a trailing comma", '"a":1,'],
  ["a comment", '"a":1/**/'],
  ["single quotes", "'a':1"],
  ["a raw control character", '"a":"\u0001"'],
  ["bytes that are no UTF-8", Buffer.from([0x22, 0x61, 0xff, 0x22, 0x3a, 0x31])],
  ["an encoded surrogate", Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22, 0x3a, 0x31])],
  ["an overlong form", Buffer.from([0x22, 0xc1, 0xa1, 0x22, 0x3a, 0x31])],
];
const LENIENT: readonly (readonly [string, string])[] = [
  ["64 levels", `"a":${"[".repeat(63)}${"]".repeat(63)}`],
  ["brackets in a string", `"a":"${"[".repeat(100)}"`],
  ["colons and quotes in a string", '"a":":\\":\\\\","b":"\\\\"'],
  ["one name at two levels", '"a":{"a":[{"a":1},{"a":1}]}'],
  ["2^53 - 1", '"a":9007199254740991'],
  ["-(2^53 - 1)", '"a":-9007199254740991'],
  ["a big number with an exponent", '"a":1e308'],
  ["a big number with a fraction", '"a":9007199254740993.0'],
  ["an underflow", '"a":1e-400'],
  ["minus zero", '"a":-0'],
  ["a surrogate pair", '"a":"\\ud834\\udd1e"'],
  ["an escaped backslash before u", '"a":"\\\\ud800"'],
  ["a BOM inside", '"a":"\ufeff"'],
  ["__proto__", '"__proto__":{"x":1}'],
  ["constructor and hasOwnProperty", '"constructor":1,"hasOwnProperty":2'],
  ["whitespace", ' \t\r\n"a" : 1 '],
];
const extend = (object: object, text: string | Buffer) => {
  const start = Buffer.from(`${JSON.stringify(object).slice(0, -1)},`);
  return Buffer.concat([start, Buffer.from(text), Buffer.from("}")]);
};

describe.each([
  ["V3", "token_malformed", (text: string | Buffer) => sign(CLAIMS, extend(HEADER, text))],
  ["V9", "claims_malformed", (text: string | Buffer) => sign(extend(CLAIMS, text))],
])("%s: strict JSON", (rule, code, build) => {
  test.each(STRICT)("%s is refused", (_, text) => fails(build(text), code));
  test.each(LENIENT)("%s passes", (_, text) => passes(build(text)));
  const whole = (part: string | Buffer) => (rule === "V3" ? sign(CLAIMS, part) : sign(part));
  test.each([
    ["an array", "[]"],
    ["null", "null"],
    ["a string", '"a"'],
    ["a number", "1"],
    ["two objects", "{}{}"],
    ["UTF-16", Buffer.from(JSON.stringify({}), "utf16le")],
    [
      "a BOM",
      Buffer.concat([
        Buffer.from([0xef, 0xbb, 0xbf]),
        Buffer.from(JSON.stringify(rule === "V3" ? HEADER : CLAIMS)),
      ]),
    ],
  ])("%s is refused", (_, part) => fails(whole(part), code));
});

test("__proto__ is a claim like any other", async () => {
  const principal = await verify(sign(extend(CLAIMS, '"__proto__":{"admin":true}')));
  expect(Object.keys(principal.claims)).toContain("__proto__");
  expect((principal.claims as { admin?: unknown }).admin).toBeUndefined();
  const { sub: _, ...rest } = CLAIMS;
  await fails(sign(extend(rest, '"__proto__":{"sub":"u1"}')), "claim_missing");
});

describe("V4 to V8: header and signature", () => {
  test.each([
    ["crit", { crit: ["exp"] }, "critical_header_unsupported"],
    ["crit null", { crit: null }, "critical_header_unsupported"],
    ["b64", { b64: true }, "critical_header_unsupported"],
    ["crit before alg", { crit: [], alg: "none" }, "critical_header_unsupported"],
    ["alg none", { alg: "none" }, "algorithm_not_allowed"],
    ["alg hs256", { alg: "hs256" }, "algorithm_not_allowed"],
    ["alg HS384", { alg: "HS384" }, "algorithm_not_allowed"],
    ["alg EdDSA", { alg: "EdDSA" }, "algorithm_not_allowed"],
    ["alg in a list", { alg: ["HS256"] }, "algorithm_not_allowed"],
    ["no alg", { alg: undefined }, "algorithm_not_allowed"],
    ["alg before typ", { alg: "none", typ: "JWT" }, "algorithm_not_allowed"],
    ["typ JWT", { typ: "JWT" }, "token_type_mismatch"],
    ["no typ", { typ: undefined }, "token_type_mismatch"],
    ["typ in a list", { typ: ["at+jwt"] }, "token_type_mismatch"],
    ["another media type", { typ: "text/at+jwt" }, "token_type_mismatch"],
    ["a dotless i", { typ: "applıcation/at+jwt" }, "token_type_mismatch"],
    ["a line break", { typ: "at+jwt\n" }, "token_type_mismatch"],
    ["typ before kid", { typ: "JWT", kid: "x" }, "token_type_mismatch"],
    ["another kid", { kid: "x" }, "key_not_found"],
    ["no kid", { kid: undefined }, "key_not_found"],
    ["an empty kid", { kid: "" }, "key_not_found"],
    ["a kid of another type", { kid: 1 }, "key_not_found"],
    ["kid __proto__", { kid: "__proto__" }, "key_not_found"],
  ])("%s is refused", (_, changes, code) => fails(sign(CLAIMS, { ...HEADER, ...changes }), code));

  test.each([
    ["AT+JWT", { typ: "AT+JWT" }],
    ["application/at+jwt", { typ: "application/At+jwt" }],
    [
      "jku, x5u, x5c and jwk, which say nothing",
      { jku: "https://x", x5u: "y", x5c: [], jwk: { kty: "oct", k: "AA" } },
    ],
  ])("%s passes", (_, changes) => passes(sign(CLAIMS, { ...HEADER, ...changes })));

  test("a signature of other bytes, of another length, with another key or algorithm", async () => {
    const [head, body] = sign().split(".");
    const signed = (bytes: Buffer) => `${head}.${body}.${bytes.toString("base64url")}`;
    const right = createHmac("sha256", KEY).update(`${head}.${body}`).digest();
    await passes(signed(right));
    for (let index = 0; index < 32; index += 1) {
      const wrong = Buffer.from(right);
      wrong[index] = (wrong[index] ?? 0) ^ 1;
      await fails(signed(wrong), "signature_invalid");
    }
    await fails(signed(right.subarray(1)), "signature_invalid");
    await fails(signed(Buffer.concat([right, right])), "signature_invalid");
    await fails(signed(createHmac("sha384", KEY).update(`${head}.${body}`).digest()), "signature_invalid");
    await fails(sign(CLAIMS, HEADER, Buffer.from(SECRET)), "signature_invalid");
    await fails(sign(claims({ sub: "u2", user_id: "u2" }), HEADER, Buffer.alloc(32)), "signature_invalid");
    const { privateKey } = generateKeyPairSync("ed25519");
    await fails(signed(signWith(null, Buffer.from(`${head}.${body}`), privateKey)), "signature_invalid");
  });

  test("the payload is not looked at before its signature", () =>
    fails(sign("{", HEADER, Buffer.alloc(32)), "signature_invalid"));

  test("all secrets verify, and another audience has other keys", async () => {
    const key = deriveKey(OTHER_SECRET, AUDIENCE);
    const token = sign(CLAIMS, { ...HEADER, kid: keyId(key) }, key);
    await fails(token, "key_not_found");
    await verify(token, { secret: undefined, secrets: [SECRET, OTHER_SECRET] });
    await fails(sign(), "key_not_found", { audience: "https://other.example.com" });
  });
});

const FAR = 253402300799;

describe("V10 to V14: claims", () => {
  const REQUIRED = ["iss", "aud", "sub", "user_id", "client_id", "iat", "exp", "jti"];
  test.each(REQUIRED)("no %s", (name) => fails(sign(claims({ [name]: undefined })), "claim_missing"));
  test.each(REQUIRED)("%s null counts as present", (name) =>
    fails(sign(claims({ [name]: null })), "claim_malformed"),
  );
  test("missing before malformed", () => fails(sign(claims({ iss: 1, jti: undefined })), "claim_missing"));

  const texts = ["iss", "sub", "user_id", "client_id", "jti", "sid"];
  test.each(texts.flatMap((name) => [1, true, "", null, ["x"], {}].map((value) => [name, value] as const)))(
    "%s: %j is refused",
    (name, value) => fails(sign(claims({ [name]: value })), "claim_malformed"),
  );
  const dates = ["iat", "exp", "nbf"];
  test.each(
    dates.flatMap((name) => ["1", true, null, -1, FAR + 1, [NOW]].map((value) => [name, value] as const)),
  )("%s: %j is refused", (name, value) => fails(sign(claims({ [name]: value })), "claim_malformed"));
  test.each([[[]], [""], [[""]], [[AUDIENCE, 1]], [[AUDIENCE, ""]], [1], [{}]])("aud %j is refused", (aud) =>
    fails(sign(claims({ aud })), "claim_malformed"),
  );
  test.each([[[AUDIENCE]], [["x", AUDIENCE]], [AUDIENCE]])("aud %j passes", (aud) =>
    passes(sign(claims({ aud }))),
  );
  test.each([["x"], [["x"]], [`${AUDIENCE}/`], [AUDIENCE.toUpperCase()]])("aud %j is another's", (aud) =>
    fails(sign(claims({ aud })), "audience_mismatch"),
  );

  const user = (sub: string) => sign(claims({ sub, user_id: sub }));
  test.each([["x".repeat(255)], ["𝄞".repeat(255)], ["a b"], [" "], ["~\u00a0"], ["\ufeff"]])(
    "sub %j passes",
    (sub) => passes(user(sub)),
  );
  test.each([["x".repeat(256)], ["𝄞".repeat(256)], ["a\u0000"], ["\u001f"], ["\u007f"], ["\u009f"]])(
    "sub %j is refused",
    (sub) => fails(user(sub), "claim_malformed"),
  );

  test.each([[`${ISSUER}/`], [ISSUER.toUpperCase()], [ISSUER.slice(0, -1)], [`${ISSUER}:443`]])(
    "iss %s is another's",
    (iss) => fails(sign(claims({ iss, client_id: iss })), "issuer_mismatch"),
  );
  test("code points, not looks", () =>
    fails(sign(claims({ iss: "e\u0301", client_id: "e\u0301" })), "issuer_mismatch", { issuer: "é" }));

  test.each([
    ["user_id is not sub", { user_id: "u2" }, "claim_malformed"],
    ["client_id is not iss", { client_id: "app" }, "claim_malformed"],
    ["cnf", { cnf: {} }, "claim_malformed"],
    ["cnf null", { cnf: null }, "claim_malformed"],
    ["issuer before audience", { iss: "x", aud: "y" }, "issuer_mismatch"],
    ["audience before user_id", { aud: "y", user_id: "u2" }, "audience_mismatch"],
    ["user_id before time", { user_id: "u2", exp: 1 }, "claim_malformed"],
  ])("%s is refused", (_, changes, code) => fails(sign(claims(changes)), code));
});

describe("V15 to V17: times", () => {
  test.each([
    [0, NOW - 1, "token_expired"],
    [0, NOW, "token_expired"],
    [0, NOW + 0.001, undefined],
    [10, NOW - 10, "token_expired"],
    [10, NOW - 9.999, undefined],
  ])("leeway %d, exp %d", (leeway, exp, code) => {
    const token = sign(claims({ iat: NOW - 100, exp }));
    return code ? fails(token, code, { leeway }) : passes(token, { leeway });
  });

  test.each([
    ["iat", 0, NOW, undefined],
    ["iat", 0, NOW + 0.001, "token_not_yet_valid"],
    ["iat", 10, NOW + 10, undefined],
    ["iat", 10, NOW + 11, "token_not_yet_valid"],
    ["nbf", 0, NOW, undefined],
    ["nbf", 0, NOW + 1, "token_not_yet_valid"],
    ["nbf", 10, NOW + 10, undefined],
    ["nbf", 10, NOW + 11, "token_not_yet_valid"],
  ])("%s, leeway %d: %d", (name, leeway, value, code) => {
    const token = sign(claims({ [name]: value }));
    return code ? fails(token, code, { leeway }) : passes(token, { leeway });
  });

  test.each([
    [undefined, 3600, undefined],
    [undefined, 3601, "lifetime_out_of_range"],
    [undefined, 3600.5, "lifetime_out_of_range"],
    [1, 1, undefined],
    [1, 2, "lifetime_out_of_range"],
    [86400, 86400, undefined],
  ])("maximum %d, lifetime %d", (maximumLifetime, lifetime, code) => {
    const token = sign(claims({ exp: NOW + lifetime }));
    return code ? fails(token, code, { maximumLifetime }) : passes(token, { maximumLifetime });
  });

  test("a lifetime of nothing, within the leeway", () =>
    fails(sign(claims({ exp: NOW })), "lifetime_out_of_range", { leeway: 10 }));
  test("the clock is read once, and not floored", async () => {
    let readings = 0;
    const clock = () => NOW + 300 - 0.5 * ++readings;
    await passes(sign(), { clock });
    expect(readings).toBe(1);
    await fails(sign(), "token_expired", { clock: () => NOW + 300 });
  });
});

test("no input makes it throw anything else", async () => {
  const good = sign();
  let seed = 1;
  const random = (below: number) => {
    seed = (seed * 48271) % 2147483647;
    return seed % below;
  };
  const verifier = createVerifier(options);
  for (let round = 0; round < 3000; round += 1) {
    const at = random(good.length);
    const token = good.slice(0, at) + String.fromCharCode(random(130)) + good.slice(at + random(3));
    await verifier.verify(token).then(
      () => expect(token).toBe(good),
      (error) => expect(error.name).toBe("InvalidTokenError"),
    );
  }
});
