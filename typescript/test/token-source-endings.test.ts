/** What of a session is left when it ends: nothing, for those who wait, and for the other tabs. */

import { afterEach, expect, test, vi } from "vitest";
import { createTokenSource } from "../src/client/index.js";
import { issuer } from "./client-kit.js";
import { clock, time } from "./token-source-kit.js";
import { claims, sign } from "./tokens.js";

afterEach(() => vi.unstubAllGlobals());

/** Better Auth's client as far as the source goes: what `/token` answers, and the signal after an action. */
function better(token: () => Promise<unknown>) {
  const actions: (() => void)[] = [];
  const $store = { listen: (_: string, listener: () => void) => void actions.push(listener) };
  return { authClient: { token, $store } as never, act: () => actions[0]?.() };
}

/** A page with other tabs: what they are told. */
function listenIn(): unknown[] {
  const told: unknown[] = [];
  class Channel {
    onmessage = null;
    postMessage = (news: unknown) => void told.push(news);
  }
  for (const [name, value] of Object.entries({ document: {}, navigator: {}, BroadcastChannel: Channel }))
    vi.stubGlobal(name, value);
  return told;
}

const given = (token: string) => ({ data: { token }, error: null });

test("a token that comes after clear() is not kept, and signs nobody in", async () => {
  const getToken = issuer();
  const gives: ((token: string) => void)[] = [];
  getToken.mockImplementation(() => new Promise((resolve) => void gives.push(resolve)));
  const source = createTokenSource({ clock, getToken });
  const late = source.get().catch((error: Error) => error.name);
  source.clear();
  expect(await late).toBe("SessionMissingError");
  gives[0]?.(sign(claims({ jti: "of the ended session" })));
  // Whatever comes of it has come after a turn of the event loop.
  await new Promise((resolve) => setImmediate(resolve));
  expect(source.state().status).toBe("unknown");
  source.get().catch(() => {});
  expect(getToken).toHaveBeenCalledTimes(2);
});

test("after an action with the issuer away, who waited is not given the token of the session before", async () => {
  const answers: (() => void)[] = [];
  let token: () => Promise<unknown> = async () => given(sign());
  const { authClient, act } = better(() => token());
  const source = createTokenSource({ authClient, clock });
  await source.get();
  token = () => new Promise((resolve) => answers.push(() => resolve({ data: null, error: { status: 503 } })));
  time.now += 280_000;
  const waiting = source.get().catch((error: Error) => error.name);
  await vi.waitFor(() => expect(answers).toHaveLength(1));
  act();
  await vi.waitFor(() => expect(answers).toHaveLength(2));
  for (const answer of answers) answer();
  expect(await waiting).toBe("TokenUnavailableError");
});

test("where somebody else signs in over a session, the other tabs of the first hear of it", async () => {
  const told = listenIn();
  let sub = "alice";
  const { authClient, act } = better(async () => given(sign(claims({ sub, user_id: sub }))));
  const source = createTokenSource({ authClient, clock });
  await source.get();
  sub = "bob";
  act();
  await vi.waitFor(() => expect(source.state().subject).toBe("bob"));
  expect(told).toContainEqual({ ended: "alice" });
});

test("clear() after an action, before it is known who it is now, ends the former user's tabs and no others'", async () => {
  const told = listenIn();
  let token: () => Promise<unknown> = async () => given(sign(claims({ sub: "alice", user_id: "alice" })));
  const { authClient, act } = better(() => token());
  const source = createTokenSource({ authClient, clock });
  await source.get();
  token = () => new Promise(() => {});
  act();
  source.clear();
  expect(told).toContainEqual({ ended: "alice" });
  expect(told).not.toContainEqual({ ended: "" });
});

test("a listener that listens anew while it is told is told once", async () => {
  const source = createTokenSource({ clock, getToken: issuer() });
  let told = 0;
  const listen = () => {
    const stop = source.subscribe(() => {
      told += 1;
      stop();
      listen();
    });
  };
  listen();
  await source.get();
  expect(told).toBe(1);
});

test("a signal that outlives many calls is left as it was", async () => {
  const { signal } = new AbortController();
  const listening = { now: 0, most: 0 };
  const { addEventListener: add, removeEventListener: remove } = signal;
  Object.assign(signal, {
    addEventListener(...call: Parameters<typeof add>) {
      listening.most = Math.max(listening.most, ++listening.now);
      add.apply(signal, call);
    },
    removeEventListener(...call: Parameters<typeof remove>) {
      listening.now -= 1;
      remove.apply(signal, call);
    },
  });
  const source = createTokenSource({ clock, getToken: issuer() });
  await Promise.all([source.get({ signal }), source.get({ signal })]);
  await new Promise((resolve) => setImmediate(resolve));
  expect(listening).toEqual({ now: 0, most: 2 });
});
