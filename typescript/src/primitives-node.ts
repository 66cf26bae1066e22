/**
 * The primitives on Node, from `node:crypto` and `Buffer`: the same exports as `primitives.ts`, which explains
 * them, and the same verdicts, at once instead of by a thread's detour.
 *
 * Law: as there. Every vector passes through both files.
 */

import { isUtf8 } from "node:buffer";
import {
  createHash,
  createHmac,
  createPublicKey,
  type KeyObject,
  randomFillSync,
  timingSafeEqual,
  verify,
} from "node:crypto";
import { readFileSync } from "node:fs";
import type { Bytes, Mac, PublicJwk, VerifySignature } from "./primitives.js";
import { MAX_TOKEN_LENGTH } from "./profile.js";

export type { Bytes, Mac, Maybe, PublicJwk, VerifySignature } from "./primitives.js";

export const AT_ONCE: boolean = true;

/** Length of an HMAC-SHA256 in base64url. */
const MAC_LENGTH = 43;
const ours = Buffer.alloc(MAC_LENGTH);
const theirs = Buffer.alloc(MAC_LENGTH);

export function createMac(key: Bytes): Mac {
  return {
    compute: (text) => createHmac("sha256", key).update(text).digest(),
    verify(signingInput, signature) {
      if (signature.length !== MAC_LENGTH) return false;
      // As text: a code that equals ours is canonical, and a string costs less than a Buffer. One token at a time.
      ours.write(createHmac("sha256", key).update(signingInput).digest("base64url"));
      theirs.write(signature);
      return timingSafeEqual(ours, theirs);
    },
  };
}

export function createPublicKeyVerifier(jwk: PublicJwk): VerifySignature {
  const key = importKey(jwk);
  if (key === null) return () => false;
  const algorithm = jwk.kty === "OKP" ? null : "sha256";
  const input = { key, dsaEncoding: "ieee-p1363" } as const; // RFC 7518 §3.4: R and S, one after the other
  return (signingInput, signature) => {
    try {
      return verify(algorithm, Buffer.from(signingInput), input, Buffer.from(signature, "base64url"));
    } catch {
      return false;
    }
  };
}

function importKey(jwk: PublicJwk): KeyObject | null {
  try {
    return createPublicKey({ key: { ...jwk }, format: "jwk" });
  } catch {
    return null;
  }
}

export function digest(text: string): Bytes {
  return createHash("sha256").update(text).digest();
}

export function randomBytes(length: number): Bytes {
  return randomFillSync(new Uint8Array(length));
}

/** Node decodes anything; what it gives back in encoding is canonical, so equality proves that the text was. */
export function decodeBase64url(text: string): Bytes | null {
  const bytes = Buffer.from(text, "base64url");
  return text !== "" && bytes.toString("base64url") === text ? bytes : null;
}

export function encodeBase64url(bytes: Uint8Array): string {
  return toBuffer(bytes).toString("base64url");
}

export function decodeUtf8(bytes: Uint8Array): string {
  return isUtf8(bytes) ? toBuffer(bytes).toString() : "";
}

export function readFile(path: string): Uint8Array {
  return readFileSync(path);
}

/** A segment is decoded here, and leaves as text: one token at a time, and no Buffer for each. */
const scratch = Buffer.alloc(MAX_TOKEN_LENGTH);

export function decodeText(segment: string): string | null {
  if (segment === "" || segment.length > MAX_TOKEN_LENGTH) return null;
  const length = scratch.write(segment, "base64url");
  if (scratch.toString("base64url", 0, length) !== segment) return null;
  const text = scratch.toString("utf8", 0, length);
  // Node puts U+FFFD in the place of what is no UTF-8; one that was sent is UTF-8.
  return text.includes("\ufffd") && !isUtf8(scratch.subarray(0, length)) ? "" : text;
}

/** The same bytes, not copied. */
function toBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
