/** Live connections, against a WebSocket server that speaks the contract's wire. */

import { once } from "node:events";
import { afterEach, describe, expect, test, vi } from "vitest";
import * as ws from "ws";
import {
  createBridgeFetch,
  SessionMissingError,
  type SessionState,
  TokenUnavailableError,
} from "../src/client/index.js";
import { openSocket, type SocketOptions, type UnexpectedResponseError } from "../src/client/live.js";
import { closeServers, tokenOf } from "./client-kit.js";
import { liveServer } from "./live-server.js";
import { claims, sign } from "./tokens.js";

afterEach(closeServers);

// Node 20 has no WebSocket of its own; this one has the platform's shape.
const WebSocket = ws.WebSocket as unknown as NonNullable<SocketOptions["WebSocket"]>;
const RENEW = "jwt-auth-bridge.renew";

/** A token source that a test holds in its hand, with a clock and a wait that it moves. */
function source({ subject = "u1", lifetime = 300 } = {}) {
  let now = 1_000_000;
  let count = 0;
  const token = () => {
    count += 1;
    const value = sign(claims({ sub: subject, user_id: subject, jti: `t${count}` }));
    return { value, subject, sessionId: "s1", endsAt: now + lifetime * 1000 };
  };
  let held = token();
  let state: SessionState = { status: "unknown", subject: null };
  const listeners = new Set<(state: SessionState) => void>();
  const get = vi.fn(async (_?: { background?: boolean | undefined }) => held);
  const subscribe = (listener: (state: SessionState) => void) => {
    listeners.add(listener);
    return () => void listeners.delete(listener);
  };
  /** Waits that have begun; each is let go by hand. */
  const waits: { milliseconds: number; signal: AbortSignal | null | undefined; go: () => void }[] = [];
  const begun: (() => void)[] = [];
  return {
    tokenSource: { get, subscribe, state: () => state },
    get,
    listeners,
    /** Who is signed in from now on. */
    tell: (user: string | null) => {
      state = { status: user ? "signed-in" : "signed-out", subject: user };
      for (const listener of [...listeners]) listener(state);
    },
    renew: () => {
      held = token();
    },
    waits,
    clock: () => now,
    wait: (milliseconds: number, signal?: AbortSignal | null) =>
      new Promise<void>((resolve) => {
        signal?.addEventListener("abort", () => resolve());
        waits.push({ milliseconds, signal, go: resolve });
        begun.shift()?.();
      }),
    /** Lets the last wait pass, and gives how long the next one is. */
    async pass(then: () => void = () => {}): Promise<number | undefined> {
      const last = waits.at(-1);
      now += last?.milliseconds ?? 0;
      then();
      const next = new Promise<void>((resolve) => begun.push(resolve));
      last?.go();
      await next;
      return waits.at(-1)?.milliseconds;
    },
  };
}

const LIVE = "/api/{user_id}/tasks/live";

async function connect(options: SocketOptions & { lifetime?: number } = {}, path = LIVE) {
  const server = await liveServer();
  const own = source(options);
  const api = createBridgeFetch({ baseURL: server.base, tokenSource: own.tokenSource });
  const socket = await openSocket(api, path, { WebSocket, clock: own.clock, wait: own.wait, ...options });
  await once(socket as unknown as ws.WebSocket, "open");
  const [there] = server.sockets;
  if (!there) throw new Error("the server accepted no socket");
  return { ...own, server, api, socket, there };
}

const closed = (socket: WebSocket) =>
  new Promise<number>((resolve) => socket.addEventListener("close", ({ code }) => resolve(code)));

