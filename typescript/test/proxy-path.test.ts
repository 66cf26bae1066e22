/** The proxy's paths: what is refused, what passes untouched, and that FastAPI reads the same in it. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createProxy } from "../src/next/proxy.js";
import { addressAt, locationOf, pathBelow } from "../src/next/proxy-path.js";
import { Refused } from "../src/next/proxy-refused.js";
import { SAME_ORIGIN, sendRaw, startAll, startFront, stopServers } from "./proxy-kit.js";

const ROUTE = { basePath: "/backend", origin: "http://api.test:8000", prefix: "/v1" };
const send = (path: string, subject = "u1") => {
  const below = pathBelow("/backend", `http://localhost:3000${path}`);
  return addressAt(ROUTE, below.path, below.search, subject).href;
};
const reasonOf = (work: () => unknown) => {
  try {
    return work();
  } catch (error) {
    expect(error).toBeInstanceOf(Refused);
    expect(error).toMatchObject({ status: 400, code: "path_refused" });
    return (error as Refused).message.replace("This path is not passed on: ", "");
  }
};

/** Everything that a program on the way could read as another path. */
const TRICKS: [string, string][] = [
  // Resolved by the URL parser before anybody sees it: what is left is not below the proxy.
  ["/backend/..", "below"],
  ["/backend/../api/auth/sign-out", "below"],
  ["/backend/%2e%2e/api/auth/token", "below"],
  ["/backend/%2E./x", "below"],
  ["/backend/.%2e/x", "below"],
  ["/backend\\..\\x", "below"],
  ["/backend", "below"],
  ["/backendx/a", "below"],
  ["/BACKEND/a", "below"],
  ["//backend/a", "below"],
  ["/%62ackend/a", "below"],
  ["/backend%2fa", "below"],
  // Slashes.
  ["/backend//a", "empty segment"],
  ["/backend//evil.example/a", "empty segment"],
  ["/backend/a//b", "empty segment"],
  ["/backend/a//", "empty segment"],
  ["/backend///", "empty segment"],
  ["/backend/a\\\\b", "empty segment"],
  ["/backend/a%2fb", "encoded slash"],
  ["/backend/a%2Fb", "encoded slash"],
  ["/backend/%2f%2fevil.example", "encoded slash"],
  ["/backend/..%2f..%2fadmin", "encoded slash"],
  ["/backend/%2e%2e%2fadmin", "encoded slash"],
  ["/backend/a%5cb", "encoded slash"],
  ["/backend/..%5c..%5cadmin", "encoded slash"],
  // Path parameters: Tomcat, Jetty and others read /..;/ as /../.
  ["/backend/..;/admin", "percent-encoded"],
  ["/backend/a;x=1/b", "percent-encoded"],
  ["/backend/..%3b/admin", "encoded slash"],
  ["/backend/..%3B/admin", "encoded slash"],
  // Control characters: the end of a C string, and the line feed before which `$` matches.
  ["/backend/a%00", "control character"],
  ["/backend/a%00.json", "control character"],
  ["/backend/a%0a", "control character"],
  ["/backend/a%0d%0aX-Evil:%201", "control character"],
  ["/backend/a%09", "control character"],
  ["/backend/a%7f", "control character"],
  ["/backend/a%c2%85", "control character"],
  // Encoded twice: harmless here, a path trick to whoever decodes once more.
  ["/backend/%252e%252e/admin", "encoded slash"],
  ["/backend/a%252fb", "encoded slash"],
  ["/backend/a%255cb", "encoded slash"],
  ["/backend/a%2500", "encoded slash"],
  ["/backend/%25%32%65%25%32%65/admin", "encoded slash"],
  ["/backend/%2541", "encoded slash"],
  // Not UTF-8: overlong dots and slashes, surrogates, stray and missing bytes, IIS's %u.
  ["/backend/%c0%ae%c0%ae/admin", "UTF-8"],
  ["/backend/a%c0%afb", "UTF-8"],
  ["/backend/%e0%80%af", "UTF-8"],
  ["/backend/%f0%80%80%af", "UTF-8"],
  ["/backend/%ed%a0%80", "UTF-8"],
  ["/backend/%ff", "UTF-8"],
  ["/backend/%80", "UTF-8"],
  ["/backend/%c3", "UTF-8"],
  ["/backend/%f5%80%80%80", "UTF-8"],
  ["/backend/%u002e%u002e/admin", "percent-encoded"],
  ["/backend/%", "percent-encoded"],
  ["/backend/%2", "percent-encoded"],
  ["/backend/%zz", "percent-encoded"],
  ["/backend/100%", "percent-encoded"],
  // Left raw by URL parsers, and no RFC 3986 path.
  ["/backend/a|b", "percent-encoded"],
  ["/backend/a[b]", "percent-encoded"],
];

