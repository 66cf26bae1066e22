/** The proxy's bodies up and streams down: sizes, slowness, outages, leaving. */

import { once } from "node:events";
import { connect } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { createProxy } from "../src/next/proxy.js";
import { SAME_ORIGIN, startAll, startApi, stopServers } from "./proxy-kit.js";

let all: Awaited<ReturnType<typeof startAll>>;
beforeAll(async () => {
  all = await startAll();
});
afterAll(stopServers);
afterEach(() => {
  vi.useRealTimers();
  all.api.answer = undefined;
  all.api.received.length = 0;
  all.notices.length = 0;
});

const until = (condition: () => unknown) => vi.waitFor(() => expect(condition()).toBeTruthy());

/** A stream that gives these pieces one by one, and then goes on as told. */
function pieces(parts: string[], end: "close" | "wait" | "break" = "close") {
  const left = [...parts];
  const state = { cancelled: false, pulled: 0 };
  const stream = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        state.pulled += 1;
        const part = left.shift();
        if (part !== undefined) controller.enqueue(new TextEncoder().encode(part));
        else if (end === "close") controller.close();
        else if (end === "break") controller.error(new Error("the connection broke"));
        else return new Promise<void>(() => {});
      },
      cancel() {
        state.cancelled = true;
      },
    },
    { highWaterMark: 0 },
  );
  return { stream, state };
}
const upload = (stream: ReadableStream, fields: Record<string, string> = {}, path = "/backend/tasks") =>
  all.call(path, { method: "POST", body: stream, duplex: "half" } as RequestInit, fields);

describe("the body on its way up", () => {
  test("streams: the API has the first piece before the caller has sent the last", async () => {
    let release = () => {};
    const waiting = new Promise<void>((resolve) => {
      release = resolve;
    });
    const stream = new ReadableStream<Uint8Array>({
      async start(controller) {
        controller.enqueue(new TextEncoder().encode("first "));
        await waiting;
        controller.enqueue(new TextEncoder().encode("last"));
        controller.close();
      },
    });
    const answer = upload(stream);
    await until(() => all.api.received[0]?.body === "first ");
    release();
    expect((await answer).status).toBe(200);
    expect(all.api.received).toMatchObject([{ body: "first last", complete: true }]);
  });

  test("a known length is told to the API; without one it is chunked", async () => {
    await upload(pieces(["hello"]).stream, { "content-length": "5" });
    await upload(pieces(["hello"]).stream);
    await all.call("/backend/tasks", { method: "DELETE" }, { "content-length": "0" });
    expect(
      all.api.received.map(({ headers }) => [headers["content-length"], headers["transfer-encoding"]]),
    ).toEqual([
      ["5", undefined],
      [undefined, "chunked"],
      [undefined, undefined],
    ]);
  });

  test("is not read before it is known who sends it", async () => {
    const { stream, state } = pieces(["x"], "wait");
    expect((await upload(stream, { cookie: "" })).status).toBe(401);
    expect((await upload(pieces([]).stream, { origin: "null" })).status).toBe(403);
    expect(state.pulled).toBe(0);
  });

  test.each([
    ["said to be", { "content-length": "10000001" }, []],
    ["in pieces", {}, Array.from({ length: 11 }, () => "x".repeat(1_000_000))],
  ])("a body that is too large, %s: 413, and the API never has it whole", async (_name, fields, parts) => {
    const { stream, state } = pieces([...parts, "x"], "wait");
    const response = await upload(stream, fields as Record<string, string>);
    expect(response.status).toBe(413);
    expect(await response.json()).toEqual({
      detail: "The request's body is above 10000000 bytes",
      error: "body_too_large",
    });
    expect(all.api.received.filter(({ complete }) => complete)).toEqual([]);
    if (parts.length > 0) await until(() => state.cancelled);
  });

  test("10 000 000 bytes pass", async () => {
    const parts = Array.from({ length: 10 }, () => "x".repeat(1_000_000));
    expect((await upload(pieces(parts).stream)).status).toBe(200);
    expect(all.api.received[0]?.body).toHaveLength(10_000_000);
  });

  test.each([
    ["cut, as Next.js cuts what is above its own limit", "10", "close"],
    ["longer than said", "2", "close"],
    ["broken off", "10", "break"],
  ] as const)("a body that is %s: 400, and the API never has it whole", async (_name, length, end) => {
    const response = await upload(pieces(["hello"], end).stream, { "content-length": length });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ error: "body_refused" });
    expect(all.api.received.filter(({ complete }) => complete)).toEqual([]);
  });

  test("bodyLimit above the default holds for a known length alone: without one a cut can not be seen", async () => {
    const proxy = createProxy({
      auth: all.auth,
      target: all.api.url,
      basePath: "/backend",
      bodyLimit: 20_000_000,
      log: () => {},
    });
    const send = (fields: Record<string, string>) => {
      const headers = { ...SAME_ORIGIN, cookie: all.browser.headers.get("cookie") ?? "", ...fields };
      const body = pieces(Array.from({ length: 11 }, () => "x".repeat(1_000_000))).stream;
      return proxy.POST(
        new Request("http://localhost:1/backend/a", {
          method: "POST",
          headers,
          body,
          duplex: "half",
        } as RequestInit),
      );
    };
    expect((await send({ "content-length": "11000000" })).status).toBe(200);
    expect((await send({})).status).toBe(413);
  });

  test("the API may answer before it has read everything", async () => {
    all.api.answer = (_request, response) => response.writeHead(422).end("{}");
    const response = await upload(pieces(["hello"], "wait").stream, { "content-length": "10" });
    expect(response.status).toBe(422);
    await response.body?.cancel();
  });
});