describe("opening", () => {
  test("gets a ticket for the path, which the address carries, and nothing else of the kind", async () => {
    const { server, there, socket } = await connect();
    expect(server.seen.map((each) => [each.method, each.url, each.type, tokenOf(each)])).toEqual([
      ["POST", "/v1/api/tickets", "application/json", "t1"],
    ]);
    expect(JSON.parse(server.seen[0]?.body ?? "")).toEqual({ path: "/api/u1/tasks/live" });
    expect(there.url).toMatch(/^\/v1\/api\/u1\/tasks\/live\?ticket=[A-Za-z0-9_-]{43}$/);
    expect(there.url).not.toContain("eyJ");
    expect(socket).toBeInstanceOf(ws.WebSocket);
    const heard = once(socket as unknown as ws.WebSocket, "message");
    there.send("changed");
    expect(String((await heard)[0])).toBe("changed");
    socket.send("hello");
    socket.close();
    await there.closed;
    expect(there.frames).toEqual(["hello"]);
  });

  test("keeps the query, but for a ticket in it; passes the protocols on", async () => {
    const { there, server } = await connect({ protocols: ["a", "b"] }, `${LIVE}?since=1&ticket=stolen`);
    expect(there.url).toMatch(/^\/v1\/api\/u1\/tasks\/live\?since=1&ticket=[A-Za-z0-9_-]{43}$/);
    expect(JSON.parse(server.seen[0]?.body ?? "").path).toBe("/api/u1/tasks/live");
    expect(there.protocol).toBe("b");
  });

  test("writes the path as a URL does", async () => {
    const server = await liveServer();
    const { tokenSource, wait, clock } = source({ subject: "a/b ü" });
    const api = createBridgeFetch({ baseURL: server.base, tokenSource });
    const socket = await openSocket(api, "api/x/../{user_id}/tä sks", { WebSocket, wait, clock });
    await once(socket as unknown as ws.WebSocket, "open");
    expect(JSON.parse(server.seen[0]?.body ?? "").path).toBe("/api/a%2Fb%20%C3%BC/t%C3%A4%20sks");
  });

  test.each([
    "https://evil.example/v1/api/u1/live",
    "wss://evil.example/v1/x",
    "wss://api.example.com/v1/x",
    "https://api.example.com.evil.example/v1/x",
    "https://u:p@api.example.com/v1/x",
    "http://api.example.com/v1/x",
    "https://api.example.com:444/v1/x",
    "blob:https://api.example.com/v1/x",
    "../x",
    "/../v10/x",
    "/%2e%2E/x",
  ])("refuses %s, before any ticket is made", async (path) => {
    const send = vi.fn();
    const { tokenSource } = source();
    const api = createBridgeFetch({ baseURL: "https://api.example.com/v1", tokenSource, fetch: send });
    const Socket = vi.fn();
    await expect(openSocket(api, path, { WebSocket: Socket })).rejects.toThrow(TypeError);
    expect([send.mock.calls, Socket.mock.calls]).toEqual([[], []]);
  });

  test("is https above wss", async () => {
    const Socket = vi.fn(function (this: EventTarget) {
      return Object.assign(new EventTarget(), { close: () => {}, readyState: 0 });
    });
    const { tokenSource, wait, clock } = source();
    const api = createBridgeFetch({
      baseURL: "https://api.example.com",
      tokenSource,
      fetch: async () => Response.json({ ticket: "T", expires_in: 30 }, { status: 201 }),
    });
    const options = { WebSocket: Socket as unknown as NonNullable<SocketOptions["WebSocket"]>, wait, clock };
    await openSocket(api, "/live", options);
    expect(String((Socket.mock.calls as unknown[][])[0]?.[0])).toBe("wss://api.example.com/live?ticket=T");
  });

  test.each([200, 401, 403, 404, 429, 503])("a ticket route that answers %i", async (status) => {
    const server = await liveServer((_, response) => {
      response.writeHead(status, { "retry-after": "7", "content-type": "application/json" });
      response.end('{"ticket":"T"}');
      return true;
    });
    const own = source();
    const api = createBridgeFetch({ baseURL: server.base, tokenSource: own.tokenSource });
    const error = await openSocket(api, LIVE, { WebSocket }).catch(
      (thrown: UnexpectedResponseError) => thrown,
    );
    expect(error).toMatchObject({ code: "unexpected_response", status, retryAfter: 7 });
    expect(await (error as UnexpectedResponseError).response.text()).toBe('{"ticket":"T"}');
    expect([server.handshakes, own.listeners.size]).toEqual([[], 0]);
  });

  test("without a session there is nothing to open", async () => {
    const own = source();
    own.get.mockRejectedValue(new SessionMissingError("Nobody is signed in"));
    const api = createBridgeFetch({ baseURL: "https://api.example.com", tokenSource: own.tokenSource });
    await expect(openSocket(api, LIVE, { WebSocket })).rejects.toThrow(SessionMissingError);
    expect(own.listeners.size).toBe(0);
  });

  test("in the background keeps no session alive", async () => {
    const { get } = await connect({ background: true });
    expect(get.mock.calls.map(([options]) => options?.background)).toEqual([true, true]);
    const other = await connect();
    expect(other.get.mock.calls.map(([options]) => options?.background)).toEqual([undefined, undefined]);
  });

  test("a source of one's own needs no more than get()", async () => {
    const server = await liveServer();
    const { get, wait, clock } = source();
    const api = createBridgeFetch({ baseURL: server.base, tokenSource: { get } });
    const socket = await openSocket(api, LIVE, { WebSocket, wait, clock });
    await once(socket as unknown as ws.WebSocket, "open");
  });
});

