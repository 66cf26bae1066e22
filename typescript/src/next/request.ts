/**
 * The request that Next.js is answering: its own object, and its headers as Better Auth is to see them.
 *
 * Next.js gives one `headers()` object per request, the same in a layout, a page, a route handler, a server action,
 * and the rendering that follows an action. React's `cache` covers a rendering only: in a route handler and in an
 * action it keeps nothing.
 */

import { cookies, headers } from "next/headers.js";

/** What is known of the request. */
export interface CurrentRequest {
  /** Stands for the request: one object, the same as long as it is answered. */
  readonly key: object;
  /** The session's cookies, as they are by now. */
  readonly cookie: string;
  /** The request's headers with those cookies. */
  readonly headers: Headers;
}

/**
 * @throws Next.js's own errors, which end a rendering that was tried ahead of any request; pass them on. TypeError in a
 *   page with `force-static`, where Next.js gives no error but a request without headers: everybody would be nobody.
 */
export async function currentRequest(): Promise<CurrentRequest> {
  const key = await headers();
  if (key.keys().next().done)
    throw new TypeError(
      'serverFetch() was called where no request is answered: remove dynamic = "force-static" from the page or its layout, what it shows is one user\'s',
    );
  const cookie = overlay(key.get("cookie") ?? "", (await cookies()).getAll());
  const own = new Headers(key);
  if (cookie) own.set("cookie", cookie);
  return { key, cookie, headers: own };
}

/**
 * Puts what an action has set, by signing in or out, in front of what the browser sent: Better Auth takes the first.
 *
 * Only what has changed: of two cookies with one name Next.js keeps the last, and the session would be another here
 * than it is for Better Auth's own routes.
 */
function overlay(sent: string, now: readonly { readonly name: string; readonly value: string }[]): string {
  // To Next.js a cookie without `=` is one named so, with the value `true`; to Better Auth it is none.
  const known = new Set(sent.split(/; */).map((pair) => decode(pair.includes("=") ? pair : `${pair}=true`)));
  const changed = now.filter(({ name, value }) => !known.has(`${name}=${value}`));
  const set = changed.map(({ name, value }) => `${name}=${encodeURIComponent(value)}`);
  return [...set, ...(sent ? [sent] : [])].join("; ");
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
