/** Waiting on behalf of a live connection, with the one timer of its door. */

/** Waits so many milliseconds, or until the signal is aborted; it never rejects. */
export type Wait = (milliseconds: number, signal?: AbortSignal | null) => Promise<void>;

/** What a timer can hold; a longer one fires at once. */
const LONGEST = 2 ** 31 - 1;

export const pause: Wait = (milliseconds, signal) =>
  new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, Math.min(milliseconds, LONGEST));
    signal?.addEventListener("abort", done);
    if (signal?.aborted) done();
  });
