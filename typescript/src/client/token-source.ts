/**
 * The token source: gets the token from Better Auth, keeps it in memory, renews it ahead of its expiry.
 *
 * Times are measured by the server's clock: a token is good for `exp - iat` from the moment it was asked for,
 * whatever the local clock says. A renewal happens only when a call needs a token; a timer would keep an idle
 * session alive for ever.
 */

import { SessionMissingError, TokenUnavailableError } from "./errors.js";

/** A token in hand: its text, and the user's ID that it carries. */
export interface HeldToken {
  readonly value: string;
  readonly subject: string;
}

/** Where calls get their token from. */
export interface TokenSource {
  /**
   * Gets the token, from memory or from the issuer; callers that wait share one request.
   *
   * @param options `rejected`: the text of a token that an API refused, which is then not given again. `signal`:
   *   ends the wait of this caller alone.
   * @throws SessionMissingError, TokenUnavailableError, or the signal's reason.
   */
  get(options?: {
    readonly rejected?: string | undefined;
    readonly signal?: AbortSignal | null;
  }): Promise<HeldToken>;
  /**
   * Drops the token at once, also one that is on its way, and forgets whose it was. Call it on sign-out and on
   * sign-in: until then a token of another user counts as no session.
   */
  clear(): void;
}

/** The part of Better Auth's client, with `jwtClient()`, that is used here. */
export interface TokenClient {
  token(options?: { query: { audience: string } }): Promise<{
    readonly data: { readonly token: string } | null;
    readonly error: { readonly status: number } | null;
  }>;
}

/**
 * Options of `createTokenSource()`: one of the first two.
 *
 * - `authClient`: Better Auth's client with `jwtClient()` among its plugins.
 * - `getToken`: gives a fresh token, or `null` where nobody is signed in.
 * - `audience`: which API's token, where the issuer has several; by default the issuer's first. Passed on to
 *   `getToken`. A token for another API is never handed out. One source is good for one API.
 * - `clock`: local time in milliseconds since 1970, for tests.
 */
export type TokenSourceOptions = {
  readonly audience?: string | undefined;
  readonly clock?: () => number;
} & (
  | { readonly authClient: TokenClient; readonly getToken?: never }
  | { readonly getToken: (audience?: string) => Promise<string | null>; readonly authClient?: never }
);

/** A renewal starts when this part of the lifetime is left, but at most so many milliseconds before its end. */
const MARGIN_PART = 0.2;
const MARGIN_LIMIT = 30_000;

interface Kept extends HeldToken {
  readonly askedAt: number;
  readonly renewAt: number;
  readonly endsAt: number;
}

/**
 * Creates a token source.
 *
 * @example
 * ```ts
 * const tokenSource = createTokenSource({ authClient });
 * await authClient.signOut();
 * tokenSource.clear();
 * ```
 *
 * *Does not* verify the token, which only who holds the key can; and keeps nothing in storage.
 */
export function createTokenSource({
  authClient,
  getToken,
  audience,
  clock = Date.now,
}: TokenSourceOptions): TokenSource {
  if (!authClient === !getToken)
    throw new TypeError("createTokenSource() needs authClient or getToken, and not both");
  const fetchToken = getToken ?? (() => askClient(authClient as TokenClient, audience));
  let kept: Kept | undefined;
  let pending: Promise<Kept> | undefined;
  /** Whose page this is, from the first token on. */
  let owner: string | undefined;

  async function renew(): Promise<Kept> {
    const askedAt = clock();
    const token = await ask();
    if (!token) throw new SessionMissingError("Nobody is signed in");
    return read(token, askedAt, audience);
  }

  async function ask(): Promise<string | null> {
    try {
      return await fetchToken(audience);
    } catch (cause) {
      if (cause instanceof SessionMissingError || cause instanceof TokenUnavailableError) throw cause;
      throw new TokenUnavailableError("The token could not be fetched", { cause });
    }
  }

  function share(): Promise<Kept> {
    const request: Promise<Kept> = renew().then(
      (token) => {
        // clear() was called in between: the token is that of a session that has ended.
        if (pending !== request)
          throw new SessionMissingError("The session ended while its token was fetched");
        pending = undefined;
        // Somebody else signed in, in another tab say: what is on this page is not theirs.
        owner ??= token.subject;
        kept = token.subject === owner ? token : undefined;
        if (!kept) throw new SessionMissingError("Another user has signed in");
        return kept;
      },
      (error: unknown) => {
        if (pending === request) {
          pending = undefined;
          if (error instanceof SessionMissingError) kept = undefined;
        }
        throw error;
      },
    );
    pending = request;
    return request;
  }

  /** A clock that went back says nothing about the token's age. */
  const isGood = (token: Kept, until: number) => token.askedAt <= clock() && clock() < until;

  return {
    async get({ rejected, signal } = {}) {
      signal?.throwIfAborted();
      const held = kept && kept.value !== rejected ? kept : undefined;
      if (held && isGood(held, held.renewAt)) return held;
      try {
        return await abortable(pending ?? share(), signal);
      } catch (error) {
        // Renewed ahead of time: what is in hand is still good while the issuer is away.
        if (error instanceof TokenUnavailableError && held && held === kept && isGood(held, held.endsAt))
          return held;
        throw error;
      }
    },
    clear() {
      kept = undefined;
      pending = undefined;
      owner = undefined;
    },
  };
}

async function askClient(authClient: TokenClient, audience: string | undefined): Promise<string | null> {
  const { data, error } = await authClient.token(
    audience === undefined ? undefined : { query: { audience } },
  );
  if (data) return data.token;
  if (error?.status === 401) return null;
  throw new TokenUnavailableError("The issuer gave no token", { status: error?.status });
}

/** Reads what a client may know of a token, and refuses what is none of the bridge's. */
function read(value: string, askedAt: number, audience: string | undefined): Kept {
  let hint = "is not the bridge's; is jwtBridge() among its plugins?";
  try {
    const { aud, sub, user_id, iat, exp } = JSON.parse(decode(value.split(".")[1] ?? ""));
    const lifetime = (exp - iat) * 1000;
    if (typeof sub === "string" && sub !== "" && sub === user_id && lifetime > 0) {
      const endsAt = askedAt + lifetime;
      const renewAt = endsAt - Math.min(lifetime * MARGIN_PART, MARGIN_LIMIT);
      if (aud === (audience ?? aud)) return { value, subject: sub, askedAt, renewAt, endsAt };
      hint = "is for another API; is this audience among jwtBridge()'s?";
    }
  } catch {
    // Falls through: whatever it is, it is none.
  }
  throw new TokenUnavailableError(`The issuer's token ${hint}`, {});
}

function decode(segment: string): string {
  const binary = atob(segment.replace(/-/g, "+").replace(/_/g, "/"));
  return new TextDecoder().decode(Uint8Array.from(binary, (character) => character.charCodeAt(0)));
}

function abortable<T>(promise: Promise<T>, signal: AbortSignal | null | undefined): Promise<T> {
  if (!signal) return promise;
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}
