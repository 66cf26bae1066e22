/**
 * The Authorization header in, the HTTP answer out.
 *
 * Second room: takes the token out of the request and knows, for each class of error, the exact bytes that a
 * caller gets (`specs/001-jwt-auth-bridge/errors.json`). Law: RFC 6750 §2.1 and §3, RFC 9110 §11.
 *
 * Deliberately not read: query strings, cookies and bodies (RFC 6750 §2.2 and §2.3 are not implemented).
 */

import {
  type BridgeError,
  ConfigurationError,
  InvalidRequestError,
  KeySetUnavailableError,
  MissingTokenError,
} from "./errors.js";
import { OPAQUE_SHAPE } from "./profile.js";

/** Seconds after which a client may try again when the verification keys are missing. */
export const RETRY_AFTER = 5;

const B64TOKEN = "[A-Za-z0-9\\-._~+/]+=*";
// The second alternative lets Better Auth's cookie through to V2, which has a hint for it: `%` is no b64token.
const CREDENTIALS = new RegExp(`^[Bb][Ee][Aa][Rr][Ee][Rr] +(${B64TOKEN}|${OPAQUE_SHAPE})$`);
const SCHEME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]*/;
const JOINED = /,[ \t]*[Bb][Ee][Aa][Rr][Ee][Rr](?![!#$%&'*+\-.^_`|~0-9A-Za-z])/;

/** One HTTP answer: status, header fields (lower-case names), and the body, ASCII. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/**
 * Takes the token out of the values of all `Authorization` header fields of one request.
 *
 * @param values each field's value as received, one entry a field, in order: on Node from `headersDistinct`,
 *   because `headers` keeps the first of two.
 * @returns the token, unverified.
 * @throws MissingTokenError: no field, or another scheme than Bearer.
 * @throws InvalidRequestError: several fields, several credentials in one, or Bearer without exactly one
 *   `b64token` (RFC 6750 §2.1).
 *
 * @example
 * ```ts
 * parseAuthorization(["Bearer abc.def.ghi"]); // "abc.def.ghi"
 * ```
 */
export function parseAuthorization(values: readonly string[]): string {
  const [value, second] = values;
  if (value === undefined) throw new MissingTokenError("token_missing");
  if (second !== undefined) throw new InvalidRequestError("authorization_repeated");
  const token = CREDENTIALS.exec(value)?.[1];
  if (token !== undefined) return token;
  const scheme = SCHEME.exec(value)?.[0] ?? "";
  if (scheme.toLowerCase() === "bearer") throw new InvalidRequestError("authorization_malformed");
  if (JOINED.test(value)) throw new InvalidRequestError("authorization_repeated");
  throw new MissingTokenError("token_missing");
}

/**
 * Gives the HTTP answer for an error: its class alone decides, so that a caller learns no more.
 *
 * @throws the error itself where no answer exists: a ConfigurationError never reaches a client.
 *
 * @example
 * ```ts
 * answer(new MissingTokenError("token_missing")).headers["www-authenticate"]; // "Bearer"
 * ```
 */
export function answer(error: BridgeError): Answer {
  if (error instanceof ConfigurationError) throw error;
  // RFC 6750 §3: without credentials, the challenge has no error attribute.
  if (error instanceof MissingTokenError) {
    return build(401, "Not authenticated", "token_missing", { "www-authenticate": "Bearer" });
  }
  if (error instanceof InvalidRequestError) return challenge(400, ONE_HEADER, "invalid_request");
  if (error instanceof KeySetUnavailableError) {
    const headers = { "retry-after": String(RETRY_AFTER) };
    const detail = "The verification keys are unavailable, try again";
    return build(503, detail, "temporarily_unavailable", headers);
  }
  if (error.status === 403) return build(403, "Not allowed", "forbidden", {});
  return challenge(401, BAD_TOKEN, "invalid_token");
}

const ONE_HEADER = "The Authorization header must be sent once, as: Bearer <token>";
const BAD_TOKEN = "The access token is invalid or has expired";

function challenge(status: number, detail: string, error: string): Answer {
  const fields = { "www-authenticate": `Bearer error="${error}", error_description="${detail}"` };
  return build(status, detail, error, fields);
}

function build(status: number, detail: string, error: string, headers: Record<string, string>): Answer {
  return {
    status,
    headers: { ...headers, "cache-control": "no-store" },
    body: JSON.stringify({ detail, error }),
  };
}