describe("slowness and outages", () => {
  /** Time stands still until it is told to go on; only the proxy's own timers. */
  const stopTime = () => vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });

  test("an API that does not answer: 504 after the time-out, and it is let go", async () => {
    let closed = false;
    all.api.answer = (request) =>
      request.socket.on("close", () => {
        closed = true;
      });
    stopTime();
    const answer = all.call("/backend/tasks");
    while (all.api.received.length === 0) await new Promise(setImmediate);
    await vi.advanceTimersByTimeAsync(29_999);
    expect(closed).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    const response = await answer;
    expect([response.status, await response.json()]).toEqual([
      504,
      { detail: "The API did not answer in time", error: "api_timeout" },
    ]);
    while (!closed) await new Promise(setImmediate);
  });

  test("a caller that stops sending: 408, and the API never has it whole", async () => {
    stopTime();
    const { stream, state } = pieces(["x"], "wait");
    const answer = upload(stream);
    while (state.pulled < 2) await new Promise(setImmediate);
    await vi.advanceTimersByTimeAsync(30_000);
    const response = await answer;
    expect([response.status, await response.json()]).toMatchObject([408, { error: "body_too_slow" }]);
    expect(all.api.received.filter(({ complete }) => complete)).toEqual([]);
  });

  test("a slow caller that goes on sending is waited for", async () => {
    stopTime();
    let push = (_text: string | null) => {};
    const stream = new ReadableStream<Uint8Array>({
      start(controller) {
        push = (text) =>
          text === null ? controller.close() : controller.enqueue(new TextEncoder().encode(text));
      },
    });
    const answer = upload(stream);
    for (const text of ["a", "ab", "abc", "abcd"]) {
      push(text.slice(-1));
      while (all.api.received[0]?.body !== text) await new Promise(setImmediate);
      await vi.advanceTimersByTimeAsync(20_000);
    }
    push(null);
    expect((await answer).status).toBe(200);
  });

  test("an answer that has begun may take its time", async () => {
    let end = () => {};
    all.api.answer = (_request, response) => {
      response.write("first ");
      end = () => void response.end("last");
    };
    stopTime();
    const response = await all.call("/backend/tasks");
    await vi.advanceTimersByTimeAsync(3_600_000);
    end();
    expect(await response.text()).toBe("first last");
  });

  test("so may one that has begun before the body had come", async () => {
    let end = () => {};
    all.api.answer = (_request, response) => {
      response.write("first ");
      end = () => void response.end("last");
    };
    let push = (_text: string) => {};
    const stream = new ReadableStream<Uint8Array>({
      start(controller) {
        push = (text) => controller.enqueue(new TextEncoder().encode(text));
      },
    });
    stopTime();
    push("a");
    const response = await upload(stream);
    push("b");
    while (all.api.received[0]?.body !== "ab") await new Promise(setImmediate);
    await vi.advanceTimersByTimeAsync(3_600_000);
    end();
    expect(await response.text()).toBe("first last");
  });

  test("nobody listens there: 502, with the reason in the log alone", async () => {
    const gone = await startApi();
    gone.server?.close();
    const lines: string[] = [];
    const proxy = createProxy({
      auth: all.auth,
      target: gone.url,
      basePath: "/backend",
      log: (line) => lines.push(line),
    });
    const headers = { ...SAME_ORIGIN, cookie: all.browser.headers.get("cookie") ?? "" };
    const response = await proxy.GET(new Request("http://localhost:1/backend/a", { headers }));
    expect([response.status, await response.text()]).toEqual([
      502,
      '{"detail":"The API can not be reached","error":"api_unreachable"}',
    ]);
    expect(lines).toEqual([
      "refused GET /backend: 502 api_unreachable: The API can not be reached (ECONNREFUSED)",
    ]);
  });

  test.each([
    "",
    "garbage\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n",
  ])("an API that answers %j: 502", async (text) => {
    all.api.answer = (request) => request.socket.end(text);
    expect((await all.call("/backend/tasks")).status).toBe(502);
  });

  test("an answer that breaks off does not look whole", async () => {
    all.api.answer = (_request, response) => {
      response.writeHead(200, { "content-type": "application/json" });
      response.write('[{"id":1}', () => response.destroy());
    };
    const response = await all.call("/backend/tasks");
    await expect(response.text()).rejects.toThrow();
  });
});

