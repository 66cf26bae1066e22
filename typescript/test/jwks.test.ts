/** The fetched key set: its states, stepped by a clock and answers of the test's own; the words of its refusals. */

import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { KeySetUnavailableError } from "../src/errors.js";
import { cacheAge, judgeKeySetUrl, judgeResponse, type KeySetResponse, listKeyIds } from "../src/jwks.js";
import { createRemoteKeySet } from "../src/jwks-remote.js";
import { judgeLog } from "../src/policy.js";
import { BROKEN_LOGS } from "./broken-logs.js";

const URL = "https://app.example.com/api/auth/jwks?tenant=t0p";
const SHOWN = "https://app.example.com/api/auth/jwks";
const X = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
const DAY = 86400;

const answer = (kids: readonly string[], cacheControl: string | null = null): KeySetResponse => {
  const keys = kids.map((kid) => ({ kty: "OKP", crv: "Ed25519", x: X, kid }));
  const body = new TextEncoder().encode(JSON.stringify({ keys }));
  return { status: 200, contentType: "application/json", cacheControl, body };
};
const broken = { ...answer([]), status: 500 };

/** A key set whose clock and server are the test's. */
function remote() {
  const state = {
    now: 1000,
    /** What the server answers; a promise may never come. */
    answer: answer(["a"]) as KeySetResponse | Error | Promise<KeySetResponse>,
    fetches: [] as number[],
    lines: [] as string[],
  };
  const set = createRemoteKeySet(URL, (line, { level }) => state.lines.push(`${level} ${line}`), {
    clock: () => state.now,
    fetch: async (url) => {
      expect(url).toBe(URL);
      state.fetches.push(state.now);
      if (state.answer instanceof Error) throw state.answer;
      return state.answer;
    },
  });
  const find = async (kid: string) => (await set.find(kid))?.keyId;
  return Object.assign(state, {
    set,
    find,
    /** Found without waiting. */
    inHand: (kid: string) => (set.find(kid) as { keyId?: string }).keyId,
    /** Lets a background fetch end. */
    settle: () => new Promise((resolve) => setImmediate(resolve)),
  });
}

/** An answer that the test gives when it likes. */
function later() {
  let give: (response: KeySetResponse) => void = () => {};
  const promise = new Promise<KeySetResponse>((resolve) => {
    give = resolve;
  });
  return { promise, give };
}

const unavailable = expect.objectContaining({ name: "KeySetUnavailableError", code: "key_set_unavailable" });

describe("fresh", () => {
  test("nothing is fetched before the first key is asked for", async () => {
    const state = remote();
    expect([state.set.keyIds, state.fetches]).toEqual([[], []]);
    expect(await state.find("a")).toBe("a");
    expect([state.set.keyIds, state.fetches]).toEqual([["a"], [1000]]);
  });

  test.each([
    [null, 300],
    ["max-age=60", 60],
    ["max-age=1", 30],
    ["max-age=999999", 3600],
    ["no-store", 30],
  ])("with %s it is for so long: %d seconds", async (cacheControl, age) => {
    const state = remote();
    state.answer = answer(["a"], cacheControl);
    await state.find("a");
    state.now += age - 0.001;
    expect(state.inHand("a")).toBe("a");
    expect(state.fetches).toHaveLength(1);
    state.now += 0.001;
    expect(state.inHand("a")).toBe("a");
    expect(state.fetches).toHaveLength(2);
  });

  test("its age counts from the answer, not from the question", async () => {
    const state = remote();
    const { promise, give } = later();
    state.answer = promise;
    const finding = state.find("a");
    state.now += 4;
    give(answer(["a"]));
    expect(await finding).toBe("a");
    state.now += 299;
    state.inHand("a");
    expect(state.fetches).toHaveLength(1);
  });
});

