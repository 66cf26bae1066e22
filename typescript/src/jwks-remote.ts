/**
 * The keys of one key-set URL, kept: fetched at most once at a time, at most so often, and never on the way.
 *
 * Private half of the room `jwks`: a machine of few states, whose clock and whose fetch are given to it. A failed
 * fetch never takes away keys that are in hand. Law: RFC 9111 §4.2, `access-token.md` "Verification keys".
 *
 * Deliberately not done: nothing in a token but its `kid` has a part in what is fetched (RFC 8725 §3.10).
 */

import type { Maybe } from "#primitives";
import { KeySetUnavailableError } from "./errors.js";
import type { KeySet, VerificationKey } from "./jwk.js";
import { cacheAge, judgeResponse, type KeySetResponse, listKeyIds, tooLate, withoutQuery } from "./jwks.js";
import { fetchKeySet } from "./jwks-fetch.js";
import type { Log } from "./policy.js";
import { KEY_SET_COOL_DOWN, KEY_SET_RETRY, KEY_SET_TIMEOUT, MAX_KEY_SET_STALENESS } from "./profile.js";

/** The keys of one key-set URL. */
export interface RemoteKeySet {
  /** The `kid` of every key in hand; asking fetches nothing. */
  readonly keyIds: readonly string[];
  /**
   * Finds the key of a `kid`: at once where it is in hand, else after a fetch, where one is due.
   *
   * @throws KeySetUnavailableError: it is not in hand, and the last fetch failed.
   */
  find(keyId: string): Maybe<VerificationKey | undefined>;
  /**
   * Fetches now where no key is in hand.
   *
   * @throws KeySetUnavailableError: none is in hand afterwards either.
   */
  prefetch(): Promise<void>;
}

/** What a test puts in the place of the platform: the fetch, and a clock that only goes forward, in seconds. */
export interface Platform {
  readonly fetch: (url: string) => Promise<KeySetResponse>;
  readonly clock: () => number;
}

const PLATFORM: Platform = {
  fetch: fetchKeySet,
  clock: () => (globalThis.performance ?? Date).now() / 1000,
};
const NONE: KeySet["keys"] = new Map();
/** For how long somebody waits for a fetch that does not keep to its own time, in seconds. */
const PATIENCE = KEY_SET_TIMEOUT + 1;

/**
 * Keeps the keys of one key-set URL; nothing is fetched before the first key is asked for.
 *
 * - Fresh: a known `kid` is answered from hand.
 * - Stale (older than its answer's age): the same, and one fetch starts that nobody waits for. Keys that nobody
 *   could renew for a day more are dropped.
 * - An unknown `kid` waits for the fetch that is under way, or starts one, at most every 30 seconds; while no key is
 *   in hand, 5 seconds after the last one failed.
 *
 * @param url judged by {@link judgeKeySetUrl}.
 * @param log judged by `judgeLog()`; gets a line when the key IDs in hand change, and one for each fetch that failed.
 *
 * *Does not* cancel a fetch because somebody who waited for it went away.
 */
export function createRemoteKeySet(url: string, log: Log, platform: Platform = PLATFORM): RemoteKeySet {
  const { clock } = platform;
  let keys = NONE;
  let freshUntil = Number.NEGATIVE_INFINITY;
  let attemptedAt = Number.NEGATIVE_INFINITY;
  let failedAt = Number.NEGATIVE_INFINITY;
  let attempt: Promise<void> | undefined;
  /** Why the last attempt failed, as a sentence; `undefined` where it succeeded. */
  let failed: string | undefined;

  function find(keyId: string): Maybe<VerificationKey | undefined> {
    if (clock() >= freshUntil) tend();
    return keys.get(keyId) ?? lookFor(keyId);
  }

  async function lookFor(keyId: string): Promise<VerificationKey | undefined> {
    await renew();
    const key = keys.get(keyId);
    // A key that does not exist is told from keys that can not be had.
    if (key === undefined) refuseIfFailed();
    return key;
  }

  async function prefetch(): Promise<void> {
    tend();
    if (keys.size > 0) return;
    await renew();
    if (keys.size === 0) refuseIfFailed();
  }

  /** Waits for the fetch that is under way or due; returns at once where none is. */
  async function renew(): Promise<void> {
    const awaited = due();
    if (awaited !== undefined && !(await isWithin(awaited, PATIENCE))) giveUp(awaited);
  }

  function refuseIfFailed(): void {
    if (failed !== undefined) throw new KeySetUnavailableError("key_set_unavailable", failed);
  }

  /** Drops what is too old, and has what is stale fetched in the background. */
  function tend(): void {
    const now = clock();
    if (now >= freshUntil + MAX_KEY_SET_STALENESS) hold(NONE);
    else if (now >= freshUntil) due();
  }

  /** Gives the fetch that is under way, or starts the one that is due. */
  function due(): Promise<void> | undefined {
    const now = clock();
    // Where a platform ends what a request began, its fetch never ends: it is given up for lost.
    if (attempt !== undefined && now - attemptedAt > PATIENCE) giveUp(attempt);
    // With no key in hand the shorter gap begins where the failed attempt ended: else, while an issuer answers
    // nothing, there would always be a fetch to wait for, and never a quick answer.
    const [gap, since] =
      keys.size > 0 ? [KEY_SET_COOL_DOWN, attemptedAt] : [KEY_SET_RETRY, Math.max(attemptedAt, failedAt)];
    if (attempt === undefined && now - since >= gap) {
      attemptedAt = now;
      attempt = start();
    }
    return attempt;
  }

  function start(): Promise<void> {
    const own: Promise<void> = platform
      .fetch(url)
      .then(({ status, contentType, cacheControl, body }) => {
        return { ...judgeResponse(status, contentType, body), age: cacheAge(cacheControl) };
      })
      .then(
        (fetched) => succeed(own, fetched),
        (error: unknown) => fail(own, reasonOf(error)),
      );
    return own;
  }

  function succeed(own: Promise<void>, fetched: KeySet & { readonly age: number }): void {
    if (attempt !== own) return;
    attempt = undefined;
    failed = undefined;
    freshUntil = clock() + fetched.age;
    hold(fetched.keys);
  }

  function giveUp(lost: Promise<void>): void {
    fail(lost, tooLate().message);
  }

  function fail(own: Promise<void>, reason: string): void {
    if (attempt !== own) return;
    attempt = undefined;
    failedAt = clock();
    // A query may hold what nobody else is to read.
    failed = `the key set at ${withoutQuery(url)} can not be used: ${reason}`;
    log(failed, { level: "warn" });
  }

  function hold(next: KeySet["keys"]): void {
    const isSame = keys.size === next.size && [...next.keys()].every((each) => keys.has(each));
    keys = next;
    if (!isSame) log(`key IDs ${listKeyIds([...next.keys()])}`, { level: "info" });
  }

  return {
    find,
    prefetch,
    get keyIds() {
      return clock() < freshUntil + MAX_KEY_SET_STALENESS ? [...keys.keys()] : [];
    },
  };
}

function reasonOf(error: unknown): string {
  return error instanceof KeySetUnavailableError ? error.message : `no connection (${(error as Error).name})`;
}

/** Whether a promise settles within some seconds; it must not reject. */
async function isWithin(promise: Promise<void>, seconds: number): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), seconds * 1000);
  });
  const isDone = await Promise.race([promise.then(() => true), late]);
  clearTimeout(timer);
  return isDone;
}
