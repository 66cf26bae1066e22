/** The API's answer on its way to the browser: nothing in it acts on the app's origin. */

import { gzipSync } from "node:zlib";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type Handle, startAll, stopServers } from "./proxy-kit.js";

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
const get = async (
  headers: Record<string, string | string[]>,
  body: string | Buffer = "{}",
  status = 200,
) => {
  all.api.answer = answering(headers, body, status);
  return all.call("/backend/tasks");
};

/** Better Auth's own cookie is the only one that an answer may set. */
const own = (response: Response) =>
  response.headers.getSetCookie().filter((line) => !line.startsWith("better-auth."));

describe("to the browser", () => {
  const ACTING: Record<string, string | string[]> = {
    "set-cookie": ["better-auth.session_token=evil; Path=/", "a=b"],
    "set-cookie2": "a=b",
    "set-login": "logged-out",
    "clear-site-data": '"*"',
    "service-worker-allowed": "/",
    refresh: "0;url=https://evil.example",
    link: "<https://evil.example/x.js>; rel=preload; as=script",
    "alt-svc": 'h3="evil.example:443"; ma=2592000',
    "strict-transport-security": "max-age=0",
    "public-key-pins": "max-age=9",
    "expect-ct": "max-age=9",
    nel: '{"report_to":"x","max_age":9}',
    "report-to": '{"endpoints":[{"url":"https://evil.example"}]}',
    "reporting-endpoints": 'x="https://evil.example"',
    "access-control-allow-origin": "*",
    "access-control-allow-credentials": "true",
    "access-control-expose-headers": "*",
    "access-control-allow-private-network": "true",
    "timing-allow-origin": "*",
    "content-security-policy-report-only": "report-uri https://evil.example",
    "x-frame-options": "ALLOWALL",
    "x-xss-protection": "0",
    "referrer-policy": "unsafe-url",
    "permissions-policy": "camera=*",
    "document-policy": "x",
    "cross-origin-opener-policy": "unsafe-none",
    "cross-origin-embedder-policy": "unsafe-none",
    "origin-agent-cluster": "?0",
    "origin-trial": "x",
    "accept-ch": "Sec-CH-UA-Model",
    "critical-ch": "Sec-CH-UA-Model",
    "speculation-rules": '"/rules.json"',
    "supports-loading-mode": "credentialed-prerender",
    "no-vary-search": "params",
    "use-as-dictionary": 'match="/*"',
    "attribution-reporting-register-source": "{}",
    "observe-browsing-topics": "?1",
    "sec-session-registration": '(ES256);path="/x"',
    "activate-storage-access": "load",
    sourcemap: "https://evil.example/x.map",
    "x-sourcemap": "x",
    "x-dns-prefetch-control": "on",
    "x-permitted-cross-domain-policies": "all",
    "content-location": "/x",
    "x-accel-redirect": "/internal",
    "x-accel-expires": "100",
    "x-sendfile": "/etc/passwd",
    "x-middleware-rewrite": "/admin",
    "x-middleware-set-cookie": "a=b",
    "x-middleware-override-headers": "cookie",
    "proxy-authenticate": "Basic",
    server: "uvicorn",
    "x-powered-by": "x",
    "x-custom": "1",
    trailer: "set-cookie",
  };

  test("nothing that acts on the origin, or on a server in between", async () => {
    const response = await get({ ...ACTING, "content-type": "application/json", etag: '"e"' });
    expect(Object.fromEntries([...response.headers].filter(([name]) => name !== "set-cookie"))).toEqual({
      "cache-control": "no-store",
      "content-disposition": "attachment",
      "content-security-policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
      "content-type": "application/json",
      "cross-origin-resource-policy": "same-origin",
      etag: '"e"',
      "x-bridge-user": all.user.id,
      "x-content-type-options": "nosniff",
    });
    expect(own(response)).toEqual([]);
    expect(await response.text()).toBe("{}");
  });

  test("its safety fields stand whatever the API says", async () => {
    const response = await get({
      "cache-control": "public, max-age=31536000, s-maxage=31536000, immutable",
      "cdn-cache-control": "max-age=9",
      "surrogate-control": "max-age=9",
      expires: "Fri, 31 Dec 2100 00:00:00 GMT",
      age: "0",
      pragma: "cache",
      vary: "*",
      "content-security-policy": "default-src *",
      "x-content-type-options": "sniff",
      "cross-origin-resource-policy": "cross-origin",
      "content-type": "text/html",
      "content-disposition": 'inline; filename="a.html"',
    });
    const { headers } = response;
    expect(headers.get("cache-control")).toBe("no-store");
    for (const name of ["cdn-cache-control", "surrogate-control", "expires", "age", "pragma", "vary"])
      expect(headers.get(name)).toBeNull();
    expect(headers.get("content-security-policy")).toBe(
      "default-src 'none'; frame-ancestors 'none'; sandbox",
    );
    expect(headers.get("x-content-type-options")).toBe("nosniff");
    expect(headers.get("cross-origin-resource-policy")).toBe("same-origin");
    expect(headers.get("content-disposition")).toBe('attachment; filename="a.html"');
  });

  test.each([
    ["text/html; charset=utf-8", "text/html; charset=utf-8"],
    ["image/svg+xml", "image/svg+xml"],
    ["text/event-stream", "text/event-stream"],
    ["text/javascript", "application/octet-stream"],
    ["Application/JavaScript;x", "application/octet-stream"],
    ["text/x-ecmascript", "application/octet-stream"],
    ["text/livescript", "application/octet-stream"],
    ["text/css", "application/octet-stream"],
    ["application/wasm", "application/octet-stream"],
    ["text/plain, text/javascript", "application/octet-stream"],
    ["", "application/octet-stream"],
    [undefined, "application/octet-stream"],
  ])("the type %s becomes %s: no script element runs it, whatever it is", async (type, expected) => {
    const response = await get(type === undefined ? {} : { "content-type": type });
    expect(response.headers.get("content-type")).toBe(expected);
  });

  test.each([
    ['Bearer error="invalid_token"', true],
    ["bearer", true],
    ['Basic realm="app"', false],
    ["Negotiate", false],
    ["Digest realm=x", false],
    ['Basic realm="x", Bearer', false],
    ['Bearer, Basic realm="app"', false],
    ['Bearer realm="x", Basic realm="app"', false],
    ['Bearer realm="x\\"", Basic realm="app"', false],
    ['Bearer error="invalid_token", error_description="The access token is invalid or has expired"', true],
  ])("the challenge %s passes: %s", async (challenge, passes) => {
    const response = await get({ "www-authenticate": challenge }, "{}", 401);
    expect(response.status).toBe(401);
    expect(response.headers.get("www-authenticate")).toBe(passes ? challenge : null);
  });

  test("fields that Connection lists stay behind", async () => {
    const response = await get({ connection: "close, ETag", etag: '"e"', "last-modified": "x" });
    expect(response.headers.get("etag")).toBeNull();
    expect(response.headers.get("last-modified")).toBe("x");
  });

  test.each([301, 302, 303, 307, 308])("%s is not followed, and leads nowhere else", async (status) => {
    const response = await get({ location: "https://evil.example/x" }, "", status);
    expect(response.status).toBe(status);
    expect(response.headers.get("location")).toBeNull();
    const inside = await get({ location: `${all.api.url}/tasks/?a=b` }, "", status);
    expect(inside.headers.get("location")).toBe("/backend/tasks/?a=b");
    expect(all.api.received).toHaveLength(2);
  });

  test("Refresh and a foreign Location on 201 go as well", async () => {
    const response = await get({ location: "https://evil.example/tasks/1", refresh: "0" }, "{}", 201);
    expect(response.headers.get("location") ?? response.headers.get("refresh")).toBeNull();
    expect((await get({ location: "/tasks/1" }, "{}", 201)).headers.get("location")).toBe("/backend/tasks/1");
  });

  test("a coded body, which fetch has undone, has neither coding nor length", async () => {
    const text = JSON.stringify({ text: "x".repeat(1000) });
    const coded = gzipSync(text);
    const response = await get({ "content-encoding": "gzip", "content-length": String(coded.length) }, coded);
    expect(response.headers.get("content-encoding")).toBeNull();
    expect(response.headers.get("content-length")).toBeNull();
    expect(await response.text()).toBe(text);
  });

  test.each(["zstd", "dcb", "gzip, gzip", "aes128gcm"])("Content-Encoding: %s is refused", async (coding) => {
    const response = await get({ "content-encoding": coding }, "x");
    expect(response.status).toBe(502);
    expect(await response.json()).toMatchObject({ error: "api_answer_refused" });
  });

  test("an uncoded body keeps its length, also for HEAD", async () => {
    expect((await get({ "content-length": "2" })).headers.get("content-length")).toBe("2");
    const head = await all.call("/backend/tasks", { method: "HEAD" });
    expect([head.status, head.headers.get("content-length"), await head.text()]).toEqual([200, "2", ""]);
  });

  test.each([204, 205, 304])("%s has no body", async (status) => {
    const response = await get({}, "", status);
    expect([response.status, await response.text()]).toEqual([status, ""]);
    expect(response.headers.get("content-type")).toBeNull();
  });

  test.each([600, 799, 999])("status %s, which is none, is 502", async (status) => {
    const response = await get({}, "x", status);
    expect(response.status).toBe(502);
  });

  test("events are held back by nobody", async () => {
    const response = await get({ "content-type": "text/event-stream; charset=utf-8" }, "data: 1\n\n");
    expect(response.headers.get("cache-control")).toBe("no-store, no-transform");
    expect(response.headers.get("x-accel-buffering")).toBe("no");
  });

  test("every answer of the proxy's own has the safety fields", async () => {
    for (const response of [
      await all.call("/backend/a%2fb"),
      await all.call("/backend/tasks", {}, { origin: "null" }),
      await all.call("/backend/tasks", {}, { cookie: "" }),
      await get({ "content-encoding": "zstd" }),
    ]) {
      expect(response.status).toBeGreaterThanOrEqual(400);
      expect(Object.fromEntries(response.headers)).toMatchObject({
        "cache-control": "no-store",
        "content-type": "application/json",
        "content-security-policy": expect.stringContaining("sandbox"),
        "x-content-type-options": "nosniff",
      });
      expect(Object.keys(await response.json())).toEqual(["detail", "error"]);
    }
  });
});
