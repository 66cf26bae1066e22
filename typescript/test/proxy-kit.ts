/** The proxy on a real server, in front of a real API, with a real Better Auth; and a client that sends bytes as they are. */

import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { Readable } from "node:stream";
import { betterAuth } from "better-auth";
import { memoryAdapter } from "better-auth/adapters/memory";
import { jwtBridge } from "../src/better-auth/index.js";
import { createProxy, type ProxyHandlers, type ProxyNotice, type ProxyOptions } from "../src/next/proxy.js";
import { AUDIENCE, createBrowser, ORIGIN, PLAIN_PASSWORDS, SECRET } from "./real-auth.js";

export const OTHER_AUDIENCE = "https://other.example.com";

/** Better Auth in memory; `store.session` can be taken away, and every reading extends the session unless told not to. */
export function createMemoryAuth() {
  const store: Record<string, Record<string, unknown>[]> = {
    user: [],
    session: [],
    account: [],
    verification: [],
    jwks: [],
  };
  const auth = betterAuth({
    database: memoryAdapter(store),
    secret: SECRET,
    baseURL: ORIGIN,
    session: { updateAge: 0 },
    emailAndPassword: { enabled: true, password: PLAIN_PASSWORDS },
    rateLimit: { enabled: false },
    telemetry: { enabled: false },
    logger: { disabled: true },
    plugins: [jwtBridge({ audience: [AUDIENCE, OTHER_AUDIENCE] })],
  });
  return { auth, store };
}

const stops: (() => void)[] = [];

/** For `afterAll`. */
export function stopServers(): void {
  for (const stop of stops.splice(0)) stop();
}

async function listen(server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  stops.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

export interface Received {
  readonly method: string;
  readonly url: string;
  readonly raw: readonly string[];
  readonly headers: IncomingMessage["headers"];
  body: string;
  /** The whole request came, and the caller did not leave. */
  complete: boolean;
}

export type Handle = (request: IncomingMessage, response: ServerResponse, received: Received) => void;

/** An API that remembers; `answer` may be set anew for each test, and is called once the header is there. */
export async function startApi() {
  const api = {
    received: [] as Received[],
    answer: undefined as Handle | undefined,
    port: 0,
    server: undefined as Server | undefined,
  };
  api.server = createServer((request, response) => {
    const received: Received = {
      method: request.method ?? "",
      url: request.url ?? "",
      raw: request.rawHeaders,
      headers: request.headers,
      body: "",
      complete: false,
    };
    api.received.push(received);
    request.setEncoding("utf8");
    request.on("data", (text: string) => {
      received.body += text;
    });
    request.on("error", () => {});
    request.on("end", () => {
      received.complete = true;
      if (!api.answer) response.setHeader("content-type", "application/json").end('{"ok":true}');
    });
    api.answer?.(request, response, received);
  });
  api.port = await listen(api.server);
  return Object.assign(api, { url: `http://127.0.0.1:${api.port}` });
}

/** The proxy behind Node's own server, wired as Next.js does it: the method chooses, a broken answer ends the connection. */
export async function startFront(proxy: ProxyHandlers) {
  const failures: unknown[] = [];
  const server = createServer(async (request, response) => {
    const left = new AbortController();
    response.on("close", () => left.abort());
    try {
      const handler = proxy[(request.method ?? "") as keyof ProxyHandlers];
      if (!handler) return void response.writeHead(405).end();
      const pairs = request.rawHeaders.flatMap((name, index, all) =>
        index % 2 === 0 ? [[name, all[index + 1] ?? ""] as [string, string]] : [],
      );
      const bodiless = request.method === "GET" || request.method === "HEAD";
      const answer = await handler(
        new Request(new URL(request.url ?? "/", "http://localhost:1"), {
          method: request.method ?? "GET",
          headers: pairs,
          signal: left.signal,
          ...(bodiless
            ? {}
            : { body: Readable.toWeb(request) as ReadableStream<Uint8Array>, duplex: "half" }),
        } as RequestInit),
      );
      for (const [name, value] of answer.headers) response.appendHeader(name, value);
      response.writeHead(answer.status);
      if (!answer.body) return void response.end();
      response.flushHeaders();
      const reader = answer.body.getReader();
      response.on("close", () => void reader.cancel().catch(() => {}));
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return void response.end();
        response.write(value);
      }
    } catch (error) {
      failures.push(error);
      response.destroy();
    }
  });
  const port = await listen(server);
  return { port, failures, url: `http://127.0.0.1:${port}` };
}

/** All of it, with one user signed in. */
export async function startAll(options: Partial<ProxyOptions> = {}) {
  const { auth, store } = createMemoryAuth();
  const api = await startApi();
  const notices: [string, ProxyNotice][] = [];
  const log = (line: string, notice: ProxyNotice) => void notices.push([line, notice]);
  const proxy = createProxy({ auth, target: api.url, basePath: "/backend", log, ...options });
  const front = await startFront(proxy);
  const browser = createBrowser(auth);
  const user = await browser.signUp("a@example.com");
  /** As fetch() in a page of this app sends it, without a server in between. */
  function call(
    path: string,
    init: RequestInit = {},
    fields: Record<string, string> = {},
  ): Promise<Response> {
    const headers = new Headers({ ...SAME_ORIGIN, cookie: browser.headers.get("cookie") ?? "", ...fields });
    for (const [name, value] of new Headers(init.headers)) headers.set(name, value);
    const request = new Request(`http://localhost:1${path}`, { ...init, headers });
    return proxy[(init.method ?? "GET") as keyof ProxyHandlers](request);
  }
  return { auth, store, api, notices, proxy, front, browser, user, call };
}

export const SAME_ORIGIN = {
  origin: ORIGIN,
  "sec-fetch-site": "same-origin",
  "sec-fetch-mode": "cors",
  "sec-fetch-dest": "empty",
} as const;

/** Sends these bytes and gives back all that comes until the server ends the connection. */
export async function sendRaw(port: number, text: string): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  socket.setEncoding("latin1");
  let answer = "";
  socket.on("data", (data: string) => {
    answer += data;
  });
  socket.on("error", () => {});
  await once(socket, "connect");
  socket.write(text, "latin1");
  await once(socket, "close");
  return answer;
}
