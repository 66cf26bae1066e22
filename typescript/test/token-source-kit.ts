/** What the tests of the token source share: a clock that the test moves, and the ID of the token in hand. */

import { beforeEach } from "vitest";
import type { TokenSource } from "../src/client/index.js";
import { NOW } from "./tokens.js";

/** Milliseconds; set back before each test. */
export const time = { now: NOW * 1000 };
export const clock = () => time.now;

beforeEach(() => {
  time.now = NOW * 1000;
});

/** The `jti` of the token that it gives. */
export const idOf = async (source: TokenSource) => {
  const { value } = await source.get();
  return JSON.parse(Buffer.from(value.split(".")[1] ?? "", "base64url").toString()).jti;
};
