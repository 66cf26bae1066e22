/** The most tiresome inputs: they take time that grows with their length alone, and nothing stays behind. */

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, test } from "vitest";
import { parseAuthorization } from "../src/bearer.js";
import { ConfigurationError } from "../src/errors.js";
import { judgeResponse } from "../src/jwks.js";
import { createVerifier } from "../src/verifier.js";
import { attempt, options, verdict } from "./fuzz-kit.js";
import { CLAIMS, HEADER, NOW, sign } from "./tokens.js";

/** As long as tokens may be, and as tiresome as they come. */
const TIRESOME = [
  ["brackets", "[".repeat(5700)],
  ["nested objects", '{"a":'.repeat(1100)],
  [
    "deep enough",
    `${'{"a":'.repeat(63)}{${Array.from({ length: 600 }, (_, i) => `"${i}":0`).join(",")}}${"}".repeat(63)}`,
  ],
  ["escapes", `{"a":"${"\\u0061".repeat(900)}"}`],
  ["surrogates", `{"a":"${"\\ud834\\udd1e".repeat(450)}"}`],
  ["quotes", `{"a":"${'\\"'.repeat(2700)}"}`],
  ["an open string", `{"a":"${"x".repeat(5700)}`],
  ["digits", `{"a":${"1".repeat(5700)}}`],
  ["zeros and a fraction", `{"a":0.${"0".repeat(5700)}1e99}`],
  ["many numbers", `{"a":[${"1.5,".repeat(1400)}1]}`],
  ["many names", `{${Array.from({ length: 700 }, (_, i) => `"${i}":0`).join(",")}}`],
  ["spaces", `{${" ".repeat(5700)}}`],
  ["U+FFFD", `{"a":"${"\ufffd".repeat(1850)}"}`],
  ["no UTF-8", Buffer.alloc(5700, 0x80)],
] as const;

describe("time and memory", () => {
  // A few milliseconds, with room for a busy machine: the best of some rounds has to stay below.
  const LIMIT = 5;
  async function best(act: () => Promise<unknown>): Promise<number> {
    const times: number[] = [];
    for (let round = 0; round < 8; round += 1) {
      const start = performance.now();
      await act();
      times.push(performance.now() - start);
    }
    return Math.min(...times);
  }

  test.each(TIRESOME)("%s", async (_, part) => {
    for (const token of [sign(CLAIMS, part as string), sign(part as string)]) {
      expect(token.length).toBeLessThanOrEqual(8192);
      expect(await best(() => verdict(token))).toBeLessThan(LIMIT);
    }
  });

  test.each([
    ["dots", ".".repeat(10_000_000)],
    ["letters", "a".repeat(10_000_000)],
  ])("10 MB of %s are refused by their length", async (_, token) => {
    expect(await best(() => verdict(token))).toBeLessThan(LIMIT);
  });

  test.each([
    ["commas", ", ".repeat(8000)],
    ["spaces", `Bearer${" ".repeat(16000)}`],
    ["a token and =", `Bearer ${"a=".repeat(8000)}`],
    ["Basic and commas", `Basic ${",\t".repeat(8000)}Bearer`],
  ])("an Authorization header of 16 kB of %s", async (_, value) => {
    expect(await best(async () => attempt(() => parseAuthorization([value])))).toBeLessThan(LIMIT);
  });

  const rsa = {
    kty: "RSA",
    e: "AQAB",
    // Half of the largest modulus: 32 of the largest do not fit into 64 KiB.
    n: `${"-".repeat(682)}8`,
  };
  test.each<[string, string]>([
    [
      "32 RSA keys",
      JSON.stringify({ keys: Array.from({ length: 32 }, (_, kid) => ({ ...rsa, kid: `${kid}` })) }),
    ],
    ["many entries", `{"keys":[${"1,".repeat(32000)}1]}`],
    ["many names", `{${Array.from({ length: 6000 }, (_, index) => `"${index}":0`).join(",")}}`],
    ["escapes", `{"a":"${"\\u0061".repeat(10000)}"}`],
    ["nesting", "[".repeat(65536)],
    ["10 MB", " ".repeat(10_000_000)],
  ])("a key set of %s is judged in a moment", async (_, body) => {
    const bytes = Buffer.from(body);
    const judge = async () => attempt(() => judgeResponse(200, "application/json", bytes));
    expect(await best(judge)).toBeLessThan(4 * LIMIT);
  });

  test("nothing stays behind", async () => {
    setFlagsFromString("--expose-gc");
    const collect: () => void = runInNewContext("gc");
    const flood = async (rounds: number) => {
      for (let round = 0; round < rounds; round += 1) {
        await verdict(sign({ ...CLAIMS, jti: `j${round}` }, { ...HEADER, kid: `k${round}` }));
        await verdict(sign({ ...CLAIMS, jti: `j${round}`, [`n${round}`]: round }));
        await verdict(`${round}.`.repeat(3));
      }
      collect();
      return process.memoryUsage().heapUsed;
    };
    await flood(3000);
    const before = await flood(3000);
    const after = await flood(9000);
    expect(after - before).toBeLessThan(1_000_000);
  });

  test("refusing reads the clock once and verifies nothing twice", async () => {
    let readings = 0;
    const counting = createVerifier({ ...options, clock: () => NOW + 0 * ++readings });
    await counting.verify("x").catch(() => {});
    await counting.verify(sign()).catch(() => {});
    expect(readings).toBe(2);
    expect(() => createVerifier({ ...options, leeway: 99 })).toThrow(ConfigurationError);
  });
});