describe("stale", () => {
  const stale = async () => {
    const state = remote();
    await state.find("a");
    state.now += 300;
    return state;
  };

  test("known keys are used at once while one fetch is under way", async () => {
    const state = await stale();
    const { promise, give } = later();
    state.answer = promise;
    for (let count = 0; count < 100; count += 1) expect(state.inHand("a")).toBe("a");
    expect(state.fetches).toHaveLength(2);
    give(answer(["b"]));
    await state.settle();
    expect(state.set.keyIds).toEqual(["b"]);
    // The key that is gone is gone, and asking for it fetches nothing within the cool-down.
    expect(await state.find("a")).toBeUndefined();
    expect(state.fetches).toHaveLength(2);
  });

  test("failing fetches repeat once per cool-down, and take no key away", async () => {
    const state = await stale();
    state.answer = broken;
    const began = state.now;
    for (; state.now < began + 90; state.now += 1) {
      expect(state.inHand("a")).toBe("a");
      await state.settle();
    }
    expect(state.fetches.slice(1)).toEqual([began, began + 30, began + 60]);
    state.answer = answer(["a", "b"]);
    expect(state.inHand("a")).toBe("a");
    await state.settle();
    expect(state.inHand("b")).toBe("b");
  });

  test("after a day without success the keys are dropped, and not before", async () => {
    const state = await stale();
    state.answer = broken;
    state.now += DAY - 0.001;
    expect(state.inHand("a")).toBe("a");
    await state.settle();
    expect(state.set.keyIds).toEqual(["a"]);
    state.now += 0.001;
    expect(state.set.keyIds).toEqual([]);
    state.now += 30;
    await expect(state.find("a")).rejects.toEqual(unavailable);
    expect(state.lines.at(-2)).toBe("info key IDs none");
    // Without keys in hand the shorter gap holds.
    state.now += 5;
    state.answer = answer(["a"]);
    expect(await state.find("a")).toBe("a");
  });
});

describe("an unknown key", () => {
  test("is fetched at most once per cool-down, however many ask", async () => {
    const state = remote();
    await state.find("a");
    state.now += 29.999;
    for (let count = 0; count < 1000; count += 1) expect(await state.find(`x${count}`)).toBeUndefined();
    expect(state.fetches).toHaveLength(1);
    state.now += 0.001;
    const { promise, give } = later();
    state.answer = promise;
    const asking = Array.from({ length: 1000 }, (_, count) => state.find(`y${count}`));
    const found = state.find("b");
    expect(state.inHand("a")).toBe("a");
    give(answer(["a", "b"]));
    expect(new Set(await Promise.all(asking))).toEqual(new Set([undefined]));
    expect(await found).toBe("b");
    expect(state.fetches).toEqual([1000, 1030]);
  });

  test("waits for the fetch that is under way", async () => {
    const state = remote();
    await state.find("a");
    state.now += 300;
    const { promise, give } = later();
    state.answer = promise;
    state.inHand("a");
    const asking = state.find("b");
    give(answer(["b"]));
    expect(await asking).toBe("b");
    expect(state.fetches).toHaveLength(2);
  });

  test("can not be had while the last fetch failed, and does not exist once one succeeds", async () => {
    const state = remote();
    await state.find("a");
    state.now += 30;
    state.answer = broken;
    await expect(state.find("b")).rejects.toEqual(unavailable);
    state.now += 29;
    await expect(state.find("b")).rejects.toEqual(unavailable);
    expect(state.inHand("a")).toBe("a");
    expect(state.fetches).toHaveLength(2);
    state.now += 1;
    state.answer = answer(["a"]);
    expect(await state.find("b")).toBeUndefined();
    expect(state.fetches).toHaveLength(3);
  });

  test("a name that several entries share is one", async () => {
    const state = remote();
    state.answer = answer(["a", "b", "b"]);
    expect(await state.find("b")).toBeUndefined();
    expect(state.set.keyIds).toEqual(["a"]);
  });
});

