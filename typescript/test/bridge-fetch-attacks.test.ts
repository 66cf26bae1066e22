/** The bridge's fetch, attacked: where a token must not go, and what must not be sent twice. */

import type { ServerResponse } from "node:http";
import { afterEach, describe, expect, test, vi } from "vitest";
import {
  createBridgeFetch,
  createTokenSource,
  SessionMissingError,
  TokenUnavailableError,
} from "../src/client/index.js";
import { client, clock, closeServers, issuer, type Seen, serve, tokenOf } from "./client-kit.js";

afterEach(closeServers);

type Asked = { readonly rejected?: string | undefined };

const API = "https://api.example.com";

function recording(baseURL = API) {
  const sent: { url: string; authorization: string | null }[] = [];
  const getToken = issuer();
  const api = createBridgeFetch({
    baseURL,
    tokenSource: createTokenSource({ getToken, clock }),
    fetch: async (input, init) => {
      const request = typeof input === "object" && "url" in input ? input : undefined;
      const headers = new Headers(init?.headers ?? request?.headers);
      sent.push({ url: request?.url ?? String(input), authorization: headers.get("authorization") });
      return new Response("ok");
    },
  });
  return { api, sent, getToken };
}

describe("whole addresses of other origins get no token, and none is asked for", () => {
  test.each([
    "https://evil.example/",
    "https://api.example.com.evil.example/",
    "https://api.example.com@evil.example/",
    "https://api.example.com:444/",
    "http://api.example.com/",
    "HTTPS://EVIL.example/",
    "https:evil.example/x",
    "https:\\\\evil.example\\x",
    "blob:https://api.example.com/0b1c",
    "filesystem:https://api.example.com/temporary/x",
    "data:text/plain,x",
    "javascript:alert(1)",
    "about:blank",
    "wss://api.example.com/x",
  ])("%s", async (address) => {
    const { api, sent, getToken } = recording();
    await api(address);
    await api(new URL(address));
    expect(sent.map(({ authorization }) => authorization)).toEqual([null, null]);
    expect(getToken).not.toHaveBeenCalled();
  });

  test("a Request to another origin keeps what its maker gave it", async () => {
    const { api, sent, getToken } = recording();
    await api(new Request("https://evil.example/{user_id}", { headers: { authorization: "Basic eDp5" } }));
    expect(sent).toEqual([{ url: "https://evil.example/%7Buser_id%7D", authorization: "Basic eDp5" }]);
    expect(getToken).not.toHaveBeenCalled();
  });
});

test.each([
  "//evil.example/x",
  "///evil.example/x",
  "\\\\evil.example/x",
  "/\\evil.example/x",
  "\t//evil.example/x",
  " https://evil.example/x",
  "\nhttps://evil.example/x",
  "ht\ntps://evil.example/x",
  "@evil.example/x",
  ".evil.example/x",
  ":443@evil.example/x",
  "?@evil.example/x",
  "#@evil.example/x",
  "/../../@evil.example/x",
  "",
])("a path that would name another host stays below the API: %j", async (path) => {
  for (const base of [API, `${API}/`, `${API}/v1`]) {
    const { api, sent } = recording(base);
    await api(path);
    expect(new URL(sent[0]?.url ?? "").host).toBe("api.example.com");
    expect(sent[0]?.authorization).toMatch(/^Bearer eyJ/);
  }
});

test("a caller's own Authorization never goes beside the token", async () => {
  const { seen, url } = await serve();
  const { api } = client(url);
  await api("/x", { headers: { Authorization: "Bearer mine" } });
  await api("/x", { headers: [["authorization", "Basic eDp5"]] });
  await api(new Request(`${url}/x`, { headers: { authorization: "Bearer mine" } }));
  expect(seen.map((each) => tokenOf(each))).toEqual(["t1", "t1", "t1"]);
  for (const { authorization } of seen) expect(authorization).toMatch(/^Bearer eyJ[\w.-]+$/);
});

