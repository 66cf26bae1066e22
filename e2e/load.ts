/** Somebody who never stops calling the API: steady load, while its keys change under it. */
import { type Account, callApi, partOf } from "./account.js";

/** Requests at once; how many requests a token is used for; and after how many the load ends in any case. */
const WORKERS = 3;
const RENEWAL = 50;
const LIMIT = 20_000;
/** Milliseconds that a worker rests after a request, so that the machine is left to the processes that start. */
const REST = 10;

export type Load = {
  /** What the API answered other than 200, and how often: the status and why, or why there was no answer. */
  readonly failures: Readonly<Record<string, number>>;
  /** How often Better Auth had signed the person out, so that they signed in again. */
  signIns(): number;
  /** The header of the token that is used now. */
  header(): Record<string, unknown>;
  /** Resolves once the fact holds. It is looked at after each request. */
  until(fact: () => boolean): Promise<void>;
  /** Resolves when so many more requests were answered. */
  pass(requests: number): Promise<void>;
  stop(): Promise<void>;
};

/** Starts it. The token is renewed as a client would: by `/token`, signing in again where that says 401. */
export async function startLoad(account: Account, apiUrl: string): Promise<Load> {
  const failures: Record<string, number> = {};
  const watches = new Set<() => void>();
  let token = await account.token();
  let answered = 0;
  let signIns = 0;
  let stopped = false;
  let due = RENEWAL;

  async function renew() {
    let answer = await account.askToken();
    if (answer.status === 401) {
      await account.signIn();
      signIns += 1;
      answer = await account.askToken();
    }
    // Also where Better Auth's rate limit says 429.
    if (answer.ok) token = ((await answer.json()) as { token: string }).token;
  }

  async function call() {
    const outcome = await callApi(apiUrl, token, `/api/${account.id}/tasks`)
      .then(async (answer) => `${answer.status} ${await answer.text()}`)
      .catch(String);
    if (!outcome.startsWith("200 ")) failures[outcome] = (failures[outcome] ?? 0) + 1;
    answered += 1;
    for (const look of watches) look();
  }

  async function work() {
    while (!stopped && answered < LIMIT) {
      await call();
      await new Promise((resolve) => setTimeout(resolve, REST));
      if (answered < due) continue;
      due = Number.POSITIVE_INFINITY; // one at a time, the others go on
      await renew().catch(() => {}); // while the web app restarts, the token in hand stays
      due = answered + RENEWAL;
    }
  }

  const done = Promise.all(Array.from({ length: WORKERS }, work));
  const until = (fact: () => boolean) => {
    const held = new Promise<void>((resolve) => {
      const look = () => {
        if (!fact()) return;
        watches.delete(look);
        resolve();
      };
      watches.add(look);
    });
    const ended = done.then(() => {
      throw new Error(`The load ended after ${answered} requests, before what was waited for`);
    });
    return Promise.race([held, ended]);
  };
  return {
    failures,
    signIns: () => signIns,
    header: () => partOf(token, "header"),
    until,
    pass(requests) {
      const goal = answered + requests;
      return until(() => answered >= goal);
    },
    async stop() {
      stopped = true;
      await done;
    },
  };
}
