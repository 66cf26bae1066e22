/**
 * The bridge's fetch: the platform's, with the token attached to requests to one API.
 *
 * Law: RFC 6750 §2.1. The token goes to the API's origin only; the platform drops it on a redirect to another
 * one (Fetch Standard, HTTP-redirect fetch, step 13).
 */

import { SessionMissingError } from "./errors.js";
import type { HeldToken, TokenSource } from "./token-source.js";

/**
 * Options of `createBridgeFetch()`.
 *
 * - `baseURL`: the API's address, `http` or `https`; a request without a scheme, like `/tasks`, goes below it.
 * - `tokenSource`: from `createTokenSource()`.
 * - `fetch`: what sends the request; the platform's by default, looked up at each call.
 */
export interface BridgeFetchOptions {
  readonly baseURL: string;
  readonly tokenSource: TokenSource;
  readonly fetch?: typeof fetch | undefined;
}

/**
 * Creates a function in the shape of `fetch` that calls one API as the signed-in user.
 *
 * `{user_id}` in a path becomes the token's own subject. A 401 that says `invalid_token` is tried once more with a
 * fresh token, where the body can be sent again. Every other answer passes untouched; a request to another origin
 * too, without a token.
 *
 * @throws SessionMissingError where nobody is signed in, or another user than before; TokenUnavailableError where no
 *   token can be had.
 *
 * @example
 * ```ts
 * const api = createBridgeFetch({ baseURL: "https://api.example.com", tokenSource });
 * const tasks = await api("/api/{user_id}/tasks");
 * ```
 *
 * *Does not* set a content type, and does not turn an answer of 4xx or 5xx into an error.
 */
export function createBridgeFetch({ baseURL, tokenSource, fetch: given }: BridgeFetchOptions): typeof fetch {
  const base = new URL(baseURL);
  if (!/^https?:$/.test(base.protocol)) throw new TypeError("baseURL must be an http or https address");
  const send: typeof fetch = (input, init) => (given ?? fetch)(input, init);

  return async (input, init) => {
    const isRequest = typeof input === "object" && "url" in input;
    const url = resolve(isRequest ? input.url : String(input), base);
    // The protocol too: a blob: address has the origin of the page that made it.
    if (url.origin !== base.origin || url.protocol !== base.protocol)
      return send(isRequest ? input : url, init);

    const options = isRequest ? await open(input, init) : { ...init };
    const call = async (refused?: HeldToken): Promise<readonly [Response, HeldToken]> => {
      const token = await tokenSource.get({ rejected: refused?.value, signal: options.signal ?? null });
      // What one user wrote is never sent as another.
      if (refused && refused.subject !== token.subject)
        throw new SessionMissingError("Another user has signed in");
      const headers = new Headers(options.headers);
      headers.set("authorization", `Bearer ${token.value}`);
      return [await send(fill(url, token.subject), { ...options, headers }), token];
    };
    const [response, used] = await call();
    if (!canBeSentAgain(options.body) || !(await saysInvalidToken(response))) return response;
    await response.body?.cancel();
    return (await call(used))[0];
  };
}

/** What is no whole address goes below the base, also `//host/path`, which would name another host. */
function resolve(target: string, base: URL): URL {
  if (/^[a-z][a-z0-9+.-]*:/i.test(target)) return new URL(target);
  return new URL(base.origin + base.pathname.replace(/\/+$/, "") + target.replace(/^(?![/?#])/, "/"));
}

/**
 * A request's parts, to be sent to another URL, twice if need be.
 *
 * Its body is read into memory: a `Request` made of another one sends its body as a stream, which browsers do over
 * HTTP/2 only.
 */
async function open(input: Request, init: RequestInit | undefined): Promise<RequestInit> {
  const request = new Request(input, init);
  const parts: RequestInit = Object.fromEntries(PARTS.map((name) => [name, request[name]]));
  // A Blob: Node takes an ArrayBuffer away when it follows a redirect.
  const body = /^(GET|HEAD)$/.test(request.method) ? null : await request.blob();
  return { ...parts, body: body?.size ? body : null };
}

const PARTS = [
  "method",
  "headers",
  "mode",
  "credentials",
  "cache",
  "redirect",
  "referrerPolicy",
  "integrity",
  "keepalive",
  "signal",
] as const;

/** Fills `{user_id}`, also as a URL writes it; in the path only. */
function fill(url: URL, subject: string): URL {
  const filled = new URL(url);
  // A function: in a text, $& and the like would be filled in. An ID of dots would climb in the path.
  if (/%7Buser_id%7D/i.test(filled.pathname)) {
    if (/^\.{1,2}$/.test(subject)) throw new TypeError("The user's ID can not stand in a path");
    filled.pathname = filled.pathname.replace(/%7Buser_id%7D/gi, () => encodeURIComponent(subject));
  }
  return filled;
}

/** A stream is used up by the first request; Node takes any async iterable for one. */
function canBeSentAgain(body: unknown): boolean {
  return !(typeof body === "object" && body && ("getReader" in body || Symbol.asyncIterator in body));
}

/** From the challenge, or from the body where another origin does not expose it. */
async function saysInvalidToken(response: Response): Promise<boolean> {
  if (response.status !== 401) return false;
  const challenge = response.headers.get("www-authenticate");
  if (challenge !== null) return /error="?invalid_token\b/.test(challenge);
  const body: unknown = await response
    .clone()
    .json()
    .catch(() => null);
  return (body as { error?: unknown } | null)?.error === "invalid_token";
}
