/**
 * Where a verifier's keys come from: judged when the process starts, made when the first token comes.
 *
 * A room of this language only, because making a key may have to wait for the platform; Python's verifier does
 * the same work in its constructor. Law: `access-token.md` "Verification keys", RFC 8725 §3.1.
 */

import { ConfigurationError } from "./errors.js";
import {
  canonicalAlgorithm,
  type KeySet,
  PUBLIC_KEY_ALGORITHMS,
  symmetricKey,
  usableKeys,
  type VerificationKey,
} from "./jwk.js";
import { deriveKeys, issuedHeader, judgeSecrets, PLAIN_KEY_ID } from "./keys.js";
import { ALGORITHM } from "./profile.js";

const SOURCES = ["secret", "secrets", "keys"] as const;
export const KEY_OPTIONS = [...SOURCES, "algorithms"] as const;

/**
 * Where keys come from: one of the first three, and which `alg` they may be used with.
 *
 * - `secret`: the shared secret, exactly as Better Auth holds it.
 * - `secrets`: all that are in force, current first.
 * - `keys`: a JWK Set (RFC 7517 §5) of derived keys or of public keys, never both.
 * - `algorithms`: which `alg` may be used; by default those of the usable keys.
 */
export interface KeyOptions {
  readonly secret?: string | undefined;
  readonly secrets?: readonly string[] | undefined;
  readonly keys?: { readonly keys: readonly object[] } | undefined;
  readonly algorithms?: readonly string[] | undefined;
}

/** Keys in use: `issuedHeaders` has the header that our issuer writes for a derived key, known in advance. */
export interface Keys extends KeySet {
  readonly issuedHeaders: readonly (readonly [string, VerificationKey])[];
}

/**
 * Judges where the keys come from, now, and gives the way to make them, later.
 *
 * @throws ConfigurationError: no source or several, a refused secret or key set, an impossible algorithm.
 *
 * @example
 * ```ts
 * const prepare = judgeKeys({ secret: "k3Zq9vT1xW7pL0sD5fG8hJ2nB4mC6rY+uQeAoI/tX1E=" }, "https://api.example.com");
 * (await prepare()).keys.size; // 1
 * ```
 */
export function judgeKeys(options: KeyOptions, audience: string): () => Promise<Keys> {
  const given = SOURCES.filter((name) => options[name] !== undefined);
  if (given.length > 1) {
    throw new ConfigurationError(`${given.join(" and ")} are given; keep one of ${SOURCES.join(", ")}`);
  }
  if (options.keys === undefined) {
    const secrets = secretsOf(options);
    const algorithms = allowList(options.algorithms, new Set([ALGORITHM]));
    return async () => {
      const derived = [...(await deriveKeys(secrets, audience))];
      const keys = new Map(derived.map(([kid, key]) => [kid, symmetricKey(kid, key)] as const));
      return withHeaders({ keys, algorithms });
    };
  }
  const usable = usableKeys(options.keys);
  if (usable.algorithms.size === 0) {
    throw new ConfigurationError("keys has no usable key; each needs kid, kty and strong public material");
  }
  if (usable.algorithms.has(ALGORITHM) && usable.algorithms.size > 1) {
    throw new ConfigurationError("keys mixes oct keys with public keys; give each kind its own verifier");
  }
  const algorithms = allowList(options.algorithms, usable.algorithms);
  return async () => withHeaders({ keys: usable.keys, algorithms });
}

function secretsOf({ secret, secrets }: KeyOptions): readonly string[] {
  if (secrets === undefined) return judgeSecrets([secret ?? ""], "secret");
  if (!Array.isArray(secrets)) {
    throw new ConfigurationError("secrets is not a list; pass a list of secrets, current first");
  }
  return judgeSecrets([...secrets], "secrets");
}

function allowList(algorithms: unknown, ofKeys: ReadonlySet<string>): ReadonlySet<string> {
  if (algorithms === undefined) return ofKeys;
  // An algorithm of the other kind could never be used, and is how algorithm confusion is configured.
  const possible: readonly unknown[] = ofKeys.has(ALGORITHM) ? [ALGORITHM] : PUBLIC_KEY_ALGORITHMS;
  const allowed: readonly unknown[] = Array.isArray(algorithms)
    ? Array.from(algorithms, canonicalAlgorithm)
    : [];
  if (allowed.length === 0 || !allowed.every((name) => possible.includes(name))) {
    throw new ConfigurationError(
      `algorithms must be a list of some of ${possible.join(", ")}, and nothing else`,
    );
  }
  return new Set(allowed as readonly string[]);
}

function withHeaders({ keys, algorithms }: KeySet): Keys {
  const known = algorithms.has(ALGORITHM) ? [...keys].filter(([kid]) => PLAIN_KEY_ID.test(kid)) : [];
  return { keys, algorithms, issuedHeaders: known.map(([kid, key]) => [issuedHeader(kid), key] as const) };
}
