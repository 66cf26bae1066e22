/**
 * One token in, one principal out, or an error that says which rule failed: the door `./verify`.
 *
 * Last room of the core: holds the policy, runs rules V1 to V17 in order, reads the clock once. Law:
 * RFC 9068 §4, RFC 7515 §5.2, RFC 8725, and `specs/001-jwt-auth-bridge/access-token.md`.
 *
 * Deliberately not done: `jku`, `x5u`, `x5c` and `jwk` in a header are never key sources (RFC 8725 §3.10), and
 * no option switches a rule off.
 */

import { type ClaimsPolicy, validateClaims } from "./claims.js";
import { type JsonObject, parseCompact, parseJsonObject } from "./compact.js";
import { ConfigurationError, InvalidTokenError } from "./errors.js";
import { deriveKeys, judgeSecrets } from "./keys.js";
import { judgeIdentifier, judgeSeconds, refuseUnknown } from "./policy.js";
import { importMacKey, type MacKey, verifyMac } from "./primitives.js";
import {
  ALGORITHM,
  DEFAULT_LEEWAY,
  DEFAULT_MAXIMUM_LIFETIME,
  MAX_LEEWAY,
  MAX_MAXIMUM_LIFETIME,
} from "./profile.js";

const OPTIONS = ["issuer", "audience", "secret", "secrets", "leeway", "maximumLifetime", "clock"];
const UTF8 = new TextEncoder();
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
 * - `audience`: this API's identifier, one string; the keys depend on it.
 * - `secret` or `secrets`: the shared secret, or all that are in force, current first.
 * - `leeway`: allowed difference of clocks, 0 to 60, default 10.
 * - `maximumLifetime`: longest accepted lifetime of a token, 1 to 86400, default 3600.
 * - `clock`: gives the time in seconds since 1970; read once per verification.
 */
export interface VerifierOptions {
  readonly issuer: string | undefined;
  readonly audience: string | undefined;
  readonly secret?: string | undefined;
  readonly secrets?: readonly string[] | undefined;
  readonly leeway?: number | undefined;
  readonly maximumLifetime?: number | undefined;
  readonly clock?: (() => number) | undefined;
}

/** Verifies access tokens of one issuer for one API. */
export interface Verifier {
  /**
   * Verifies one token, the whole of it.
   *
   * @param token what followed `Bearer` in the request.
   * @returns the principal; there is no other sign of success.
   * @throws InvalidTokenError with the code of the first rule that fails.
   *
   * *Does not* ask whether the session was revoked, and does not authorize anything.
   */
  verify(token: string): Promise<Principal>;
  /** The `kid` of every key in force, current first: safe to print, made to be compared. */
  readonly keyIds: Promise<readonly string[]>;
}

/**
 * Creates a verifier; wrong configuration throws here, when the process starts.
 *
 * @throws ConfigurationError: an option is missing, unknown or out of range, or a secret is refused.
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
    leeway = DEFAULT_LEEWAY,
    maximumLifetime = DEFAULT_MAXIMUM_LIFETIME,
    clock = systemClock,
  } = options;
  const policy: ClaimsPolicy = {
    issuer: judgeIdentifier(options.issuer, "issuer"),
    audience: judgeIdentifier(options.audience, "audience"),
    leeway: judgeSeconds(leeway, "leeway", 0, MAX_LEEWAY),
    maximumLifetime: judgeSeconds(maximumLifetime, "maximumLifetime", 1, MAX_MAXIMUM_LIFETIME),
  };
  const ready = importKeys(secretsOf(options), policy.audience);
  let keys: ReadonlyMap<string, MacKey> | undefined;
  return {
    async verify(token) {
      const now = clock();
      keys ??= await ready;
      return verifyToken(token, keys, policy, now);
    },
    get keyIds() {
      return ready.then((map) => [...map.keys()]);
    },
  };
}

function systemClock(): number {
  return Date.now() / 1000;
}

async function verifyToken(
  token: string,
  keys: ReadonlyMap<string, MacKey>,
  policy: ClaimsPolicy,
  now: number,
): Promise<Principal> {
  const { header, signingInput, payload, signature } = parseCompact(token); // [V1] to [V4]
  // [V5] RFC 8725 §3.1; the list has one algorithm, that of the derived keys
  if (header.alg !== ALGORITHM) throw new InvalidTokenError("algorithm_not_allowed");
  // [V6] RFC 9068 §4, RFC 7515 §4.1.9
  if (typeof header.typ !== "string" || !TOKEN_TYPES.test(header.typ)) {
    throw new InvalidTokenError("token_type_mismatch");
  }
  // [V7] RFC 7515 §4.1.4; a derived key has no other algorithm than ALGORITHM
  const key = typeof header.kid === "string" ? keys.get(header.kid) : undefined;
  if (key === undefined) throw new InvalidTokenError("key_not_found");
  // [V8] RFC 7515 §5.2 step 8, in constant time
  if (!(await verifyMac(key, signature, UTF8.encode(signingInput)))) {
    throw new InvalidTokenError("signature_invalid");
  }
  // [V9] RFC 7519 §7.2 step 10
  const claims = parsePayload(payload);
  validateClaims(claims, policy, now); // [V10] to [V17]
  return {
    subject: claims.sub,
    sessionId: Object.hasOwn(claims, "sid") ? (claims.sid ?? null) : null,
    tokenId: claims.jti,
    issuedAt: claims.iat,
    expiresAt: claims.exp,
    claims,
  };
}

function parsePayload(payload: Parameters<typeof parseJsonObject>[0]): JsonObject {
  try {
    return parseJsonObject(payload);
  } catch {
    throw new InvalidTokenError("claims_malformed");
  }
}

function secretsOf(options: VerifierOptions): readonly string[] {
  if (options.secret !== undefined && options.secrets !== undefined) {
    throw new ConfigurationError("secret and secrets are both given; keep secrets alone, current first");
  }
  if (options.secrets === undefined) return judgeSecrets([options.secret ?? ""], "secret");
  if (!Array.isArray(options.secrets)) {
    throw new ConfigurationError("secrets is not a list; pass a list of secrets, current first");
  }
  return judgeSecrets(options.secrets, "secrets");
}

async function importKeys(
  secrets: readonly string[],
  audience: string,
): Promise<ReadonlyMap<string, MacKey>> {
  const keys = [...(await deriveKeys(secrets, audience))];
  const imported = keys.map(async ([kid, key]): Promise<[string, MacKey]> => [kid, await importMacKey(key)]);
  return new Map(await Promise.all(imported));
}
