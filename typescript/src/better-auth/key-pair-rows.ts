/**
 * The rows of Better Auth's `jwks` table: read, made when the next pair is due, and made once.
 *
 * No adapter of Better Auth has a lock, so that processes of one store may each make a pair at one due moment. The
 * oldest of them stays, and the others go before they sign. Law: RFC 7517 §5.
 */

import { createJwk } from "better-auth/plugins";
import { MAX_LEEWAY, MAX_LIFETIME } from "../profile.js";
import { KeyStoreError } from "./errors.js";
import { type KeyPairConfiguration, PUBLISHED_AHEAD, pluginOptions } from "./key-pair-options.js";
import { algorithmOfKey } from "./key-set.js";

/** What Better Auth hands to an endpoint. */
export type EndpointContext = Parameters<typeof createJwk>[0];

/** The row of a key pair, as Better Auth stores it; the private key is ciphertext. */
export type Row = Pick<Awaited<ReturnType<typeof createJwk>>, "id" | "publicKey" | "privateKey"> & {
  readonly createdAt: Date;
  readonly expiresAt?: Date | null;
  readonly alg?: string | null;
  readonly crv?: string | null;
};

/** Rows that are read at once, newest first. */
const LIMIT = 100;
/** Pairs that were made within so many seconds of each other were made at one due moment. */
const RACE = 30;
/** A pair is judged while it is so young, in seconds: it does not sign for as long again. */
const YOUNG = PUBLISHED_AHEAD / 2;

/**
 * Gives the pairs that may sign, newest first, after making the one that is due.
 *
 * @param renew makes it; see {@link renewRows}.
 * @throws KeyStoreError
 */
export async function currentRows(
  context: EndpointContext,
  keyPairs: KeyPairConfiguration,
  renew: () => Promise<readonly Row[]>,
): Promise<readonly Row[]> {
  const rows = usableRows(await readRows(context), keyPairs);
  return settle(isDue(rows[0], keyPairs) ? await renew() : rows, context, keyPairs);
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

/**
 * Gives every row, for the key set. An empty table gets its first pair, as Better Auth does it: with HS256 that is
 * the one of its own `signJWT`.
 *
 * @throws KeyStoreError
 */
export async function readAllRows(
  context: EndpointContext,
  keyPairs: KeyPairConfiguration | undefined,
): Promise<readonly Row[]> {
  const rows = await readRows(context);
  if (rows.length > 0) return rows;
  return [await inStore(async () => (await createJwk(context, pluginOptions(keyPairs ?? {}))) as Row)];
}

async function inStore<Value>(access: () => Promise<Value>): Promise<Value> {
  try {
    return await access();
  } catch (cause) {
    throw new KeyStoreError("the key pairs can not be read or stored; is the database there?", { cause });
  }
}

function usableRows(rows: readonly Row[], keyPairs: KeyPairConfiguration): readonly Row[] {
  return rows
    .filter((row) => algorithmOf(row) === keyPairs.algorithm && endOf(row, keyPairs) > Date.now())
    .sort((one, other) => timeOf(other) - timeOf(one) || (one.id < other.id ? 1 : -1));
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

function timeOf({ createdAt }: Row): number {
  return createdAt.getTime();
}

/** A pair from before rotation was switched on has no end of its own. */
function endOf(row: Row, { rotationInterval = Number.POSITIVE_INFINITY }: KeyPairConfiguration): number {
  return row.expiresAt?.getTime() ?? timeOf(row) + rotationInterval * 1000;
}

function isDue(newest: Row | undefined, keyPairs: KeyPairConfiguration): boolean {
  return newest === undefined || endOf(newest, keyPairs) - Date.now() < PUBLISHED_AHEAD * 1000;
}

/**
 * Whether every API had the time to fetch a pair. Until the first one is, the oldest signs.
 */
export function isPublished(row: Row): boolean {
  return timeOf(row) <= Date.now() - PUBLISHED_AHEAD * 1000;
}

/**
 * Makes the next pair, unless another process has done so by now; and deletes those that nobody publishes.
 *
 * @returns the pairs that may sign, read again: others may have made theirs meanwhile.
 * @throws KeyStoreError
 */
export async function renewRows(
  context: EndpointContext,
  keyPairs: KeyPairConfiguration,
): Promise<readonly Row[]> {
  const rows = await readRows(context);
  const before = usableRows(rows, keyPairs);
  if (!isDue(before[0], keyPairs)) return before;
  const made = await inStore(async () => {
    const row = await createJwk(context, pluginOptions(keyPairs));
    await prune(rows, context, keyPairs);
    return row as Row;
  });
  const after = usableRows(await readRows(context), keyPairs);
  // A replica of the database that is behind has none yet.
  return after.length > 0 ? after : [made];
}

/** Rows of long ago would fill what is read at once. */
async function prune(rows: readonly Row[], context: EndpointContext, keyPairs: KeyPairConfiguration) {
  if (keyPairs.rotationInterval === undefined) return;
  const unpublished = Date.now() - keyPairs.gracePeriod * 1000;
  for (const { id, expiresAt } of rows) {
    if (!expiresAt || expiresAt.getTime() > unpublished) continue;
    await context.context.adapter.delete({ model: "jwks", where: [{ field: "id", value: id }] });
  }
}

/**
 * Of the young pairs that were made at one due moment, keeps the oldest.
 *
 * Judged at every reading, not by its maker alone: a pair may be written after another process has looked. What
 * lost is deleted only where an older pair signs for a while yet, since a young one does not sign then. Else a
 * process that saw no other may have signed with it: it is ended, and published as long as such a token lives.
 *
 * @param rows usable, newest first.
 * @returns those that are left.
 */
async function settle(
  rows: readonly Row[],
  { context }: EndpointContext,
  keyPairs: KeyPairConfiguration,
): Promise<readonly Row[]> {
  const now = Date.now();
  const lost = rows.filter((row, index) => {
    const older = rows[index + 1];
    const isRace = older !== undefined && timeOf(row) - timeOf(older) < RACE * 1000;
    return isRace && now - timeOf(row) < YOUNG * 1000;
  });
  if (lost.length === 0) return rows;
  const isUnused = rows.some((row) => isPublished(row) && endOf(row, keyPairs) > now + RACE * 1000);
  const published = Math.max(keyPairs.gracePeriod - MAX_LIFETIME - MAX_LEEWAY, 0);
  const expiresAt = new Date(now - published * 1000);
  for (const { id } of lost) {
    const row = { model: "jwks", where: [{ field: "id", value: id }] };
    const removed = isUnused
      ? context.adapter.deleteMany(row)
      : context.adapter.updateMany({ ...row, update: { expiresAt } });
    // It signs nothing here either way, and the next reading tries again.
    await removed.catch(() => {});
  }
  return rows.filter((row) => !lost.includes(row));
}
