/**
 * Inputs that nobody thought of: whatever comes in, what comes out is a verdict or an error of this package.
 *
 * FUZZ_SEED repeats a run; a failure prints its seed.
 */

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { authorizationValues, parseAuthorization } from "../src/bearer.js";
import { answers } from "../src/cli/verify.js";
import { parseJsonObject } from "../src/compact.js";
import { fromEnvironment } from "../src/environment.js";
import { usableKeys } from "../src/jwk.js";
import { cacheAge, judgeKeySetUrl, judgeResponse } from "../src/jwks.js";
import { parseVersionedSecrets, reduceIssuer } from "../src/keys.js";
import * as web from "../src/primitives.js";
import * as node from "../src/primitives-node.js";
import { createVerifier, type VerifierOptions } from "../src/verifier.js";
import { attempt, options, verdict } from "./fuzz-kit.js";
import { AUDIENCE, CLAIMS, HEADER, ISSUER, KEY, SECRET, sign } from "./tokens.js";

const seed = process.env.FUZZ_SEED === undefined ? {} : { seed: Number(process.env.FUZZ_SEED) };
const check = <Values extends [unknown, ...unknown[]]>(property: fc.IAsyncProperty<Values>, numRuns = 2000) =>
  fc.assert(property, { numRuns, ...seed });

const ENVIRONMENT = { JWT_BRIDGE_ISSUER: ISSUER, JWT_BRIDGE_AUDIENCE: AUDIENCE, BETTER_AUTH_SECRET: SECRET };
const VARIABLES = [
  "JWT_BRIDGE_KEYS",
  "JWT_BRIDGE_JWKS_URL",
  "JWT_BRIDGE_JWKS_INTERNAL_HOSTS",
  "JWT_BRIDGE_MIGRATION",
] as const;

/** What JSON can say of a value. */
function plain(value: unknown): unknown {
  try {
    return JSON.parse(JSON.stringify(value) ?? "null");
  } catch {
    return null;
  }
}

const text = fc.oneof(fc.string({ unit: "binary" }), fc.string({ unit: "grapheme" }), fc.json());
const anything = fc.anything({
  withNullPrototype: true,
  withBigInt: true,
  withSparseArray: true,
  withTypedArray: true,
});
const segment = fc.oneof(
  text,
  fc.base64String().map((value) => value.replace(/=+$/, "")),
);
/** Texts of JSON, near JSON, and objects among them. */
const jsonText = fc.oneof(
  text,
  fc.object().map((value) => JSON.stringify(value)),
  fc
    .tuple(fc.json(), fc.nat(), fc.constantFrom(...'{}[]:,"\\u0-1e.\u0001 \ufeff\ud800'))
    .map(([json, at, extra]) => {
      const place = at % (json.length + 1);
      return `{"a":${json.slice(0, place)}${extra}${json.slice(place)}}`;
    }),
);

