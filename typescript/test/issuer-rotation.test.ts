/** Key pairs that are rotated: no verifier ever meets a key that it could not have fetched before. */

import { beforeEach, describe, expect, test, vi } from "vitest";
import { email, fetchToken, sql, start } from "./issuer-kit.js";
import { fetchKeySet, KEY_PAIR_ALGORITHMS, verifierOf } from "./key-sets.js";
import { readHeader } from "./real-auth.js";

const START = Date.parse("2026-11-21T12:00:00Z");
/** Seconds. */
const INTERVAL = 7200;
const GRACE = 3600;
const AHEAD = 600;

beforeEach(async () => {
  await sql("truncate jwks");
  vi.useFakeTimers({ toFake: ["Date"], now: START });
});

const at = (seconds: number) => vi.setSystemTime(START + seconds * 1000);
const published = async (auth: Parameters<typeof fetchKeySet>[0]) =>
  (await fetchKeySet(auth)).keys.map(({ kid }) => kid);

describe.each(KEY_PAIR_ALGORITHMS)("%s", (algorithm) => {
  const rotating = () =>
    start({}, { algorithm, rotationInterval: INTERVAL, gracePeriod: GRACE, lifetime: 300 });
  const keyOf = async (browser: ReturnType<typeof start>["browser"]) =>
    String(readHeader(await fetchToken(browser)).kid);

  test("a new pair is published ten minutes before it signs, the old one an hour after it ended", async () => {
    const { auth, browser } = rotating();
    await browser.signUp(email());
    const first = await keyOf(browser);
    at(INTERVAL - AHEAD);
    expect(await keyOf(browser)).toBe(first);
    expect(await published(auth)).toEqual([first]);
    at(INTERVAL - AHEAD + 1);
    expect(await keyOf(browser)).toBe(first);
    const [, second = ""] = await published(auth);
    expect(second).not.toBe("");
    at(INTERVAL - 1);
    const last = await fetchToken(browser);
    expect(readHeader(last).kid).toBe(first);
    // An API that fetched the key set a second after it had grown, and not again.
    const api = await verifierOf(auth);
    at(INTERVAL + 1);
    const next = await fetchToken(browser);
    expect(readHeader(next).kid).toBe(second);
    await api.verify(next);
    at(INTERVAL + 290);
    await api.verify(last);
    await (await verifierOf(auth)).verify(last);
    at(INTERVAL + GRACE - 1);
    expect(await published(auth)).toEqual([first, second]);
    at(INTERVAL + GRACE + 1);
    expect(await published(auth)).toEqual([second]);
  });

  test("rows that nobody publishes any more are deleted when the next pair is made", async () => {
    const { auth, browser } = rotating();
    await browser.signUp(email());
    for (let turn = 0; turn < 6; turn += 1) {
      at(turn * INTERVAL);
      await fetchToken(browser);
    }
    const { rows } = await sql("select id from jwks");
    expect(rows.length).toBeLessThanOrEqual(3);
    const token = await fetchToken(browser);
    await (await verifierOf(auth)).verify(token);
  });

  test("several processes make one pair each at most, and take the same one when all have seen them", async () => {
    const processes = [rotating(), rotating(), rotating()];
    await processes[0]?.browser.signUp(email());
    for (const { browser } of processes) {
      for (const [name, value] of processes[0]?.browser.jar ?? []) browser.jar.set(name, value);
    }
    const all = () => Promise.all(processes.map(({ browser }) => keyOf(browser)));
    await all();
    expect(new Set(await all()).size).toBe(1);
    at(INTERVAL - 10);
    const before = await all();
    expect(new Set(before).size).toBe(1);
    expect((await sql("select id from jwks")).rows.length).toBeLessThanOrEqual(6);
    at(INTERVAL + AHEAD);
    const after = await all();
    expect(new Set(after).size).toBe(1);
    expect(after[0]).not.toBe(before[0]);
  });
});

describe("a pair without an end", () => {
  test("gets one when rotation is switched on, and is never pruned", async () => {
    const { browser } = start({}, { algorithm: "ES256" });
    await browser.signUp(email());
    const old = readHeader(await fetchToken(browser)).kid;
    at(90 * 86_400);
    const later = start({}, { algorithm: "ES256", rotationInterval: 86_400, gracePeriod: 86_400 });
    await later.browser.signUp(email());
    const next = readHeader(await fetchToken(later.browser)).kid;
    expect(next).not.toBe(old);
    at(95 * 86_400);
    await later.browser.signUp(email());
    expect(readHeader(await fetchToken(later.browser)).kid).not.toBe(next);
    expect(await published(later.auth)).toContain(old);
  });

  test("that somebody puts beside it by hand signs ten minutes later", async () => {
    const { auth, browser } = start({}, { algorithm: "EdDSA" });
    await browser.signUp(email());
    const old = readHeader(await fetchToken(browser)).kid;
    at(60);
    const { adapter } = await auth.$context;
    const [row] = await adapter.findMany<Record<string, unknown>>({ model: "jwks" });
    const data = { ...row, id: "by-hand", createdAt: new Date() };
    await adapter.create({ model: "jwks", data, forceAllowId: true });
    expect(readHeader(await fetchToken(browser)).kid).toBe(old);
    at(60 + AHEAD);
    expect(readHeader(await fetchToken(browser)).kid).toBe("by-hand");
  });
});
