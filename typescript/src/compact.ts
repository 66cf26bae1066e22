/**
 * Strict compact JWS and strict JSON: text in, structure out, nothing interpreted.
 *
 * Third room, rules V1 to V4 and the JSON of V9. Ours and not a library's, because libraries disagree on odd
 * input (duplicate names, stray base64 bits, a BOM, huge numbers). Law: RFC 7515 §5.2 and §7.1, RFC 8259,
 * RFC 4648 §3.5 and §5.
 */

import { InvalidTokenError } from "./errors.js";
import { MAX_JSON_DEPTH, MAX_TOKEN_LENGTH, OPAQUE_SHAPE } from "./profile.js";

const OPAQUE = new RegExp(`^${OPAQUE_SHAPE}$`);

/** Bytes that WebCrypto takes. */
export type Bytes = Uint8Array<ArrayBuffer>;

/** A JSON object as parsed: own members only, `__proto__` is one like any other. */
export type JsonObject = Readonly<Record<string, unknown>>;

/**
 * A token taken apart; nothing in it is verified.
 *
 * - `header`: the protected header.
 * - `signingInput`: the characters that the signature covers, as received.
 * - `payload`: the decoded payload bytes, not yet parsed.
 * - `signature`: the decoded signature bytes.
 */
export interface Compact {
  readonly header: JsonObject;
  readonly signingInput: string;
  readonly payload: Bytes;
  readonly signature: Bytes;
}

/**
 * Takes a compact JWS apart.
 *
 * @param token 1 to 8192 ASCII characters: three segments of canonical unpadded base64url.
 * @throws InvalidTokenError: `token_malformed`, `token_opaque` or `critical_header_unsupported`.
 *
 * *Does not* verify the signature, and does not parse the payload: a payload is parsed only after its
 * signature is verified.
 *
 * @example
 * ```ts
 * parseCompact("eyJhbGciOiJIUzI1NiJ9.e30.AAAA").payload; // the bytes of {}
 * ```
 */
export function parseCompact(token: string): Compact {
  // [V1] the size, before anything is allocated; that all is ASCII follows from V2's alphabet, with one code
  if (typeof token !== "string" || token.length === 0 || token.length > MAX_TOKEN_LENGTH) {
    throw new InvalidTokenError("token_malformed");
  }
  // [V2] RFC 7515 §7.1: three segments, none empty; RFC 4648 §3.5 and §5: canonical
  const first = token.indexOf(".");
  const last = token.lastIndexOf(".");
  if (first === last || token.indexOf(".", first + 1) !== last) {
    throw new InvalidTokenError(OPAQUE.test(token) ? "token_opaque" : "token_malformed");
  }
  let header: JsonObject;
  let payload: Bytes;
  let signature: Bytes;
  try {
    const headerBytes = decodeBase64url(token, 0, first);
    payload = decodeBase64url(token, first + 1, last);
    signature = decodeBase64url(token, last + 1, token.length);
    // [V3] RFC 7515 §5.2 step 3
    header = parseJsonObject(headerBytes);
  } catch {
    throw new InvalidTokenError("token_malformed");
  }
  // [V4] RFC 7515 §4.1.11, RFC 7797 §6: no extension is understood here
  if (Object.hasOwn(header, "crit") || Object.hasOwn(header, "b64")) {
    throw new InvalidTokenError("critical_header_unsupported");
  }
  return { header, signingInput: token.slice(0, last), payload, signature };
}

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/** Character code to six bits; 64 for every character that is not in the alphabet. */
const SIX_BITS = new Uint8Array(128).fill(64);
for (let value = 0; value < 64; value += 1) SIX_BITS[ALPHABET.charCodeAt(value)] = value;

/**
 * Decodes a non-empty, canonical, unpadded base64url segment (RFC 4648 §5) of a text.
 *
 * @throws SyntaxError: empty, another alphabet, padding, an impossible length, or stray bits at the end.
 *
 * @example
 * ```ts
 * decodeBase64url("e30"); // the bytes of {}
 * ```
 */
