/**
 * Where a verifier's keys come from: judged when the process starts, made or fetched when they are needed.
 *
 * One source as a rule; two while tokens move from a shared secret to public keys, told apart by the `kid` alone.
 * Unlike in Python, making a key may have to wait for the platform. Law: `access-token.md` "Verification keys", RFC 8725 §3.1.
 */

import type { Bytes, Maybe } from "#primitives";
import { ConfigurationError } from "./errors.js";
import {
  canonicalAlgorithm,
  type KeySet,
  PUBLIC_KEY_ALGORITHMS,
  symmetricKey,
  usableKeys,
  type VerificationKey,
} from "./jwk.js";
import { FETCHED_ALGORITHMS, judgeKeySetUrl } from "./jwks.js";
import { createRemoteKeySet, type RemoteKeySet } from "./jwks-remote.js";
import { andThen, deriveKeys, issuedHeader, judgeSecrets, PLAIN_KEY_ID } from "./keys.js";
import type { Log } from "./policy.js";
import { ALGORITHM } from "./profile.js";

const SOURCES = ["secret", "secrets", "keys", "jwksUri"] as const;
export const KEY_OPTIONS = [...SOURCES, "internalHosts", "migration", "algorithms"] as const;

/** A JWK Set (RFC 7517 §5). */
export interface JwkSet {
  readonly keys: readonly object[];
}

/**
 * Where keys come from: one of the first four, and how.
 *
 * - `secret`: the shared secret, exactly as Better Auth holds it.
 * - `secrets`: all that are in force, current first.
 * - `keys`: a JWK Set (RFC 7517 §5) of derived keys or of public keys, never both.
 * - `jwksUri`: the URL of the issuer's JWK Set of public keys; fetched when the first token needs it.
 * - `internalHosts`: hosts that `jwksUri` may name with `http`, beside this machine itself.
 * - `migration`: while tokens move from a shared secret to public keys: then a source of each kind is given.
 * - `algorithms`: which `alg` may be used; by default those of the usable keys, or EdDSA, ES256 and RS256 where
 *   they are fetched. In a migration it speaks of the public keys.
 */
export interface KeyOptions {
  readonly secret?: string | undefined;
  readonly secrets?: readonly string[] | undefined;
  readonly keys?: JwkSet | undefined;
  readonly jwksUri?: string | undefined;
  readonly internalHosts?: readonly string[] | undefined;
  readonly migration?: boolean | undefined;
  readonly algorithms?: readonly string[] | undefined;
}

/** What options that were read from an environment may carry along: a check of the keys that are derived. */
export const CHECK: unique symbol = Symbol("jwt-auth-bridge.check");

/** Options with a check: it throws a ConfigurationError. */
export interface Checked {
  readonly [CHECK]?: (derived: ReadonlyMap<string, Bytes>) => void;
}

/** What a `kid` selects: the allow-list, and where its key is. */
export interface KeyPolicy {
  readonly algorithms: ReadonlySet<string>;
  find(keyId: string): Maybe<VerificationKey | undefined>;
}

/**
 * Keys in use.
 *
 * - `keyIds`: those that are not fetched, current first.
 * - `issuedHeaders`: the header that our issuer writes for a derived key, known in advance.
 * - `policyOf`: two policies are told apart by the `kid` alone, never by `alg`.
 */
export interface Keys {
  readonly keyIds: readonly string[];
  readonly issuedHeaders: readonly (readonly [string, VerificationKey])[];
  policyOf(keyId: unknown): KeyPolicy;
}

/** Where keys come from: those that are fetched, and the way to make the others. */
export interface KeySource {
  readonly remote: RemoteKeySet | undefined;
  prepare(): Maybe<Keys>;
}

/**
 * Judges where the keys come from, now, and gives the way to make them, later.
 *
 * @param log gets what the fetching of keys has to say.
 * @throws ConfigurationError: no source or several, a refused secret, key set or URL, an impossible algorithm.
 *
 * @example
 * ```ts
 * const options = { secret: "k3Zq9vT1xW7pL0sD5fG8hJ2nB4mC6rY+uQeAoI/tX1E=" };
 * const { prepare } = judgeKeys(options, "https://api.example.com", () => {});
 * (await prepare()).keyIds.length; // 1
 * ```
 */
