/** The bridge's fetch streams both ways, and an abort reaches whatever is under way. */

import { once } from "node:events";
import { afterEach, expect, test, vi } from "vitest";
import { createBridgeFetch, createTokenSource } from "../src/client/index.js";
import { client, clock, closeServers, issuer, listen, serve } from "./client-kit.js";

afterEach(closeServers);

test("an answer is read while it is being written", async () => {
  let next = () => {};
  const { url } = await listen((_, response) => {
    response.write("one");
    next = () => response.end("two");
  });
  const response = await client(url).api("/x");
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  expect(await reader?.read()).toEqual({ done: false, value: "one" });
  next();
  expect(await reader?.read()).toEqual({ done: false, value: "two" });
  expect(await reader?.read()).toMatchObject({ done: true });
});

test("a body is sent while it is being made", async () => {
  const arrived: string[] = [];
  let heard = () => {};
  const { url } = await listen((request, response) => {
    request.on("data", (chunk) => {
      arrived.push(String(chunk));
      heard();
    });
    request.on("end", () => response.end(arrived.join("+")));
  });
  const heardOne = new Promise<void>((resolve) => {
    heard = resolve;
  });
  const parts = ["one", "two"];
  const body = new ReadableStream({
    async pull(controller) {
      if (parts.length === 1) await heardOne;
      const part = parts.shift();
      if (part) controller.enqueue(new TextEncoder().encode(part));
      else controller.close();
    },
  });
  const init = { method: "POST", body, duplex: "half" } as RequestInit;
  expect(await (await client(url).api("/x", init)).text()).toBe("one+two");
});

test.each([204, 206, 304, 400, 403, 404, 422, 429, 500, 503])("%i passes untouched", async (status) => {
  const { seen, url } = await serve((_, response) =>
    response.writeHead(status, { "retry-after": "5", "content-type": "application/json" }).end('{"x":1}'),
  );
  const response = await client(url).api("/x");
  expect([response.status, response.headers.get("retry-after"), seen.length]).toEqual([status, "5", 1]);
});

test("an abort ends the wait for the token, for this caller alone", async () => {
  const { seen, url } = await serve();
  let give = (_: string | null) => {};
  const fresh = await issuer()();
  const getToken = vi.fn(() => new Promise<string | null>((resolve) => (give = resolve)));
  const api = createBridgeFetch({ baseURL: url, tokenSource: createTokenSource({ getToken, clock }) });
  const controller = new AbortController();
  const aborted = api("/aborted", { signal: controller.signal });
  const other = api("/other");
  controller.abort();
  await expect(aborted).rejects.toMatchObject({ name: "AbortError" });
  give(fresh);
  expect((await other).status).toBe(200);
  expect(getToken).toHaveBeenCalledTimes(1);
  expect(seen.map((each) => each.url)).toEqual(["/other"]);
});

test.each(["address and options", "Request"])("an abort ends the request: %s", async (kind) => {
  const closed: Promise<unknown>[] = [];
  const controller = new AbortController();
  const { url } = await listen((_, response) => {
    closed.push(once(response, "close"));
    controller.abort();
  });
  const { signal } = controller;
  const { api } = client(url);
  const call = kind === "Request" ? api(new Request(`${url}/x`, { signal })) : api("/x", { signal });
  await expect(call).rejects.toMatchObject({ name: "AbortError" });
  await closed[0];
});

test("an abort ends the answer's body", async () => {
  const controller = new AbortController();
  const { url } = await listen((_, response) => void response.write("one"));
  const response = await client(url).api("/x", { signal: controller.signal });
  controller.abort();
  await expect(response.text()).rejects.toMatchObject({ name: "AbortError" });
});