describe("renewal", () => {
  test.each([
    [300, 275_000],
    [3600, 3_575_000],
    [20, 17_000],
  ])("of a token of %i seconds begins after %i ms, in the background", async (lifetime, delay) => {
    const { waits, pass, renew, there, get, socket } = await connect({ lifetime });
    expect(waits.map((each) => each.milliseconds)).toEqual([delay]);
    const calls = get.mock.calls.length;
    expect(await pass(renew)).toBe(delay);
    expect(await pass(renew)).toBe(delay);
    expect(get.mock.calls.slice(calls).map(([options]) => options?.background)).toEqual([true, true]);
    socket.close();
    await there.closed;
    const frames = there.frames.map((each) => JSON.parse(each));
    expect(frames.map((each) => [Object.keys(each), each.type])).toEqual([
      [["type", "token"], RENEW],
      [["type", "token"], RENEW],
    ]);
    expect(frames.map((each) => tokenOf({ authorization: `Bearer ${each.token}` }))).toEqual(["t2", "t3"]);
  });

  test("sends nothing while there is nothing newer, and asks again before the end", async () => {
    const { pass, renew, there, socket } = await connect({ lifetime: 20 });
    const delays = [await pass(), await pass(), await pass(), await pass()];
    expect(delays).toEqual([2550, 4000, 8000, 16_000]);
    expect([await pass(), await pass()]).toEqual([30_000, 30_000]);
    // Found after all: from here on as ever.
    expect(await pass(renew)).toBe(17_000);
    socket.close();
    await there.closed;
    expect(there.frames).toHaveLength(1);
  });

  test("goes on while the issuer is away", async () => {
    const { pass, renew, there, get, socket } = await connect();
    get.mockRejectedValueOnce(new TokenUnavailableError("The issuer gave no token", { status: 503 }));
    expect(await pass()).toBe(21_250);
    expect(await pass(renew)).toBe(275_000);
    socket.close();
    await there.closed;
    expect(there.frames).toHaveLength(1);
  });

  test("sends nothing into a socket that is not open yet", async () => {
    const sent: string[] = [];
    const socket = Object.assign(new EventTarget(), {
      readyState: 0,
      send: (text: string) => sent.push(text),
      close: () => {},
    });
    const own = source();
    const api = createBridgeFetch({
      baseURL: "https://api.example.com",
      tokenSource: own.tokenSource,
      fetch: async () => Response.json({ ticket: "T" }, { status: 201 }),
    });
    function Socket() {
      return socket;
    }
    const options = { WebSocket: Socket as unknown as NonNullable<SocketOptions["WebSocket"]> };
    await openSocket(api, LIVE, { ...options, wait: own.wait, clock: own.clock });
    await own.pass(own.renew);
    expect(sent).toEqual([]);
    socket.readyState = 1;
    await own.pass();
    expect(sent).toHaveLength(1);
  });
});

describe("the end", () => {
  test.each([null, "bob"])("comes with the session's end, at once: then it is of %s", async (user) => {
    const { tell, socket, there, waits, listeners, get } = await connect();
    tell("u1");
    tell("u1");
    expect(socket.readyState).toBe(1);
    const calls = get.mock.calls.length;
    tell(user);
    expect([await there.closed, await closed(socket)]).toEqual([1005, 1005]);
    expect([listeners.size, waits.length, waits[0]?.signal?.aborted]).toEqual([0, 1, true]);
    expect(get.mock.calls).toHaveLength(calls);
  });

  test("comes when the issuer says that there is no session", async () => {
    const { get, there, waits, listeners, clock, socket } = await connect();
    get.mockRejectedValueOnce(new SessionMissingError("Nobody is signed in"));
    const here = closed(socket);
    waits[0]?.go();
    await Promise.all([there.closed, here]);
    expect([listeners.size, there.frames, clock()]).toEqual([0, [], 1_000_000]);
  });

  test("comes with the signal", async () => {
    const controller = new AbortController();
    const { there, listeners, socket } = await connect({ signal: controller.signal });
    const here = closed(socket);
    controller.abort();
    await Promise.all([there.closed, here]);
    expect(listeners.size).toBe(0);
  });

  test("may come from the API: no timer and no listener stay behind", async () => {
    const { there, socket, waits, listeners, get } = await connect();
    const calls = get.mock.calls.length;
    const code = closed(socket);
    there.close(1008);
    expect(await code).toBe(1008);
    await vi.waitFor(() => expect(waits[0]?.signal?.aborted).toBe(true));
    expect([listeners.size, get.mock.calls.length]).toEqual([0, calls]);
  });

  test("may come before the beginning: by the signal, or by a sign-out while the ticket is on its way", async () => {
    const own = source();
    const Socket = vi.fn();
    const controller = new AbortController();
    let meanwhile = () => {};
    const api = createBridgeFetch({
      baseURL: "https://api.example.com",
      tokenSource: own.tokenSource,
      fetch: async () => {
        meanwhile();
        return Response.json({ ticket: "T" }, { status: 201 });
      },
    });
    const open = (signal?: AbortSignal) => openSocket(api, LIVE, { WebSocket: Socket, signal });
    await expect(open(AbortSignal.abort())).rejects.toMatchObject({ name: "AbortError" });
    expect(own.get).not.toHaveBeenCalled();
    meanwhile = () => controller.abort();
    await expect(open(controller.signal)).rejects.toMatchObject({ name: "AbortError" });
    own.tell("u1");
    meanwhile = () => own.tell(null);
    await expect(open()).rejects.toThrow(SessionMissingError);
    expect([Socket.mock.calls, own.listeners.size]).toEqual([[], 0]);
  });
});
