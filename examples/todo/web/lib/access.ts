/**
 * The two ways from a page to the API, chosen by TODO_API_ACCESS when this app runs. `direct`: the page calls the API
 * with a token in its memory. `proxy`: it calls this app, which adds the token on the way; no page ever has one.
 */

/** Where the proxy is, app/backend/[...path]/route.ts. */
export const BACKEND = "/backend";

export function isProxied(): boolean {
  return process.env.TODO_API_ACCESS === "proxy";
}

/** What stands before the API's paths in the browser: an address, or the path of the proxy. */
export function browserApiUrl(): string {
  return isProxied() ? BACKEND : (process.env.API_URL ?? "");
}
