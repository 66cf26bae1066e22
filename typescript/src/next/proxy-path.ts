/**
 * The path: the app's address in, the API's address out, so that both mean the same thing by it.
 *
 * A path that two programs could read differently is refused and never repaired: who decides about access may then
 * see another path than who serves it. What passes is sent on byte for byte. Law: RFC 3986 §3.3, WHATWG URL.
 */

import { Refused } from "./proxy-refused.js";

/** Where the proxy stands and what stands behind it; neither path ends with a slash. */
export interface Route {
  /** Of the app, like `/backend`. */
  readonly basePath: string;
  /** Of the API, like `http://api:8000`. */
  readonly origin: string;
  /** Below which everything is passed on, like `/v1`; empty for all of the API. */
  readonly prefix: string;
}

/** RFC 3986 `pchar` without `;`: `/..;/` is `/../` to servers that know path parameters. */
const SEGMENT = /^(?:[A-Za-z0-9\-._~!$&'()*+,=:@]|%[0-9A-Fa-f]{2})*$/;
/**
 * What no decoded segment holds: separators, that were encoded; `;`, as above; control characters (Starlette's `$`
 * matches before a final line feed, C ends at NUL); and what a second decoding would change.
 */
const CONFUSING = /[/\\;\p{Cc}]|%[0-9A-Fa-f]{2}/u;
/** Where it stands in a URL; see `createBridgeFetch()`, which fills it too. */
const USER_ID = /%7Buser_id%7D/gi;

/**
 * Takes the part below `basePath` out of a request's address.
 *
 * The address is one that a URL parser has read, as every `Request` has: `.`, `..`, `%2e` and `\` have been resolved
 * there, for Next.js's own routing too, and what led out of `basePath` no longer begins with it. The query is what
 * Next.js has left of it: it writes it anew, and takes out what begins with `nxtP` or `nxtI`.
 *
 * @throws Refused 400.
 */
export function pathBelow(basePath: string, address: string): { path: string; search: string } {
  const { pathname, search } = new URL(address);
  if (!pathname.startsWith(`${basePath}/`))
    throw refusal(`it is not below ${basePath}, createProxy()'s basePath`);
  const path = pathname.slice(basePath.length);
  judgePath(path);
  return { path, search };
}

/**
 * Makes the API's address, with `{user_id}` filled.
 *
 * @throws Refused 400, also where the user's ID can not stand in a path.
 */
export function addressAt({ origin, prefix }: Route, path: string, search: string, subject: string): URL {
  // A function: in a text, $& and the like would be filled in.
  const filled = path.replace(USER_ID, () => encodeURIComponent(subject));
  judgePath(filled);
  const address = new URL(origin + prefix + filled + search);
  // It never differs; were a parser to read one thing more into a path, it would be sent nowhere.
  if (address.origin !== origin || address.pathname !== prefix + filled) throw refusal("it is ambiguous");
  return address;
}

/**
 * Turns the API's `Location` into the app's, or into nothing where it leads elsewhere: an open redirect of the API
 * must not become one of the app.
 */
export function locationOf(
  { basePath, origin, prefix }: Route,
  location: string,
  from: URL,
): string | undefined {
  try {
    const to = new URL(location, from);
    if (to.origin !== origin || !to.pathname.startsWith(`${prefix}/`)) return undefined;
    const path = to.pathname.slice(prefix.length);
    judgePath(path);
    return basePath + path + to.search + to.hash;
  } catch {
    return undefined;
  }
}

function judgePath(path: string): void {
  const segments = path.slice(1).split("/");
  segments.forEach((segment, index) => {
    const decoded = SEGMENT.test(segment) ? decode(segment) : undefined;
    if (decoded === undefined) throw refusal("it has a character that must be percent-encoded as UTF-8");
    // One slash at the end is the API's affair; an empty segment elsewhere is `//`.
    if (decoded === "" && index < segments.length - 1) throw refusal("it has an empty segment");
    if (decoded === "." || decoded === "..") throw refusal("it has a dot segment");
    if (CONFUSING.test(decoded))
      throw refusal("it has an encoded slash, backslash, semicolon or control character");
  });
}

/** Strict: overlong forms, surrogates and stray bytes, which Python would replace by U+FFFD, are no UTF-8. */
function decode(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment);
  } catch {
    return undefined;
  }
}

function refusal(reason: string): Refused {
  return new Refused(400, "path_refused", `This path is not passed on: ${reason}`);
}
