/** What is live ends with the session: it is of one user, and of none other who signs in on the same page. */

import { SessionMissingError } from "./errors.js";
import type { TokenSource } from "./token-source.js";

/** What knows who is signed in; one's own may know nothing. */
export type SessionSource = Partial<Pick<TokenSource, "state" | "subscribe">>;

/** `stop` is aborted with the reason; `release` forgets about it all, and aborts nothing. */
export interface Watch {
  readonly stop: AbortController;
  release(): void;
}

/**
 * Aborts with the caller's signal, and as soon as the fetch's token source knows that its user has gone. An issuer that
 * is away tells nothing: the API ends the connection with its token.
 */
export function untilSessionEnds(
  { tokenSource }: { readonly tokenSource?: SessionSource },
  signal: AbortSignal | null | undefined,
): Watch {
  const stop = new AbortController();
  let user = tokenSource?.state?.().subject;
  const unsubscribe = tokenSource?.subscribe?.(({ status, subject }) => {
    if (status === "unknown") return;
    if (user && user !== subject) stop.abort(new SessionMissingError("The session has ended"));
    user = subject;
  });
  const follow = () => stop.abort(signal?.reason);
  signal?.addEventListener("abort", follow);
  if (signal?.aborted) follow();
  return {
    stop,
    release() {
      unsubscribe?.();
      signal?.removeEventListener("abort", follow);
    },
  };
}
