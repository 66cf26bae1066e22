/**
 * Addresses below the API's: what a caller writes as a path becomes one, with the user's ID filled in.
 *
 * Law: what is not a whole address never names another host, however it begins (WHATWG URL §4.4).
 */

/** What is no whole address goes below the base, also `//host/path`, which would name another host. */
export function resolve(target: string, base: URL): URL {
  if (/^[a-z][a-z0-9+.-]*:/i.test(target)) return new URL(target);
  return new URL(base.origin + base.pathname.replace(/\/+$/, "") + target.replace(/^(?![/?#])/, "/"));
}

/** Fills `{user_id}` in the URL that it is given, also as a URL writes it; in the path only. */
export function fill(url: URL, subject: string): URL {
  // A function: in a text, $& and the like would be filled in. An ID of dots would climb in the path.
  url.pathname = url.pathname.replace(/%7Buser_id%7D/gi, () => {
    if (/^\.\.?$/.test(subject)) throw new TypeError("The user's ID fits no path");
    return encodeURIComponent(subject);
  });
  return url;
}
