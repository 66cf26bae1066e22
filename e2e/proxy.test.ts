/**
 * The same-origin proxy as it runs, attacked from the wire and from pages that are not the app's: nobody gets another's
 * answer, nobody acts for the user, and what it serves can not act as the app.
 */
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Account, newAccount } from "./account.js";
import { addTask, openBrowser, type Person, signUp } from "./browser.js";
import { MANY_SIGN_INS, type Stack, startTestStack } from "./stack.js";

const TASKS = "/backend/api/{user_id}/tasks";

let stack: Stack;
let person: Person;
let other: Server;
/** A page on another port of the same host: same site, so the cookie comes along, and another origin. */
let otherUrl: string;

beforeAll(async () => {
  stack = await startTestStack({ ...MANY_SIGN_INS, TODO_API_ACCESS: "proxy" });
  person = await openBrowser(stack.webUrl);
  await signUp(person);
  await addTask(person.page, "mine");
  other = createServer((_, response) => {
    response.setHeader("content-type", "text/html").end("<title>elsewhere</title>");
  }).listen(0, "127.0.0.1");
  await once(other, "listening");
  otherUrl = `http://localhost:${(other.address() as AddressInfo).port}`;
});
afterAll(async () => {
  await person?.close();
  await stack?.stop();
  other?.closeAllConnections();
  other?.close();
});

/** A request as it is written here, byte for byte; the whole answer. */
async function raw(
  account: Account,
  target: string,
  fields: readonly string[] = [],
  body = "",
): Promise<string> {
  const { host, port } = new URL(stack.webUrl);
  const method = body ? "POST" : "GET";
  const lines = [
    `${method} ${target} HTTP/1.1`,
    `Host: ${host}`,
    `Cookie: ${account.cookie()}`,
    ...["Sec-Fetch-Site: same-origin", "Sec-Fetch-Mode: cors", "Sec-Fetch-Dest: empty"],
    ...(body ? [`Origin: ${stack.webUrl}`] : []),
    ...fields,
    "Connection: close",
  ];
  const socket = connect(Number(port), "127.0.0.1");
  socket.write(`${lines.join("\r\n")}\r\n\r\n${body}`);
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

const statusOf = (answer: string) => Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1]);

