/**
 * The token source: gets the token from Better Auth, keeps it in memory, renews it ahead of its expiry.
 *
 * A renewal happens only when a call needs a token; a timer would keep an idle session alive for ever. 401 from the
 * issuer, and nothing else, means that nobody is signed in. What one user wrote is never sent as another: the page
 * is the first user's until somebody signs in or out in this tab.
 */

import { abortable, reasonOf } from "./abortable.js";
import { SessionMissingError, TokenUnavailableError } from "./errors.js";
import { type HeldToken, type IssuedToken, readToken } from "./issued-token.js";
import { askIssuer, type GetToken, onAction, type TokenClient, tokenOf } from "./issuer.js";
import { createSession, type SessionState, type SignOutReason } from "./session.js";
import { ANYONE, joinTabs } from "./tabs.js";

export type { HeldToken };

/** Where calls get their token from. */
export interface TokenSource {
  /**
   * Gets the token, from memory or from the issuer; callers that wait share one request.
   *
   * @param options `rejected`: the text of a token that an API refused; it is not given again, except within 30
   *   seconds of a renewal that a refusal caused. `signal`: ends the wait of this caller alone. `background`: no user
   *   is behind this call; while there are only such calls, the session is not extended.
   * @throws SessionMissingError, TokenUnavailableError, or the signal's reason.
   */
  get(options?: {
    readonly rejected?: string | undefined;
    readonly signal?: AbortSignal | null | undefined;
    readonly background?: boolean | undefined;
  }): Promise<HeldToken>;
  /**
   * Drops the token at once, also one that is on its way, forgets whose it was, and tells the other tabs. With
   * `authClient` its sign-in and sign-out do so by themselves, 10 ms later; with `getToken`, call it after both.
   */
  clear(): void;
  /** What is known of the session: the same frozen object until something changes. */
  state(): SessionState;
  /** Calls the listener after each change, until the function that it returns is called. */
  subscribe(listener: (state: SessionState) => void): () => void;
}

/**
 * Options of `createTokenSource()`: one of the first two.
 *
 * - `authClient`: Better Auth's client with `jwtClient()` among its plugins.
 * - `getToken`: gives a fresh token, or `null` where nobody is signed in. `background`: without extending the session,
 *   for which Better Auth's `/token` has `disableRefresh=true`.
 * - `audience`: which API's token, where the issuer has several; by default the issuer's first. Passed on to
 *   `getToken`. A token for another API is never handed out. One source is good for one API.
 * - `clock`: local time in milliseconds since 1970, and `random`: from 0 up to 1, for tests.
 */
export type TokenSourceOptions = {
  readonly audience?: string | undefined;
  readonly clock?: () => number;
  readonly random?: () => number;
} & (
  | { readonly authClient: TokenClient; readonly getToken?: never }
  | { readonly getToken: GetToken; readonly authClient?: never }
);

/** A refused token is replaced, and its successor not for so long: the fault is not the token's. Milliseconds. */
const REFUSAL_PAUSE = 30_000;
/** An issuer that is away is asked again after a second, two, four …, at most so many milliseconds. */
const FIRST_DELAY = 1000;
const LAST_DELAY = 30_000;

/**
 * Creates a token source.
 *
 * @example
 * ```ts
 * const tokenSource = createTokenSource({ authClient });
 * const { subject } = await tokenSource.get();
 * tokenSource.state(); // { status: "signed-in", subject: "u1" }
 * ```
 *
 * *Does not* verify the token, which only who holds the key can; and keeps nothing in storage.
 */