describe("no key in hand", () => {
  test("is tried again every five seconds", async () => {
    const state = remote();
    state.answer = broken;
    for (; state.now < 1012; state.now += 1) await expect(state.find("a")).rejects.toEqual(unavailable);
    expect(state.fetches).toEqual([1000, 1005, 1010]);
    state.now = 1015;
    state.answer = answer(["a"]);
    expect(await state.find("a")).toBe("a");
  });

  test("waits five seconds more after an attempt that took five: others are answered at once", async () => {
    const state = remote();
    const { promise, give } = later();
    state.answer = promise;
    const asking = expect(state.find("a")).rejects.toEqual(unavailable);
    state.now += 5;
    give(broken);
    await asking;
    for (state.answer = broken; state.now < 1010; state.now += 1) {
      await expect(state.find("a")).rejects.toEqual(unavailable);
    }
    expect(state.fetches).toEqual([1000]);
    state.answer = answer(["a"]);
    expect(await state.find("a")).toBe("a");
    expect(state.fetches).toEqual([1000, 1010]);
  });

  test("with keys in hand the cool-down counts from the start of an attempt all the same", async () => {
    const state = remote();
    await state.find("a");
    state.now += 300;
    const { promise, give } = later();
    state.answer = promise;
    state.inHand("a");
    state.now += 5;
    give(broken);
    await state.settle();
    state.now += 25;
    state.inHand("a");
    expect(state.fetches).toEqual([1000, 1300, 1330]);
  });

  test("a thousand first questions are one fetch, and whoever goes away ends it for nobody", async () => {
    const state = remote();
    const { promise, give } = later();
    state.answer = promise;
    const gone = Promise.race([state.find("a"), Promise.reject(new Error("gone"))]).catch(() => "gone");
    const asking = Array.from({ length: 1000 }, () => state.find("a"));
    expect(await gone).toBe("gone");
    give(answer(["a"]));
    expect(new Set(await Promise.all(asking))).toEqual(new Set(["a"]));
    expect(state.fetches).toHaveLength(1);
  });

  test("prefetch() fetches, waits, and says what failed", async () => {
    const state = remote();
    state.answer = broken;
    await expect(state.set.prefetch()).rejects.toMatchObject({
      message: `the key set at ${SHOWN} can not be used: status 500 instead of 200`,
    });
    await expect(state.set.prefetch()).rejects.toEqual(unavailable);
    expect(state.fetches).toHaveLength(1);
    state.now += 5;
    state.answer = answer(["a"]);
    await Promise.all([state.set.prefetch(), state.set.prefetch()]);
    state.now += 400;
    await state.set.prefetch();
    // Stale keys are keys: the third one waited for nothing, and had them fetched in the background.
    expect(state.fetches).toHaveLength(3);
  });
});

