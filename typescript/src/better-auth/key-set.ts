/**
 * The published key set: public keys alone, each under its own algorithm.
 *
 * Better Auth 1.6 stores no algorithm with a key pair and publishes all of them under the one that is configured
 * now; so does 1.7 with rows of that time. After a change of `algorithm` an older pair would be published as what it
 * is not, no verifier would use it, and tokens that it signed a minute ago would be refused. Law: RFC 7517 §4.4,
 * RFC 7518 §3.1, RFC 8037 §3.1.
 */

/** A public key as Better Auth publishes it. */
interface PublishedKey {
  readonly kty?: unknown;
  readonly crv?: unknown;
  readonly alg?: unknown;
}

const BY_CURVE: Readonly<Record<string, string>> = {
  "OKP Ed25519": "EdDSA",
  "EC P-256": "ES256",
  "EC P-521": "ES512",
};

/** Gives the algorithm of a public key. RSA has two: the stored one, or else RS256, which is the only one here. */
export function algorithmOfKey({ kty, crv, alg }: PublishedKey): unknown {
  if (kty === "RSA") return alg === "PS256" ? alg : "RS256";
  const name = `${kty} ${crv}`;
  return Object.hasOwn(BY_CURVE, name) ? BY_CURVE[name] : alg;
}

/** Members of a private or a symmetric key (RFC 7518 §6). */
const PRIVATE = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/**
 * Judges a set before the world sees it.
 *
 * A row that somebody wrote by hand may hold a private key as its public one. No verifier would use it; here it is
 * not given away either.
 */
export function publish<Key extends PublishedKey>(keys: readonly Key[]): readonly Key[] {
  return keys
    .filter((key) => !PRIVATE.some((name) => Object.hasOwn(key, name)))
    .map((key) => ({ ...key, alg: algorithmOfKey(key) }));
}
