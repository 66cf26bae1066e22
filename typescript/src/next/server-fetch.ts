/**
 * The bridge's fetch in Next.js's server: for server components, route handlers and server actions.
 *
 * The token comes from Better Auth in the same process, once per request, and is forgotten with it. The session is
 * not extended: its new cookie could not reach the browser from a server component. Law: RFC 6750 §2.1.
 */

import { abortable } from "../client/abortable.js";
import { createBridgeFetch, type TokenGetter } from "../client/bridge-fetch.js";
import type { IssuedToken } from "../client/issued-token.js";
import { type CurrentRequest, currentRequest } from "./request.js";
import { issueToken, type TokenIssuer } from "./token.js";

/**
 * Options of `createServerFetch()`.
 *
 * - `auth`: Better Auth, with `jwtBridge()` among its plugins.
 * - `baseURL`: the API's address as this server reaches it, `http` or `https`. Where it is not set, calls fail and
 *   loading the module does not: `next build` loads it without the settings of a deployment.
 * - `audience`: which API's token, where the issuer has several; by default the issuer's first.
 */
export interface ServerFetchOptions {
  readonly auth: TokenIssuer;
  readonly baseURL: string | undefined;
  readonly audience?: string | undefined;
}

interface Asked {
  readonly cookie: string;
  readonly token: Promise<IssuedToken>;
  /** An API refused the one before. */
  readonly again: boolean;
}

/**
 * Creates a function in the shape of `fetch` that calls one API as the user whose request is being answered.
 *
 * It does what `createBridgeFetch()` does: `{user_id}`, one retry, no token to another origin. Calls within one
 * request share one token; no other request sees it. A route handler that outlives it gets a new one. Signing in or
 * out in a server action, with `nextCookies()`, counts from there on.
 *
 * Answers are not kept in Next.js's data cache, unless the call says so by `cache` or `next.revalidate`: they are one
 * user's. Reading the request makes a page dynamic, so that it is not kept either.
 *
 * @param options see {@link ServerFetchOptions}.
 * @throws SessionMissingError where nobody is signed in; TokenUnavailableError where no token can be had, with the
 *   issuer's `status`; TypeError for a wrong `baseURL`; what Next.js throws outside a request, also in `"use cache"`
 *   and `unstable_cache()`.
 *
 * @example
 * ```ts
 * const serverFetch = createServerFetch({ auth, baseURL: "https://api.example.com" });
 * const tasks = await serverFetch("/api/{user_id}/tasks");
 * ```
 *
 * *Does not* extend the session, and does not turn an answer of 4xx or 5xx into an error.
 */
export function createServerFetch({ auth, baseURL, audience }: ServerFetchOptions): typeof fetch {
  /** By Next.js's own object for the request: nothing is found from another one, and nothing stays. */
  const requests = new WeakMap<object, Asked>();

  function ask({ key, cookie, headers }: CurrentRequest, again: boolean): Asked {
    const asked: Asked = { cookie, token: issueToken(auth, headers, audience), again };
    requests.set(key, asked);
    asked.token.catch(() => {
      if (requests.get(key) === asked) requests.delete(key);
    });
    return asked;
  }

  async function get(rejected: string | undefined): Promise<IssuedToken> {
    const request = await currentRequest();
    const latest = () => {
      const found = requests.get(request.key);
      return found?.cookie === request.cookie ? found : undefined;
    };
    const asked = latest() ?? ask(request, false);
    const held = await asked.token;
    const refused = held.value === rejected;
    // Refused twice: a third would be, too. The same again tells the caller so.
    if (Date.now() < held.renewAt && !(refused && !asked.again)) return held;
    const other = latest();
    return (other && other !== asked ? other : ask(request, refused)).token;
  }

  const tokenSource: TokenGetter = {
    async get({ rejected, signal } = {}) {
      signal?.throwIfAborted();
      return abortable(get(rejected), signal);
    },
  };
  const origin = baseURL ? new URL(baseURL).origin : undefined;
  const send: typeof fetch = (input, init) => {
    const isApi = new URL(input instanceof Request ? input.url : input).origin === origin;
    return fetch(input, isApi ? uncached(init) : init);
  };
  const bridge = baseURL ? createBridgeFetch({ baseURL, tokenSource, fetch: send }) : undefined;

  return async (input, init) => {
    if (!bridge) {
      // First what Next.js says: a build without the deployment's settings learns here that the page is dynamic.
      await currentRequest();
      throw new TypeError("createServerFetch() has no baseURL; set the variable that it is read from");
    }
    return bridge(input, init);
  };
}

/** A `Request` says "default" where nothing was said. */
function uncached(init: (RequestInit & { readonly next?: { readonly revalidate?: unknown } }) | undefined) {
  const isSaid = (init?.cache ?? "default") !== "default" || init?.next?.revalidate !== undefined;
  return isSaid ? init : { ...init, cache: "no-store" as const };
}
