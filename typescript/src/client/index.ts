/** The door `./client`: the token source and the fetch that attaches its token. It imports nothing. */

export { type BridgeFetchOptions, createBridgeFetch } from "./bridge-fetch.js";
export { SessionMissingError, TokenUnavailableError } from "./errors.js";
export {
  createTokenSource,
  type HeldToken,
  type TokenClient,
  type TokenSource,
  type TokenSourceOptions,
} from "./token-source.js";
