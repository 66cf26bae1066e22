/** The token source in several tabs: who renews, what is believed of what others tell, and who signs whom out. */

import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { build } from "vite";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { createTokenSource, type TokenSource, TokenUnavailableError } from "../src/client/index.js";
import { claims, NOW, sign } from "./tokens.js";

const NAME = "jwt-auth-bridge";
let now = NOW * 1000;
const clock = () => now;
let asked = 0;

/** What the issuer gives; a test may change it. */
let answer: () => Promise<string | null> | string | null;
const getToken = async () => {
  asked += 1;
  return answer();
};
const openTab = () => createTokenSource({ getToken, clock });

/** Web Locks, as far as they are used: exclusive, first come, first served. */
function createLocks() {
  const tails = new Map<string, Promise<unknown>>();
  const request = vi.fn((name: string, work: () => unknown) => {
    const turn = (tails.get(name) ?? Promise.resolve()).catch(() => {}).then(() => work());
    tails.set(name, turn);
    return turn;
  });
  return { request };
}
let locks: ReturnType<typeof createLocks>;

/** Lets messages and promises pass, by turns of the event loop and not by time. */
async function until(condition: () => boolean): Promise<void> {
  for (let turn = 0; turn < 10_000 && !condition(); turn += 1)
    await new Promise((resolve) => setImmediate(resolve));
  expect(condition()).toBe(true);
}

