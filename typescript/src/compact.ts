/**
 * Strict compact JWS and strict JSON: text in, structure out, nothing interpreted.
 *
 * Third room, rules V1 to V4 and the JSON of V9. Ours and not a library's, because libraries disagree on odd
 * input (duplicate names, stray base64 bits, a BOM, huge numbers). Law: RFC 7515 §5.2 and §7.1, RFC 8259,
 * RFC 4648 §3.5 and §5.
 */

import { decodeText } from "#primitives";
import { InvalidTokenError } from "./errors.js";
import { MAX_JSON_DEPTH, MAX_TOKEN_LENGTH, OPAQUE_SHAPE } from "./profile.js";

const OPAQUE = new RegExp(`^${OPAQUE_SHAPE}$`);

/** A JSON object as parsed: own members only, `__proto__` is one like any other. */
export type JsonObject = Readonly<Record<string, unknown>>;

/**
 * A token taken apart; nothing in it is verified.
 *
 * - `headerSegment`: the protected header, still encoded: {@link parseHeader} takes it.
 * - `signingInput`: the characters that the signature covers, as received.
 * - `payload`: the decoded payload, not yet parsed; empty where its bytes are no UTF-8, and so no JSON either.
 * - `signature`: the signature, still encoded, canonical.
 */
export interface Compact {
  readonly headerSegment: string;
  readonly signingInput: string;
  readonly payload: string;
  readonly signature: string;
}

/**
 * Takes a compact JWS apart.
 *
 * @param token 1 to 8192 ASCII characters: three segments of canonical unpadded base64url.
 * @throws InvalidTokenError: `token_malformed` or `token_opaque`.
 *
 * *Does not* verify the signature, and does not parse the payload: a payload is parsed only after its
 * signature is verified.
 *
 * @example
 * ```ts
 * parseCompact("eyJhbGciOiJIUzI1NiJ9.e30.AAAA").payload; // "{}"
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
  const payload = decodeText(token.slice(first + 1, last));
  const signature = token.slice(last + 1);
  if (payload === null || !isBase64url(signature)) throw new InvalidTokenError("token_malformed");
  return { headerSegment: token.slice(0, first), signingInput: token.slice(0, last), payload, signature };
}

const ALPHABET = /^[A-Za-z0-9_-]+$/;
/** By length modulo 4, the last characters whose unused bits are zero. */
const LAST = [/./, /(?!)/, /[AQgw]$/, /[AEIMQUYcgkosw048]$/] as const;

/** Whether a segment is non-empty, canonical, unpadded base64url (RFC 4648 §5). */
function isBase64url(segment: string): boolean {
  return ALPHABET.test(segment) && LAST[(segment.length & 3) as 0 | 1 | 2 | 3].test(segment);
}

/**
 * Parses the protected header of a compact JWS.
 *
 * @throws InvalidTokenError: `token_malformed` or `critical_header_unsupported`.
 *
 * @example
 * ```ts
 * parseHeader("eyJhbGciOiJIUzI1NiJ9"); // { alg: "HS256" }
 * ```
 */
export function parseHeader(segment: string): JsonObject {
  // [V2] and [V3] RFC 7515 §5.2 steps 2 and 3
  const text = decodeText(segment);
  const header = text === null ? null : parseJsonObject(text);
  if (header === null) throw new InvalidTokenError("token_malformed");
  // [V4] RFC 7515 §4.1.11, RFC 7797 §6: no extension is understood here
  if (Object.hasOwn(header, "crit") || Object.hasOwn(header, "b64")) {
    throw new InvalidTokenError("critical_header_unsupported");
  }
  return header;
}

/**
 * Parses one JSON object, strictly (RFC 8259, with RFC 7493's limits).
 *
 * One walk over the text holds it against the grammar and the limits; `JSON.parse`, whose grammar is the same
 * and which defines `__proto__` as an ordinary member, then makes the value. It would refuse bad text too, but
 * by an Error, which costs more than the rest of a verification.
 *
 * @param text as decoded from UTF-8; a BOM is still there, and refused.
 * @returns the object, or `null`: not an object, a duplicate name at any level (compared after
 *   unescaping), a lone surrogate, nested deeper than 64, a number that is not a finite double, an integer
 *   literal beyond ±(2^53 - 1).
 *
 * @example
 * ```ts
 * parseJsonObject('{"iat": 1}'); // { iat: 1 }
 * ```
 */
export function parseJsonObject(text: string): JsonObject | null {
  const names = walk(text);
  if (names < 0) return null;
  const value: unknown = JSON.parse(text);
  // A repeated name replaces its forerunner: then the text has more names than the value.
  if (!isObject(value) || names !== countNames(value)) return null;
  // A lone surrogate can only come from an escape: the bytes were UTF-8.
  if (text.includes("\\u") && hasLoneSurrogate(value)) return null;
  return value;
}

