/**
 * Live connections of a page, on one clock that goes in steps: a WebSocket that outlives many tokens, because it is
 * sent newer ones; one that ends with its token; server-sent events with a token and with a ticket.
 */
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { newAccount } from "./account.js";
import { openBrowser, type Person, signUp } from "./browser.js";
import { installClient } from "./client.js";
import { type Clock, startClock } from "./clock.js";
import { MANY_SIGN_INS, type Stack, startTestStack } from "./stack.js";

const SECOND = 1000;
const LIFETIME = 20;
/** Seconds that the API adds for clocks that differ. */
const LEEWAY = 10;

declare global {
  /** In a page: what the tests opened, and what came. */
  var live: { socket: WebSocket; messages: number; closed?: number };
}

let clock: Clock;
let stack: Stack;
let person: Person;

beforeAll(async () => {
  clock = startClock();
  stack = await startTestStack(
    { ...MANY_SIGN_INS, ...clock.webEnv, JWT_BRIDGE_LIFETIME: String(LIFETIME) },
    { apiEnv: clock.apiEnv },
  );
  person = await openBrowser(stack.webUrl);
  await clock.install(person.context);
  await signUp(person);
  await person.page.goto("/sign-in");
  await installClient(person.page, stack.apiUrl);
});
afterAll(async () => {
  await person?.close();
  await stack?.stop();
  clock?.dispose();
});

/** Opens a WebSocket in the page; resolves when its first message is there. */
async function openLive(): Promise<void> {
  await person.page.evaluate(async () => {
    const { bridge } = globalThis;
    const socket = await bridge.openSocket(bridge.api, "/api/{user_id}/tasks/live");
    globalThis.live = { socket, messages: 0 };
    socket.addEventListener("message", () => {
      globalThis.live.messages += 1;
    });
    socket.addEventListener("close", ({ code }) => {
      globalThis.live.closed = code;
    });
  });
  await vi.waitFor(async () => expect((await look()).messages).toBe(1), 10_000);
}

const look = () =>
  person.page.evaluate(() => ({ messages: globalThis.live.messages, closed: globalThis.live.closed }));

/** A change of the user's tasks, which whoever listens is told. */
async function change(): Promise<void> {
  const status = await person.page.evaluate(async () => {
    const headers = { "content-type": "application/json" };
    const body = JSON.stringify({ title: "changed" });
    return (await globalThis.bridge.api("/api/{user_id}/tasks", { method: "POST", headers, body })).status;
  });
  expect(status).toBe(201);
}

test("a WebSocket lives on for ten lifetimes, renewed by message", async () => {
  await openLive();
  const renewals: string[] = [];
  const client = await person.context.newCDPSession(person.page);
  await client.send("Network.enable");
  client.on("Network.webSocketFrameSent", ({ response }) => renewals.push(response.payloadData));
  for (let passed = 0; passed < 10 * LIFETIME; passed += 5) {
    await clock.advance(5 * SECOND);
    const { messages } = await look();
    await change();
    await vi.waitFor(async () => expect((await look()).messages).toBeGreaterThan(messages), 10_000);
  }
  expect((await look()).closed).toBeUndefined();
  expect(renewals.length).toBeGreaterThanOrEqual(5);
  for (const text of renewals)
    expect(JSON.parse(text)).toEqual({ type: "jwt-auth-bridge.renew", token: expect.stringMatching(/^eyJ/) });
  await client.detach();
});

test("signing out closes it", async () => {
  await person.page.evaluate(() => globalThis.bridge.source.clear());
  await vi.waitFor(async () => expect((await look()).closed).toBeDefined(), 10_000);
});

test("without a newer token it is closed with 1008 when its own ends", async () => {
  await person.page.evaluate(async (apiUrl) => {
    const { value, subject } = await globalThis.bridge.newSource().get();
    const path = `/api/${subject}/tasks/live`;
    const headers = { authorization: `Bearer ${value}`, "content-type": "application/json" };
    const body = JSON.stringify({ path });
    const answer = await fetch(`${apiUrl}/api/tickets`, { method: "POST", headers, body });
    const { ticket } = (await answer.json()) as { ticket: string };
    const socket = new WebSocket(`${apiUrl.replace("http", "ws")}${path}?ticket=${ticket}`);
    globalThis.live = { socket, messages: 0 };
    socket.addEventListener("message", () => {
      globalThis.live.messages += 1;
    });
    socket.addEventListener("close", ({ code }) => {
      globalThis.live.closed = code;
    });
  }, stack.apiUrl);
  await vi.waitFor(async () => expect((await look()).messages).toBe(1), 10_000);
  await clock.advance((LIFETIME + LEEWAY + 1) * SECOND);
  await change();
  await vi.waitFor(async () => expect((await look()).closed).toBe(1008), 10_000);
  expect((await look()).messages).toBe(1);
});

test("an EventSource opens with a ticket, and a ticket is good once and at its own path", async () => {
  const outcome = await person.page.evaluate(async (apiUrl) => {
    const { bridge } = globalThis;
    const { subject } = await bridge.source.get();
    const path = `/api/${subject}/tasks/events`;
    const ask = async () => {
      const headers = { "content-type": "application/json" };
      const answer = await bridge.api("/api/tickets", {
        method: "POST",
        headers,
        body: JSON.stringify({ path }),
      });
      return ((await answer.json()) as { ticket: string }).ticket;
    };
    const first = (address: string) =>
      new Promise<string>((resolve) => {
        const source = new EventSource(apiUrl + address);
        const end = (word: string) => {
          source.close();
          resolve(word);
        };
        source.onmessage = () => end("event");
        source.addEventListener("tasks", () => end("event"));
        source.onerror = () => end("refused");
      });
    const ticket = await ask();
    const opened = await first(`${path}?ticket=${ticket}`);
    const again = await first(`${path}?ticket=${ticket}`);
    const elsewhere = await first(`/api/me?ticket=${await ask()}`);
    const plain = await fetch(`${apiUrl}/api/${subject}/tasks?ticket=${await ask()}`);
    return { opened, again, elsewhere, plain: plain.status };
  }, stack.apiUrl);
  expect(outcome).toEqual({ opened: "event", again: "refused", elsewhere: "refused", plain: 401 });
});

test("events through the bridge's fetch go on past the token's end", async () => {
  const counts = await person.page.evaluate(() => {
    const { bridge } = globalThis;
    globalThis.live = { ...globalThis.live, messages: 0 };
    (async () => {
      for await (const _ of bridge.readEvents(bridge.api, "/api/{user_id}/tasks/events", { retry: 10 }))
        globalThis.live.messages += 1;
    })();
    return globalThis.live.messages;
  });
  expect(counts).toBe(0);
  await vi.waitFor(async () => expect((await look()).messages).toBe(1), 10_000);
  for (let round = 0; round < 3; round += 1) {
    const { messages } = await look();
    await clock.advance((LIFETIME + LEEWAY + 1) * SECOND);
    // The API looks at the clock when it sends; the stream ends, and the reader comes back.
    await change();
    await vi.waitFor(async () => {
      await clock.advance(SECOND / 10);
      expect((await look()).messages).toBeGreaterThan(messages);
    }, 10_000);
  }
});

test("no ticket and no token is in the API's log", async () => {
  const stranger = await newAccount(stack.webUrl);
  await fetch(`${stack.apiUrl}/nowhere?ticket=${"A".repeat(43)}`, {
    headers: { authorization: `Bearer ${await stranger.token()}` },
  });
  const log = stack.api.output();
  expect(log).toContain("/tasks/live");
  expect(log).not.toMatch(/ticket=|eyJ/);
});