/** What passes, and how FastAPI reads it. */
const PATHS: [string, string][] = [
  ["/api/u1/tasks", "/api/u1/tasks"],
  ["/a", "/a"],
  ["/a/", "/a/"],
  ["/...", "/..."],
  ["/.well-known/x", "/.well-known/x"],
  ["/a..b/c.", "/a..b/c."],
  ["/%41%2e%42", "/A.B"],
  ["/a%20b+c", "/a b+c"],
  ["/%C3%A9/%E2%80%A6/%F0%9F%98%80", "/é/…/😀"],
  ["/a%3Fb%23c", "/a?b#c"],
  ["/100%25", "/100%"],
  ["/50%25-off", "/50%-off"],
  ["/a:b@c!$&'()*+,=~_-", "/a:b@c!$&'()*+,=~_-"],
  ["/%7Bx%7D", "/{x}"],
  ["/http:%20x", "/http: x"],
  ["/@evil.example", "/@evil.example"],
  ["/:80", "/:80"],
  ["/e%CC%81", "/e\u0301"],
  ["/%EF%BC%8E%EF%BC%8E", "/．．"],
];

describe("a path that two could read differently is refused", () => {
  test.each(TRICKS)("%s", (path, words) => {
    expect(reasonOf(() => send(path))).toContain(words);
  });

  test("in the query anything goes: it is data", () => {
    expect(send("/backend/a?x=../..//%2f%00%ff;&y=%252e#gone")).toBe(
      "http://api.test:8000/v1/a?x=../..//%2f%00%ff;&y=%252e",
    );
  });

  test("the host is the target's, whatever the request's address says", () => {
    const { path, search } = pathBelow("/backend", "http://user:pass@evil.example:1/backend/a?b");
    expect(addressAt(ROUTE, path, search, "u1").href).toBe("http://api.test:8000/v1/a?b");
  });
});

describe("{user_id}", () => {
  test.each([
    ["/backend/api/{user_id}/tasks", "u1", "/v1/api/u1/tasks"],
    ["/backend/%7buser_id%7D/{user_id}", "u1", "/v1/u1/u1"],
    ["/backend/{user_id}?of={user_id}", "u1", "/v1/u1?of={user_id}"],
    ["/backend/{user_id}", "ä b?#$&", "/v1/%C3%A4%20b%3F%23%24%26"],
    ["/backend/{user_id}", "$&$1", "/v1/%24%26%241"],
    ["/backend/{user_id}", "{user_id}", "/v1/%7Buser_id%7D"],
    ["/backend/{userid}", "u1", "/v1/%7Buserid%7D"],
  ])("%s of %s", (path, subject, expected) => {
    expect(send(path, subject)).toBe(`http://api.test:8000${expected}`);
  });

  test.each(["..", ".", "a/b", "../admin", "a\\b", "a;b", "%2e", "a\u0000", ""])("is never %j", (subject) => {
    expect(reasonOf(() => send("/backend/api/{user_id}/tasks", subject))).toMatch(/^it has/);
  });

  test("an ID can not complete a trick around it", () => {
    expect(reasonOf(() => send("/backend/.{user_id}/admin", "."))).toContain("dot segment");
    expect(reasonOf(() => send("/backend/a%252{user_id}", "e"))).toContain("encoded");
  });
});

