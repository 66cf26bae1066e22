/**
 * The options of JWKS mode, judged: which algorithm, how often a new key pair, how long the old one is published.
 *
 * Law: `access-token.md` "Token", RFC 7518 §3.1, RFC 8037 §3.1.
 */

import type { jwt } from "better-auth/plugins";
import { ConfigurationError } from "../errors.js";
import { judgeSeconds } from "../policy.js";
import { ALGORITHM, MAX_LEEWAY } from "../profile.js";

/** Signed by one of Better Auth's own key pairs, verified with the key set at `/jwks`. */
export type KeyPairAlgorithm = "EdDSA" | "ES256" | "RS256";

const KEY_PAIR_ALGORITHMS: readonly KeyPairAlgorithm[] = ["EdDSA", "ES256", "RS256"];

/** See `JwtBridgeOptions`. */
export interface KeyPairOptions {
  readonly algorithm?: "HS256" | KeyPairAlgorithm | undefined;
  readonly rotationInterval?: number | undefined;
  readonly gracePeriod?: number | undefined;
}

/** What JWKS mode works with, in seconds; without a `rotationInterval` a key pair has no end. */
export interface KeyPairConfiguration {
  readonly algorithm: KeyPairAlgorithm;
  readonly rotationInterval: number | undefined;
  readonly gracePeriod: number;
}

/**
 * A new key pair is published for so many seconds before it signs, so that every API has it by then: one that
 * fetches the key set may keep it for 300 seconds, as Better Auth names no other age.
 */
export const PUBLISHED_AHEAD = 600;

/** Shortest interval, in seconds: a pair that is published ahead must have time left to sign. */
const MIN_ROTATION_INTERVAL = 3600;
/** Ten years, in seconds. */
const MAX_SECONDS = 315_360_000;
/** Better Auth's own, in seconds: 30 days. */
export const DEFAULT_GRACE_PERIOD = 2_592_000;
/** Half of what a verifier takes: there may be other pairs, and some that lost a race. */
const MAX_PUBLISHED = 16;

/**
 * Judges the options of JWKS mode.
 *
 * @param lifetime of a token, in seconds.
 * @returns `undefined` for HS256, which has no key pairs.
 * @throws ConfigurationError
 */
export function judgeKeyPairs(options: KeyPairOptions, lifetime: number): KeyPairConfiguration | undefined {
  const { algorithm = ALGORITHM, rotationInterval } = options;
  const isKeyPair = isKeyPairAlgorithm(algorithm);
  if (!isKeyPair && algorithm !== ALGORITHM) {
    throw new ConfigurationError("jwtBridge()'s algorithm must be one of HS256, EdDSA, ES256, RS256");
  }
  for (const name of ["rotationInterval", "gracePeriod"] as const) {
    if (options[name] === undefined) continue;
    if (!isKeyPair) {
      throw new ConfigurationError(
        `jwtBridge()'s ${name} is for key pairs; set algorithm to EdDSA, ES256 or RS256, or remove it: keys of HS256 change with BETTER_AUTH_SECRETS`,
      );
    }
    // A grace period begins when a pair ends, and without an interval none does.
    if (rotationInterval === undefined) {
      throw new ConfigurationError(`jwtBridge()'s ${name} needs rotationInterval beside it`);
    }
  }
  if (!isKeyPair) return undefined;
  const gracePeriod = judgeSeconds(
    options.gracePeriod ?? DEFAULT_GRACE_PERIOD,
    "jwtBridge()'s gracePeriod",
    lifetime + MAX_LEEWAY,
    MAX_SECONDS,
  );
  if (rotationInterval !== undefined) {
    judgeSeconds(rotationInterval, "jwtBridge()'s rotationInterval", MIN_ROTATION_INTERVAL, MAX_SECONDS);
    const published = Math.ceil(gracePeriod / rotationInterval) + 2;
    if (published > MAX_PUBLISHED) {
      throw new ConfigurationError(
        `jwtBridge()'s rotationInterval of ${rotationInterval} and gracePeriod of ${gracePeriod} seconds publish ${published} keys at once, which makes the key set too large; set gracePeriod to at most ${rotationInterval * (MAX_PUBLISHED - 2)}`,
      );
    }
  }
  return { algorithm, rotationInterval, gracePeriod };
}

/** Better Auth's own options for its JWT plugin; of options that were not judged yet, and that may be wrong. */
export function pluginOptions(options: KeyPairOptions): NonNullable<Parameters<typeof jwt>[0]> {
  const { algorithm, rotationInterval, gracePeriod } = options;
  if (!isKeyPairAlgorithm(algorithm)) return { disableSettingJwtHeader: true };
  const jwks = { keyPairConfig: { alg: algorithm }, rotationInterval, gracePeriod };
  return { disableSettingJwtHeader: true, jwks };
}

function isKeyPairAlgorithm(name: unknown): name is KeyPairAlgorithm {
  return (KEY_PAIR_ALGORITHMS as readonly unknown[]).includes(name);
}
