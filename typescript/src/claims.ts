/**
 * The claim rules V10 to V17, one `if` each, in the contract's order; the first failure decides the code.
 *
 * Fourth room: takes the parsed payload of a token whose signature is verified. Law: RFC 7519 §4.1,
 * RFC 9068 §2.2 and §4, and the contract where it is stricter.
 */

import type { JsonObject } from "./compact.js";
import { InvalidTokenError } from "./errors.js";
import { MAX_NUMERIC_DATE, MAX_SUBJECT_LENGTH, REQUIRED_CLAIMS } from "./profile.js";

/** What claims are held against: times in whole seconds, `now` in seconds since 1970 as a double. */
export interface ClaimsPolicy {
  readonly issuer: string;
  readonly audience: string;
  readonly leeway: number;
  readonly maximumLifetime: number;
}

/** The claims that every token carries, once they are validated. */
export interface ValidatedClaims extends JsonObject {
  readonly sub: string;
  readonly sid?: string;
  readonly jti: string;
  readonly iat: number;
  readonly exp: number;
}

/**
 * Validates the claims of one access token.
 *
 * @param claims the parsed payload.
 * @param policy the only accepted `iss`, this API's identifier, leeway and maximum lifetime in seconds.
 * @param now the time, in seconds since 1970, read once by the caller.
 * @throws InvalidTokenError with the code of the first rule that fails.
 *
 * *Does not* verify a signature: call it with claims of a verified token only.
 */
export function validateClaims(
  claims: JsonObject,
  policy: ClaimsPolicy,
  now: number,
): asserts claims is ValidatedClaims {
  // [V10] RFC 9068 §2.2; JSON null counts as present
  for (const name of REQUIRED_CLAIMS) {
    if (!Object.hasOwn(claims, name)) throw new InvalidTokenError("claim_missing");
  }
  // [V11] RFC 7519 §2 (NumericDate, StringOrURI)
  const { iss, aud, sub, iat, exp } = claims;
  const nbf = Object.hasOwn(claims, "nbf") ? claims.nbf : 0;
  if (
    !isDate(iat) ||
    !isDate(exp) ||
    !isDate(nbf) ||
    !isText(iss) ||
    !isText(sub) ||
    !isText(claims.user_id) ||
    !isText(claims.client_id) ||
    !isText(claims.jti) ||
    (Object.hasOwn(claims, "sid") && !isText(claims.sid)) ||
    !(isText(aud) || (Array.isArray(aud) && aud.length > 0 && aud.every(isText))) ||
    !isSubject(sub)
  ) {
    throw new InvalidTokenError("claim_malformed");
  }
  // [V12] RFC 9068 §4, code point by code point
  if (iss !== policy.issuer) throw new InvalidTokenError("issuer_mismatch");
  // [V13] RFC 7519 §4.1.3
  if (typeof aud === "string" ? aud !== policy.audience : !aud.includes(policy.audience)) {
    throw new InvalidTokenError("audience_mismatch");
  }
  // [V14] the contract; RFC 7800 §3.1: a key-bound token is no bearer token
  if (claims.user_id !== sub || claims.client_id !== iss || Object.hasOwn(claims, "cnf")) {
    throw new InvalidTokenError("claim_malformed");
  }
  // [V15] RFC 7519 §4.1.4
  if (!(now < exp + policy.leeway)) throw new InvalidTokenError("token_expired");
  // [V16] RFC 7519 §4.1.6 and §4.1.5
  if (!(iat <= now + policy.leeway && nbf <= now + policy.leeway)) {
    throw new InvalidTokenError("token_not_yet_valid");
  }
  // [V17] the contract
  if (!(exp - iat > 0 && exp - iat <= policy.maximumLifetime)) {
    throw new InvalidTokenError("lifetime_out_of_range");
  }
}

function isDate(value: unknown): value is number {
  return typeof value === "number" && value >= 0 && value <= MAX_NUMERIC_DATE;
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;

/** At most 255 code points, which are up to twice as many UTF-16 units, and no control character. */
function isSubject(sub: string): boolean {
  if (sub.length > 2 * MAX_SUBJECT_LENGTH || CONTROL.test(sub)) return false;
  return sub.length <= MAX_SUBJECT_LENGTH || [...sub].length <= MAX_SUBJECT_LENGTH;
}