/** Whether a value is a JSON object: no null, no array. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** What may come next in JSON text. */
const VALUE = 0;
const VALUE_OR_END = 1;
const NAME = 2;
const NAME_OR_END = 3;
const COLON = 4;
const COMMA_OR_END = 5;

/** By depth, whether the container is an object; one walk at a time uses it. */
const isObjectAt = new Uint8Array(MAX_JSON_DEPTH + 1);

/** Walks JSON text (RFC 8259 §2): how many names it has, or -1 where it is none, too deep, or has a bad number. */
function walk(text: string): number {
  const plain = !SPECIAL.test(text);
  let expected = VALUE;
  let depth = 0;
  let names = 0;
  for (let at = 0; at < text.length; at += 1) {
    const character = text.charCodeAt(at);
    if (character === 0x22) {
      if (expected >= COLON) return -1;
      at = plain ? text.indexOf('"', at + 1) : endOfString(text, at);
      if (at < 0) return -1;
      const isName = expected >= NAME;
      if (isName) names += 1;
      expected = isName ? COLON : COMMA_OR_END;
    } else if (character === 0x3a) {
      if (expected !== COLON) return -1;
      expected = VALUE;
    } else if (character === 0x2c) {
      if (expected !== COMMA_OR_END || depth === 0) return -1;
      expected = isObjectAt[depth] === 1 ? NAME : VALUE;
    } else if (character === 0x7b || character === 0x5b) {
      if (expected > VALUE_OR_END || depth === MAX_JSON_DEPTH) return -1;
      depth += 1;
      isObjectAt[depth] = character === 0x7b ? 1 : 0;
      expected = character === 0x7b ? NAME_OR_END : VALUE_OR_END;
    } else if (character === 0x7d || character === 0x5d) {
      const opened = character === 0x7d ? 1 : 0;
      const empty = character === 0x7d ? NAME_OR_END : VALUE_OR_END;
      if (depth === 0 || isObjectAt[depth] !== opened) return -1;
      if (expected !== COMMA_OR_END && expected !== empty) return -1;
      depth -= 1;
      expected = COMMA_OR_END;
    } else if (character !== 0x20 && character !== 0x0a && character !== 0x0d && character !== 0x09) {
      if (expected > VALUE_OR_END) return -1;
      at = endOfLiteral(text, at, character);
      if (at < 0) return -1;
      expected = COMMA_OR_END;
    }
  }
  return depth === 0 && expected === COMMA_OR_END ? names : -1;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const SPECIAL = /[\u0000-\u001f\\]/;
const ESCAPE = /["\\/bfnrt]|u[0-9A-Fa-f]{4}/y;

/** From the opening quotation mark to the closing one, or -1 (RFC 8259 §7). */
function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at += 1) {
    const character = text.charCodeAt(at);
    if (character === 0x22) return at;
    if (character < 0x20) return -1;
    if (character === 0x5c) {
      ESCAPE.lastIndex = at + 1;
      if (!ESCAPE.test(text)) return -1;
      at = ESCAPE.lastIndex - 1;
    }
  }
  return -1;
}

/** From the first character of a number, `true`, `false` or `null` to its last, or -1. */
function endOfLiteral(text: string, start: number, character: number): number {
  if (character >= 0x31 && character <= 0x39) {
    let end = start + 1;
    while (isDigit(text.charCodeAt(end))) end += 1;
    const next = text.charCodeAt(end);
    // Up to 15 digits, no fraction and no exponent: surely a safe integer.
    if (end - start <= 15 && next !== 0x2e && next !== 0x45 && next !== 0x65) return end - 1;
  }
  if (character === 0x2d || isDigit(character)) return endOfNumber(text, start);
  if (text.startsWith("true", start) || text.startsWith("null", start)) return start + 3;
  return text.startsWith("false", start) ? start + 4 : -1;
}

function isDigit(character: number): boolean {
  return character >= 0x30 && character <= 0x39;
}

const NUMBER = /-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?/y;

/** RFC 8259 §6, and the limits. */
function endOfNumber(text: string, start: number): number {
  NUMBER.lastIndex = start;
  const [literal, fraction, exponent] = NUMBER.exec(text) ?? [];
  if (literal === undefined) return -1;
  const value = Number(literal);
  const isInteger = fraction === undefined && exponent === undefined;
  // Number() rounds 2^53 + 1 to 2^53, which is not safe either.
  if (!(isInteger ? Number.isSafeInteger(value) : Number.isFinite(value))) return -1;
  return start + literal.length - 1;
}

function countNames(value: JsonObject | readonly unknown[]): number {
  const members: readonly unknown[] = Array.isArray(value) ? value : Object.values(value);
  let names = Array.isArray(value) ? 0 : members.length;
  for (const member of members) {
    if (typeof member === "object" && member !== null) names += countNames(member as JsonObject);
  }
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
