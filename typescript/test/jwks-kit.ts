/** What the tests of the fetched key set share: a set whose clock and server are the test's, and answers. */

import { expect } from "vitest";
import type { KeySetResponse } from "../src/jwks.js";
import { createRemoteKeySet } from "../src/jwks-remote.js";

export const URL = "https://app.example.com/api/auth/jwks?tenant=t0p";
export const SHOWN = "https://app.example.com/api/auth/jwks";
export const X = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

export const answer = (kids: readonly string[], cacheControl: string | null = null): KeySetResponse => {
  const keys = kids.map((kid) => ({ kty: "OKP", crv: "Ed25519", x: X, kid }));
  const body = new TextEncoder().encode(JSON.stringify({ keys }));
  return { status: 200, contentType: "application/json", cacheControl, body };
};
export const broken = { ...answer([]), status: 500 };

/** A key set whose clock and server are the test's. */
export function remote() {
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
export function later() {
  let give: (response: KeySetResponse) => void = () => {};
  const promise = new Promise<KeySetResponse>((resolve) => {
    give = resolve;
  });
  return { promise, give };
}

export const unavailable = expect.objectContaining({
  name: "KeySetUnavailableError",
  code: "key_set_unavailable",
});
