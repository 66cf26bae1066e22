/**
 * Better Auth's own key pairs: which one signs, when a new one is made, and the signature itself.
 *
 * Not by Better Auth's `signJWT`: that of 1.6 writes no `typ` and takes the newest pair of whatever algorithm,
 * and that of 1.7 falls back to another algorithm's. Here a pair of another algorithm never signs, and a new one
 * only after every API had the time to fetch it. Law: RFC 7515 §5.1, RFC 7518 §3.3 and §3.4, RFC 8037 §3.1,
 * RFC 8725 §3.1.
 */

import { symmetricDecrypt } from "better-auth/crypto";
import { createJwk } from "better-auth/plugins";
import { encodeBase64url } from "#primitives";
import { MAX_LIFETIME, TOKEN_TYPE } from "../profile.js";
import { createVerifier, type Verifier } from "../verifier.js";
import { KeyStoreError, UnissuableError } from "./errors.js";
import {
  type KeyPairAlgorithm,
  type KeyPairConfiguration,
  PUBLISHED_AHEAD,
  pluginOptions,
} from "./key-pair-options.js";
import { algorithmOfKey } from "./key-set.js";
import type { Configuration } from "./options.js";
import type { SigningKey, SigningKeys } from "./signing-keys.js";

/** What Better Auth hands to an endpoint. */
export type EndpointContext = Parameters<typeof createJwk>[0];

/** The row of a key pair, as Better Auth stores it; the private key is ciphertext. */
type Row = Pick<Awaited<ReturnType<typeof createJwk>>, "id" | "publicKey" | "privateKey"> & {
  readonly createdAt: Date;
  readonly expiresAt?: Date | null;
  readonly alg?: string | null;
  readonly crv?: string | null;
};

/** A pair that can sign. */
interface Pair extends Omit<SigningKey, "verifier"> {
  verifierFor(audience: string): Verifier;
}

/** Rows that are read at once, newest first: as many as Better Auth reads for `/jwks`. */
const LIMIT = 100;
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

  async function currentRows(context: EndpointContext): Promise<readonly Row[]> {
    const rows = usableRows(await readRows(context), keyPairs);
    if (!isDue(rows[0], keyPairs)) return rows;
    renewing ??= renew(context, keyPairs).finally(() => {
      renewing = undefined;
    });
    return renewing;
  }

  async function chooseRow(context: EndpointContext): Promise<Row> {
    const rows = await currentRows(context);
    const published = Date.now() - PUBLISHED_AHEAD * 1000;
    const row = rows.find(({ createdAt }) => createdAt.getTime() <= published) ?? rows.at(-1);
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
      await currentRows(context);
    },
  };
}

/** Asked for each token: a pair that was deleted, because it leaked say, must not sign once more. */
async function readRows(context: EndpointContext): Promise<readonly Row[]> {
  return inStore(() =>
    context.context.adapter.findMany<Row>({
      model: "jwks",
      sortBy: { field: "createdAt", direction: "desc" },
      limit: LIMIT,
    }),
  );
}

async function inStore<Value>(access: () => Promise<Value>): Promise<Value> {
  try {
    return await access();
  } catch (cause) {
    throw new KeyStoreError("the key pairs can not be read or stored; is the database there?", { cause });
  }
}

function usableRows(rows: readonly Row[], keyPairs: KeyPairConfiguration): readonly Row[] {
  return rows.filter((row) => algorithmOf(row) === keyPairs.algorithm && endOf(row, keyPairs) > Date.now());
}

/** By the key itself: 1.6 stores no algorithm, and one that is stored belongs to the key. */
function algorithmOf({ alg, publicKey }: Row): unknown {
  try {
    const actual = algorithmOfKey(JSON.parse(publicKey));
    return (alg ?? actual) === actual ? actual : undefined;
  } catch {
    return undefined;
  }
}

/** A pair from before rotation was switched on has no end of its own. */
function endOf(
  { createdAt, expiresAt }: Row,
  { rotationInterval = Number.POSITIVE_INFINITY }: KeyPairConfiguration,
) {
  return expiresAt?.getTime() ?? createdAt.getTime() + rotationInterval * 1000;
}

function isDue(newest: Row | undefined, keyPairs: KeyPairConfiguration): boolean {
  return newest === undefined || endOf(newest, keyPairs) - Date.now() < PUBLISHED_AHEAD * 1000;
}

/** Makes the next pair, unless another process has done so by now; and deletes those that nobody publishes. */
async function renew(context: EndpointContext, keyPairs: KeyPairConfiguration): Promise<readonly Row[]> {
  const rows = await readRows(context);
  const usable = usableRows(rows, keyPairs);
  if (!isDue(usable[0], keyPairs)) return usable;
  return inStore(async () => {
    const made = await createJwk(context, pluginOptions(keyPairs));
    await prune(rows, context, keyPairs);
    return [made as Row, ...usable];
  });
}

/** Better Auth's `/jwks` reads a hundred rows in no order: among too many ended ones it would miss the new. */
async function prune(rows: readonly Row[], context: EndpointContext, keyPairs: KeyPairConfiguration) {
  if (keyPairs.rotationInterval === undefined) return;
  const unpublished = Date.now() - keyPairs.gracePeriod * 1000;
  for (const { id, expiresAt } of rows) {
    if (!expiresAt || expiresAt.getTime() > unpublished) continue;
    await context.context.adapter.delete({ model: "jwks", where: [{ field: "id", value: id }] });
  }
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
