/**
 * Better Auth's own key pairs: which one signs, and the signature itself.
 *
 * Not by Better Auth's `signJWT`: that of 1.6 writes no `typ` and takes the newest pair of whatever algorithm,
 * and that of 1.7 falls back to another algorithm's. Here a pair of another algorithm never signs, and a new one
 * only after every API had the time to fetch it. Law: RFC 7515 §5.1, RFC 7518 §3.3 and §3.4, RFC 8037 §3.1,
 * RFC 8725 §3.1.
 */

import { symmetricDecrypt } from "better-auth/crypto";
import { encodeBase64url } from "#primitives";
import { MAX_LIFETIME, TOKEN_TYPE } from "../profile.js";
import { createVerifier, type Verifier } from "../verifier.js";
import { UnissuableError } from "./errors.js";
import type { KeyPairAlgorithm, KeyPairConfiguration } from "./key-pair-options.js";
import { currentRows, type EndpointContext, isPublished, type Row, renewRows } from "./key-pair-rows.js";
import type { Configuration } from "./options.js";
import type { SigningKey, SigningKeys } from "./signing-keys.js";

/** A pair that can sign. */
interface Pair extends Omit<SigningKey, "verifier"> {
  verifierFor(audience: string): Verifier;
}

const UTF8 = new TextEncoder();
const BY_ALGORITHM = {
  EdDSA: { name: "Ed25519" },
  ES256: { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" },
  RS256: { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" },
};

export function createKeyPairs(configuration: Configuration, keyPairs: KeyPairConfiguration): SigningKeys {
  const { algorithm } = keyPairs;
  let renewing: Promise<readonly Row[]> | undefined;
  let opened: { readonly row: Row; readonly pair: Promise<Pair> } | undefined;

  const readCurrent = (context: EndpointContext) =>
    currentRows(context, keyPairs, () => {
      renewing ??= renewRows(context, keyPairs).finally(() => {
        renewing = undefined;
      });
      return renewing;
    });

  async function chooseRow(context: EndpointContext): Promise<Row> {
    const rows = await readCurrent(context);
    const row = rows.find(isPublished) ?? rows.at(-1);
    if (row === undefined) throw new TypeError("a new key pair has ended already");
    return row;
  }

  function openRow(row: Row, context: EndpointContext): Promise<Pair> {
    if (opened === undefined || !isSame(opened.row, row)) {
      const pair = openPair(row, algorithm, configuration, context);
      opened = { row, pair };
      pair.catch(() => {
        opened = undefined;
      });
    }
    return opened.pair;
  }

  return {
    describe: async () => `algorithm ${algorithm}, key set at ${configuration.keySetUrl}`,
    async find(audience, context) {
      const { verifierFor, ...key } = await openRow(await chooseRow(context), context);
      return { ...key, verifier: verifierFor(audience) };
    },
    async prepare(context) {
      await readCurrent(context);
    },
  };
}

function isSame(one: Row, other: Row): boolean {
  return one.id === other.id && one.privateKey === other.privateKey && one.publicKey === other.publicKey;
}

async function openPair(
  row: Row,
  algorithm: KeyPairAlgorithm,
  { issuer }: Configuration,
  context: EndpointContext,
): Promise<Pair> {
  const key = await importPrivateKey(row, algorithm, context);
  const verifiers = new Map<string, Verifier>();
  return {
    keyId: row.id,
    header: encodeBase64url(UTF8.encode(JSON.stringify({ alg: algorithm, typ: TOKEN_TYPE, kid: row.id }))),
    async sign(signingInput) {
      const input = UTF8.encode(signingInput);
      return new Uint8Array(await crypto.subtle.sign(BY_ALGORITHM[algorithm], key, input));
    },
    verifierFor(audience) {
      const known = verifiers.get(audience);
      if (known !== undefined) return known;
      const verifier = createPairVerifier(row, issuer, audience);
      verifiers.set(audience, verifier);
      return verifier;
    },
  };
}

/** The verifier of an API that has the key as `/jwks` publishes it. */
function createPairVerifier(row: Row, issuer: string, audience: string): Verifier {
  const { id, alg, crv, publicKey } = row;
  try {
    const key = { alg: alg ?? undefined, crv: crv ?? undefined, ...JSON.parse(publicKey), kid: id };
    return createVerifier({ issuer, audience, keys: { keys: [key] }, maximumLifetime: MAX_LIFETIME });
  } catch {
    throw new UnissuableError(`no verifier would use the public key of key pair ${id}; ${DELETE}`);
  }
}

/** The last cure of a key pair that can not be used. */
export const DELETE =
  "delete its row from jwks: the next token makes a new pair, and tokens of the old one are refused";

/** No cause goes with these errors: that of a parser quotes what it could not parse. */
async function importPrivateKey(row: Row, algorithm: KeyPairAlgorithm, { context }: EndpointContext) {
  let plain: string;
  try {
    plain = await symmetricDecrypt({ key: context.secretConfig, data: JSON.parse(row.privateKey) });
  } catch {
    throw new UnissuableError(
      `the private key of key pair ${row.id} can not be decrypted with the secrets in force. Put the secret that it was made with back: its version into BETTER_AUTH_SECRETS or, where it had none, BETTER_AUTH_SECRET beside them. Where it is lost, ${DELETE}`,
    );
  }
  try {
    const { alg: _alg, use: _use, key_ops: _operations, ...jwk } = JSON.parse(plain);
    return await crypto.subtle.importKey("jwk", jwk, BY_ALGORITHM[algorithm], false, ["sign"]);
  } catch {
    throw new UnissuableError(`the private key of key pair ${row.id} is none for ${algorithm}; ${DELETE}`);
  }
}
