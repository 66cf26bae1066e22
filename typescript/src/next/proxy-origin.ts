/**
 * Who may call: this app's own scripts, and nothing else in the browser.
 *
 * The cookie comes with whatever the browser sends, so the request itself has to show that a script of this origin
 * made it. Law: Fetch Metadata Request Headers, RFC 6454 §7, Fetch Standard "CORS protocol".
 *
 * For every method: a GET that another site causes is work done in the user's name, and can be timed.
 */

import { Refused } from "./proxy-refused.js";

/** As fetch(), XMLHttpRequest, EventSource and sendBeacon() send; not navigate, nested-navigate or websocket. */
const MODES: readonly string[] = ["cors", "same-origin", "no-cors"];

/**
 * Judges where a request comes from.
 *
 * @param own the app's origin, as configured: the request's Host is whatever the caller wrote.
 * @throws Refused 403.
 */
export function judgeCaller({ method, headers }: Request, own: string): void {
  const origin = headers.get("origin");
  const site = headers.get("sec-fetch-site");
  const mode = headers.get("sec-fetch-mode");
  const destination = headers.get("sec-fetch-dest");

  // Exactly: `null` (sandboxed frames, redirects, data: pages) is nobody, and two joined by a comma are none.
  if (origin !== null && origin !== own) throw crossSite(`Origin is not ${own}, Better Auth's base URL`);
  // Same-site is not enough: a sibling host (user content, an old blog) gets the cookie too. `none` is no script.
  if (site !== null && site !== "same-origin") throw crossSite("Sec-Fetch-Site is not same-origin");
  // Both absent: not a browser, an old one, or plain http, where neither comes with a GET. Every browser sends Origin
  // with another method. Such a GET from another site brings no SameSite=Lax cookie, unless it is a navigation.
  if (origin === null && site === null && method !== "GET" && method !== "HEAD")
    throw crossSite("neither Origin nor Sec-Fetch-Site says where it comes from");

  // As a page, a frame, a script, a style, a worker or a service worker, the API's bytes could act as the app.
  if (mode === null ? headers.has("upgrade-insecure-requests") : !MODES.includes(mode)) throw notScript();
  if (destination !== null && destination !== "empty") throw notScript();
  // Sent with every service worker's script, also where Sec-Fetch-Dest is not.
  if (headers.has("service-worker")) throw notScript();
}

function crossSite(reason: string): Refused {
  return new Refused(403, "cross_site_request", `Only this app's own pages may call this address: ${reason}`);
}

function notScript(): Refused {
  const detail =
    "This address answers fetch() only; it can not be opened, embedded or loaded as a script or image";
  return new Refused(403, "navigation_refused", detail);
}