export function createTokenSource({
  authClient,
  getToken,
  audience,
  clock = Date.now,
  random = Math.random,
}: TokenSourceOptions): TokenSource {
  if (!authClient === !getToken) throw new TypeError("createTokenSource() needs authClient or getToken");
  const ask = getToken ?? tokenOf(authClient as TokenClient);
  const session = createSession();
  const tabs = joinTabs(audience, hear);
  let kept: IssuedToken | undefined;
  /** Whose page this is, from the first token on. */
  let owner: string | undefined;
  /** Whose it was before the user did something in this tab, until the issuer says whose it is now. */
  let former: string | undefined;
  /** The request that everybody waits for, what hands its callers on to another, and its number. */
  let pending: Promise<IssuedToken> | undefined;
  let handOn: ((next?: Promise<IssuedToken>) => void) | undefined;
  let turn = 0;
  /** Whether a user was behind a call since the issuer was last asked. */
  let active = false;
  /** When a refused token was last replaced. */
  let refusedAt = 0;
  /** How the issuer failed last, how often since a token came, and when it is asked again. */
  let failure: unknown;
  let failures = 0;
  let retryAt = 0;

  /** A clock that went back says nothing about the token's age. */
  const isGood = ({ askedAt, endsAt }: IssuedToken) => askedAt <= clock() && clock() < endsAt;

  /** Asks; who waits for an earlier request, waits for this one. */
  function share(): Promise<IssuedToken> {
    const own = ++turn;
    const stale = kept;
    const before = handOn;
    const request = new Promise<IssuedToken>((resolve, reject) => {
      handOn = (next) => (next ? resolve(next) : reject(new SessionMissingError("The session has ended")));
      // Once this tab's turn comes, another tab's token may have come, or a later request.
      const work = async () =>
        own !== turn || (kept && kept !== stale) ? (kept as IssuedToken) : renew(own);
      (stale ? tabs.elect(work) : work()).then(resolve, reject);
    });
    pending = request;
    before?.(request);
    return request;
  }

  async function renew(own: number): Promise<IssuedToken> {
    const background = !active;
    active = false;
    const answer = await askIssuer(ask, audience, background, clock());
    // Nobody waits for it any more: the user signed in or out meanwhile.
    if (own !== turn) throw answer;
    pending = undefined;
    if (answer instanceof Error) throw note(answer);
    const { subject, value, askedAt } = answer;
    if (former && former !== subject) tabs.tell({ ended: former });
    former = undefined;
    owner ??= subject;
    if (subject === owner) {
      keep(answer);
      session.enter(subject);
      tabs.tell({ value, askedAt, background });
    }
    // Somebody else signed in, in another tab say: what is on this page is not theirs. get() gives it to nobody.
    else leave("user-changed");
    return answer;
  }

  /** What a failure means for what is in hand. */
  function note(error: Error): Error {
    if (error instanceof TokenUnavailableError) {
      const delay = Math.min(FIRST_DELAY * 2 ** failures++, LAST_DELAY) * (0.5 + random() / 2);
      failure = error;
      retryAt = clock() + Math.max(delay, (error.retryAfter ?? 0) * 1000);
      if (former !== undefined) session.enter();
    } else {
      if (former === undefined) leave("session-missing");
      else {
        tabs.tell({ ended: former });
        leave("signed-out");
      }
      former = undefined;
    }
    return error;
  }

  function keep(token?: IssuedToken): void {
    kept = token;
    pending = undefined;
    failures = retryAt = 0;
  }

  function leave(reason: SignOutReason): void {
    keep();
    // The first reason stays: after a sign-out the issuer says 401, too.
    if (reason === "user-changed" || !session.state().reason) session.enter(null, reason);
  }

  /** Also what is on its way: it is the token of a session that has ended. */
  function drop(): void {
    turn++;
    handOn?.();
    keep();
    refusedAt = 0;
    if (session.state().subject) leave("signed-out");
  }

  /** Whoever the user is now, whoever's page it was: the issuer knows. */
  function act(): void {
    former ??= owner ?? ANYONE;
    owner = undefined;
    keep();
    // Without the reason: who has just signed in is not signed out any more, before the token is there.
    session.enter(session.state().subject);
    // The first who calls hears of a failure.
    share().catch(() => {});
  }

  /** Takes from other tabs what is surely of the same session; the first token always comes from the issuer. */
  function hear(news: unknown): boolean {
    const { ended, value, askedAt, background } = (news ?? {}) as Record<string, unknown>;
    if (owner) {
      if (ended === owner || ended === ANYONE) drop();
      // The first token is on its way: it may be of that session, or of the one that has begun since.
    } else if (pending && former === undefined && typeof ended === "string") share();
    // A background token of theirs must not keep ours from extending the session.
    if (!kept || typeof askedAt !== "number" || (background && active)) return false;
    try {
      const token = readToken(value as string, askedAt, kept.audience);
      const isOurs = token.subject === kept.subject && token.sessionId === kept.sessionId;
      // Not only newer: a tab that was frozen hears late, maybe of a token that has ended since.
      const isNews = isOurs && kept.askedAt < askedAt && isGood(token);
      if (isNews) keep(token);
      return isNews;
    } catch {
      return false;
    }
  }

  onAction(authClient, act);
  return {
    async get({ rejected, signal, background } = {}) {
      if (signal?.aborted) throw reasonOf(signal);
      if (!background) active = true;
      const held = kept;
      /** Whose call it is, where that is known. */
      const user = owner && session.state().subject;
      const isRefused = rejected && rejected === held?.value;
      if (held && isGood(held)) {
        const hold = isRefused
          ? Math.abs(clock() - refusedAt) < REFUSAL_PAUSE
          : clock() < Math.max(held.renewAt, retryAt);
        if (hold) return held;
        // Each of many calls may be refused: they wait for the issuer no less than the others.
        if (clock() < retryAt) throw failure;
      }
      try {
        const token = await abortable(pending ?? share(), signal);
        // Somebody else signed in, in another tab, or in this one while the call waited.
        if ((user || owner) !== token.subject) throw new SessionMissingError("Another user has signed in");
        if (isRefused) refusedAt = clock();
        return token;
      } catch (error) {
        // Renewed ahead of time: what is in hand is still good while the issuer is away.
        if (error instanceof TokenUnavailableError && !isRefused && held && held === kept && isGood(held))
          return held;
        throw error;
      }
    },
    clear() {
      tabs.tell({ ended: owner ?? former ?? ANYONE });
      owner = former = undefined;
      drop();
    },
    state: session.state,
    subscribe: session.subscribe,
  };
}
