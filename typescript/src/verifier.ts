/**
 * One token in, one principal out, or an error that says which rule failed: the door `./verify`.
 *
 * Last room of the core: holds the policy, runs rules V1 to V17 in order, reads the clock once. Law:
 * RFC 9068 §4, RFC 7515 §5.2, RFC 8725, and `specs/001-jwt-auth-bridge/access-token.md`.
 *
 * Deliberately not done: `jku`, `x5u`, `x5c` and `jwk` in a header are never key sources (RFC 8725 §3.10), no
 * option switches a rule off, and no verified token is kept.
 */

import { AT_ONCE, type Maybe } from "#primitives";
import { authorizationValues, type CarriesAuthorization, parseAuthorization } from "./bearer.js";
import { type ClaimsPolicy, validateClaims } from "./claims.js";
import { type JsonObject, parseCompact, parseHeader, parseJsonObject } from "./compact.js";
import { ConfigurationError, InvalidTokenError } from "./errors.js";
import { canonicalAlgorithm, type VerificationKey } from "./jwk.js";
import { judgeKeys, KEY_OPTIONS, type KeyOptions, type Keys } from "./key-source.js";
import { isPromise } from "./keys.js";
import { judgeIdentifier, judgeLog, judgeSeconds, type Log, refuseUnknown } from "./policy.js";
import { DEFAULT_LEEWAY, DEFAULT_MAXIMUM_LIFETIME, MAX_LEEWAY, MAX_MAXIMUM_LIFETIME } from "./profile.js";

export { type CarriesAuthorization, toResponse } from "./bearer.js";
export { type Environment, fromEnvironment } from "./environment.js";
export type { JwkSet, KeyOptions } from "./key-source.js";
export type { Log, Notice } from "./policy.js";

const OPTIONS = ["issuer", "audience", ...KEY_OPTIONS, "leeway", "maximumLifetime", "clock", "log"];
// Without the flag `u`, `i` folds no character outside ASCII into it: neither the Kelvin sign nor a long s.
const TOKEN_TYPES = /^(?:application\/)?at\+jwt$/i;

/**
 * The user for whom a verified token speaks.
 *
 * - `subject`: the user's ID, a string as Better Auth stores it.
 * - `sessionId`: the session's ID, or `null` where the token names none.
 * - `tokenId`: the token's `jti`.
 * - `issuedAt`, `expiresAt`: seconds since 1970, as received, without leeway.
 * - `claims`: every claim.
 *
 * *Does not* say that the session still exists: a token outlives a sign-out until `expiresAt`.
 */
export interface Principal {
  readonly subject: string;
  readonly sessionId: string | null;
  readonly tokenId: string;
  readonly issuedAt: number;
  readonly expiresAt: number;
  readonly claims: JsonObject;
}

/**
 * What a verifier holds tokens against; durations in whole seconds.
 *
 * - `issuer`: the only accepted `iss`, taken literally.
 * - `audience`: this API's identifier, one string; derived keys depend on it.
 * - {@link KeyOptions}: where the keys come from.
 * - `leeway`: allowed difference of clocks, 0 to 60, default 10.
 * - `maximumLifetime`: longest accepted lifetime of a token, 1 to 86400, default 3600.
 * - `clock`: gives the time in seconds since 1970; read once per verification.
 * - `log`: gets a line where fetched keys change, and where a fetch of them fails; default `console`.
 *
 * `undefined` is a configuration error at start, not a type error, so that an environment variable fits here.
 */
export interface VerifierOptions extends KeyOptions {
  readonly issuer: string | undefined;
  readonly audience: string | undefined;
  readonly leeway?: number | undefined;
  readonly maximumLifetime?: number | undefined;
  readonly clock?: (() => number) | undefined;
  readonly log?: Log | undefined;
}

/** Verifies access tokens of one issuer for one API. */
export interface Verifier {
  /**
   * Verifies one token, the whole of it.
   *
   * @param token what followed `Bearer` in the request.
   * @returns the principal; there is no other sign of success.
   * @throws InvalidTokenError with the code of the first rule that fails.
   * @throws KeySetUnavailableError: the keys are fetched, and the token's can not be had.
   *
   * *Does not* ask whether the session was revoked, and does not authorize anything.
   */
  verify(token: string): Promise<Principal>;
  /**
   * Takes the token out of a request and verifies it.
   *
   * @param request a `Request`, its `Headers`, or a request of Node. On Node pass the request, not its `headers`:
   *   there Node keeps the first of two Authorization fields.
   * @returns the principal of the caller.
   * @throws MissingTokenError, InvalidRequestError, InvalidTokenError, KeySetUnavailableError:
   *   `toResponse(error)` is the answer.
   *
   * *Does not* look anywhere but into the Authorization header, and does not authorize anything.
   */
  authenticate(request: CarriesAuthorization): Promise<Principal>;
  /**
   * Fetches the keys now where they are fetched at all and none is in hand, so that the first request need not wait.
   *
   * @throws KeySetUnavailableError: none could be had. Whether to start without is the caller's decision: the next
   *   token has them asked for again.
   */
  prefetch(): Promise<void>;
  /**
   * The `kid` of every key in force, current first: safe to print, made to be compared. Of fetched keys, those that
   * are in hand now.
   */
  readonly keyIds: Promise<readonly string[]>;
}