describe("redirects", () => {
  test.each([301, 302, 303, 307, 308])("%i to another origin, and back, carries no token", async (status) => {
    const there = await serve((_, response) =>
      response.writeHead(status, { location: `${own.url}/end` }).end(),
    );
    const own: Awaited<ReturnType<typeof serve>> = await serve((seen, response) =>
      seen.url === "/end"
        ? response.end("ok")
        : response.writeHead(status, { location: `${there.url}/x` }).end(),
    );
    const { api } = client(own.url);
    expect(await (await api("/out", { method: "POST", body: "x" })).text()).toBe("ok");
    const seen = own.seen.map((each) => `${each.url} ${each.authorization && tokenOf(each)}`);
    expect(seen).toEqual(["/out t1", "/end undefined"]);
    expect(there.seen.map(({ authorization }) => authorization)).toEqual([undefined]);
  });

  test("within the API keep it", async () => {
    const { seen, url } = await serve((each, response) =>
      each.url === "/a" ? response.writeHead(307, { location: "/b" }).end() : response.end("ok"),
    );
    await client(url).api("/a");
    expect(seen.map((each) => `${each.url} ${tokenOf(each)}`)).toEqual(["/a t1", "/b t1"]);
  });

  test("are the caller's where the caller says so", async () => {
    const { seen, url } = await serve((_, response) =>
      response.writeHead(302, { location: "https://evil.example/" }).end(),
    );
    const response = await client(url).api("/a", { redirect: "manual" });
    expect([response.status, seen.length]).toEqual([302, 1]);
    await expect(client(url).api("/a", { redirect: "error" })).rejects.toThrow(TypeError);
  });
});

describe("between try and retry", () => {
  const always = (_: Seen, response: ServerResponse) => {
    response.writeHead(401, { "www-authenticate": 'Bearer error="invalid_token"' }).end("refused");
  };
  const held = (subject: string, value: string) => ({ subject, value, sessionId: "s1", endsAt: 1 });

  test("the same token back means the 401 is the caller's, body and all", async () => {
    const { seen, url } = await serve(always);
    const get = vi.fn(async () => held("u1", "same"));
    const response = await createBridgeFetch({ baseURL: url, tokenSource: { get } })("/x");
    expect([response.status, await response.text(), seen.length]).toEqual([401, "refused", 1]);
    expect(get.mock.calls).toEqual([[{}], [{ rejected: "same" }]]);
  });

  test.each([
    new SessionMissingError("Nobody is signed in"),
    new TokenUnavailableError("The issuer gave no token", { status: 503 }),
  ])("$name is thrown: the 401 says less", async (error) => {
    const { seen, url } = await serve(always);
    const get = async ({ rejected }: Asked = {}) => {
      if (rejected) throw error;
      return held("u1", "t1");
    };
    await expect(createBridgeFetch({ baseURL: url, tokenSource: { get } })("/x")).rejects.toBe(error);
    expect(seen).toHaveLength(1);
  });

  test("another user is an error, also where nothing names the user", async () => {
    const { seen, url } = await serve(always);
    const get = async ({ rejected }: Asked = {}) => (rejected ? held("bob", "b") : held("alice", "a"));
    const api = createBridgeFetch({ baseURL: url, tokenSource: { get } });
    await expect(api("/x", { method: "POST", body: "alice's" })).rejects.toThrow(SessionMissingError);
    expect(seen).toHaveLength(1);
  });

  test("an abort ends it", async () => {
    const { seen, url } = await serve(always);
    const controller = new AbortController();
    const get = async ({ rejected }: Asked = {}) => {
      if (rejected) controller.abort();
      return held("u1", rejected ? "t2" : "t1");
    };
    const api = createBridgeFetch({ baseURL: url, tokenSource: { get } });
    await expect(api("/x", { signal: controller.signal })).rejects.toMatchObject({ name: "AbortError" });
    expect(seen).toHaveLength(1);
  });
});

test("a background call says so to the source, each time, and to nobody else", async () => {
  const { seen, url } = await serve((_, response) => {
    response.writeHead(401, { "www-authenticate": 'Bearer error="invalid_token"' }).end();
  });
  let asked = 0;
  const get = vi.fn(async (_?: object) => ({
    value: `t${++asked}`,
    subject: "u1",
    sessionId: null,
    endsAt: 1,
  }));
  const api = createBridgeFetch({ baseURL: url, tokenSource: { get } });
  await api("/x", { background: true });
  await api(new Request(`${url}/x`), { background: true });
  expect(get.mock.calls.map(([options]) => (options as { background?: boolean }).background)).toEqual(
    Array(4).fill(true),
  );
  expect(JSON.stringify(seen)).not.toContain("background");
});
