/** The door `./next`: the API called from Next.js's server, as the user whose request it answers. */

export { SessionMissingError, TokenUnavailableError } from "../client/errors.js";
export {
  createProxy,
  type ProxyAuth,
  type ProxyHandlers,
  type ProxyNotice,
  type ProxyOptions,
} from "./proxy.js";
export { createServerFetch, type ServerFetchOptions } from "./server-fetch.js";
export type { TokenIssuer } from "./token.js";