/**
 * Creates a verifier; wrong configuration throws here, when the process starts.
 *
 * @throws ConfigurationError: an option is missing, unknown or out of range, or a secret, key set or URL is refused.
 *
 * @example
 * ```ts
 * const verifier = createVerifier({
 *   issuer: "https://app.example.com",
 *   audience: "https://api.example.com",
 *   secret: "k3Zq9vT1xW7pL0sD5fG8hJ2nB4mC6rY+uQeAoI/tX1E=",
 * });
 * await verifier.keyIds; // ["vrqa5TdV3SOpsaQDoGDZt7cQeMU-zDyJtkjBoBupOLM"]
 * ```
 */
export function createVerifier(options: VerifierOptions): Verifier {
  refuseUnknown(options, "createVerifier()", OPTIONS);
  const {
    clock = systemClock,
    leeway = DEFAULT_LEEWAY,
    maximumLifetime = DEFAULT_MAXIMUM_LIFETIME,
  } = options;
  if (typeof clock !== "function") {
    throw new ConfigurationError("clock must be a function that gives the time in seconds since 1970");
  }
  const policy: ClaimsPolicy = {
    issuer: judgeIdentifier(options.issuer, "issuer"),
    audience: judgeIdentifier(options.audience, "audience"),
    leeway: judgeSeconds(leeway, "leeway", 0, MAX_LEEWAY),
    maximumLifetime: judgeSeconds(maximumLifetime, "maximumLifetime", 1, MAX_MAXIMUM_LIFETIME),
  };
  const { prepare, remote } = judgeKeys(options, policy.audience, judgeLog(options.log));
  let preparing: Maybe<Keys> | undefined;
  let keys: Keys | undefined;
  const ready = () => {
    preparing ??= prepare();
    return preparing;
  };
  // Else at the first use: some platforms allow no cryptography while a module loads.
  if (AT_ONCE) ready();

  async function verify(token: string): Promise<Principal> {
    const now = clock();
    keys ??= await ready();
    try {
      const { headerSegment, signingInput, payload, signature } = parseCompact(token); // [V1] and [V2]
      // A header known in advance passes [V2] to [V7]; any other is parsed by [V3] and [V4].
      const found = findIssued(keys, headerSegment) ?? selectKey(parseHeader(headerSegment), keys);
      const key = isPromise(found) ? await found : found;
      // [V8] RFC 7515 §5.2 step 8, in constant time where the key is symmetric
      const verdict = key.verify(signingInput, signature);
      if (!(typeof verdict === "boolean" ? verdict : await verdict)) {
        throw new InvalidTokenError("signature_invalid");
      }
      // [V9] RFC 7519 §7.2 step 10
      const claims = parseJsonObject(payload);
      if (claims === null) throw new InvalidTokenError("claims_malformed");
      validateClaims(claims, policy, now); // [V10] to [V17]
      return {
        subject: claims.sub,
        sessionId: Object.hasOwn(claims, "sid") ? (claims.sid ?? null) : null,
        tokenId: claims.jti,
        issuedAt: claims.iat,
        expiresAt: claims.exp,
        claims,
      };
    } catch (error) {
      // A rejection that nobody awaits yet goes into the platform's list of unhandled ones and comes off again,
      // which costs as much as parsing a token: so the caller comes to its await first.
      await undefined;
      throw error;
    }
  }

  return {
    verify,
    async authenticate(request) {
      return verify(parseAuthorization(authorizationValues(request)));
    },
    async prefetch() {
      await ready();
      await remote?.prefetch();
    },
    get keyIds() {
      return (async () => [...new Set([...(await ready()).keyIds, ...(remote?.keyIds ?? [])])])();
    },
  };
}

function systemClock(): number {
  return Date.now() / 1000;
}

/** A handful of headers: to compare them costs less than to hash a new string for a Map. */
function findIssued({ issuedHeaders }: Keys, segment: string): VerificationKey | undefined {
  for (const [header, key] of issuedHeaders) if (header === segment) return key;
  return undefined;
}

function selectKey(header: JsonObject, keys: Keys): Maybe<VerificationKey> {
  const { algorithms, find } = keys.policyOf(header.kid);
  // [V5] RFC 8725 §3.1
  const algorithm = canonicalAlgorithm(header.alg);
  if (typeof algorithm !== "string" || !algorithms.has(algorithm)) {
    throw new InvalidTokenError("algorithm_not_allowed");
  }
  // [V6] RFC 9068 §4, RFC 7515 §4.1.9
  if (typeof header.typ !== "string" || !TOKEN_TYPES.test(header.typ)) {
    throw new InvalidTokenError("token_type_mismatch");
  }
  // [V7] RFC 7515 §4.1.4: an empty name is none, and has nothing fetched
  const found = typeof header.kid === "string" && header.kid !== "" ? find(header.kid) : undefined;
  return isPromise(found) ? found.then((key) => judgeKey(key, algorithm)) : judgeKey(found, algorithm);
}

function judgeKey(key: VerificationKey | undefined, algorithm: string): VerificationKey {
  if (key === undefined) throw new InvalidTokenError("key_not_found");
  // RFC 8725 §3.1: the key decides the algorithm
  if (key.algorithm !== algorithm) throw new InvalidTokenError("algorithm_not_allowed");
  return key;
}
