/** Platforms that have less than a browser, React Native's for one: its signals, and what it decodes with. */

import { afterEach, expect, test, vi } from "vitest";
import { createBridgeFetch, createTokenSource } from "../src/client/index.js";
import { issuer } from "./client-kit.js";
import { clock } from "./token-source-kit.js";
import { claims, sign } from "./tokens.js";

afterEach(() => vi.unstubAllGlobals());

/** Without `reason` and `throwIfAborted`, as abort-controller 3.0.0 makes it. */
function plainSignal() {
  const target = new EventTarget();
  const signal = {
    aborted: false,
    addEventListener: target.addEventListener.bind(target),
    removeEventListener: target.removeEventListener.bind(target),
  };
  const abort = () => {
    signal.aborted = true;
    target.dispatchEvent(new Event("abort"));
  };
  return { signal: signal as never as AbortSignal, abort };
}

test("a signal that does not say why ends a wait, and a call before it begins", async () => {
  const { signal, abort } = plainSignal();
  const getToken = issuer();
  const source = createTokenSource({ getToken: () => new Promise(() => {}), clock });
  const waiting = source.get({ signal });
  abort();
  await expect(waiting).rejects.toThrow("Aborted");
  await expect(createTokenSource({ getToken, clock }).get({ signal })).rejects.toThrow("Aborted");
  expect(getToken).not.toHaveBeenCalled();
});

test("without TextDecoder, locks, channels and a document, calls go out as the user", async () => {
  const subject = "Zoë 雪";
  const token = sign(claims({ sub: subject, user_id: subject }));
  const sent: string[] = [];
  const fetch = async (input: string | URL | Request, init: RequestInit = {}) => {
    sent.push(`${input} ${new Headers(init.headers).get("authorization")}`);
    return { status: 200 } as Response;
  };
  // Node makes a decoder when it loads this class.
  expect(new Headers()).toBeDefined();
  for (const name of ["TextDecoder", "BroadcastChannel", "navigator", "document"])
    vi.stubGlobal(name, undefined);
  const tokenSource = createTokenSource({ getToken: async () => token, clock });
  const api = createBridgeFetch({ baseURL: "https://api.example.com", tokenSource, fetch });
  const call = api("/api/{user_id}/tasks", { signal: plainSignal().signal });
  // Vitest's own reports need a decoder.
  await call.finally(() => vi.unstubAllGlobals());
  const path = `/api/${encodeURIComponent(subject)}/tasks`;
  expect(sent).toEqual([`https://api.example.com${path} Bearer ${token}`]);
});

test.each([undefined, "", "api.example.com", "/api", "ftp://api.example.com"])(
  "baseURL %j, an unset variable say, is named",
  (baseURL) => {
    const make = () => createBridgeFetch({ baseURL: baseURL as string, tokenSource: { get: vi.fn() } });
    expect(make).toThrow(`baseURL is not http(s): ${baseURL}`);
  },
);