beforeEach(() => {
  now = NOW * 1000;
  asked = 0;
  let issued = 0;
  answer = () => sign(claims({ jti: `t${++issued}` }));
  locks = createLocks();
  vi.stubGlobal("document", {});
  vi.stubGlobal("navigator", { locks });
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe("with the platform's BroadcastChannel", () => {
  test("ten warm tabs with 50 callers each renew with one request, without waiting for each other", async () => {
    const tabs = Array.from({ length: 10 }, openTab);
    for (const tab of tabs) await tab.get();
    expect(asked).toBe(10); // a cold tab asks the issuer itself
    now += 280_000;
    const callers = tabs.flatMap((tab) => Array.from({ length: 50 }, () => tab.get()));
    const tokens = await Promise.all(callers);
    expect(new Set(tokens.map(({ value }) => value)).size).toBe(1);
    expect(asked).toBe(11);
    expect(locks.request.mock.calls[0]?.[0]).toBe(NAME);
  });

  test("a tab that needs its token later has it already", async () => {
    const [one, other] = [openTab(), openTab()];
    await one.get();
    await other.get();
    now += 280_000;
    const third = new BroadcastChannel(NAME);
    const heard = vi.fn();
    third.onmessage = heard;
    const { value } = await one.get();
    await until(() => heard.mock.calls.length === 1);
    third.close();
    expect((await other.get()).value).toBe(value);
    expect(asked).toBe(3);
  });

  test("signed out in one tab is signed out in the others; each page stays its user's", async () => {
    const [one, other] = [openTab(), openTab()];
    await one.get();
    await other.get();
    const heard = vi.fn();
    other.subscribe(heard);
    one.clear();
    await until(() => other.state().status === "signed-out");
    expect(heard.mock.calls).toEqual([[{ status: "signed-out", subject: null, reason: "signed-out" }]]);
    answer = () => null;
    await expect(other.get()).rejects.toMatchObject({ code: "session_missing" });
    answer = () => sign(claims({ sub: "bob", user_id: "bob" }));
    expect((await one.get()).subject).toBe("bob");
    await expect(other.get()).rejects.toThrow("Another user has signed in");
    expect(other.state()).toEqual({ status: "signed-out", subject: null, reason: "user-changed" });
  });

  test("a cold tab signs all others out: it does not know whose session it was", async () => {
    const other = openTab();
    await other.get();
    openTab().clear();
    await until(() => other.state().status === "signed-out");
  });

  test("an open channel keeps no process alive", async () => {
    const result = await build({
      configFile: false,
      logLevel: "silent",
      build: {
        write: false,
        minify: false,
        lib: {
          entry: fileURLToPath(new URL("../src/client/token-source.ts", import.meta.url)),
          formats: ["es"],
        },
      },
    });
    const [{ output }] = result as unknown as [{ output: { code: string }[] }];
    const code = `${output[0]?.code}
      globalThis.document = {};
      createTokenSource({ getToken: async () => null });
      process.stdout.write("done");`;
    const { status, stdout } = spawnSync(process.execPath, ["--input-type=module", "-e", code], {
      encoding: "utf8",
      timeout: 10_000,
    });
    expect([status, stdout]).toEqual([0, "done"]);
  });
});

/** A channel whose other end is the test. */
class TestChannel {
  static opened: TestChannel[] = [];
  onmessage: ((event: { data: unknown }) => void) | undefined;
  readonly told: unknown[] = [];
  constructor(readonly name: string) {
    TestChannel.opened.push(this);
  }
  postMessage(news: unknown) {
    this.told.push(news);
  }
}

describe("what other tabs tell", () => {
  let channel: TestChannel;
  let tab: TokenSource;
  beforeEach(async () => {
    TestChannel.opened = [];
    vi.stubGlobal("BroadcastChannel", TestChannel);
    tab = openTab();
    await tab.get();
    channel = TestChannel.opened[0] as TestChannel;
    now += 1000;
  });
  const hear = (data: unknown) => channel.onmessage?.({ data });
  const news = (changes: object, more: object = {}) => ({
    value: sign(claims({ jti: "news", ...changes })),
    askedAt: now,
    background: false,
    ...more,
  });

  test("a newer token of the same user, session and API is taken, and lasts as long as it says", async () => {
    const fresh = news({ exp: NOW + 600 });
    hear(fresh);
    expect(await tab.get()).toMatchObject({ value: fresh.value, endsAt: now + 600_000 });
    expect(asked).toBe(1);
  });

  test("a token that was got is told, with when it was asked for", async () => {
    const { value } = await tab.get();
    expect(channel.name).toBe(NAME);
    expect(channel.told).toEqual([{ value, askedAt: NOW * 1000, background: false }]);
  });

  const token = sign(claims({ jti: "news" }));
  test.each<[string, unknown]>([
    ["another user's", { value: sign(claims({ sub: "u2", user_id: "u2" })), askedAt: NOW * 1000 + 1 }],
    ["another session's", { value: sign(claims({ sid: "s2" })), askedAt: NOW * 1000 + 1 }],
    ["of no session", { value: sign(claims({ sid: undefined })), askedAt: NOW * 1000 + 1 }],
    ["for another API", { value: sign(claims({ aud: "https://other.example" })), askedAt: NOW * 1000 + 1 }],
    ["whose user_id is another's", { value: sign(claims({ user_id: "u2" })), askedAt: NOW * 1000 + 1 }],
    ["older", { value: token, askedAt: NOW * 1000 - 1 }],
    ["as old", { value: token, askedAt: NOW * 1000 }],
    ["from the future, by a clock that was wrong", { value: token, askedAt: NOW * 1000 + 86_400_000 }],
    ["without its time", { value: token }],
    ["whose time is no number", { value: token, askedAt: `${NOW * 1000 + 1}` }],
    ["whose time is not a number", { value: token, askedAt: Number.NaN }],
    ["endless", { value: token, askedAt: Number.POSITIVE_INFINITY }],
    ["opaque", { value: "a1".repeat(16), askedAt: NOW * 1000 + 1 }],
    ["no JSON", { value: "a.b.c", askedAt: NOW * 1000 + 1 }],
    ["no text", { value: { toString: () => token }, askedAt: NOW * 1000 + 1 }],
    ["empty", { value: "", askedAt: NOW * 1000 + 1 }],
    ["nothing", undefined],
    ["null", null],
    ["text", "ended"],
    ["a number", 7],
    ["a list", [null]],
    ["an empty object", {}],
    ["the end of another user's session", { ended: "u2" }],
    ["the end of no one's", { ended: null }],
    ["the end of something", { ended: { toString: () => "u1" } }],
    ["the end of undefined", { ended: undefined }],
  ])("%s: is not believed", async (_, data) => {
    const before = await tab.get();
    const heard = vi.fn();
    tab.subscribe(heard);
    hear(data);
    expect(await tab.get()).toBe(before);
    expect(heard).not.toHaveBeenCalled();
    expect(asked).toBe(1);
  });

  test("a cold tab takes nothing, and says nothing of what it did not hold", async () => {
    const cold = openTab();
    const other = TestChannel.opened[1] as TestChannel;
    other.onmessage?.({ data: news({}) });
    expect(cold.state().status).toBe("unknown");
    await cold.get();
    expect(asked).toBe(2);
  });

  test("a sign-out, or a sign-in, while a cold tab waits for its first token: it asks again", async () => {
    const cold = openTab();
    const gives: ((token: string) => void)[] = [];
    answer = () => new Promise((resolve) => void gives.push(resolve));
    const first = cold.get();
    TestChannel.opened[1]?.onmessage?.({ data: { ended: "" } });
    gives[0]?.(sign(claims({ jti: "of the session before" })));
    await until(() => gives.length === 2);
    gives[1]?.(sign(claims({ jti: "after" })));
    expect((await first).value).toBe(sign(claims({ jti: "after" })));
    expect(cold.state().status).toBe("signed-in");
  });

  test("after a sign-out nothing is taken: the next token comes from the issuer", async () => {
    hear({ ended: "u1" });
    expect(tab.state().status).toBe("signed-out");
    hear(news({}));
    const { value } = await tab.get();
    expect(asked).toBe(2);
    expect(value).not.toBe(news({}).value);
    expect(tab.state()).toEqual({ status: "signed-in", subject: "u1" });
  });

  test("who is told does not tell on", () => {
    const before = channel.told.length;
    hear({ ended: "" });
    hear(news({}));
    expect(channel.told.length).toBe(before);
  });

  test("a sign-out while the token is fetched: no caller gets it", async () => {
    now += 280_000;
    let give: (token: string) => void = () => {};
    answer = () => new Promise((resolve) => (give = resolve));
    const late = tab.get();
    await until(() => asked === 2);
    hear({ ended: "u1" });
    await expect(late).rejects.toMatchObject({ name: "SessionMissingError" });
    give(sign());
    expect(tab.state().status).toBe("signed-out");
    expect(channel.told).toHaveLength(1);
  });

  test("a background renewal of theirs does not replace the one that our user is due", async () => {
    const theirs = news({ jti: "theirs" }, { background: true });
    hear(theirs); // nobody has called here since the issuer was asked
    expect((await tab.get()).value).toBe(theirs.value);
    now += 1;
    hear(news({ jti: "theirs again" }, { background: true }));
    expect((await tab.get()).value).toBe(theirs.value);
    hear(news({ jti: "their user's" }));
    expect((await tab.get()).value).not.toBe(theirs.value);
    expect(asked).toBe(1);
  });
});

describe("the lock", () => {
  beforeEach(() => {
    TestChannel.opened = [];
    vi.stubGlobal("BroadcastChannel", TestChannel);
  });

  /** A tab that needs a new token, while another one holds the lock. */
  async function openBesideFrozen() {
    const tab = openTab();
    await tab.get();
    now += 280_000;
    let release: () => void = () => {};
    locks.request(NAME, () => new Promise<void>((resolve) => (release = resolve)));
    return { tab, release: () => release() };
  }

  test("an abort while waiting ends one wait", async () => {
    const { tab, release } = await openBesideFrozen();
    const controller = new AbortController();
    const aborted = tab.get({ signal: controller.signal });
    const other = tab.get();
    controller.abort(new Error("enough"));
    await expect(aborted).rejects.toThrow("enough");
    expect(asked).toBe(1);
    release();
    await other;
    expect(asked).toBe(2);
  });

  test("clear() while waiting: callers hear at once, and nobody is asked afterwards", async () => {
    const { tab, release } = await openBesideFrozen();
    const late = tab.get();
    tab.clear();
    await expect(late).rejects.toMatchObject({ name: "SessionMissingError" });
    release();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(asked).toBe(1);
  });

  test("a tab that never lets go holds nobody up for more than 5 seconds", async () => {
    const { tab, release } = await openBesideFrozen();
    const late = tab.get();
    await vi.advanceTimersByTimeAsync(4999);
    expect(asked).toBe(1);
    await vi.advanceTimersByTimeAsync(1);
    await late;
    expect(asked).toBe(2);
    release();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(asked).toBe(2);
  });

  test("the news ends the wait, while the lock is still held", async () => {
    const { tab } = await openBesideFrozen();
    const late = tab.get();
    const fresh = { value: sign(claims({ jti: "news" })), askedAt: now, background: false };
    TestChannel.opened[0]?.onmessage?.({ data: fresh });
    expect((await late).value).toBe(fresh.value);
    expect(asked).toBe(1);
  });

  test("the lock is kept until the news has had time to arrive, and let go at once after a failure", async () => {
    const tab = openTab();
    await tab.get();
    now += 280_000;
    answer = () => Promise.reject(new TokenUnavailableError("away", { status: 503 }));
    await tab.get();
    const next = vi.fn();
    await locks.request(NAME, next);
    expect(next).toHaveBeenCalledTimes(1);

    answer = () => sign(claims({ jti: "new" }));
    now += 2000;
    await tab.get();
    const after = vi.fn();
    void locks.request(NAME, after);
    await vi.advanceTimersByTimeAsync(99);
    expect(after).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    expect(after).toHaveBeenCalledTimes(1);
  });

  test.each<[string, () => void]>([
    ["locks that are refused", () => locks.request.mockRejectedValue(new DOMException("", "SecurityError"))],
    ["no locks", () => vi.stubGlobal("navigator", {})],
    ["no navigator", () => vi.stubGlobal("navigator", undefined)],
    ["no channel", () => vi.stubGlobal("BroadcastChannel", undefined)],
    [
      "a channel that is refused",
      () =>
        vi.stubGlobal(
          "BroadcastChannel",
          class {
            constructor() {
              throw new DOMException("The operation is insecure", "SecurityError");
            }
          },
        ),
    ],
    ["no document", () => vi.stubGlobal("document", undefined)],
  ])("%s: each tab on its own", async (_, arrange) => {
    arrange();
    const tab = openTab();
    await tab.get();
    now += 280_000;
    await tab.get();
    expect(asked).toBe(2);
    tab.clear();
    expect(tab.state().status).toBe("signed-out");
  });

  test("without a document no channel is opened: on a server the others are other users", () => {
    vi.stubGlobal("document", undefined);
    openTab();
    expect(TestChannel.opened).toEqual([]);
  });
});
