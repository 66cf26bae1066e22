/** The door `./proxied`: the fetch of a page whose token stays with `createProxy()`. It imports nothing from elsewhere. */

export { SessionMissingError } from "./errors.js";
export {
  createProxiedFetch,
  type PageSource,
  type ProxiedClient,
  type ProxiedFetch,
  type ProxiedFetchOptions,
} from "./proxied-fetch.js";
export type { SessionState, SignOutReason } from "./session.js";
