/**
 * The published key set: public keys alone, each under its own algorithm.
 *
 * Better Auth 1.6 stores no algorithm with a key pair and publishes all of them under the one that is configured
 * now; so does 1.7 with rows of that time. After a change of `algorithm` an older pair would be published as what it
 * is not, no verifier would use it, and tokens that it signed a minute ago would be refused. Law: RFC 7517 §4.4,
 * RFC 7518 §3.1, RFC 8037 §3.1.
 */

import { MAX_KEY_SET_KEYS } from "../profile.js";
import type { Row } from "./key-pair-rows.js";

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

/** What is published, and what was found wrong on the way: one sentence each, for the log. */
export interface Publication {
  readonly keys: readonly object[];
  readonly faults: readonly string[];
}

/**
 * Judges a set before the world sees it.
 *
 * A row that somebody wrote by hand may hold a private key as its public one. No verifier would use it; here it is
 * not given away either. One that holds no key at all keeps no other from being published. More keys than a
 * verifier takes would be as good as none: the newest are published, and before those that have ended.
 *
 * @param rows newest first.
 * @param gracePeriod for so many seconds a pair is published that has ended.
 */
export function publish(rows: readonly Row[], gracePeriod: number): Publication {
  const now = Date.now();
  const endOf = ({ expiresAt }: Row) => expiresAt?.getTime() ?? Number.POSITIVE_INFINITY;
  const faults: string[] = [];
  const keys = rows
    .filter((row) => endOf(row) + gracePeriod * 1000 > now)
    .sort((one, other) => Number(endOf(other) > now) - Number(endOf(one) > now))
    .flatMap((row) => {
      const key = readKey(row);
      if (key === undefined)
        faults.push(`the public key of key pair ${row.id} is no JWK; delete its row from jwks`);
      return key === undefined || PRIVATE.some((name) => Object.hasOwn(key, name)) ? [] : [key];
    });
  if (keys.length > MAX_KEY_SET_KEYS) {
    faults.push(
      `jwks has more key pairs than the ${MAX_KEY_SET_KEYS} that a verifier takes, and only as many are published; delete the rows that nobody needs`,
    );
  }
  return { keys: keys.slice(0, MAX_KEY_SET_KEYS).reverse(), faults };
}

/** As Better Auth publishes it, under its own algorithm. No error's text is used: it would quote what is stored. */
function readKey({ id, alg, crv, publicKey }: Row): PublishedKey | undefined {
  try {
    const key: PublishedKey = { alg, ...(crv ? { crv } : {}), ...JSON.parse(publicKey), kid: id };
    return typeof key.kty === "string" ? { ...key, alg: algorithmOfKey(key) } : undefined;
  } catch {
    return undefined;
  }
}