describe("no input makes anything but its own errors", () => {
  test("verify: anything at all", () =>
    check(
      fc.asyncProperty(fc.oneof(anything, text), async (token) => {
        expect(await verdict(token)).toMatch(/^token_/);
      }),
    ));

  test("verify: three segments", () =>
    check(
      fc.asyncProperty(segment, segment, segment, async (...segments) => {
        expect(await verdict(segments.join("."))).not.toBe("u1");
      }),
    ));

  test("verify: signed headers and payloads of any bytes", () =>
    check(
      fc.asyncProperty(fc.oneof(jsonText, fc.uint8Array()), fc.boolean(), async (part, asHeader) => {
        const bytes = Buffer.from(part as string);
        expect(await verdict(asHeader ? sign(CLAIMS, bytes) : sign(bytes))).toMatch(/_/);
      }),
    ));

  test("verify: one claim or header member of any kind", () =>
    check(
      fc.asyncProperty(
        fc.constantFrom(...Object.keys(CLAIMS), "nbf", "cnf", "act", ...Object.keys(HEADER), "crit"),
        fc.jsonValue(),
        async (name, value) => {
          const member = { [name]: value };
          expect(await verdict(sign({ ...CLAIMS, ...member }, { ...HEADER, ...member }))).toMatch(/^u1$|_/);
        },
      ),
    ));

  test("verify: a good token with anything put into it", () =>
    check(
      fc.asyncProperty(fc.nat(400), fc.nat(3), fc.string({ maxLength: 3 }), async (at, length, put) => {
        const good = sign();
        const token = good.slice(0, at) + put + good.slice(at + length);
        const changed = await verdict(token);
        if (token !== good) expect(changed).not.toBe("u1");
      }),
    ));

  test("the Authorization header, and where it may be", () =>
    check(
      fc.asyncProperty(fc.array(text), anything, async (values, request) => {
        attempt(() => parseAuthorization(values));
        attempt(() => authorizationValues(request as never));
      }),
    ));

  test("configuration: options, key sets, secrets, addresses", () =>
    check(
      fc.asyncProperty(
        anything,
        fc.constantFrom(
          "issuer",
          "audience",
          "secret",
          "secrets",
          "keys",
          "jwksUri",
          "internalHosts",
          "migration",
          "log",
          "algorithms",
          "leeway",
          "clock",
          "x",
        ),
        text,
        async (value, name, string) => {
          attempt(() => createVerifier(value as VerifierOptions));
          attempt(() => createVerifier({ ...options, [name]: value } as VerifierOptions));
          attempt(() => parseVersionedSecrets(string));
          attempt(() => reduceIssuer(string));
          attempt(() => usableKeys(value));
          attempt(() => judgeKeySetUrl(value as string, [string]));
          attempt(() => judgeKeySetUrl(string, value as string[]));
          for (const name of VARIABLES) attempt(() => fromEnvironment({ ...ENVIRONMENT, [name]: string }));
        },
      ),
    ));

  test("the answers of a key-set URL", () =>
    check(
      fc.asyncProperty(
        fc.constantFrom(200, 200, 200, 0, 204, 302, 500),
        fc.oneof(fc.constantFrom("application/json", null), text),
        fc.oneof(
          fc.uint8Array({ maxLength: 200 }),
          text.map((value) => Buffer.from(value)),
          anything.map((value) => Buffer.from(JSON.stringify({ keys: [plain(value)] }))),
        ),
        text,
        async (status, contentType, body, cacheControl) => {
          const keys = attempt(() => judgeResponse(status, contentType, body))?.keys;
          expect(keys?.size ?? 0).toBe(0);
          expect(cacheAge(cacheControl)).toBeGreaterThanOrEqual(30);
          expect(cacheAge(cacheControl)).toBeLessThanOrEqual(3600);
        },
      ),
    ));

  test("key sets: usable entries with any member of any kind", () =>
    check(
      fc.asyncProperty(
        fc.constantFrom("kty", "kid", "k", "n", "e", "x", "y", "crv", "alg", "use", "key_ops", "d"),
        fc.oneof(anything, segment),
        fc.constantFrom("oct", "RSA", "EC", "OKP"),
        async (name, value, kty) => {
          const bytes = KEY.toString("base64url");
          const crv = { EC: "P-256", OKP: "Ed25519" }[kty as string];
          const entry = {
            kty,
            kid: "x",
            k: bytes,
            n: bytes.repeat(8),
            e: "AQAB",
            x: bytes,
            y: bytes,
            [name]: value,
          };
          const { keys } = usableKeys({ keys: [crv === undefined ? entry : { crv, ...entry }] });
          for (const key of keys.values()) expect(await key.verify("a.b", "AAAA")).toBe(false);
        },
      ),
      500,
    ));

  test("the port: one line of JSON for each line of anything", () =>
    check(
      fc.asyncProperty(fc.array(fc.oneof(fc.uint8Array(), jsonText)), async (lines) => {
        const input = lines.map((line) =>
          Buffer.from(
            `${Buffer.from(line as string)
              .toString("latin1")
              .replaceAll("\n", "")}\n`,
            "latin1",
          ),
        );
        let replies = "";
        for await (const some of answers(input)) replies += some;
        const parsed = replies
          .split("\n")
          .slice(0, -1)
          .map((line) => JSON.parse(line));
        expect(parsed.map(({ error }) => typeof error)).toEqual(lines.map(() => "string"));
      }),
      500,
    ));
});

describe("strict JSON", () => {
  test("is JSON.parse's, but for what it refuses beyond", () =>
    check(
      fc.asyncProperty(jsonText, async (json) => {
        const strict = parseJsonObject(json);
        let value: unknown;
        try {
          value = JSON.parse(json);
        } catch {
          expect(strict).toBeNull();
          return;
        }
        if (strict !== null) expect(strict).toEqual(value);
        else expect(isStrict(json, value)).toBe(false);
      }),
      5000,
    ));

  /** The rules again, slowly: by a list of the text's tokens. */
  function isStrict(json: string, value: unknown): boolean {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
    const tokens = json.match(/"(?:[^"\\]|\\.)*"|[{}[\]:,]|[^\s{}[\]:,"]+/g) ?? [];
    const open: (Set<string> | null)[] = [];
    return tokens.every((token, index) => {
      if (token === "{" || token === "[") return open.push(token === "{" ? new Set() : null) <= 64;
      if (token === "}" || token === "]") return open.pop() !== undefined;
      if (/^-?\d+$/.test(token)) return Number.isSafeInteger(Number(token));
      if (/^[-\d]/.test(token)) return Number.isFinite(Number(token));
      if (!token.startsWith('"')) return true;
      const string: string = JSON.parse(token);
      if (/\p{Surrogate}/u.test(string)) return false;
      const names = open.at(-1);
      if (tokens[index + 1] !== ":" || !names) return true;
      return !names.has(string) && names.add(string) !== undefined;
    });
  }
});

test("both platforms' primitives agree", () =>
  check(
    fc.asyncProperty(fc.uint8Array(), segment, async (bytes, string) => {
      const copy = new Uint8Array(bytes);
      expect(node.encodeBase64url(copy)).toBe(web.encodeBase64url(copy));
      expect(node.decodeUtf8(copy)).toBe(web.decodeUtf8(copy));
      for (const each of [string, node.encodeBase64url(copy)]) {
        expect(node.decodeText(each)).toBe(web.decodeText(each));
        const [one, other] = [node.decodeBase64url(each), web.decodeBase64url(each)];
        expect(one && Buffer.from(one).toString("hex")).toBe(other && Buffer.from(other).toString("hex"));
      }
      expect(Buffer.from(node.digest(string))).toEqual(Buffer.from(await web.digest(string)));
      const mac = await web.createMac(copy.length > 0 ? copy : new Uint8Array(32)).compute(string);
      const same = node.createMac(copy.length > 0 ? copy : new Uint8Array(32));
      expect(Buffer.from(await same.compute(string))).toEqual(Buffer.from(mac));
      expect(await same.verify(string, web.encodeBase64url(mac))).toBe(true);
    }),
    500,
  ));
