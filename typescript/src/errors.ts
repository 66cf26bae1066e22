/**
 * The errors: a class says which HTTP answer, a code says why, a hint says what to do.
 *
 * Every room throws these and nothing else; the annexes turn a class into its answer. One registry for both
 * languages, `specs/001-jwt-auth-bridge/errors.json`; a test holds the two together. Law: RFC 6750 §3.
 */

/**
 * What `Error` is, without the stack trace that its constructor captures.
 *
 * A refusal is an outcome and no accident: its code says more than a stack, anybody can cause it as often as they
 * like, and a capture costs more than verifying a token. V8 has no switch for one error; turning it off by
 * `Error.stackTraceLimit` would change everybody's errors.
 */
function Untraced() {}
Untraced.prototype = Error.prototype;

/**
 * Base of every error of this package.
 *
 * - `code`: why it was refused, one of {@link HINTS}; stable, made to be asserted on and logged.
 * - `hint`: what to do about it, one sentence, free of token, claim values and keys.
 * - `status`: the HTTP status of the answer; 0 where the error never reaches a client.
 *
 * *Does not* travel to a client: callers are answered by the class alone, the code and the hint are for the
 * log. *Does not* carry a stack trace, `ConfigurationError` excepted.
 *
 * @example
 * ```ts
 * new InvalidTokenError("token_expired").status; // 401
 * ```
 */
export class BridgeError extends (Untraced as unknown as new () => Error) {
  override readonly name: string = "BridgeError";
  readonly code: ErrorCode;
  readonly hint: string;
  override readonly message: string;
  override readonly stack: string;
  readonly status: number = 0;

  constructor(code: ErrorCode, message?: string) {
    super();
    this.code = code;
    this.hint = HINTS[code];
    this.message = message ?? `${code}: ${this.hint}`;
    this.stack = `${new.target.name}: ${this.message}`;
  }
}

/** No Bearer credential was sent: 401 with a bare challenge (RFC 6750 §3). */
export class MissingTokenError extends BridgeError {
  override readonly name = "MissingTokenError";
  override readonly status = 401;
}

/** The `Authorization` header is repeated or malformed: 400 (RFC 6750 §3.1). */
export class InvalidRequestError extends BridgeError {
  override readonly name = "InvalidRequestError";
  override readonly status = 400;
}

/** The token fails a rule V1 to V17: 401, one fixed description (RFC 6750 §3.1). */
export class InvalidTokenError extends BridgeError {
  override readonly name = "InvalidTokenError";
  override readonly status = 401;
}

/** The token is good and its user may not do this: 403 (RFC 9110 §15.5.4). */
export class ForbiddenError extends BridgeError {
  override readonly name = "ForbiddenError";
  override readonly status = 403;
}

/** The verification keys can not be had right now: 503, never 401 (RFC 9110 §15.6.4). */
export class KeySetUnavailableError extends BridgeError {
  override readonly name = "KeySetUnavailableError";
  override readonly status = 503;
}

/** The process must not start like this; the message names the setting and the cure, never a secret. */
export class ConfigurationError extends BridgeError {
  override readonly name = "ConfigurationError";

  constructor(message: string) {
    super("configuration_invalid", message);
    Error.captureStackTrace?.(this, ConfigurationError);
  }
}

/** Code to hint; equal to `errors.json`. */
export const HINTS = {
  token_missing:
    "Send the header Authorization: Bearer <token>, with the token that authClient.token() or auth.api.getToken() returns.",
  authorization_repeated:
    "Send one Authorization header; a proxy or a client on the way added a second one or joined two with a comma.",
  authorization_malformed:
    "Write the header as Bearer, one space and the token, with nothing before or after the token (RFC 6750 section 2.1).",
  ticket_repeated:
    "Send one credential: a ticket once, or the Authorization header with a Bearer token; the request had two (RFC 6750 section 2).",
  token_malformed:
    "This is no compact JWS; send the token that authClient.token() returns, whole, without quotes or line breaks.",
  token_opaque:
    "This is Better Auth's session token or cookie, not a JWT; send the token that authClient.token() returns.",
  critical_header_unsupported:
    "The header has crit or b64, which bridge access tokens never carry; the token comes from another issuer.",
  algorithm_not_allowed:
    "The token's alg is not one that this verifier's keys allow; an EdDSA token comes from Better Auth's stock jwt() plugin, use jwtBridge() instead.",
  token_type_mismatch:
    "The header's typ is not at+jwt: this is not an access token; use jwtBridge() in place of Better Auth's stock jwt() plugin.",
  key_not_found:
    "No verification key has the token's kid. Compare first the audience of both sides, then BETTER_AUTH_SECRET, then whether a secret was rotated on one side only; where keys are fetched, whether the key-set URL is this issuer's. Both sides print their audience and key IDs at start.",
  signature_invalid:
    "The signature does not belong to these bytes: the token was altered or cut on its way, or forged.",
  claims_malformed: "The payload is not one strict JSON object; the token was not issued by jwtBridge().",
  claim_missing:
    "A required claim is absent; issue tokens with jwtBridge(), not with a hand-written payload.",
  claim_malformed:
    "A claim has the wrong type or value, or user_id differs from sub, or client_id from iss; issue tokens with jwtBridge(), not with a hand-written payload.",
  issuer_mismatch:
    "The token's iss is not this verifier's issuer; set BETTER_AUTH_URL (or JWT_BRIDGE_ISSUER) to the same public address on both sides, without a path.",
  audience_mismatch:
    "The token was issued for another API; set JWT_BRIDGE_AUDIENCE to the same value on both sides.",
  token_expired:
    "The token has expired; fetch a fresh one from /api/auth/token, and compare the clocks of both machines if it is new.",
  token_not_yet_valid: "The token's iat or nbf lies in the future; compare the clocks of both machines.",
  lifetime_out_of_range:
    "exp minus iat is not positive or above the maximum lifetime; lower the issuer's lifetime or raise the verifier's maximum.",
  ticket_invalid:
    "A ticket is good once, for 30 seconds and no longer than its token, and at the path that it was asked for; ask for a new one for every connection. With several processes, all of them need one store.",
  path_user_mismatch:
    "The user in the path is not the token's user; build the path from the token's own subject.",
  path_user_missing:
    "The route is guarded by path_user, but its path has no plain string parameter of that name; name it in the path, or guard the route with current_user.",
  path_claim_mismatch:
    "The value in the path is not that of the token's claim, or one of the two is missing; build the path from the token's own claim.",
  subject_type_mismatch:
    "The token's subject is not written as the type that this route takes from it; compare the user IDs that Better Auth makes with the type given to path_user_as().",
  requirement_failed:
    "The token is good, but its user does not meet what bridge.require() asks on this route; the same line of the log has the reason.",
  renewal_mismatch:
    "The message that should renew an open WebSocket carried a token of another user or another session than the one that opened it, or it was opened without a token; open a new connection with that token.",
  key_set_unavailable:
    "The verification keys could not be fetched; check that this service reaches the key-set URL.",
  ticket_store_unavailable:
    "The store of tickets did not answer or failed; the line of the log before this one names the error. Check its address, its rights and its table.",
  configuration_invalid:
    "The process must not start with this configuration; the message names the setting and the cure.",
} as const;

/** One of the codes of `errors.json`. */
export type ErrorCode = keyof typeof HINTS;
