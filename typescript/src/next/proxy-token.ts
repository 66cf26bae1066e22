/**
 * Cookie in, token out: Better Auth in the same process, asked once for every request.
 *
 * Unlike in a server component, a new cookie can reach the browser: so a session in use is extended here, as by
 * `/api/auth/token`, and the cookie goes with the answer whatever that is. Law: `access-token.md` "Token".
 */

import { answer } from "../bearer.js";
import { readToken } from "../client/issued-token.js";
import { USER_FIELD } from "../client/proxied-fetch.js";
import { ConfigurationError, MissingTokenError } from "../errors.js";
import { Refused } from "./proxy-refused.js";

/** The part of Better Auth, with `jwtBridge()`, that is used here. */
export interface ProxyAuth {
  readonly $context: Promise<{ readonly baseURL: string }>;
  readonly api: {
    getToken(input: {
      headers: Headers;
      query: { disableRefresh: boolean; audience?: string };
      asResponse: true;
    }): Promise<Response>;
  };
}

/** The origin that Better Auth is configured with; this app's own. */
export async function ownOrigin(auth: ProxyAuth): Promise<string> {
  const { baseURL } = await auth.$context;
  try {
    return new URL(baseURL).origin;
  } catch {
    throw new ConfigurationError("createProxy() needs the app's own address; set BETTER_AUTH_URL");
  }
}

/**
 * Asks for a token.
 *
 * @param cookies gets Better Auth's Set-Cookie lines, also where there is no token: one that ends a session, too.
 * @returns the token and its subject.
 * @throws Refused 401 where nobody is signed in, as the contract answers a missing token; 503 where nobody can tell,
 *   never 401; 500 where a token can not be issued.
 */
export async function issueToken(
  auth: ProxyAuth,
  { headers: received }: Request,
  audience: string | undefined,
  cookies: string[],
): Promise<{ token: string; subject: string }> {
  // The cookie alone: with Better Auth's bearer() an Authorization header would be a session, too.
  const headers = new Headers({ cookie: received.get("cookie") ?? "" });
  // A live stream reconnects by itself: it must not keep a session alive that nobody uses.
  const disableRefresh = /\btext\/event-stream\b/i.test(received.get("accept") ?? "");
  const query = { disableRefresh, ...(audience !== undefined && { audience }) };
  const issued = await auth.api.getToken({ headers, query, asResponse: true });
  cookies.push(...issued.headers.getSetCookie());
  if (issued.status === 401) throw signedOut();
  if (issued.status === 503) {
    const fields = { "retry-after": issued.headers.get("retry-after") ?? "5" };
    throw new Refused(503, "temporarily_unavailable", "The session can not be read now, try again", fields);
  }
  const body: unknown = await issued.json().catch(() => undefined);
  const token = (body as { token?: unknown } | undefined)?.token;
  try {
    const { value, subject } = readToken(token as string, 0, audience);
    return { token: value, subject };
  } catch {
    throw new Refused(
      500,
      "token_unavailable",
      "No token can be issued for this user; the server's log says why",
    );
  }
}

/**
 * Whom the caller takes itself for, if it says so: a page whose cookie has become another user's.
 *
 * @throws Refused 401: the page's own user is not signed in any more.
 */
export function judgeUser({ headers }: Request, subject: string): void {
  const expected = headers.get(USER_FIELD);
  if (expected === null || expected === encodeURIComponent(subject)) return;
  const { status, fields } = signedOut();
  throw new Refused(status, "user_changed", "Another user has signed in", fields);
}

function signedOut(): Refused {
  const { status, headers, body } = answer(new MissingTokenError("token_missing"));
  const { detail, error } = JSON.parse(body) as { detail: string; error: string };
  return new Refused(status, error, detail, headers);
}
