/** The reader of server-sent events: reconnection as WHATWG HTML §9.2.3 has it, and the bridge's own rules. */

import { getEventListeners, once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import {
  createBridgeFetch,
  createTokenSource,
  SessionMissingError,
  type SessionState,
  TokenUnavailableError,
} from "../src/client/index.js";
import { readEvents, type UnexpectedResponseError } from "../src/client/live.js";
import { pause } from "../src/client/wait.js";
import { clock, closeServers, issuer, listen, tokenOf } from "./client-kit.js";
import { answer, answers, bytes, EVENT_STREAM, message } from "./event-kit.js";

// The delay's random part is none, unless a test says so.
beforeEach(() => void vi.spyOn(Math, "random").mockReturnValue(0));
afterEach(() => {
  vi.restoreAllMocks();
  closeServers();
});

describe("the request", () => {
  test("asks for an event stream, past every cache", async () => {
    const { calls, read } = answers();
    await read();
    expect(calls[0]?.headers.get("accept")).toBe("text/event-stream");
    expect(calls[0]?.headers.has("last-event-id")).toBe(false);
    expect(calls[0]?.init.cache).toBe("no-store");
  });

  test("reconnects with the last finished event's id, in the background", async () => {
    const { calls, waits, read } = answers(
      answer(["id:1\ndata:a\n\nid:2\n\nid:3\ndata:unfinished"]),
      answer(["data:b\n\nid\ndata:c\n\n"]),
      answer([]),
    );
    expect(await read()).toEqual([message("a", "message", "1"), message("b", "message", "2"), message("c")]);
    expect(calls.map(({ headers }) => headers.get("last-event-id"))).toEqual([null, "2", null, null]);
    expect(calls.map(({ init }) => init.background)).toEqual([false, true, true, true]);
    expect(waits).toEqual([3000, 3000, 3000]);
  });

  test("begins after a given id, written as UTF-8", async () => {
    const { calls, read } = answers(answer(["data:a\n\n"]));
    expect(await read({ lastEventId: "…1" })).toEqual([message("a", "message", "…1")]);
    const header = calls[1]?.headers.get("last-event-id") ?? "";
    expect(Buffer.from(header, "latin1").toString()).toBe("…1");
  });
});

describe("the time before a reconnection", () => {
  test.each([
    ["the caller's", "", { retry: 500 }, 500],
    ["the server's", "retry:1000\n\n", {}, 1000],
    ["the server's, at once", "retry:1000\n", {}, 1000],
    ["the server's last", "retry:1000\nretry:2000\n\n", {}, 2000],
    ["not a number", "retry:1000x\n\n", {}, 3000],
    ["empty", "retry\n\n", {}, 3000],
    ["negative", "retry:-1\n\n", {}, 3000],
    ["with a fraction", "retry:1.5\n\n", {}, 3000],
    ["an exponent", "retry:1e2\n\n", {}, 3000],
    ["digits of another script", "retry:١٢\n\n", {}, 3000],
    ["longer than the longest wait", "retry:60000\n\n", {}, 60_000],
  ])("%s", async (_, text, options, delay) => {
    const { waits, read } = answers(answer([text]));
    await read(options);
    expect(waits).toEqual([delay]);
  });

  test("doubles while nothing is to be had, up to half a minute, and starts anew", async () => {
    const failures = Array.from({ length: 6 }, () => new TypeError("fetch failed"));
    const { waits, read } = answers(...failures, answer(["data:x\n\n"]), new Response(null, { status: 502 }));
    expect(await read()).toEqual([message("x")]);
    expect(waits).toEqual([3000, 6000, 12_000, 24_000, 30_000, 30_000, 3000, 6000]);
  });

  test("differs from client to client", async () => {
    vi.spyOn(Math, "random").mockReturnValue(0.5);
    const { waits, read } = answers(answer([]));
    await read();
    expect(waits).toEqual([3750]);
  });

  test("is at least what Retry-After says", async () => {
    const busy = (after: string) => new Response("", { status: 503, headers: { "retry-after": after } });
    const noIssuer = new TokenUnavailableError("The issuer gave no token", { status: 503, retryAfter: 40 });
    const { waits, read } = answers(busy("20"), busy("1"), busy("Wed, 21 Oct 2026 07:28:00 GMT"), noIssuer);
    await read();
    expect(waits).toEqual([20_000, 6000, 12_000, 40_000]);
  });
});

describe("goes on after", () => {
  test.each([
    new Response("", { status: 500 }),
    new Response("", { status: 502 }),
    new Response("", { status: 429 }),
    new TypeError("fetch failed"),
    new TokenUnavailableError("The issuer gave no token", { status: 503 }),
    new TokenUnavailableError("The issuer gave no token", { status: 429 }),
    new TokenUnavailableError("The token could not be fetched", {}),
  ])("%#", async (failure) => {
    const { read, calls } = answers(failure, answer(["data:x\n\n"]));
    expect(await read()).toEqual([message("x")]);
    expect(calls).toHaveLength(3);
  });

  test("a stream that breaks", async () => {
    const half = new ReadableStream({
      start: (controller) => controller.enqueue(bytes("data:a\n\ndata:b")),
      pull: (controller) => controller.error(new TypeError("terminated")),
    });
    const { read } = answers(new Response(half, { headers: EVENT_STREAM }), answer(["data:c\n\n"]));
    expect(await read()).toEqual([message("a"), message("c")]);
  });
});

describe("ends", () => {
  test("with 204, quietly", async () => {
    const { read, calls } = answers();
    expect([await read(), calls.length]).toEqual([[], 1]);
  });

  test.each([400, 401, 403, 404, 410, 422])("with %i, which it throws with the answer", async (status) => {
    const { read, calls } = answers(answer(["data:a\n\n"]), Response.json({ detail: "x" }, { status }));
    const error = await read().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ name: "UnexpectedResponseError", code: "unexpected_response", status });
    expect(await (error as { response: Response }).response.json()).toEqual({ detail: "x" });
    expect(calls).toHaveLength(2);
  });

  test.each([
    ["another type", new Response("data:x\n\n", { headers: { "content-type": "text/html" } })],
    [
      "a type that begins alike",
      new Response("data:x\n\n", { headers: { "content-type": "text/event-streams" } }),
    ],
    ["no type", new Response(bytes("data:x\n\n"))],
    ["another success", new Response("data:x\n\n", { status: 201, headers: EVENT_STREAM })],
    ["no body", new Response(null, { headers: EVENT_STREAM })],
  ])("with %s", async (_, response) => {
    await expect(answers(response).read()).rejects.toMatchObject({ code: "unexpected_response" });
  });

  test.each([
    new SessionMissingError("Nobody is signed in"),
    new TokenUnavailableError("The issuer gave no token", { status: 404 }),
  ])("with $name, where waiting mends nothing", async (error) => {
    await expect(answers(answer([]), error).read()).rejects.toBe(error);
  });

  test("when the reader leaves, and lets the connection go", async () => {
    const cancel = vi.fn();
    const { fetch } = answers(answer(["data:1\n\ndata:2\n\n"], { open: true, cancel }));
    for await (const event of readEvents(fetch, "/e")) {
      expect(event.data).toBe("1");
      break;
    }
    expect(cancel).toHaveBeenCalled();
  });

  test("when the reader throws", async () => {
    const cancel = vi.fn();
    const { fetch, calls } = answers(answer(["data:1\n\n"], { open: true, cancel }));
    const read = async () => {
      for await (const _ of readEvents(fetch, "/e")) throw new Error("the page's own");
    };
    await expect(read()).rejects.toThrow("the page's own");
    expect([cancel.mock.calls.length, calls.length]).toEqual([1, 1]);
  });

  test("quietly with an abort: before, while it waits, between, and in the stream", async () => {
    const before = answers(answer(["data:1\n\n"]));
    expect(await before.read({ signal: AbortSignal.abort() })).toEqual([]);
    expect(before.calls).toEqual([]);

    const between = answers(answer(["data:1\n\ndata:2\n\n"]));
    const stop = new AbortController();
    const seen: string[] = [];
    for await (const { data } of readEvents(between.fetch, "/e", {
      signal: stop.signal,
      wait: between.wait,
    })) {
      seen.push(data);
      stop.abort();
    }
    expect([seen, between.calls.length]).toEqual([["1"], 1]);

    const long = new AbortController();
    await answers(answer(["data:1\n\n"])).read({ signal: long.signal });
    expect(getEventListeners(long.signal, "abort")).toEqual([]);

    const waiting = answers(new Response(null, { status: 503 }));
    const controller = new AbortController();
    const wait = async () => controller.abort();
    expect(await waiting.read({ signal: controller.signal, wait })).toEqual([]);
    expect(waiting.calls).toHaveLength(1);
  });
});