test("paths that two programs could read differently reach nothing of another user's", async () => {
  const [one, two] = [await newAccount(stack.webUrl), await newAccount(stack.webUrl)];
  expect(statusOf(await raw(one, TASKS.replace("{user_id}", "%7Buser_id%7D")))).toBe(200);
  for (const path of [
    `/backend/api/${one.id}/../${two.id}/tasks`,
    `/backend/api/${one.id}/%2e%2e/${two.id}/tasks`,
    `/backend/api/${one.id}%2f..%2f${two.id}/tasks`,
    `/backend/api/${one.id}%252f..%252f${two.id}/tasks`,
    `/backend/api/${one.id}\\..\\${two.id}\\tasks`,
    `/backend/api/${one.id}/..;/${two.id}/tasks`,
    `/backend/api//${two.id}/tasks`,
    `/backend//api/${two.id}/tasks`,
    `/backend/api/${two.id}%00/tasks`,
    `/backend/api/${two.id}/tasks%0a`,
    `/backend/api/%ff/tasks`,
    `/backend/../api/${two.id}/tasks`,
    `${stack.apiUrl}/api/${two.id}/tasks`,
    `//localhost/backend/api/${two.id}/tasks`,
    `/backend/api/${two.id}/tasks`,
  ]) {
    const answer = await raw(one, path);
    expect([path, statusOf(answer)]).toEqual([path, expect.toBeOneOf([308, 400, 403, 404])]);
  }
  // Of all these the API saw what is plainly another user's path, and refused it.
  const asked = stack.api.output().match(/"GET \S+/g) ?? [];
  expect(asked.join("\n")).toContain(`/api/${two.id}/tasks`);
  expect(asked.join("\n")).not.toMatch(/\.\.|%2f|%5c|;|\/\//i);
});

test("fields that a caller writes give no other identity, and no other length", async () => {
  const [one, two] = [await newAccount(stack.webUrl), await newAccount(stack.webUrl)];
  const path = "/backend/api/me";
  const me = async (...fields: string[]) => {
    const answer = await raw(one, path, fields);
    return [statusOf(answer), /"user_id":"([^"]+)"/.exec(answer)?.[1]];
  };
  const token = await two.token();
  for (const field of [
    `Authorization: Bearer ${token}`,
    `Proxy-Authorization: Bearer ${token}`,
    "Connection: authorization, content-length",
    "X-Forwarded-Host: evil.example",
    "X-HTTP-Method-Override: DELETE",
    `X-Forwarded-User: ${two.id}`,
  ])
    expect([field, ...(await me(field))]).toEqual([field, 200, one.id]);
  const task = '{"title":"x"}';
  const json = "Content-Type: application/json";
  const lengths = [`Content-Length: ${task.length}`, "Transfer-Encoding: chunked"];
  const target = TASKS.replace("{user_id}", "%7Buser_id%7D");
  expect(statusOf(await raw(one, target, [json, ...lengths], task))).toBe(400);
  expect(statusOf(await raw(one, target, [json, "Content-Length: 13", "Content-Length: 14"], task))).toBe(
    400,
  );
  expect(statusOf(await raw(one, target, [json, "Content-Length: 10000001"], task))).toBe(413);
  expect(statusOf(await raw(one, target, [json, "Content-Length: 13"], task))).toBe(201);
});

test("nobody's body is read before it is known who sends it", async () => {
  const { host, port } = new URL(stack.webUrl);
  const socket = connect(Number(port), "127.0.0.1");
  const lines = [`POST ${TASKS} HTTP/1.1`, `Host: ${host}`, `Origin: ${stack.webUrl}`];
  // The body is announced, and never comes.
  const fields = ["Content-Type: application/json", "Content-Length: 1000000"];
  socket.write(`${[...lines, ...fields].join("\r\n")}\r\n\r\n{`);
  const [chunk] = (await once(socket, "data")) as [Buffer];
  expect(statusOf(chunk.toString())).toBe(401);
  socket.destroy();
});

test("a page of another origin causes nothing, though the cookie comes along", async () => {
  const page = await person.context.newPage();
  await page.goto(otherUrl);
  const before = stack.api.output();
  await page.evaluate(async (target) => {
    for (const method of ["GET", "POST"])
      await fetch(target, { method, mode: "no-cors", credentials: "include" }).catch(() => {});
    for (const method of ["GET", "PUT", "DELETE"])
      await fetch(target, { method, credentials: "include" }).catch(() => {});
    navigator.sendBeacon(target, "x");
    const load = (tag: "script" | "img" | "iframe") =>
      new Promise((resolve) => {
        const element = document.createElement(tag);
        element.onload = element.onerror = resolve;
        element.src = target;
        document.body.append(element);
      });
    for (const tag of ["script", "img", "iframe"] as const) await load(tag);
  }, stack.webUrl + TASKS);
  const form = `<form method="post" action="${stack.webUrl}${TASKS}"><button>go</button></form>`;
  await page.setContent(form);
  const [answer] = await Promise.all([page.waitForNavigation(), page.getByRole("button").click()]);
  expect(answer?.status()).toBe(403);
  expect(stack.api.output()).toBe(before);
  await page.close();
});

test("what it serves is no page, no script and no image of the app, and is never kept", async () => {
  const page = await person.context.newPage();
  const opened = await page.goto("/backend/api/me");
  expect(opened?.status()).toBe(403);
  await page.goto("/");
  await page.getByRole("checkbox", { name: "mine" }).waitFor();
  const found = await page.evaluate(async (path) => {
    const answer = await fetch(path);
    const script = await new Promise((resolve) => {
      const element = document.createElement("script");
      element.onload = () => resolve("ran");
      element.onerror = () => resolve("refused");
      element.src = path;
      document.body.append(element);
    });
    return { script, headers: Object.fromEntries(answer.headers) };
  }, TASKS);
  expect(found.script).toBe("refused");
  expect(found.headers).toMatchObject({
    "cache-control": expect.stringContaining("no-store"),
    "content-security-policy": expect.stringContaining("sandbox"),
    "content-disposition": "attachment",
    "cross-origin-resource-policy": "same-origin",
    "x-content-type-options": "nosniff",
  });
  expect(Object.keys(found.headers)).not.toContain("set-cookie");
  await page.close();
});
