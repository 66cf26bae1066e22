/**
 * The door `./react`: who is signed in, as a hook, without a provider.
 *
 * Two know something: Better Auth's `useSession`, who the session's user is; the token source, whether that user's
 * token can be had. Where they differ, the issuer is asked again, and its word counts.
 */

import { useEffect, useRef, useSyncExternalStore } from "react";
import type { PageSource } from "./client/proxied-fetch.js";
import type { SessionState, SignOutReason } from "./client/session.js";
import type { TokenSource } from "./client/token-source.js";

/** The part of `createAuthClient()`, from `better-auth/react`, that is used here. */
export interface SessionClient<User extends { readonly id: string }> {
  useSession(): {
    readonly data: { readonly user: User } | null;
    readonly isPending: boolean;
    readonly isRefetching?: boolean;
    readonly error: { readonly status: number } | null;
  };
  readonly $store?: { readonly atoms?: Readonly<Record<string, { listen?(listener: () => void): unknown }>> };
}

/** The part of a token source that is used here. */
type Source = Pick<TokenSource, "get" | "clear" | "state" | "subscribe">;

/**
 * Options of `createUseBridge()`: Better Auth's client for React, and the page's token source. Behind a proxy a page
 * has no token: there it is the `tokenSource` of what `createProxiedFetch()` gives.
 */
export interface UseBridgeOptions<User extends { readonly id: string }> {
  readonly authClient: SessionClient<User>;
  readonly tokenSource: Source | PageSource;
}

/**
 * What `useBridge()` gives.
 *
 * - `pending`: not known yet, also while Better Auth can not be reached.
 * - `signed-in`: `user` is Better Auth's row, and the user of the tokens.
 * - `signed-out`: `reason` says why, where somebody was signed in on this page: they signed out, here or in another
 *   tab; the session has ended; or another user has signed in, whose data this page must not show unasked.
 */
export type BridgeStatus<User> =
  | { readonly status: "pending"; readonly user: null }
  | { readonly status: "signed-in"; readonly user: User }
  | { readonly status: "signed-out"; readonly user: null; readonly reason?: SignOutReason };

/** A server renders for everybody: it knows nothing, and hydration starts from the same. */
const UNKNOWN: SessionState = { status: "unknown", subject: null };

/**
 * Creates the hook `useBridge()`. Call it once, beside the client and the source.
 *
 * A session that Better Auth finds ended drops the token at once. A session of another user than the token's, or one
 * that begins in another tab, makes the source ask the issuer whose page this is.
 *
 * @param options see {@link UseBridgeOptions}.
 * @returns the hook; it takes nothing and gives a {@link BridgeStatus}.
 *
 * @example
 * ```ts
 * const useBridge = createUseBridge({ authClient, tokenSource });
 * function Greeting() {
 *   const { status, user } = useBridge();
 *   return status === "signed-in" ? user.id : status;
 * }
 * ```
 *
 * *Does not* ask for a token while the two agree, and decides nothing about access: the API does.
 */
export function createUseBridge<User extends { readonly id: string }>({
  authClient,
  tokenSource,
}: UseBridgeOptions<User>): () => BridgeStatus<User> {
  const page = "see" in tokenSource ? tokenSource : withTokens(tokenSource);
  /**
   * While nobody listens, Better Auth's session hears of no sign-in, and its last word is what the next component
   * begins with: "nobody", to who has just signed in. So it is listened to from the first one on.
   */
  let keepsListening = false;

  return function useBridge() {
    const { data, isPending, isRefetching, error } = authClient.useSession();
    const state = useSyncExternalStore(page.subscribe, page.state, () => UNKNOWN);
    const user = data?.user ?? null;
    // An error other than 401 says nothing about the session.
    const isKnown = user !== null || !(isPending || (error && error.status !== 401));
    const userId = isKnown ? (user?.id ?? null) : undefined;

    useEffect(() => {
      if (!keepsListening) authClient.$store?.atoms?.session?.listen?.(() => {});
      keepsListening = true;
    }, []);
    const before = useRef<string | null>(null);
    // Each time that Better Auth has looked: also at the same user again, whom a look in vain has left without a token.
    useEffect(() => {
      // After a look in vain, the user is the one of the look before.
      if (userId === undefined || isRefetching || (error && userId !== null)) return;
      if (userId !== null) page.see(userId);
      // Only what was seen to end: right after a sign-in the token can be there before the session is.
      else if (before.current !== null && page.state().subject === before.current) page.clear();
      before.current = userId;
    }, [userId, isRefetching, error]);

    if (state.status === "signed-out")
      return { status: "signed-out", user: null, ...(state.reason && { reason: state.reason }) };
    if (user !== null && (state.subject ?? user.id) === user.id) return { status: "signed-in", user };
    return { status: user === null && isKnown ? "signed-out" : "pending", user: null };
  };
}

/** By the tokens: where the session's user is another, the issuer is asked again. */
function withTokens(source: Source): PageSource {
  async function lookAgain(userId: string): Promise<void> {
    // The source answers from memory where it can: what it gives of somebody else is handed back.
    const { value, subject } = await source.get({ background: true });
    if (subject !== userId) await source.get({ rejected: value, background: true });
  }
  return {
    clear: () => source.clear(),
    state: () => source.state(),
    subscribe: (listener) => source.subscribe(listener),
    see(userId) {
      const { status, subject } = source.state();
      // What comes of it is in the source's state.
      if (status === "signed-out" || (subject ?? userId) !== userId) lookAgain(userId).catch(() => {});
    },
  };
}
