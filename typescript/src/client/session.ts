/** What is known of the session: one frozen object, replaced when something changes, and who wants to hear of it. */

/** Why nobody is signed in: by an action in a tab, by the issuer's word, or because somebody else is. */
export type SignOutReason = "signed-out" | "session-missing" | "user-changed";

/** Whether somebody is signed in, and who; `reason` where it has ended. */
export interface SessionState {
  readonly status: "unknown" | "signed-in" | "signed-out";
  readonly subject: string | null;
  readonly reason?: SignOutReason;
}

export interface Session {
  state(): SessionState;
  /** With a subject signed in; without one signed out, where there is a reason, or unknown. */
  enter(subject?: string | null, reason?: SignOutReason): void;
  subscribe(listener: (state: SessionState) => void): () => void;
}

export function createSession(): Session {
  let state: SessionState = Object.freeze({ status: "unknown", subject: null });
  const listeners = new Set<(state: SessionState) => void>();
  return {
    state: () => state,
    enter(subject = null, reason) {
      if (state.subject === subject && state.reason === reason) return;
      const status = subject ? "signed-in" : reason ? "signed-out" : "unknown";
      state = Object.freeze({ status, subject, ...(reason && { reason }) });
      // What a listener throws is reported as unhandled, and stops neither the others nor the token.
      for (const listener of [...listeners]) new Promise(() => listener(state));
    },
    subscribe(listener) {
      // Not the listener itself: who subscribes it twice ends the one and not the other.
      const own = (next: SessionState) => listener(next);
      listeners.add(own);
      return () => void listeners.delete(own);
    },
  };
}
