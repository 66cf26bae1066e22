/** Which Next.js is tested: the one that the web app's folder has, in the browser too; and an event stream on the wire. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { afterAll, beforeAll, expect, test } from "vitest";
import { newAccount } from "./account.js";
import { openBrowser } from "./browser.js";
import { MANY_SIGN_INS, type Stack, startTestStack, webFolder } from "./stack.js";

let stack: Stack;

beforeAll(async () => {
  stack = await startTestStack({ ...MANY_SIGN_INS, TODO_API_ACCESS: "proxy" });
});
afterAll(() => stack?.stop());

test("the page runs on the Next.js of the app's folder", async () => {
  const manifest = createRequire(`${webFolder}/package.json`).resolve("next/package.json");
  const { version } = JSON.parse(readFileSync(manifest, "utf8")) as { version: string };
  const person = await openBrowser(stack.webUrl);
  try {
    await person.page.goto("/sign-in");
    const shown = () => (globalThis as { next?: { version?: string } }).next?.version;
    await person.page.waitForFunction(shown);
    expect(await person.page.evaluate(shown)).toBe(version);
  } finally {
    await person.close();
  }
});

test("an event comes through the proxy while the stream is open, and the stream ends with its reader", async () => {
  const account = await newAccount(stack.webUrl);
  const headers = {
    cookie: account.cookie(),
    origin: stack.webUrl,
    "sec-fetch-site": "same-origin",
    "sec-fetch-mode": "cors",
  };
  const tasks = `${stack.webUrl}/backend/api/{user_id}/tasks`;
  const leave = new AbortController();
  const accept = { ...headers, accept: "text/event-stream" };
  const stream = await fetch(`${tasks}/events`, { headers: accept, signal: leave.signal });
  expect([stream.status, stream.headers.get("content-type")]).toEqual([
    200,
    expect.stringMatching(/^text\/event-stream/),
  ]);
  const reader = stream.body?.pipeThrough(new TextDecoderStream()).getReader();
  const next = async () => (await reader?.read())?.value ?? "";
  expect(await next()).toContain("data:");
  const added = await fetch(tasks, {
    method: "POST",
    headers: { ...headers, "content-type": "application/json" },
    body: '{"title":"x"}',
  });
  expect(added.status).toBe(201);
  expect(await next()).toContain("data:");
  leave.abort();
  await expect(next()).rejects.toThrow(/abort/);
});