export function judgeKeys(options: KeyOptions & Checked, audience: string, log: Log): KeySource {
  const { secrets, oct, published, url } = judgeSources(options);
  const remote = url === undefined ? undefined : createRemoteKeySet(url, log);
  const ofPublic = remote ? FETCHED_ALGORITHMS : published?.algorithms;
  const algorithms = allowList(options.algorithms, ofPublic ?? HS256);
  const find = remote?.find ?? ((keyId: string) => published?.keys.get(keyId));
  const open = ofPublic && { algorithms, find };
  const keyIds = [...(published?.keys.keys() ?? [])];
  return {
    remote,
    prepare() {
      if (secrets === undefined) return assemble(oct?.keys ?? new Map(), open, keyIds);
      return andThen(deriveKeys(secrets, audience), (derived) => {
        options[CHECK]?.(derived);
        return assemble(
          new Map([...derived].map(([kid, key]) => [kid, symmetricKey(kid, key)])),
          open,
          keyIds,
        );
      });
    },
  };
}

/** The sources, judged: secrets or oct keys, public keys or the URL of some. */
interface Sources {
  readonly secrets: readonly string[] | undefined;
  readonly oct: KeySet | undefined;
  readonly published: KeySet | undefined;
  readonly url: string | undefined;
}

function judgeSources(options: KeyOptions): Sources {
  const { keys, jwksUri, internalHosts, migration = false } = options;
  const given = SOURCES.filter((name) => options[name] !== undefined);
  if (typeof migration !== "boolean") throw new ConfigurationError("migration must be true or false");
  if (given.length > 1 && !migration) {
    throw new ConfigurationError(
      `${given.join(" and ")} are given; keep one of ${SOURCES.join(", ")}, or set migration while tokens move ` +
        "from a shared secret to public keys",
    );
  }
  const set = keys === undefined ? undefined : judgeKeySet(keys, "keys");
  const isOct = set?.algorithms.has(ALGORITHM) === true;
  const isPublic = (name: string) => name === "jwksUri" || (name === "keys" && !isOct);
  if (migration && (given.length !== 2 || given.filter(isPublic).length !== 1)) {
    throw new ConfigurationError(
      "migration needs one source of each kind, secret, secrets or oct keys and jwksUri or public keys; once one " +
        "is left the migration has ended: remove it",
    );
  }
  // Of an unset variable: the option that was meant is named.
  const isFetched = given.length === 0 ? "jwksUri" in options : jwksUri !== undefined;
  if (internalHosts?.length && !isFetched) {
    throw new ConfigurationError("internalHosts is given without jwksUri; remove it");
  }
  const hasSecret = options.secret !== undefined || options.secrets !== undefined;
  return {
    secrets: hasSecret || (set === undefined && !isFetched) ? secretsOf(options) : undefined,
    oct: isOct ? set : undefined,
    published: isOct ? undefined : set,
    url: isFetched ? judgeKeySetUrl(jwksUri, internalHosts) : undefined,
  };
}

/**
 * Reads a given key set: derived keys or public keys.
 *
 * @param name the setting to name in the message.
 * @throws ConfigurationError: no JWK Set, no usable key in it, or keys of both kinds.
 */
export function judgeKeySet(keys: unknown, name: string): KeySet {
  const usable = usableKeys(keys, name);
  // A `kid` that several entries share names no key.
  if (usable.keys.size === 0) {
    throw new ConfigurationError(`${name} has no usable key; each needs kid, kty and strong public material`);
  }
  if (usable.algorithms.has(ALGORITHM) && usable.algorithms.size > 1) {
    throw new ConfigurationError(`${name} mixes oct keys with public keys; give each kind its own verifier`);
  }
  return usable;
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

const HS256: ReadonlySet<string> = new Set([ALGORITHM]);

/** The symmetric policy owns the list of its `kid`s, and that list is closed; every other one is the open policy's. */
function assemble(
  symmetric: KeySet["keys"],
  open: KeyPolicy | undefined,
  published: readonly string[],
): Keys {
  const closed: KeyPolicy = { algorithms: HS256, find: (keyId) => symmetric.get(keyId) };
  const known = [...symmetric].filter(([kid]) => PLAIN_KEY_ID.test(kid));
  return {
    keyIds: [...symmetric.keys(), ...published],
    issuedHeaders: known.map(([kid, key]) => [issuedHeader(kid), key] as const),
    policyOf: (keyId) => (open === undefined || symmetric.has(keyId as string) ? closed : open),
  };
}
