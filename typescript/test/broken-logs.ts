/** What an integrator may give as `log`, and what must not change one answer nor end the process. */

const away = () => new Error("the log server is away");

/** A rejection that nobody handles fails the run of the tests. */
export const BROKEN_LOGS = [
  [
    "throws",
    () => {
      throw away();
    },
  ],
  [
    "rejects",
    async () => {
      throw away();
    },
  ],
] as const;