describe("Location", () => {
  const from = new URL("http://api.test:8000/v1/items?x=1");
  test.each([
    ["http://api.test:8000/v1/items/", "/backend/items/"],
    ["http://API.test:8000/v1/items/?a=b#c", "/backend/items/?a=b#c"],
    ["/v1/items/5", "/backend/items/5"],
    ["items/5", "/backend/items/5"],
    ["?page=2", "/backend/items?page=2"],
    ["./a/../b", "/backend/b"],
    ["http://user:pass@api.test:8000/v1/a", "/backend/a"],
  ])("%s becomes %s", (location, expected) => {
    expect(locationOf(ROUTE, location, from)).toBe(expected);
  });

  test.each([
    "https://evil.example/",
    "//evil.example/v1/a",
    "\\\\evil.example/v1/a",
    "https://api.test:8000/v1/a",
    "http://api.test/v1/a",
    "http://api.test:8000.evil.example/v1/a",
    "javascript:alert(1)",
    "data:text/html,x",
    "blob:http://api.test:8000/v1/a",
    "/",
    "/v1",
    "/v1/../admin",
    "/v10/a",
    "/api/auth/sign-out",
    "/v1//evil.example",
    "/v1/%2fevil.example",
    "/v1/\\evil.example",
    "/v1/a;b",
    "http://",
  ])("%s is left out", (location) => {
    expect(locationOf(ROUTE, location, from)).toBeUndefined();
  });
});

describe("FastAPI behind it", () => {
  const python = fileURLToPath(new URL("../../.venv/bin/python", import.meta.url));
  const folder = fileURLToPath(new URL("fixtures", import.meta.url));
  let stop = async () => {};
  let front: Awaited<ReturnType<typeof startFront>>;
  let cookie = "";

  beforeAll(async () => {
    const uvicorn = spawn(
      python,
      ["-m", "uvicorn", "proxy_api:app", "--port", "0", "--no-access-log", "--app-dir", folder],
      { stdio: ["ignore", "ignore", "pipe"], env: { PATH: "/usr/bin:/bin", PYTHONDONTWRITEBYTECODE: "1" } },
    );
    stop = async () => {
      uvicorn.kill();
      await once(uvicorn, "exit");
    };
    const port = await new Promise<string>((resolve, reject) => {
      let said = "";
      const fail = () =>
        reject(new Error(`${python} with uvicorn is missing: npm run check installs it\n${said}`));
      uvicorn.on("error", fail);
      uvicorn.on("exit", fail);
      uvicorn.stderr.on("data", (data) => {
        said += data;
        const running = /running on http:\/\/127\.0\.0\.1:(\d+)/.exec(said);
        if (running) resolve(running[1] ?? "");
      });
    });
    const { auth, browser } = await startAll();
    cookie = browser.headers.get("cookie") ?? "";
    front = await startFront(
      createProxy({ auth, target: `http://127.0.0.1:${port}`, basePath: "/backend", log: () => {} }),
    );
  });
  afterAll(async () => {
    stopServers();
    await stop();
  });

  const fields = Object.entries(SAME_ORIGIN).map(([name, value]) => `${name}: ${value}\r\n`);
  const get = async (path: string) => {
    const text = `GET ${path} HTTP/1.1\r\nHost: app\r\nConnection: close\r\nCookie: ${cookie}\r\n${fields.join("")}\r\n`;
    const answer = await sendRaw(front.port, text);
    return {
      status: Number(answer.slice(9, 12)),
      body: answer.slice(answer.indexOf("\r\n\r\n") + 4),
      answer,
    };
  };
  const json = (body: string) => {
    const text = Buffer.from(body, "latin1").toString();
    return JSON.parse(text.slice(text.indexOf("{"), text.lastIndexOf("}") + 1));
  };

  test.each(PATHS)("%s is read as %s by both", async (path, decoded) => {
    const { status, body } = await get(`/backend/echo${path}?q=%2f`);
    expect(status).toBe(200);
    // Starlette decodes first and splits afterwards; without encoded slashes that is the same.
    expect(decodeURIComponent(path)).toBe(decoded);
    expect(json(body)).toEqual({ path: decoded, raw: `/echo${path}`, query: "q=%2f" });
  });

  test.each(TRICKS)("%s never reaches it", async (path) => {
    const { status, body } = await get(path);
    expect(status).toBe(400);
    expect(json(body).error).toBe("path_refused");
  });

  test("its redirect to the address with a slash comes back as the app's", async () => {
    const { status, answer } = await get("/backend/slash?a=b");
    expect(status).toBe(307);
    expect(answer).toMatch(/\r\nlocation: \/backend\/slash\/\?a=b\r\n/i);
  });

  test("streams its events one by one", async () => {
    const { status, answer } = await get("/backend/events");
    expect(status).toBe(200);
    expect(answer).toContain("data: 0");
    expect(answer).toContain("data: 2");
  });
});
