/**
 * The primitives: SHA-256 and its HMAC, from the platform's WebCrypto, and no policy.
 *
 * The one file that knows where cryptography comes from, so that a platform with a faster way can replace it.
 * Law: FIPS 180-4, RFC 2104.
 */

import type { Bytes } from "./compact.js";

/** An HMAC key that the platform holds. */
export type MacKey = CryptoKey;

const HMAC = { name: "HMAC", hash: "SHA-256" };

export function importMacKey(key: Bytes): Promise<MacKey> {
  return crypto.subtle.importKey("raw", key, HMAC, false, ["sign", "verify"]);
}

export async function computeMac(key: MacKey, data: Bytes): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.sign(HMAC, key, data));
}

/** Compares in constant time; a code of another length is wrong like any other. */
export function verifyMac(key: MacKey, mac: Bytes, data: Bytes): Promise<boolean> {
  return crypto.subtle.verify(HMAC, key, mac, data);
}

export async function digest(data: Bytes): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", data));
}

export function randomBytes(length: number): Bytes {
  return crypto.getRandomValues(new Uint8Array(length));
}
