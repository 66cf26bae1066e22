/** What an attack on the proxy in a running Next.js brought to light, as small as it gets. */

import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { SAME_ORIGIN, sendRaw, startAll, stopServers } from "./proxy-kit.js";

let all: Awaited<ReturnType<typeof startAll>>;
beforeAll(async () => {
  all = await startAll();
});
afterAll(stopServers);
afterEach(() => {
  all.api.answer = undefined;
  all.api.received.length = 0;
});

test.each([
  ["205 Reset Content", "GET"],
  ["204 No Content", "GET"],
  ["304 Not Modified", "GET"],
  ["205 Reset Content", "HEAD"],
])(
  "%s to %s with a length: the next answer on the connection is not taken for its body",
  async (status, method) => {
    all.api.answer = (request) => {
      const first = request.url === "/first";
      const body = first ? "hello" : "the next answer";
      request.socket.end(
        `HTTP/1.1 ${first ? status : "200 OK"}\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
      );
    };
    const head = (verb: string, path: string, connection: string) =>
      [
        `${verb} /backend${path} HTTP/1.1`,
        "Host: app",
        `Connection: ${connection}`,
        `Cookie: ${all.browser.headers.get("cookie")}`,
        ...Object.entries(SAME_ORIGIN).map(([name, value]) => `${name}: ${value}`),
        "\r\n",
      ].join("\r\n");
    const answers = await sendRaw(
      all.front.port,
      head(method, "/first", "keep-alive") + head("GET", "/next", "close"),
    );
    const [first = "", ...rest] = answers.split(/(?=HTTP\/1\.1 \d)/);
    expect(first).toContain(`HTTP/1.1 ${status}\r\n`);
    expect(first).not.toContain("hello");
    expect(first).not.toMatch(/content-length: [1-9]/i);
    expect(rest).toHaveLength(1);
    expect(rest[0]).toContain("the next answer");
  },
);
