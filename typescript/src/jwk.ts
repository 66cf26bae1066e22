/**
 * A JWK Set in, usable verification keys out.
 *
 * Sixth room: decides which entries of a set are keys at all. An unusable entry does not exist for V7; a `kid`
 * that two entries share names no key. What makes a key usable is decided here and not by the platform, so that
 * every platform gives the same answer, and at once. Law: RFC 7517 §4 and §5, RFC 7518 §6, RFC 8037 §2,
 * RFC 8725 §3.5.
 */

import {
  type Bytes,
  createMac,
  createPublicKeyVerifier,
  decodeBase64url,
  encodeBase64url,
  type PublicJwk,
  type VerifySignature,
} from "#primitives";
import { isObject, type JsonObject } from "./compact.js";
import { ConfigurationError } from "./errors.js";
import { ALGORITHM, KEY_LENGTH } from "./profile.js";

const MIN_RSA_BITS = 2048;
const MAX_RSA_BITS = 8192;
const MIN_RSA_EXPONENT = 65537n;
/** Length of a coordinate of P-256, and of an Ed25519 key, in bytes. */
const COORDINATE_LENGTH = 32;
/** Length of an ES256 signature in base64url: R and S, 32 bytes each (RFC 7518 §3.4). */
const ES256_LENGTH = 86;
const PRIVATE = ["d", "p", "q", "dp", "dq", "qi", "oth"];

/** One usable key: its name, its only algorithm, and how it verifies. */
export interface VerificationKey {
  readonly keyId: string;
  readonly algorithm: string;
  readonly verify: VerifySignature;
}

export const PUBLIC_KEY_ALGORITHMS: readonly string[] = ["EdDSA", "ES256", "RS256"];

/** Gives `EdDSA` for `Ed25519`, which is the same algorithm by a newer name (RFC 9864 §2.2). */
export function canonicalAlgorithm(name: unknown): unknown {
  return name === "Ed25519" ? "EdDSA" : name;
}

/**
 * The usable keys of a set.
 *
 * - `keys`: `kid` to key, in the set's order, without the `kid`s that several entries share.
 * - `algorithms`: the algorithms of all usable keys, those of a shared `kid` included.
 */
export interface KeySet {
  readonly keys: ReadonlyMap<string, VerificationKey>;
  readonly algorithms: ReadonlySet<string>;
}

/**
 * Reads the usable keys of a JWK Set.
 *
 * @param document the parsed JSON of the set.
 * @param name what to call it in the message.
 * @throws ConfigurationError: this is no JWK Set (RFC 7517 §5).
 *
 * @example
 * ```ts
 * const key = { kty: "oct", kid: "x", k: "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8" };
 * usableKeys({ keys: [key] }).algorithms; // new Set(["HS256"])
 * ```
 */
export function usableKeys(document: unknown, name = "the key set"): KeySet {
  const entries = isObject(document) ? member(document, "keys") : undefined;
  if (!Array.isArray(entries)) {
    throw new ConfigurationError(`${name} is no JWK Set; it looks like {"keys": [...]}`);
  }
  const keys = new Map<string, VerificationKey>();
  const algorithms = new Set<string>();
  const named = new Set<string>();
  for (const entry of entries as readonly unknown[]) {
    const kid = isObject(entry) ? member(entry, "kid") : undefined;
    if (!isObject(entry) || typeof kid !== "string" || kid === "") continue;
    const key = usableKey(entry, kid);
    if (key !== null) {
      algorithms.add(key.algorithm);
      keys.set(kid, key);
    }
    if (named.has(kid)) keys.delete(kid);
    named.add(kid);
  }
  return { keys, algorithms };
}

/** Makes the HS256 key of these bytes. */
export function symmetricKey(keyId: string, key: Bytes): VerificationKey {
  return { keyId, algorithm: ALGORITHM, verify: createMac(key).verify };
}

function usableKey(jwk: JsonObject, kid: string): VerificationKey | null {
  const kind = KINDS.get(member(jwk, "kty"));
  if (kind === undefined || member(jwk, "crv") !== kind.crv) return null;
  const { algorithm } = kind;
  const operations = member(jwk, "key_ops", ["verify"]);
  if (
    canonicalAlgorithm(member(jwk, "alg", algorithm)) !== algorithm ||
    member(jwk, "use", "sig") !== "sig" ||
    !(Array.isArray(operations) && operations.includes("verify")) ||
    PRIVATE.some((name) => Object.hasOwn(jwk, name)) ||
    (algorithm !== ALGORITHM && Object.hasOwn(jwk, "k"))
  ) {
    return null;
  }
  return kind.make(jwk, kid);
}

