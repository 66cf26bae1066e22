/** The reader of server-sent events, attacked: a server that asks for no wait at all, and then goes away. */

import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { answer, answers, message } from "./event-kit.js";

beforeEach(() => void vi.spyOn(Math, "random").mockReturnValue(0));
afterEach(() => void vi.restoreAllMocks());

test.each([
  ["the server's", "retry:0\ndata:x\n\n", {}],
  ["the caller's", "data:x\n\n", { retry: 0 }],
])("no time before a reconnection, %s: failures are not tried in a storm", async (_, text, options) => {
  const failures = Array.from({ length: 1100 }, () => new TypeError("fetch failed"));
  const { waits, read } = answers(answer([text]), ...failures);
  expect(await read(options)).toEqual([message("x")]);
  expect(waits.slice(0, 5)).toEqual([1, 2, 4, 8, 16]);
  expect(waits.slice(15)).toEqual(Array(1086).fill(30_000));
});
