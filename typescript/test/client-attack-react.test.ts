/** `useBridge()`, attacked: what happened elsewhere between two looks of Better Auth's client at its session. */

import { afterEach, beforeEach, expect, test, vi } from "vitest";

/** The page, before React is loaded. */
await vi.hoisted(async () => {
  const { Window } = await import("happy-dom");
  const window = new Window({ url: "http://localhost:3000" });
  const { document, navigator } = window;
  for (const [name, value] of Object.entries({ window, document, navigator }))
    Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
});

import { act, createElement, useSyncExternalStore } from "react";
import { createRoot } from "react-dom/client";
import { createTokenSource } from "../src/client/index.js";
import { createUseBridge } from "../src/react.js";
import { claims, NOW, sign } from "./tokens.js";

const NAME = "jwt-auth-bridge";
let end = () => {};
beforeEach(() => void vi.stubGlobal("IS_REACT_ACT_ENVIRONMENT", true));
afterEach(() => {
  end();
  vi.unstubAllGlobals();
});

/** A page whose Better Auth client has looked at its session, and looks again when told, at the focus of a tab say. */
async function openPage() {
  let user = "alice";
  const issuer = { answer: () => sign(claims({ sub: user, user_id: user })) as string | null, asked: 0 };
  const clock = { now: NOW * 1000 };
  const tokenSource = createTokenSource({
    clock: () => clock.now,
    getToken: async () => {
      issuer.asked += 1;
      return issuer.answer();
    },
  });
  let session = { data: { user: { id: user } }, isPending: false, isRefetching: false, error: null };
  let changed = () => {};
  const subscribe = (listener: () => void) => {
    changed = listener;
    return () => {};
  };
  const useBridge = createUseBridge({
    authClient: { useSession: () => useSyncExternalStore(subscribe, () => session) },
    tokenSource,
  });
  let seen: unknown;
  function Page() {
    const { status, user: shown, ...more } = useBridge();
    seen = { status, user: shown?.id ?? null, ...more };
    return null;
  }
  const root = createRoot(document.createElement("div"));
  await act(async () => root.render(createElement(Page)));
  await act(async () => void (await tokenSource.get()));
  end = () => act(() => root.unmount());
  const show = (more: Partial<typeof session>) =>
    act(async () => {
      session = { ...session, ...more };
      changed();
    });
  /** As Better Auth's client does it: what is the same stays the same object. */
  const look = async () => {
    await show({ isRefetching: true });
    await show({
      isRefetching: false,
      ...(session.data.user.id !== user && { data: { user: { id: user } } }),
    });
  };
  const become = (name: string) => {
    user = name;
  };
  return { clock, issuer, look, become, seen: () => seen, tokenSource };
}

test("another user signed in elsewhere, while no token could be had: not pending for ever", async () => {
  const { clock, issuer, look, become, seen } = await openPage();
  expect(seen()).toEqual({ status: "signed-in", user: "alice" });
  const { answer } = issuer;
  issuer.answer = () => {
    throw new Error("away");
  };
  become("bob");
  await look();
  expect(seen()).toEqual({ status: "pending", user: null });
  issuer.answer = answer;
  clock.now += 1000;
  await look();
  expect(seen()).toEqual({ status: "signed-out", user: null, reason: "user-changed" });
});

test("signed out and in again elsewhere, between two looks: signed in", async () => {
  const { issuer, look, seen } = await openPage();
  const elsewhere = new BroadcastChannel(NAME);
  elsewhere.postMessage({ ended: "alice" });
  await act(() =>
    vi.waitFor(() => expect(seen()).toMatchObject({ status: "signed-out", reason: "signed-out" })),
  );
  elsewhere.close();
  expect(issuer.asked).toBe(1);
  await look();
  expect([seen(), issuer.asked]).toEqual([{ status: "signed-in", user: "alice" }, 2]);
  await look();
  await look();
  expect(issuer.asked).toBe(2); // they agree
});
