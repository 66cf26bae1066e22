/**
 * What the issuer signs with; and the keys that are derived from the shared secrets, one for each API.
 *
 * Whoever gives a key gives the verifier that an API will have, so that the issuer can ask it before it hands a
 * token out. Law: RFC 7515 §5.1, `access-token.md` "Keys".
 */

import { createMac, type Maybe } from "#primitives";
import { deriveKeys, issuedHeader } from "../keys.js";
import { MAX_LIFETIME } from "../profile.js";
import { createVerifier, type Verifier } from "../verifier.js";
import type { EndpointContext } from "./key-pair-rows.js";
import type { Configuration } from "./options.js";

/** One key, ready to sign: `header` is the encoded protected header. */
export interface SigningKey {
  readonly keyId: string;
  readonly header: string;
  readonly sign: (signingInput: string) => Maybe<Uint8Array>;
  readonly verifier: Verifier;
}

/** Where the issuer gets its keys from. */
export interface SigningKeys {
  /** Says what the API's own print can be compared with. */
  describe(audience: string): Promise<string>;
  /**
   * Gives the key for one API's token.
   *
   * @param context of the request, through which stored key pairs are read.
   * @throws KeyStoreError, UnissuableError
   */
  find(audience: string, context: EndpointContext): Promise<SigningKey>;
  /**
   * Makes the key pair that is due, before the key set is published: an API that fetches the set ahead of the first
   * token then has what that token is signed with.
   *
   * @throws KeyStoreError
   */
  prepare(context: EndpointContext): Promise<void>;
}

/** The current secret's key signs, for each of the audiences; those of all secrets verify. */
export function derivedKeys({ issuer, audiences, secrets }: Configuration): SigningKeys {
  const keys = new Map(
    audiences.map((audience) => {
      const verifier = createVerifier({ issuer, audience, secrets, maximumLifetime: MAX_LIFETIME });
      let derived: Promise<SigningKey> | undefined;
      const derive = () => {
        derived ??= deriveSigningKey(secrets, audience, verifier);
        return derived;
      };
      return [audience, { verifier, derive }];
    }),
  );
  const of = (audience: string) => {
    const key = keys.get(audience);
    if (key === undefined) throw new TypeError("no key was derived for this audience");
    return key;
  };
  return {
    describe: async (audience) => `key IDs ${(await of(audience).verifier.keyIds).join(", ")}`,
    find: (audience) => of(audience).derive(),
    prepare: async () => {},
  };
}

async function deriveSigningKey(
  secrets: readonly string[],
  audience: string,
  verifier: Verifier,
): Promise<SigningKey> {
  const [current] = await deriveKeys(secrets.slice(0, 1), audience);
  if (current === undefined) throw new TypeError("no secret to sign with");
  const [keyId, key] = current;
  return { keyId, header: issuedHeader(keyId), sign: createMac(key).compute, verifier };
}
