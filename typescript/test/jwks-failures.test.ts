/** The fetched key set where something fails: fetches that never end, lines of the log, the words of refusals. */

import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { KeySetUnavailableError } from "../src/errors.js";
import { cacheAge, judgeKeySetUrl, judgeResponse, listKeyIds } from "../src/jwks.js";
import { createRemoteKeySet } from "../src/jwks-remote.js";
import { judgeLog } from "../src/policy.js";
import { BROKEN_LOGS } from "./broken-logs.js";
import { answer, broken, later, remote, SHOWN, URL, unavailable, X } from "./jwks-kit.js";

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
