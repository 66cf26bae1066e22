/**
 * The fetch of a page that has no token: `createProxy()` adds it on the way, and this makes sure whose it is.
 *
 * The proxy knows the caller by the cookie, which another tab can make somebody else's. So it says whose token an
 * answer was got with, and each further request names that user: for another one the proxy sends nothing on.
 * Law: RFC 6750 §3, a challenge without an error asks for a session.
 */

import { SessionMissingError } from "./errors.js";
import { onAction, type TokenClient } from "./issuer.js";
import { createSession } from "./session.js";
import type { TokenSource } from "./token-source.js";

/** The header field with the user's ID, percent-encoded: in a request whom it is of, in an answer whose token it was. */
export const USER_FIELD = "x-bridge-user";

/**
 * Options of `createProxiedFetch()`.
 *
 * - `basePath`: where the proxy is, such as `/backend`; a path that does not begin with it, like `/api/tasks`, goes
 *   below it.
 * - `authClient`: Better Auth's client, which tells of a sign-in or sign-out in this tab.
 * - `fetch`: what sends the request; the platform's by default, looked up at each call.
 */
export interface ProxiedFetchOptions {
  readonly basePath: string;
  readonly authClient: Pick<TokenClient, "$store">;
  readonly fetch?: typeof fetch | undefined;
}

/** In the shape of `fetch`. `tokenSource` has no token: it knows who is signed in, so that live connections end. */
export interface ProxiedFetch {
  (input: string | URL | Request, init?: RequestInit): Promise<Response>;
  readonly tokenSource: Pick<TokenSource, "state" | "subscribe">;
}

/**
 * Creates a function in the shape of `fetch` that calls the API through the app's own proxy.
 *
 * `{user_id}` in a path becomes the user's ID, at the proxy. The page is the first user's until somebody signs in or
 * out in this tab; what it sends after that is sent as nobody else.
 *
 * A request that is not the proxy's passes untouched.
 *
 * @throws SessionMissingError where nobody is signed in, or another user than before.
 *
 * @example
 * ```ts
 * const api = createProxiedFetch({ basePath: "/backend", authClient });
 * const tasks = await api("/api/{user_id}/tasks");
 * ```
 *
 * *Does not* turn another answer of 4xx or 5xx into an error, and is for browsers: on the server there is
 * `createServerFetch()`.
 */
export function createProxiedFetch({
  basePath,
  authClient,
  fetch: sender,
}: ProxiedFetchOptions): ProxiedFetch {
  if (!/^(\/[\w.~-]+)+$/.test(basePath))
    throw new TypeError(`basePath is no path like /backend: ${basePath}`);
  const send: typeof fetch = (input, init) => (sender ?? fetch)(input, init);
  const session = createSession();
  /** Whose page this is, from the first answer on; and how often that has begun anew. */
  let owner: string | null = null;
  let turn = 0;
  onAction(authClient, () => {
    turn++;
    owner = null;
    session.enter();
  });

  const proxiedFetch = async (input: string | URL | Request, init: RequestInit = {}): Promise<Response> => {
    const { url: given } = input as Partial<Request>;
    const text = given ?? String(input);
    const isWhole = /^[a-z][a-z0-9+.-]*:/i.test(text) || text.startsWith(`${basePath}/`);
    const { origin, href } = globalThis.location;
    const url = new URL(isWhole ? text : basePath + text.replace(/^(?![/?#])/, "/"), href);
    if (!url.href.startsWith(`${origin}${basePath}/`)) return send(given ? input : url, init);

    const request = given ? new Request(input, init) : init;
    const headers = new Headers(request.headers);
    if (owner !== null) headers.set(USER_FIELD, owner);
    const begun = turn;
    const response = await (given ? send(request as Request, { headers }) : send(url, { ...init, headers }));
    const isMissing = response.status === 401 && response.headers.get("www-authenticate") === "Bearer";
    const { error } = isMissing ? await response.json().catch(() => ({})) : { error: "" };
    const isChanged = error === "user_changed";
    // Sent before somebody signed in or out here, it says nothing about who is here now.
    if (begun === turn) {
      if (isMissing) session.enter(null, isChanged ? "user-changed" : "session-missing");
      else {
        owner ??= response.headers.get(USER_FIELD);
        session.enter(owner && decodeURIComponent(owner));
      }
    }
    if (isMissing)
      throw new SessionMissingError(isChanged ? "Another user has signed in" : "Nobody is signed in");
    return response;
  };
  const { state, subscribe } = session;
  return Object.assign(proxiedFetch, { tokenSource: { state, subscribe } });
}