describe("streams and leaving, over real connections", () => {
  const head = (path: string) =>
    [
      `GET ${path} HTTP/1.1`,
      "Host: app",
      "Accept: text/event-stream",
      `Cookie: ${all.browser.headers.get("cookie")}`,
      ...Object.entries(SAME_ORIGIN).map(([name, value]) => `${name}: ${value}`),
      "\r\n",
    ].join("\r\n");

  test("events arrive one by one; when the page leaves, the API's stream ends", async () => {
    let send = (_text: string) => {};
    let left = false;
    all.api.answer = (_request, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      send = (text) => void response.write(text);
      response.on("close", () => {
        left = true;
      });
      send("data: 1\n\n");
    };
    const socket = connect(all.front.port, "127.0.0.1");
    await once(socket, "connect");
    let got = "";
    socket.on("data", (data) => {
      got += data;
    });
    socket.write(head("/backend/events"));
    await until(() => got.includes("data: 1"));
    expect(got).not.toContain("data: 2");
    send("data: 2\n\n");
    await until(() => got.includes("data: 2"));
    expect(left).toBe(false);
    socket.destroy();
    await until(() => left);
  });

  test("a caller who leaves before the answer ends the API's work", async () => {
    let left = false;
    all.api.answer = (request) =>
      request.socket.on("close", () => {
        left = true;
      });
    const socket = connect(all.front.port, "127.0.0.1");
    await once(socket, "connect");
    socket.write(head("/backend/slow"));
    await until(() => all.api.received.length === 1);
    socket.destroy();
    await until(() => left);
    await until(() => all.notices.length === 1);
    expect(all.notices[0]?.[1]).toEqual({ level: "info", status: 499, code: "caller_left" });
  });

  test("a caller who leaves in the middle of a body: the API never has it whole", async () => {
    const socket = connect(all.front.port, "127.0.0.1");
    await once(socket, "connect");
    socket.write(
      head("/backend/tasks").replace("GET", "POST").replace("\r\n\r\n", "\r\nContent-Length: 10\r\n\r\n") +
        "hello",
    );
    await until(() => all.api.received[0]?.body === "hello");
    socket.destroy();
    await until(() => all.notices.length === 1);
    expect(all.api.received[0]?.complete).toBe(false);
  });
});
