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

/** The part of Better Auth's client that is used here. */
export interface ProxiedClient extends Pick<TokenClient, "$store"> {
  getSession?(options: { fetchOptions: { throw: false; disableSignal: true } }): Promise<{
    readonly data: { readonly user: { readonly id: string } } | null;
    readonly error: unknown;
  }>;
}

/**
 * Options of `createProxiedFetch()`.
 *
 * - `basePath`: where the proxy is, such as `/backend`; a path that does not begin with it, like `/api/tasks`, goes
 *   below it.
 * - `authClient`: Better Auth's client, which tells of a sign-in or sign-out in this tab, and who it is then.
 * - `fetch`: what sends the request; the platform's by default, looked up at each call.
 */
export interface ProxiedFetchOptions {
  readonly basePath: string;
  readonly authClient: ProxiedClient;
  readonly fetch?: typeof fetch | undefined;
}

/**
 * What stands in a token source's place: it has no token, and knows whose page it is.
 *
 * - `see()`: this user is signed in, by Better Auth's word. The first one's page it is.
 * - `clear()`: nobody is any more; the page stays whose it is.
 */
export interface PageSource extends Pick<TokenSource, "state" | "subscribe" | "clear"> {
  see(userId: string): void;
}

/** In the shape of `fetch`. `tokenSource`: for `createUseBridge()`, and so that live connections end. */
export interface ProxiedFetch {
  (input: string | URL | Request, init?: RequestInit): Promise<Response>;
  readonly tokenSource: PageSource;
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
  /** Whose page this is, percent-encoded, from the first word of it on; and how often that has begun anew. */
  let owner: string | null = null;
  let turn = 0;

  /** @returns whether it is this user's page. */
  function meet(user: string): boolean {
    owner ??= user;
    if (owner === user) session.enter(decodeURIComponent(user));
    else session.enter(null, "user-changed");
    return owner === user;
  }
  const see = (userId: string) => void meet(encodeURIComponent(userId));
  const clear = () => session.enter(null, "signed-out");

  onAction(authClient, async () => {
    const begun = ++turn;
    owner = null;
    // Without the reason: who has just signed in is not signed out any more.
    session.enter(session.state().subject);
    // Whose it is now: no call may ask for long, and what is live would go on in a page that was left.
    // Without a signal: where an app's own listeners match every path, that would ask without end.
    const fetchOptions = { throw: false, disableSignal: true } as const;
    const answer = await authClient.getSession?.({ fetchOptions }).catch(() => {});
    if (begun !== turn || owner !== null) return;
    if (!answer || answer.error) session.enter();
    else if (answer.data) see(answer.data.user.id);
    else clear();
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
    const user = response.headers.get(USER_FIELD);
    // An API's own 401 may look the same, and names the user.
    const isMissing =
      user === null && response.status === 401 && response.headers.get("www-authenticate") === "Bearer";
    const { error } = isMissing ? await response.json().catch(() => ({})) : { error: "" };
    let isChanged = error === "user_changed";
    // Sent before somebody signed in or out here, it says nothing about who is here now; nor does what names nobody.
    if (begun === turn) {
      if (isMissing) session.enter(null, isChanged ? "user-changed" : "session-missing");
      else if (user !== null) isChanged = !meet(user);
    }
    if (!isMissing && !isChanged) return response;
    // Another's answer, a stream say, is nobody's here.
    response.body?.cancel().catch(() => {});
    throw new SessionMissingError(isChanged ? "Another user has signed in" : "Nobody is signed in");
  };
  const { state, subscribe } = session;
  return Object.assign(proxiedFetch, { tokenSource: { state, subscribe, see, clear } });
}
