/** The door `./client`: the token source and the fetch that attaches its token. It imports nothing. */

export {
  type BridgeFetch,
  type BridgeFetchOptions,
  type BridgeRequestInit,
  createBridgeFetch,
  type TokenGetter,
} from "./bridge-fetch.js";
export { SessionMissingError, TokenUnavailableError } from "./errors.js";
export type { GetToken, TokenClient } from "./issuer.js";
export type { SessionState, SignOutReason } from "./session.js";
export {
  createTokenSource,
  type HeldToken,
  type TokenSource,
  type TokenSourceOptions,
} from "./token-source.js";
