/**
 * The Authorization header in, the HTTP answer out.
 *
 * Second room: takes the token out of the request and knows, for each class of error, the exact bytes that a
 * caller gets (`specs/001-jwt-auth-bridge/errors.json`). Law: RFC 6750 §2.1 and §3, RFC 9110 §11.
 *
 * Deliberately not read: query strings, cookies and bodies (RFC 6750 §2.2 and §2.3 are not implemented).
 */

import {
  BridgeError,
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

/** The header fields of a fetch-style request, where a repeated field is joined by commas. */
interface HeaderReader {
  get(name: string): string | null;
}

/**
 * A request, or what is needed of one: a `Request`, its `Headers`, a request of Node or of a framework that
 * has Node's as `raw`, or an object with `headers` by name.
 */
export type CarriesAuthorization =
  | HeaderReader
  | { readonly headers: HeaderReader | Readonly<Record<string, string | readonly string[] | undefined>> };

/**
 * Collects the values of all `Authorization` header fields of one request.
 *
 * @param request see {@link CarriesAuthorization}; `rawHeaders`, where there are any, come first, since Node's
 *   `headers` keep the first of two.
 * @throws ConfigurationError: this is no request.
 *
 * @example
 * ```ts
 * authorizationValues(new Headers({ authorization: "Bearer abc" })); // ["Bearer abc"]
 * ```
 */
export function authorizationValues(request: CarriesAuthorization): readonly string[] {
  const parts = Object(request) as RequestParts;
  const received = parts.rawHeaders ?? parts.raw?.rawHeaders;
  if (Array.isArray(received)) {
    return received.filter((_, index) => index % 2 === 1 && isAuthorization(received[index - 1]));
  }
  const headers: unknown = parts.headers ?? request;
  if (typeof headers !== "object" || headers === null || (headers === request && !isReader(headers))) {
    throw new ConfigurationError(
      "authenticate() was given no request; pass a Request, Headers or Node's request",
    );
  }
  if (isReader(headers)) {
    const value = headers.get("authorization");
    return value === null ? [] : [value];
  }
  const values = Object.entries(headers).flatMap(([name, value]) => (isAuthorization(name) ? value : []));
  return values.filter((value) => value !== undefined);
}

interface RequestParts {
  readonly rawHeaders?: readonly string[];
  readonly raw?: { readonly rawHeaders?: readonly string[] };
  readonly headers?: unknown;
}

function isReader(headers: object): headers is HeaderReader {
  return typeof (headers as { get?: unknown }).get === "function";
}

function isAuthorization(name: string | undefined): boolean {
  return name?.length === 13 && name.toLowerCase() === "authorization";
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

/**
 * Gives the answer as a `Response`, for frameworks that speak fetch.
 *
 * @param error what `authenticate()` threw.
 * @throws the error itself where it is not one of this package's, or a ConfigurationError.
 *
 * @example
 * ```ts
 * toResponse(new MissingTokenError("token_missing")).status; // 401
 * ```
 */
export function toResponse(error: unknown): Response {
  if (!(error instanceof BridgeError)) throw error;
  const { status, headers, body } = answer(error);
  return new Response(body, { status, headers: { ...headers, "content-type": "application/json" } });
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