/** A member of its own, never one of a prototype; JSON's null is no absence. */
function member(object: JsonObject, name: string, fallback?: unknown): unknown {
  const value = Object.hasOwn(object, name) ? object[name] : undefined;
  return value === undefined ? fallback : value;
}

function bytesOf(jwk: JsonObject, name: string): Bytes | null {
  const value = member(jwk, name);
  return typeof value === "string" ? decodeBase64url(value) : null;
}

function oct(jwk: JsonObject, kid: string): VerificationKey | null {
  const key = bytesOf(jwk, "k");
  return key === null || key.length < KEY_LENGTH ? null : symmetricKey(kid, key);
}

function rsa(jwk: JsonObject, kid: string): VerificationKey | null {
  const [n, e] = [strip(bytesOf(jwk, "n")), strip(bytesOf(jwk, "e"))];
  if (n === null || e === null || e.length > n.length) return null;
  const bits = n.length * 8 - Math.clz32(n[0] ?? 0) + 24;
  if (bits < MIN_RSA_BITS || bits > MAX_RSA_BITS) return null;
  const exponent = toInteger(e);
  // RFC 8017 §3.1: odd, as p - 1 and q - 1 are even, and below n
  if (exponent < MIN_RSA_EXPONENT || exponent % 2n === 0n || exponent >= toInteger(n)) return null;
  return publicKey(kid, "RS256", { kty: "RSA", n: encodeBase64url(n), e: encodeBase64url(e) });
}

function p256(jwk: JsonObject, kid: string): VerificationKey | null {
  const [x, y] = [bytesOf(jwk, "x"), bytesOf(jwk, "y")];
  // RFC 7518 §6.2.1.2: full-length coordinates
  if (x?.length !== COORDINATE_LENGTH || y?.length !== COORDINATE_LENGTH) return null;
  if (!isOnCurve(toInteger(x), toInteger(y))) return null;
  const jwkOfPoint = { kty: "EC", crv: "P-256", x: encodeBase64url(x), y: encodeBase64url(y) } as const;
  const key = publicKey(kid, "ES256", jwkOfPoint);
  return {
    ...key,
    verify: (data, signature) => signature.length === ES256_LENGTH && key.verify(data, signature),
  };
}

function ed25519(jwk: JsonObject, kid: string): VerificationKey | null {
  const x = bytesOf(jwk, "x");
  if (x?.length !== COORDINATE_LENGTH) return null;
  return publicKey(kid, "EdDSA", { kty: "OKP", crv: "Ed25519", x: encodeBase64url(x) });
}

interface Kind {
  readonly crv: string | undefined;
  readonly algorithm: string;
  make(jwk: JsonObject, kid: string): VerificationKey | null;
}

/** Supported `kty`, its `crv`, their one algorithm, and how such a key is made. */
const KINDS: ReadonlyMap<unknown, Kind> = new Map<unknown, Kind>([
  ["oct", { crv: undefined, algorithm: ALGORITHM, make: oct }],
  ["RSA", { crv: undefined, algorithm: "RS256", make: rsa }],
  ["EC", { crv: "P-256", algorithm: "ES256", make: p256 }],
  ["OKP", { crv: "Ed25519", algorithm: "EdDSA", make: ed25519 }],
]);

function publicKey(keyId: string, algorithm: string, jwk: PublicJwk): VerificationKey {
  return { keyId, algorithm, verify: createPublicKeyVerifier(jwk) };
}

/** Without leading zeros, so that a length says how big the number is. */
function strip(bytes: Bytes | null): Bytes | null {
  const start = bytes?.findIndex((byte) => byte !== 0) ?? -1;
  return bytes === null || start < 0 ? null : bytes.subarray(start);
}

function toInteger(bytes: Bytes): bigint {
  let hexadecimal = "0x";
  for (const byte of bytes) hexadecimal += byte.toString(16).padStart(2, "0");
  return BigInt(hexadecimal);
}

/** P-256 (SP 800-186 §3.2.1.3): y² = x³ - 3x + b in the field of p. */
const P = 0xffffffff00000001000000000000000000000000ffffffffffffffffffffffffn;
const B = 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn;

function isOnCurve(x: bigint, y: bigint): boolean {
  return x < P && y < P && (y * y - (x * x * x - 3n * x + B)) % P === 0n;
}
