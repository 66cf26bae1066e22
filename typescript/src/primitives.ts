/**
 * The primitives, from the platform's WebCrypto, and no policy: MAC, digest, signatures, base64url, UTF-8, files.
 *
 * Imported as `#primitives`: package.json gives Node `primitives-node.ts`, which has the same exports and the
 * same verdicts, and every other platform this file, which needs nothing but the web's own globals. Nothing is
 * imported or computed before it is needed: some platforms allow no cryptography while a module loads. Law:
 * FIPS 180-4, RFC 2104, RFC 8017 §8.2, FIPS 186-5, RFC 8032, RFC 4648 §5.
 */

import { ConfigurationError } from "./errors.js";

/** Bytes that WebCrypto takes. */
export type Bytes = Uint8Array<ArrayBuffer>;

/** A platform may answer at once, or later. */
export type Maybe<Value> = Value | Promise<Value>;

/** Whether this platform answers at once, and at any time: while a module loads, too. */
export const AT_ONCE: boolean = false;

/** Signing input (ASCII) and signature (canonical base64url) to a verdict. */
export type VerifySignature = (signingInput: string, signature: string) => Maybe<boolean>;

/** HMAC-SHA256 with one key; `verify` compares in constant time, a code of another length is wrong like any. */
export interface Mac {
  compute(text: string): Maybe<Bytes>;
  readonly verify: VerifySignature;
}

/** The public part of a key, with no member that is not needed (RFC 7518 §6, RFC 8037 §2). */
export type PublicJwk =
  | { readonly kty: "RSA"; readonly n: string; readonly e: string }
  | { readonly kty: "EC"; readonly crv: "P-256"; readonly x: string; readonly y: string }
  | { readonly kty: "OKP"; readonly crv: "Ed25519"; readonly x: string };

const HMAC = { name: "HMAC", hash: "SHA-256" };
const BY_TYPE = {
  RSA: { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" },
  EC: { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" },
  OKP: { name: "Ed25519" },
};
const TEXT = new TextEncoder();

export function createMac(key: Bytes): Mac {
  let imported: Promise<CryptoKey> | undefined;
  const importKey = () => {
    imported ??= crypto.subtle.importKey("raw", key, HMAC, false, ["sign", "verify"]);
    return imported;
  };
  return {
    async compute(text) {
      return new Uint8Array(await crypto.subtle.sign(HMAC, await importKey(), TEXT.encode(text)));
    },
    async verify(signingInput, signature) {
      const bytes = decodeBase64url(signature);
      const key = await importKey();
      return bytes !== null && crypto.subtle.verify(HMAC, key, bytes, TEXT.encode(signingInput));
    },
  };
}

/**
 * Verifies by a public key: RS256, ES256 or EdDSA by its type.
 *
 * Material that the platform can not use, such as an even modulus, verifies nothing.
 */
export function createPublicKeyVerifier(jwk: PublicJwk): VerifySignature {
  const algorithm = BY_TYPE[jwk.kty];
  let imported: Promise<CryptoKey | null> | undefined;
  return async (signingInput, signature) => {
    imported ??= crypto.subtle.importKey("jwk", jwk, algorithm, false, ["verify"]).catch((error: unknown) => {
      if ((error as { name?: unknown }).name !== "NotSupportedError") return null;
      throw new ConfigurationError(
        `this platform's WebCrypto has no ${algorithm.name}; use another key type`,
      );
    });
    const key = await imported;
    const bytes = decodeBase64url(signature);
    if (key === null || bytes === null) return false;
    return crypto.subtle.verify(algorithm, key, bytes, TEXT.encode(signingInput));
  };
}

/** SHA-256. */
export async function digest(text: string): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", TEXT.encode(text)));
}

export function randomBytes(length: number): Bytes {
  return crypto.getRandomValues(new Uint8Array(length));
}

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/** Character code to six bits; 64 for every character that is not in the alphabet. */
const SIX_BITS = new Uint8Array(128).fill(64);
for (let value = 0; value < 64; value += 1) SIX_BITS[ALPHABET.charCodeAt(value)] = value;

/**
 * Decodes a non-empty, canonical, unpadded base64url segment (RFC 4648 §5).
 *
 * @returns the bytes, or `null`: empty, another alphabet, padding, an impossible length, or stray bits at the
 *   end. No throw: refusing must not cost more than accepting, and an Error is the dearest thing here.
 *
 * @example
 * ```ts
 * decodeBase64url("e30"); // the bytes of {}
 * ```
 */
export function decodeBase64url(text: string): Bytes | null {
  if (text === "" || text.length % 4 === 1) return null;
  const bytes = new Uint8Array((text.length * 3) >> 2);
  let buffer = 0;
  let bits = 0;
  let written = 0;
  let foreign = 0;
  for (let at = 0; at < text.length; at += 1) {
    const value = SIX_BITS[text.charCodeAt(at)] ?? 64;
    foreign |= value & 64;
    buffer = ((buffer << 6) | value) & 0xffff;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes[written] = buffer >> bits;
      written += 1;
    }
  }
  const stray = buffer & ((1 << bits) - 1);
  return foreign === 0 && stray === 0 ? bytes : null;
}

/**
 * Encodes bytes as canonical unpadded base64url (RFC 4648 §5).
 *
 * @example
 * ```ts
 * encodeBase64url(new TextEncoder().encode("{}")); // "e30"
 * ```
 */
export function encodeBase64url(bytes: Uint8Array): string {
  let text = "";
  let buffer = 0;
  let bits = 0;
  for (const byte of bytes) {
    buffer = ((buffer << 8) | byte) & 0xffff;
    bits += 8;
    while (bits >= 6) {
      bits -= 6;
      text += ALPHABET.charAt((buffer >> bits) & 63);
    }
  }
  return bits > 0 ? text + ALPHABET.charAt((buffer << (6 - bits)) & 63) : text;
}

// ignoreBOM: true keeps a BOM in the text, where it is no JSON; without it the decoder would strip it.
const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Decodes UTF-8 (RFC 3629), a BOM included; bytes that are none give an empty text. */
export function decodeUtf8(bytes: Uint8Array): string {
  try {
    return UTF8.decode(bytes);
  } catch {
    return "";
  }
}

/**
 * Reads a file.
 *
 * @throws Error: it can not be read; `code` says why, as Node's errors do. Here there are no files.
 */
export function readFile(_path: string): Uint8Array {
  throw Object.assign(new Error("this platform has no files"), { code: "ENOSYS" });
}

/** A segment's text: {@link decodeBase64url}, then {@link decodeUtf8}. */
export function decodeText(segment: string): string | null {
  const bytes = decodeBase64url(segment);
  return bytes === null ? null : decodeUtf8(bytes);
}