export function decodeBase64url(text: string, start = 0, end = text.length): Bytes {
  const length = end - start;
  if (length === 0 || length % 4 === 1) throw new SyntaxError("not canonical base64url");
  const bytes = new Uint8Array((length * 3) >> 2);
  let buffer = 0;
  let bits = 0;
  let written = 0;
  let foreign = 0;
  for (let at = start; at < end; at += 1) {
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
  if (foreign !== 0 || stray !== 0) throw new SyntaxError("not canonical base64url");
  return bytes;
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

/**
 * Parses one JSON object, strictly (RFC 8259, with RFC 7493's limits).
 *
 * The grammar is `JSON.parse`'s, which is exactly RFC 8259's and defines `__proto__` as an ordinary member;
 * what it is silent about is looked for in one walk over the text.
 *
 * @param source UTF-8 without BOM.
 * @throws SyntaxError or TypeError: not UTF-8, not an object, a duplicate name at any level (compared after
 *   unescaping), a lone surrogate, nested deeper than 64, a number that is not a finite double, an integer
 *   literal beyond ±(2^53 - 1).
 *
 * @example
 * ```ts
 * parseJsonObject(new TextEncoder().encode('{"iat": 1}')); // { iat: 1 }
 * ```
 */
export function parseJsonObject(source: Bytes): JsonObject {
  const text = UTF8.decode(source);
  const value: unknown = JSON.parse(text);
  if (!isObject(value)) throw new SyntaxError("not an object");
  // A repeated name replaces its forerunner: then the text has more names than the value.
  if (walk(text) !== countNames(value)) throw new SyntaxError("duplicate name");
  // A lone surrogate can only come from an escape: the bytes were UTF-8.
  if (text.includes("\\u") && hasLoneSurrogate(value)) throw new SyntaxError("lone surrogate");
  return value;
}

/** Whether a value is a JSON object: no null, no array. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Walks well-formed JSON text: refuses what is too deep and bad numbers, and returns how many names it has. */
function walk(text: string): number {
  let depth = 0;
  let names = 0;
  for (let at = 0; at < text.length; at += 1) {
    const character = text.charCodeAt(at);
    if (character === 0x22) {
      at = endOfString(text, at);
    } else if (character === 0x3a) {
      names += 1;
    } else if (character === 0x7b || character === 0x5b) {
      depth += 1;
      if (depth > MAX_JSON_DEPTH) throw new SyntaxError("nested too deep");
    } else if (character === 0x7d || character === 0x5d) {
      depth -= 1;
    } else if (character === 0x2d || (character >= 0x30 && character <= 0x39)) {
      at = endOfNumber(text, at);
    }
  }
  return names;
}

/** From the opening quotation mark to the closing one. */
function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (text.charCodeAt(at) !== 0x22) at += text.charCodeAt(at) === 0x5c ? 2 : 1;
  return at;
}

const NUMBER = /-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?/y;

/** From a number's first character to its last. */
function endOfNumber(text: string, start: number): number {
  NUMBER.lastIndex = start;
  const [literal = "", fraction, exponent] = NUMBER.exec(text) ?? [];
  const value = Number(literal);
  const isInteger = fraction === undefined && exponent === undefined;
  // Number() rounds 2^53 + 1 to 2^53, which is not safe either.
  if (!(isInteger ? Number.isSafeInteger(value) : Number.isFinite(value))) {
    throw new SyntaxError("number out of range");
  }
  return start + literal.length - 1;
}

function countNames(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  const members: unknown[] = Object.values(value);
  let names = Array.isArray(value) ? 0 : members.length;
  for (const member of members) names += countNames(member);
  return names;
}

function hasLoneSurrogate(value: unknown): boolean {
  if (typeof value === "string") return !isWellFormed(value);
  if (typeof value !== "object" || value === null) return false;
  return Object.entries(value).some(([name, member]) => !isWellFormed(name) || hasLoneSurrogate(member));
}

/** Whether a string is Unicode text: every surrogate has its other half. */
export function isWellFormed(text: string): boolean {
  return !/\p{Surrogate}/u.test(text);
}
