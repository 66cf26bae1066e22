/** The bridge's fetch, against real HTTP servers. */

import { afterEach, describe, expect, test, vi } from "vitest";
import {
  createBridgeFetch,
  createTokenSource,
  SessionMissingError,
  type TokenSource,
} from "../src/client/index.js";
import { client, clock, closeServers, issuer, refusing, serve } from "./client-kit.js";
import { CLAIMS, claims, sign } from "./tokens.js";

describe("the bridge's fetch", () => {
  afterEach(closeServers);

  test("the answer that is not given is let go, so that its connection is free", async () => {
    const cancel = vi.fn();
    const refusal = new Response(new ReadableStream({ cancel }), {
      status: 401,
      headers: { "www-authenticate": 'Bearer error="invalid_token"' },
    });
    const answers = [refusal, new Response("ok")];
    const tokenSource = createTokenSource({ getToken: issuer(), clock });
    const fetch = async () => answers.shift() as Response;
    const api = createBridgeFetch({ baseURL: "http://localhost", tokenSource, fetch });
    expect(await (await api("/x")).text()).toBe("ok");
    expect(cancel).toHaveBeenCalledOnce();
  });

  test("attaches the token and fills the path, whatever the input", async () => {
    const { seen, url } = await serve();
    const { api } = client(url, { sub: "a/b$&", user_id: "a/b$&" });
    await api("/api/{user_id}/tasks?q={user_id}");
    await api("api/{user_id}");
    await api(new URL(`${url}/api/{user_id}`));
    await api(`${url}/api/%7buser_id%7D`, { method: "DELETE" });
    const body = JSON.stringify({ title: "x" });
    await api(
      new Request(`${url}/api/{user_id}`, {
        method: "POST",
        body,
        headers: { "content-type": "application/json" },
      }),
    );
    await api("//evil.example.com/x");
    expect(seen.map(({ method, url }) => `${method} ${url}`)).toEqual([
      "GET /api/a%2Fb%24%26/tasks?q={user_id}",
      "GET /api/a%2Fb%24%26",
      "GET /api/a%2Fb%24%26",
      "DELETE /api/a%2Fb%24%26",
      "POST /api/a%2Fb%24%26",
      "GET //evil.example.com/x",
    ]);
    expect(seen[4]).toMatchObject({ body, type: "application/json" });
    for (const { authorization } of seen) expect(authorization).toMatch(/^Bearer eyJ/);
  });

  test("goes below a base URL with a path", async () => {
    const { seen, url } = await serve();
    const { api } = client(`${url}/v1/`);
    await api("/tasks");
    await api("tasks");
    await api("?x=1");
    expect(seen.map((each) => each.url)).toEqual(["/v1/tasks", "/v1/tasks", "/v1?x=1"]);
  });

  test("gives no token to another origin, directly or by a redirect", async () => {
    const other = await serve();
    const { seen, url } = await serve((_, response) =>
      response.writeHead(307, { location: `${other.url}/caught` }).end(),
    );
    const { api, getToken } = client(url);
    await api(`${other.url}/{user_id}`);
    expect(getToken).not.toHaveBeenCalled();
    await api("/away");
    await api(new Request(`${url}/away`, { method: "POST", body: "x" }));
    expect(seen.every(({ authorization }) => authorization !== undefined)).toBe(true);
    expect(other.seen).toHaveLength(3);
    expect(other.seen.map(({ authorization }) => authorization)).toEqual([undefined, undefined, undefined]);
    expect(other.seen[0]?.url).toBe("/%7Buser_id%7D");
  });

  test.each([
    ["the challenge", 'Bearer error="invalid_token", error_description="x"', {}],
    ["the body, where the challenge is hidden", undefined, { error: "invalid_token" }],
  ])("tries once more when %s says invalid_token", async (_, challenge, body) => {
    const { seen, url } = await serve(refusing(challenge, body));
    const { api, getToken } = client(url);
    const response = await api("/x", { method: "PUT", body: "again" });
    expect(await response.text()).toBe("ok");
    expect(seen.map((each) => each.body)).toEqual(["again", "again"]);
    expect(getToken).toHaveBeenCalledTimes(2);
    await api("/x");
    expect(seen).toHaveLength(3);
    const request = new Request(`${url}/y`, {
      method: "PUT",
      body: '"b"',
      headers: { "content-type": "application/json" },
    });
    expect(await (await client(url).api(request)).text()).toBe("ok");
    expect(seen.slice(3).map((each) => `${each.url} ${each.type} ${each.body}`)).toEqual(
      Array(2).fill('/y application/json "b"'),
    );
  });

  test("tries once, not for ever", async () => {
    const { seen, url } = await serve((_, response) => {
      response.writeHead(401, { "www-authenticate": 'Bearer error="invalid_token"' }).end("no");
    });
    const response = await client(url).api("/x");
    expect(response.status).toBe(401);
    expect(await response.text()).toBe("no");
    expect(seen).toHaveLength(2);
  });

  test.each([
    ["a bare challenge", "Bearer", { error: "invalid_token" }],
    ["another error", undefined, { error: "token_missing" }],
    ["an error that begins alike", undefined, { error: "invalid_token_type" }],
    ["no error that speaks of one", undefined, { detail: "invalid_token" }],
    ["nothing", undefined, {}],
  ])("passes a 401 with %s untouched", async (_, challenge, body) => {
    const { seen, url } = await serve(refusing(challenge, body));
    const response = await client(url).api("/x");
    expect([response.status, await response.json(), seen.length]).toEqual([401, body, 1]);
  });

  test("does not send a stream twice", async () => {
    const { seen, url } = await serve(refusing('Bearer error="invalid_token"'));
    const body = new Blob(["streamed"]).stream();
    const response = await client(url).api("/x", { method: "POST", body, duplex: "half" } as RequestInit);
    expect([response.status, seen.length, seen[0]?.body]).toEqual([401, 1, "streamed"]);
  });

  test("does not send an async iterable twice, which is empty by then", async () => {
    const { seen, url } = await serve(refusing('Bearer error="invalid_token"'));
    async function* body() {
      yield Buffer.from("hello");
    }
    const init = { method: "POST", body: body(), duplex: "half" } as unknown as RequestInit;
    const response = await client(url).api("/x", init);
    expect([response.status, seen.length, seen[0]?.body]).toEqual([401, 1, "hello"]);
  });

  test("does not send what one user wrote as another user", async () => {
    const { seen, url } = await serve(refusing('Bearer error="invalid_token"'));
    const users = ["alice", "bob"];
    let asked = 0;
    // A source of one's own, that knows nothing of owners.
    const tokenSource: Pick<TokenSource, "get"> = {
      get: async () => {
        const subject = users[asked] ?? "";
        asked += 1;
        const value = sign(claims({ sub: subject, user_id: subject, jti: `t${asked}` }));
        return { subject, value, sessionId: null, endsAt: clock() + 300_000 };
      },
    };
    const api = createBridgeFetch({ baseURL: url, tokenSource });
    await expect(api("/api/{user_id}/tasks", { method: "POST", body: "private" })).rejects.toThrow(
      SessionMissingError,
    );
    expect(seen.map((each) => each.url)).toEqual(["/api/alice/tasks"]);
  });

  test("gives no token to a blob: address, whose origin is that of its page", async () => {
    const { url } = await serve();
    const { api, getToken } = client(url);
    await expect(api(`blob:${url}/b1c2`)).rejects.toThrow();
    expect(getToken).not.toHaveBeenCalled();
  });

  test("says who is missing, and sends nothing", async () => {
    const { seen, url } = await serve();
    const tokenSource = createTokenSource({ getToken: async () => null });
    await expect(createBridgeFetch({ baseURL: url, tokenSource })("/x")).rejects.toMatchObject({
      name: "SessionMissingError",
    });
    expect(seen).toEqual([]);
  });

  test("honours a signal, and a user's ID that would climb in the path", async () => {
    const { seen, url } = await serve();
    await expect(client(url).api("/x", { signal: AbortSignal.abort() })).rejects.toMatchObject({
      name: "AbortError",
    });
    await expect(client(url, { sub: "..", user_id: ".." }).api("/a/{user_id}/b")).rejects.toThrow(TypeError);
    expect(seen).toEqual([]);
  });

  test("refuses a base URL that is none", () => {
    const { tokenSource } = { tokenSource: createTokenSource({ getToken: async () => null }) };
    expect(() => createBridgeFetch({ baseURL: "/api", tokenSource })).toThrow(TypeError);
    expect(() => createBridgeFetch({ baseURL: "file:///x", tokenSource })).toThrow(TypeError);
  });

  test("keeps what the caller set", async () => {
    const send = vi.fn(async () => new Response("ok"));
    const tokenSource = createTokenSource({ getToken: async () => sign(CLAIMS), clock });
    const api = createBridgeFetch({ baseURL: "https://api.example.com", tokenSource, fetch: send });
    await api("/x", { headers: { accept: "text/plain" }, cache: "no-store", credentials: "omit" });
    const [url, init] = send.mock.calls[0] as unknown as [URL, RequestInit];
    expect(url.href).toBe("https://api.example.com/x");
    expect(init).toMatchObject({ cache: "no-store", credentials: "omit" });
    expect(new Headers(init.headers).get("accept")).toBe("text/plain");
  });
});
