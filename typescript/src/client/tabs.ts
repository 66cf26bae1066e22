/**
 * The other tabs of this origin: they elect one that renews the token, and tell each other of it.
 *
 * Law: Web Locks API (elects), HTML §9.5 "Broadcasting to other browsing contexts" (carries; same origin and same
 * storage partition only). Without a document, or where the browser has or allows neither, each is on its own: on a
 * server, "the others" would be other users.
 */

/** What tabs tell each other: a token that was renewed, or whose session has ended. */
export type News =
  | { readonly value: string; readonly askedAt: number; readonly background: boolean }
  | { readonly ended: string };

/** Whose session has ended, where the tab did not know whose it was. No user has this ID. */
export const ANYONE = "";

export interface Tabs {
  tell(news: News): void;
  /** Does the work when no other tab does, or when another one has told what was good news here. */
  elect<T>(work: () => Promise<T>): Promise<T>;
}

const NAME = "jwt-auth-bridge";
/** Waits no longer than this for another tab, which may be frozen or wait for its network. Milliseconds. */
const PATIENCE = 5000;
/** News and lock travel on two ways: the lock is kept until the news has arrived. Milliseconds. */
const HEADWAY = 100;

/** @param hear is told what came; nothing is known of it. Says whether it was good news. */
export function joinTabs(audience: string | undefined, hear: (news: unknown) => boolean): Tabs {
  let go: (() => void) | undefined;
  let channel: (BroadcastChannel & { unref?(): void }) | undefined;
  try {
    if (globalThis.document) {
      channel = new BroadcastChannel(NAME);
      channel.onmessage = ({ data }) => hear(data) && go?.();
      // Node's keeps its process alive.
      channel.unref?.();
    }
  } catch {
    // There is none, or it is not allowed, as in some third-party frames.
  }
  const locks = channel && globalThis.navigator?.locks;
  return {
    tell: (news) => channel?.postMessage(news),
    elect<T>(work: () => Promise<T>) {
      if (!locks) return work();
      return new Promise<T>((resolve) => {
        let begun: Promise<T> | undefined;
        const begin = () => {
          clearTimeout(timer);
          begun ??= work();
          resolve(begun);
          return begun;
        };
        const timer = setTimeout(begin, PATIENCE);
        go = begin;
        const lead = () => begin().then(() => new Promise((done) => setTimeout(done, HEADWAY)));
        // Refused, or the work has failed, of which whoever waits for it hears.
        locks.request(NAME + (audience ?? ""), lead).catch(() => void begin());
      });
    },
  };
}