describe("a fetch that never ends", () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test("is waited for six seconds, and then replaced; what it brings after all is not used", async () => {
    const state = remote();
    const { promise, give } = later();
    state.answer = promise;
    const asking = expect(state.find("a")).rejects.toEqual(unavailable);
    state.now += 6;
    await vi.advanceTimersByTimeAsync(6000);
    await asking;
    expect(state.lines).toEqual([
      `warn the key set at ${SHOWN} can not be used: no whole answer within 5 seconds`,
    ]);
    state.answer = answer(["b"]);
    state.now += 5;
    expect(await state.find("b")).toBe("b");
    give(answer(["a"]));
    await vi.advanceTimersByTimeAsync(0);
    expect(state.set.keyIds).toEqual(["b"]);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("in the background is given up by the next question after that time", async () => {
    const state = remote();
    await state.find("a");
    state.now += 300;
    state.answer = later().promise;
    state.inHand("a");
    state.now += 6.001;
    // Nobody waited, so that no timer ran; the cool-down still holds.
    expect(state.inHand("a")).toBe("a");
    expect(state.lines.at(-1)).toContain("no whole answer");
    state.now += 24;
    state.answer = answer(["a"]);
    state.inHand("a");
    expect(state.fetches).toEqual([1000, 1300, 1330.001]);
  });
});

describe("the log", () => {
  test("has a line when the key IDs change, and one for each failed fetch", async () => {
    const state = remote();
    const ask = async (next: typeof state.answer) => {
      state.answer = next;
      await Promise.resolve(state.set.find("?")).catch(() => {});
      state.now += 3600;
    };
    await ask(answer(["a", "b"]));
    await ask(answer(["b", "a"]));
    await ask(broken);
    await ask(new Error("what a platform says may hold anything"));
    await ask({ ...answer([]), contentType: "text/html" });
    await ask(answer(["b", "c"]));
    const unusable = `warn the key set at ${SHOWN} can not be used:`;
    expect(state.lines).toEqual([
      "info key IDs a, b",
      `${unusable} status 500 instead of 200`,
      `${unusable} no connection (Error)`,
      `${unusable} the content type is neither application/json nor application/jwk-set+json`,
      "info key IDs b, c",
    ]);
  });

  test.each(BROKEN_LOGS)("that %s: the keys are there all the same", async (_, log) => {
    const platform = { clock: () => 0, fetch: async () => answer(["a"]) };
    const set = createRemoteKeySet(URL, judgeLog(log), platform);
    expect(await set.find("a")).toMatchObject({ keyId: "a" });
  });

  test("no key ID forges a line or colours a terminal", () => {
    expect(listKeyIds(["a_-9", "b\nc", 'd"', "\u001b[31m", "ä", "e f", "\u007f"])).toBe(
      'a_-9, "b\\nc", "d\\"", "\\u001b[31m", "\\u00e4", "e f", "\\u007f"',
    );
    expect(listKeyIds([])).toBe("none");
  });
});

describe("what is refused says why, and never what was sent", () => {
  const bytes = (text: string) => new TextEncoder().encode(text);
  const entry = { kty: "OKP", crv: "Ed25519", x: X, kid: "k1d" };
  test.each([
    ["a redirect", [302, "application/json", bytes("{}")], "status 302 instead of 200"],
    ["HTML", [200, "text/html", bytes("<p>s3cret")], "the content type is neither"],
    ["no content type", [200, null, bytes("{}")], "the content type is neither"],
    ["10 MB", [200, "application/json", new Uint8Array(10_000_000)], "larger than 65536 bytes"],
    ["invalid JSON", [200, "application/json", bytes('{"keys": s3cret')], "not one strict JSON object"],
    ['{"keys":{}}', [200, "application/json", bytes('{"keys":{}}')], "no JWK Set"],
    ["keys of a prototype", [200, "application/json", bytes('{"__proto__":{"keys":[]}}')], "no JWK Set"],
    ["nulls", [200, "application/json", bytes('{"keys":[null,null]}')], "no usable public key"],
    [
      "one name twice",
      [200, "application/json", bytes(JSON.stringify({ keys: [entry, entry] }))],
      "no usable public key",
    ],
    [
      "33 entries",
      [200, "application/json", bytes(JSON.stringify({ keys: Array(33).fill(entry) }))],
      "33 entries, more than 32",
    ],
    [
      "an oct key alone",
      [200, "application/json", bytes(JSON.stringify({ keys: [{ kty: "oct", kid: "o", k: X }] }))],
      "no usable public key",
    ],
  ] as const)("%s", (_, [status, contentType, body], words) => {
    let error: unknown;
    try {
      judgeResponse(status, contentType, body);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(KeySetUnavailableError);
    expect((error as Error).message).toContain(words);
    expect((error as Error).message).not.toMatch(/s3cret|k1d|11qY/);
  });

  test.each([
    ["https://user:pa55@app.example.com/jwks", [], "an ASCII host, a path, no user"],
    ["http://app.example.com/pa55", [], "use https, or name its host in internalHosts"],
    ["", [], "is not set"],
    [undefined, [], "is not set"],
    [7, [], "is not set"],
    ["https://app.example.com/jwks", ["web:3000"], "internalHosts must list host names"],
    ["https://app.example.com/jwks", "web", "internalHosts must list host names"],
    ["https://app.example.com/jwks", [1], "internalHosts must list host names"],
  ])("%s %j", (url, hosts, words) => {
    const judge = () => judgeKeySetUrl(url as string, hosts as string[], "THE_URL");
    expect(judge).toThrow(expect.objectContaining({ name: "ConfigurationError" }));
    expect(judge).toThrow(words);
    expect(judge).not.toThrow("pa55");
    if (!words.startsWith("internalHosts")) expect(judge).toThrow("THE_URL");
  });

  test("a Cache-Control of more than 1024 characters counts as none, and costs nothing", () => {
    expect(cacheAge(`max-age=60,${"x".repeat(1013)}`)).toBe(60);
    expect(cacheAge(`max-age=60,${"x".repeat(1014)}`)).toBe(300);
    const began = performance.now();
    for (const each of [" ", "\t", "x,", " \t,"]) expect(cacheAge(`${each.repeat(500_000)}x`)).toBe(300);
    expect(performance.now() - began).toBeLessThan(1000);
  });
});
