/** Tabs, attacked: news that comes late, out of order, or for a page that does not know yet whose it is. */

import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createTokenSource } from "../src/client/index.js";
import { clock, time } from "./token-source-kit.js";
import { claims, NOW, sign } from "./tokens.js";

/** A channel whose other end is the test, and locks that are never granted. */
class TestChannel {
  static opened: TestChannel[] = [];
  onmessage: ((event: { data: unknown }) => void) | undefined;
  readonly told: unknown[] = [];
  constructor() {
    TestChannel.opened.push(this);
  }
  postMessage(news: unknown) {
    this.told.push(news);
  }
}
const hear = (data: unknown) => TestChannel.opened[0]?.onmessage?.({ data });

/** What the issuer was asked, answered by hand. */
let answers: ((token: string | null) => void)[] = [];
const getToken = () => new Promise<string | null>((resolve) => void answers.push(resolve));
const passed = () => new Promise((resolve) => setImmediate(resolve));

beforeEach(() => {
  answers = [];
  TestChannel.opened = [];
  vi.stubGlobal("document", {});
  vi.stubGlobal("BroadcastChannel", TestChannel);
  vi.stubGlobal("navigator", { locks: { request: () => new Promise(() => {}) } });
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test("a tab that was frozen hears of a token that has ended since: it is not handed out", async () => {
  const source = createTokenSource({ getToken, clock });
  const first = source.get();
  answers[0]?.(sign());
  await first;
  time.now += 3_600_000;
  const late = source.get();
  hear({ value: sign(claims({ jti: "old" })), askedAt: NOW * 1000 + 280_000, background: false });
  await passed();
  await vi.advanceTimersByTimeAsync(5000);
  answers[1]?.(sign(claims({ jti: "new" })));
  expect((await late).value).toBe(sign(claims({ jti: "new" })));
});

test("a sign-out elsewhere while a new tab waits for its first token: it asks again", async () => {
  const source = createTokenSource({ getToken, clock });
  const first = source.get();
  first.catch(() => {});
  hear({ ended: "u1" }); // as a tab tells it that knows whose session it was
  answers[0]?.(sign()); // of the session that has ended
  await passed();
  expect([answers.length, source.state().status]).toEqual([2, "unknown"]);
  answers[1]?.(null);
  await expect(first).rejects.toMatchObject({ code: "session_missing" });
  expect(source.state().status).toBe("signed-out");
  hear({ ended: "u1" }); // nothing waits: nothing is asked
  hear({ value: sign(), askedAt: time.now, background: false });
  await passed();
  expect([answers.length, TestChannel.opened[0]?.told]).toEqual([2, []]);
});

test("no token becomes an unhandled rejection, whichever way a renewal ends that nobody waits for", async () => {
  const reporters = process.listeners("unhandledRejection");
  const reported = vi.fn();
  process.removeAllListeners("unhandledRejection").on("unhandledRejection", reported);
  const source = createTokenSource({ getToken, clock });
  for (const end of [() => source.clear(), () => hear({ ended: "u1" }), () => hear({ ended: "" })]) {
    const first = source.get();
    answers.at(-1)?.(sign());
    await first;
    time.now += 280_000;
    const late = source.get();
    late.catch(() => {});
    await vi.advanceTimersByTimeAsync(5000); // the lock is not granted
    end();
    answers.at(-1)?.(sign());
    await expect(late).rejects.toThrow("The session has ended");
    await passed();
  }
  process.removeAllListeners("unhandledRejection");
  for (const reporter of reporters) process.on("unhandledRejection", reporter);
  expect([reported.mock.calls, answers.length]).toEqual([[], 6]);
});