test("the wait itself ends with the signal, keeps no timer, and is no shorter for being long", async () => {
  const set = vi.spyOn(globalThis, "setTimeout");
  const cleared = vi.spyOn(globalThis, "clearTimeout");
  const controller = new AbortController();
  const waited = pause(1e20, controller.signal);
  expect(set.mock.calls.map(([, delay]) => delay)).toEqual([2 ** 31 - 1]);
  controller.abort();
  await waited;
  await pause(1e20, controller.signal);
  expect(cleared).toHaveBeenCalledTimes(2);
  await pause(0);
});

describe("through the bridge's fetch, over the wire", () => {
  test("each connection has a token of its time; an abort closes the connection", async () => {
    const requests: IncomingMessage[] = [];
    const opened: ServerResponse[] = [];
    const { url } = await listen((request, response) => {
      requests.push(request);
      opened.push(response);
      response.writeHead(200, EVENT_STREAM).write(`retry:10\nid:${requests.length}\ndata:x\n\n`);
    });
    let now = clock();
    const getToken = issuer();
    const tokenSource = createTokenSource({ getToken, clock: () => now });
    const controller = new AbortController();
    const events = readEvents(createBridgeFetch({ baseURL: url, tokenSource }), "/api/{user_id}/events", {
      signal: controller.signal,
      wait: async () => {},
    });
    expect((await events.next()).value).toEqual(message("x", "message", "1"));
    // The token ends, and with it what the API sends under it.
    now += 300_000;
    opened[0]?.end();
    expect((await events.next()).value).toEqual(message("x", "message", "2"));
    expect(
      requests.map((each) => [
        each.url,
        tokenOf({ authorization: each.headers.authorization }),
        each.headers["last-event-id"],
      ]),
    ).toEqual([
      ["/api/u1/events", "t1", undefined],
      ["/api/u1/events", "t2", "1"],
    ]);
    const closed = opened[1] && once(opened[1], "close");
    const end = events.next();
    controller.abort();
    expect(await end).toEqual({ done: true, value: undefined });
    await closed;
  });

  test("a refusal can be read, also when most of it is still on its way", async () => {
    let rest = () => {};
    const { url } = await listen((_, response) => {
      response.writeHead(403).write("for");
      rest = () => response.end("bidden");
    });
    const api = createBridgeFetch({
      baseURL: url,
      tokenSource: createTokenSource({ getToken: issuer(), clock }),
    });
    const error = await readEvents(api, "/e")
      .next()
      .catch((thrown: unknown) => thrown);
    rest();
    expect(await (error as UnexpectedResponseError).response.text()).toBe("forbidden");
  });

  test("an issuer that is away for a moment ends nothing", async () => {
    let more = () => false;
    const { url } = await listen((_, response) => {
      response.writeHead(200, EVENT_STREAM).write("data:x\n\n");
      more = () => response.write("data:y\n\n");
    });
    let tell: (state: SessionState) => void = () => {};
    const tokenSource = {
      get: async () => ({ value: "t", subject: "u1", sessionId: null, endsAt: 1 }),
      state: (): SessionState => ({ status: "signed-in", subject: "u1" }),
      subscribe: (listener: (state: SessionState) => void) => {
        tell = listener;
        return () => {};
      },
    };
    const events = readEvents(createBridgeFetch({ baseURL: url, tokenSource }), "/e");
    expect((await events.next()).value).toEqual(message("x"));
    tell({ status: "unknown", subject: null });
    more();
    expect((await events.next()).value).toEqual(message("y"));
    // It is not forgotten whose it is.
    const next = events.next();
    tell({ status: "signed-in", subject: "bob" });
    await expect(next).rejects.toThrow(SessionMissingError);
  });

  test.each(["signs out", "becomes another"])("it ends at once when the user %s", async (what) => {
    let close: Promise<unknown> | undefined;
    const { url } = await listen((_, response) => {
      close = once(response, "close");
      response.writeHead(200, EVENT_STREAM).write("data:x\n\n");
    });
    const listeners = new Set<(state: SessionState) => void>();
    const tell = (subject: string | null) => {
      const status = subject ? "signed-in" : "signed-out";
      for (const listener of listeners) listener({ status, subject });
    };
    const api = createBridgeFetch({
      baseURL: url,
      tokenSource: {
        get: async () => ({ value: "t", subject: "u1", sessionId: null, endsAt: 1 }),
        subscribe: (listener) => {
          listeners.add(listener);
          return () => void listeners.delete(listener);
        },
      },
    });
    const events = readEvents(api, "/e");
    expect((await events.next()).value).toEqual(message("x"));
    tell("u1");
    const next = events.next();
    tell(what === "signs out" ? null : "bob");
    await expect(next).rejects.toThrow(SessionMissingError);
    await close;
    expect(listeners.size).toBe(0);
  });

  test("a server that goes away and comes back", async () => {
    let count = 0;
    const { url } = await listen((_, response) => {
      count += 1;
      if (count === 2) return void response.destroy();
      response.writeHead(200, EVENT_STREAM).write(`data:${count}\n\n`);
      if (count === 1) setImmediate(() => response.destroy());
    });
    const tokenSource = createTokenSource({ getToken: issuer(), clock });
    const events = readEvents(createBridgeFetch({ baseURL: url, tokenSource }), "/e", {
      wait: async () => {},
    });
    expect((await events.next()).value).toEqual(message("1"));
    expect((await events.next()).value).toEqual(message("3"));
    await events.return();
  });
});
