/** Header fields to the API: what a browser can not make it believe, and which names can be added. */

import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { ConfigurationError } from "../src/index.js";
import { createProxy } from "../src/next/proxy.js";
import { type Handle, SAME_ORIGIN, sendRaw, startAll, stopServers } from "./proxy-kit.js";
import { readClaims } from "./real-auth.js";

let all: Awaited<ReturnType<typeof startAll>>;
beforeAll(async () => {
  all = await startAll();
});
afterAll(stopServers);
afterEach(() => {
  all.api.answer = undefined;
  all.api.received.length = 0;
  all.notices.length = 0;
});

/** A request as bytes through the front server; what the API got of it. */
async function raw(lines: string[], body = "", method = "POST") {
  const head = [
    `${method} /backend/tasks HTTP/1.1`,
    "Host: app",
    `Cookie: ${all.browser.headers.get("cookie")}`,
    ...Object.entries(SAME_ORIGIN).map(([name, value]) => `${name}: ${value}`),
    ...(lines.some((line) => /^connection:/i.test(line)) ? [] : ["Connection: close"]),
    ...lines,
  ];
  const answer = await sendRaw(all.front.port, `${head.join("\r\n")}\r\n\r\n${body}`);
  return { answer, status: Number(answer.slice(9, 12)), got: all.api.received };
}

