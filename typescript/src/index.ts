/**
 * The door ".": types and errors only, safe to import anywhere; no server code comes with it.
 */

export {
  BridgeError,
  ConfigurationError,
  type ErrorCode,
  ForbiddenError,
  InvalidRequestError,
  InvalidTokenError,
  KeySetUnavailableError,
  MissingTokenError,
} from "./errors.js";
export type { Principal, Verifier, VerifierOptions } from "./verifier.js";
