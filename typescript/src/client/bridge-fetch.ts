/**
 * The bridge's fetch: the platform's, with the token attached to requests to one API.
 *
 * Law: RFC 6750 §2.1. The token goes to the API's origin only; the platform drops it on a redirect to another
 * one (Fetch Standard, HTTP-redirect fetch, step 13).
 */

import { fill, resolve } from "./address.js";
import { SessionMissingError } from "./errors.js";
import type { HeldToken, TokenSource } from "./token-source.js";

/** What the bridge's fetch asks of a token source; one's own may leave out what tells of sign-out. */
export type TokenGetter = Pick<TokenSource, "get"> & Partial<Pick<TokenSource, "state" | "subscribe">>;

/**
 * Options of `createBridgeFetch()`.
 *
 * - `baseURL`: the API's address, `http` or `https`; a request without a scheme, like `/tasks`, goes below it.
 * - `tokenSource`: from `createTokenSource()`.
 * - `fetch`: what sends the request; the platform's by default, looked up at each call.
 */
export interface BridgeFetchOptions {
  readonly baseURL: string;
  readonly tokenSource: TokenGetter;
  readonly fetch?: typeof fetch | undefined;
}

/** `background`: no user is behind this call, so that its token does not keep an idle session alive. */
export interface BridgeRequestInit extends RequestInit {
  readonly background?: boolean | undefined;
}

/** In the shape of `fetch`, and with what it was made of. */
export interface BridgeFetch {
  (input: string | URL | Request, init?: BridgeRequestInit): Promise<Response>;
  readonly baseURL: string;
  readonly tokenSource: TokenGetter;
}

/**
 * Creates a function in the shape of `fetch` that calls one API as the signed-in user.
 *
 * `{user_id}` in a path becomes the token's own subject. A 401 that says `invalid_token` is tried once more with a
 * fresh token, where there is one and the body can be sent again. Every other answer passes untouched; a request to
 * another origin too, without a token.
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
 * *Does not* set a content type, and does not turn an answer of 4xx or 5xx into an error. *Does not* stream the body
 * of a `Request`, which it reads into memory; the body of an address with options is streamed as it is.
 */
export function createBridgeFetch({ baseURL, tokenSource, fetch: sender }: BridgeFetchOptions): BridgeFetch {
  if (!/^https?:/i.test(baseURL)) throw new TypeError(`baseURL is not http(s): ${baseURL}`);
  const base = new URL(baseURL);
  const send: typeof fetch = (input, init) => (sender ?? fetch)(input, init);

  const bridgeFetch = async (
    input: string | URL | Request,
    init: BridgeRequestInit = {},
  ): Promise<Response> => {
    // By its url, and not by its class: a Request may be a polyfill's.
    const { url: given } = input as Partial<Request>;
    const url = resolve(given ?? String(input), base);
    // Not by its origin: a blob: address has that of the page that made it.
    if (!url.href.startsWith(`${base.origin}/`)) return send(given ? input : url, init);

    const options = given ? await open(input as Request, init) : init;
    const ask = (rejected?: string) =>
      tokenSource.get({ rejected, signal: options.signal, background: init.background });
    const sendAs = ({ value, subject }: HeldToken) => {
      const headers = new Headers(options.headers);
      headers.set("authorization", `Bearer ${value}`);
      return send(fill(url, subject), { ...options, headers });
    };

    const token = await ask();
    const response = await sendAs(token);
    // A stream is used up by the first request; Node takes any async iterable for one.
    const { getReader, [Symbol.asyncIterator]: iterator } = Object(options.body);
    if (getReader || iterator || response.status !== 401) return response;
    // In the challenge, or in the body's JSON where another origin does not expose it.
    const said = response.headers.get("www-authenticate") ?? (await response.clone().text());
    if (!/error"?[=:] ?"?invalid_token\b/.test(said)) return response;
    const fresh = await ask(token.value);
    // The source has renewed just now, and the API refuses that one too.
    if (fresh.value === token.value) return response;
    // What one user wrote is never sent as another.
    if (fresh.subject !== token.subject) throw new SessionMissingError("Another user has signed in");
    response.body?.cancel().catch(() => {});
    return sendAs(fresh);
  };
  return Object.assign(bridgeFetch, { baseURL, tokenSource });
}

/**
 * A request's parts, to be sent to another URL, twice if need be.
 *
 * Its body is read into memory: a `Request` made of another one sends its body as a stream, which browsers do over
 * HTTP/2 only.
 */
async function open(input: Request, init: RequestInit): Promise<RequestInit> {
  const request = new Request(input, init);
  // Its attributes are its options by name, those too that platforms will have one day (Fetch Standard, new Request).
  const parts: Record<string, unknown> = {};
  for (const name in request) parts[name] = request[name as keyof Request];
  // A Blob: Node takes an ArrayBuffer away when it follows a redirect.
  const body = await request.blob();
  parts.body = body.size ? body : null;
  return parts;
}