describe("to the API", () => {
  const SPOOFED = [
    "Authorization: Bearer evil",
    "authorization: Basic dTpw",
    "Proxy-Authorization: Basic dTpw",
    "Forwarded: for=127.0.0.1;host=evil.example;proto=https",
    "X-Forwarded-For: 127.0.0.1",
    "X-Forwarded-Host: evil.example",
    "X-Forwarded-Proto: https",
    "X-Forwarded-Prefix: /evil",
    "X-Real-IP: 127.0.0.1",
    "X-Client-IP: 127.0.0.1",
    "True-Client-IP: 127.0.0.1",
    "CF-Connecting-IP: 127.0.0.1",
    "Via: 1.1 evil",
    "X-Original-URL: /admin",
    "X-Rewrite-URL: /admin",
    "X-HTTP-Method-Override: DELETE",
    "X-HTTP-Method: DELETE",
    "X-Method-Override: DELETE",
    "X-User-Id: admin",
    "X-Remote-User: admin",
    "Remote-User: admin",
    "X-Middleware-Subrequest: middleware",
    "Next-Action: x",
    "Rsc: 1",
    "TE: trailers",
    "Trailer: X-Evil",
    "Upgrade-Insecure: 1",
    "Keep-Alive: timeout=1000",
    "Referer: http://localhost:3000/?secret",
    "X-Custom: 1",
  ];

  test("nothing spoofed arrives, and the credential is the proxy's own", async () => {
    const { status, got } = await raw(
      [...SPOOFED, "Content-Length: 2", "Content-Type: application/json"],
      "{}",
    );
    expect(status).toBe(200);
    const headers = got[0]?.headers ?? {};
    // cache-control, pragma, sec-fetch-mode and the like are fetch's own, constant.
    expect(Object.keys(headers).sort()).toEqual([
      "accept",
      "accept-encoding",
      "accept-language",
      "authorization",
      "cache-control",
      "connection",
      "content-length",
      "content-type",
      "host",
      "pragma",
      "sec-fetch-mode",
      "user-agent",
    ]);
    expect(headers.host).toBe(`127.0.0.1:${all.api.port}`);
    expect(headers["accept-encoding"]).toBe("identity");
    expect(got[0]?.raw.filter((name) => name.toLowerCase() === "authorization")).toHaveLength(1);
    const token = headers.authorization?.replace("Bearer ", "") ?? "";
    expect(readClaims(token)).toMatchObject({ sub: all.user.id });
  });

  test("what the API needs to know arrives", async () => {
    const fields = {
      accept: "application/json",
      "accept-language": "de",
      "content-type": "application/json",
      "idempotency-key": "k1",
      "if-match": '"e1"',
      "if-none-match": '"e2"',
      "last-event-id": "7",
      prefer: "return=minimal",
      range: "bytes=0-1",
      "user-agent": "browser/1",
    };
    await all.call("/backend/tasks", { method: "PATCH", body: "{}" }, fields);
    expect(all.api.received[0]?.headers).toMatchObject(fields);
  });

  test.each(["Connection: close, Content-Type, Authorization, Cookie", "Connection: Content-Type,close"])(
    "%s: what it lists is for this hop alone, and nothing of the proxy's own is lost by it",
    async (line) => {
      const { status, got } = await raw([line, "Content-Type: text/plain", "Content-Length: 1"], "x");
      expect(status).toBe(200);
      expect(got[0]?.headers["content-type"]).toBeUndefined();
      expect(got[0]?.headers.authorization).toMatch(/^Bearer /);
    },
  );

  test.each([
    ["both framings", ["Content-Length: 6", "Transfer-Encoding: chunked"], "0\r\n\r\nG"],
    ["both framings, hidden", ["Content-Length: 6", "Transfer-Encoding: xchunked"], "0\r\n\r\nG"],
    ["two lengths", ["Content-Length: 1", "Content-Length: 5"], "x"],
    ["a list of lengths", ["Content-Length: 1, 5"], "x"],
    ["a signed length", ["Content-Length: +1"], "x"],
    ["a negative length", ["Content-Length: -1"], "x"],
    ["a hexadecimal length", ["Content-Length: 0x1"], "x"],
    ["a space before the colon", ["Content-Length : 1"], "x"],
    ["a folded line", ["X-A: b\r\n Transfer-Encoding: chunked"], "0\r\n\r\n"],
    ["a bare line feed", ["X-A: b\nTransfer-Encoding: chunked"], "0\r\n\r\n"],
    ["a wrong chunk", ["Transfer-Encoding: chunked"], "zz\r\nx\r\n0\r\n\r\n"],
  ])("%s: no second request, and nothing that looks whole", async (_name, lines, body) => {
    const smuggled = `${body}ET /backend/smuggled HTTP/1.1\r\nHost: app\r\n\r\n`;
    const { status, got } = await raw(lines, smuggled);
    expect(status).not.toBe(200);
    expect(got.filter(({ complete }) => complete)).toEqual([]);
  });

  test("both framings and odd lengths are refused by the handler too, whatever the server before it thinks", async () => {
    const make = (headers: Record<string, string>) =>
      all.call("/backend/tasks", { method: "POST", body: "x" }, headers);
    for (const headers of [
      { "content-length": "1", "transfer-encoding": "chunked" },
      { "content-length": "1, 1" },
      { "content-length": "1e3" },
      { "content-length": "" },
      { "content-length": "9".repeat(20) },
    ]) {
      const response = await make(headers as Record<string, string>);
      expect(response.status).toBe(400);
      expect(await response.json()).toMatchObject({ error: "body_refused" });
    }
    expect(all.api.received).toEqual([]);
  });

  test("a chunked request arrives whole; its trailer and chunk extensions do not", async () => {
    const body = "5;evil=1\r\nhello\r\n0\r\nX-Evil: 1\r\n\r\n";
    const { status, got } = await raw(["Transfer-Encoding: chunked", "Trailer: X-Evil"], body);
    expect(status).toBe(200);
    expect(got).toMatchObject([{ body: "hello", complete: true }]);
    expect(JSON.stringify(got)).not.toContain("evil");
  });

  test("Expect and Upgrade concern this hop alone", async () => {
    const { got, answer } = await raw(["Expect: 100-continue", "Content-Length: 1"], "x");
    expect(answer).toContain("HTTP/1.1 200");
    expect(got[0]?.headers.expect).toBeUndefined();
    const upgrade = ["Connection: Upgrade, close", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"];
    await raw(upgrade, "", "GET");
    expect(got[1]?.headers).not.toHaveProperty("upgrade");
    expect(got[1]?.headers).not.toHaveProperty("http2-settings");
  });
});

const answering = (
  headers: Record<string, string | string[]>,
  body: string | Buffer = "{}",
  status = 200,
): Handle => {
  return (request, response) => {
    request.resume();
    response.writeHead(status, headers).end(body);
  };
};

describe("further names", () => {
  test("pass in both directions, and in no other case", async () => {
    const { auth, api } = all;
    const proxy = createProxy({
      auth,
      target: api.url,
      basePath: "/backend",
      requestHeaders: ["X-Tenant"],
      responseHeaders: ["X-Total-Count"],
      log: () => {},
    });
    api.answer = answering({ "x-total-count": "7", "x-other": "1" });
    const cookie = all.browser.headers.get("cookie") ?? "";
    const headers = { ...SAME_ORIGIN, cookie, "x-tenant": "t", "x-other": "1" };
    const response = await proxy.GET(new Request("http://localhost:1/backend/a", { headers }));
    expect(response.headers.get("x-total-count")).toBe("7");
    expect(response.headers.get("x-other")).toBeNull();
    expect(api.received[0]?.headers).toMatchObject({ "x-tenant": "t" });
    expect(api.received[0]?.headers).not.toHaveProperty("x-other");
  });

  const create = (names: object) => () =>
    createProxy({ auth: all.auth, target: all.api.url, basePath: "/backend", ...names });

  test.each([
    "Cookie",
    "Authorization",
    "Host",
    "Connection",
    "Transfer-Encoding",
    "Content-Length",
    "TE",
    "Expect",
    "Upgrade",
    "Proxy-Authorization",
    "Sec-Fetch-Site",
    "Origin",
    "Accept-Encoding",
    "",
    "a b",
    "a\r\nb",
    1,
  ])("requestHeaders: %j is refused", (name) => {
    expect(create({ requestHeaders: [name] })).toThrow(ConfigurationError);
  });

  test.each([
    ...Object.keys(ACTING_NAMES()),
    "Cache-Control",
    "Vary",
    "Location",
    "WWW-Authenticate",
    "Content-Security-Policy",
    "Content-Encoding",
    "",
    "a:b",
  ])("responseHeaders: %j is refused", (name) => {
    expect(create({ responseHeaders: [name] })).toThrow(ConfigurationError);
  });
});

/** Not among them: those that say something and do nothing. */
function ACTING_NAMES(): Record<string, true> {
  const names = [
    "set-cookie",
    "set-cookie2",
    "set-login",
    "clear-site-data",
    "service-worker-allowed",
    "refresh",
    "link",
    "alt-svc",
    "strict-transport-security",
    "public-key-pins",
    "expect-ct",
    "nel",
    "report-to",
    "reporting-endpoints",
    "access-control-allow-origin",
    "timing-allow-origin",
    "content-security-policy-report-only",
    "x-frame-options",
    "referrer-policy",
    "permissions-policy",
    "document-policy",
    "cross-origin-opener-policy",
    "origin-agent-cluster",
    "origin-trial",
    "accept-ch",
    "critical-ch",
    "speculation-rules",
    "supports-loading-mode",
    "no-vary-search",
    "use-as-dictionary",
    "attribution-reporting-register-source",
    "observe-browsing-topics",
    "sec-session-registration",
    "activate-storage-access",
    "sourcemap",
    "x-sourcemap",
    "x-dns-prefetch-control",
    "x-permitted-cross-domain-policies",
    "content-location",
    "x-accel-redirect",
    "x-accel-expires",
    "x-sendfile",
    "x-middleware-rewrite",
    "x-middleware-set-cookie",
    "proxy-authenticate",
    "trailer",
    "x-xss-protection",
  ];
  return Object.fromEntries(names.map((name) => [name, true]));
}
