/** The fetched key set: its states, stepped by a clock and answers of the test's own. */

import { describe, expect, test } from "vitest";
import { answer, broken, later, remote, SHOWN, unavailable } from "./jwks-kit.js";

const DAY = 86400;

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
