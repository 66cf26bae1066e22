/**
 * Both ways from a page to the API, TODO_API_ACCESS: directly with a token, and through the app's own proxy without one.
 * Either way the list is there before any script is, and follows what another tab changes.
 */
import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, test } from "vitest";
import { newAccount } from "./account.js";
import { addTask, openBrowser, type Person, signUp, subjectOf, tokenOf, untilFollowed } from "./browser.js";
import { MANY_SIGN_INS, type Stack, startTestStack } from "./stack.js";

type Place = Pick<Stack, "webUrl" | "apiUrl">;

let person: Person;

/** Where the browser's requests go, and which of them carry a token. */
function watch() {
  const seen = { api: new Set<string>(), carriers: new Set<string>(), tokens: 0 };
  person.context.on("request", (request) => {
    const { origin, pathname } = new URL(request.url());
    if (/\/api\/[^/]+\/tasks/.test(pathname)) seen.api.add(origin + pathname.split("/api/")[0]);
    if (request.headers().authorization) seen.carriers.add(origin);
    if (pathname === "/api/auth/token") seen.tokens += 1;
  });
  return seen;
}

async function secondTab(): Promise<Page> {
  const other = await person.context.newPage();
  await other.goto("/");
  return other;
}

/** What is the same either way. */
function bothWays(place: () => Place) {
  beforeEach(async () => {
    person = await openBrowser(place().webUrl);
  });
  afterEach(async () => {
    await person.close();
    expect(person.faults).toEqual([]);
  });

  test("what one tab does, the other shows; where one signs out, both have; then somebody else comes", async () => {
    const { page } = person;
    await signUp(person);
    const other = await secondTab();
    await other.getByRole("heading", { name: "Nothing to do" }).waitFor();
    await addTask(page, "Buy milk");
    await other.getByRole("checkbox", { name: "Buy milk" }).waitFor();
    await page.getByRole("status").filter({ hasText: "Added: Buy milk" }).waitFor();
    await other.getByRole("checkbox", { name: "Buy milk" }).click();
    await page.getByRole("checkbox", { name: "Buy milk", checked: true }).waitFor();
    await other.getByRole("button", { name: "Delete Buy milk" }).click();
    await page.getByRole("heading", { name: "Nothing to do" }).waitFor();
    await page.getByRole("button", { name: "Sign out" }).click();
    for (const tab of [page, other]) await tab.waitForURL("**/sign-in");
    await signUp({ ...person, name: "Next", email: `next-${person.email}` });
    await page.getByText("Signed in as Next.").waitFor();
  });

  test("the first list comes with the page, for its own user only", async () => {
    const [one, two] = [await newAccount(place().webUrl), await newAccount(place().webUrl)];
    const title = `written by ${one.id}`;
    await fetch(`${place().apiUrl}/api/${one.id}/tasks`, {
      method: "POST",
      headers: { authorization: `Bearer ${await one.token()}`, "content-type": "application/json" },
      body: JSON.stringify({ title }),
    });
    const ask = async ({ cookie }: typeof one) =>
      (await fetch(place().webUrl, { headers: { cookie: cookie() } })).text();
    const both = Array.from({ length: 10 }, () => [ask(one), ask(two)]).flat();
    for (const [index, page] of (await Promise.all(both)).entries()) {
      expect(page).toContain(index % 2 === 0 ? "1 task" : "Nothing to do");
      expect(page.includes(title)).toBe(index % 2 === 0);
    }
  });
}

describe("direct, the default", () => {
  const stack = inject("stack");
  bothWays(() => stack);

  test("the page calls the API with a token, and there is no proxy", async () => {
    const seen = watch();
    await signUp(person);
    await addTask(person.page, "Buy milk");
    expect([...seen.api]).toEqual([stack.apiUrl]);
    expect([...seen.carriers]).toEqual([stack.apiUrl]);
    expect(seen.tokens).toBe(1);
    const status = await person.page.evaluate(async () => (await fetch("/backend/healthz")).status);
    expect(status).toBe(404);
  });

  test("a page's WebSocket opens with a ticket, once", async () => {
    await signUp(person);
    const token = await tokenOf(person.page);
    const facts = { apiUrl: stack.apiUrl, path: `/api/${subjectOf(token)}/tasks/live`, token };
    const outcome = await person.page.evaluate(async ({ apiUrl, path, token }) => {
      const answer = await fetch(`${apiUrl}/api/tickets`, {
        method: "POST",
        headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
        body: JSON.stringify({ path }),
      });
      const { ticket } = (await answer.json()) as { ticket: string };
      const open = () =>
        new Promise<string>((resolve) => {
          const socket = new WebSocket(`${apiUrl.replace("http", "ws")}${path}?ticket=${ticket}`);
          socket.onmessage = ({ data }) => resolve(String(data));
          socket.onclose = () => resolve("refused");
        });
      return [answer.status, await open(), await open()];
    }, facts);
    expect(outcome).toEqual([201, '{"tasks":"changed"}', "refused"]);
  });
});

describe("proxy", () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await startTestStack({ ...MANY_SIGN_INS, TODO_API_ACCESS: "proxy" });
  });
  afterAll(() => stack?.stop());
  bothWays(() => stack);

  test("no token reaches the browser, and the API's address neither", async () => {
    const seen = watch();
    await signUp(person);
    await addTask(person.page, "Buy milk");
    await person.page.reload();
    await person.page.getByRole("heading", { name: "1 task" }).waitFor();
    expect([...seen.api]).toEqual([`${stack.webUrl}/backend`]);
    expect([...seen.carriers]).toEqual([]);
    expect(seen.tokens).toBe(0);
    expect(await person.page.content()).not.toContain(stack.apiUrl);
    const policy = (await fetch(`${stack.webUrl}/sign-in`)).headers.get("content-security-policy") ?? "";
    expect(policy).toContain("connect-src 'self';");
  });

  test("a session that has ended elsewhere leads to the form", async () => {
    await signUp(person);
    await untilFollowed(person.page, () => person.page.reload());
    await person.page.getByText(`Signed in as ${person.name}.`).waitFor();
    await person.context.clearCookies();
    await person.page.getByLabel("What is to be done?").fill("too late");
    await person.page.getByRole("button", { name: "Add" }).click();
    await person.page.waitForURL("**/sign-in");
  });

  test("another user signs in in another tab: nothing that this page sends becomes theirs", async () => {
    const { page, context } = person;
    await signUp(person);
    await addTask(page, "of the first");
    const other = await context.newPage();
    await other.goto("/sign-up");
    // Where nothing of ours hears of it.
    const status = await other.evaluate(async (email) => {
      const body = JSON.stringify({ name: "Other", email, password: "correct horse" });
      const headers = { "content-type": "application/json" };
      return (await fetch("/api/auth/sign-up/email", { method: "POST", headers, body })).status;
    }, `other-${crypto.randomUUID()}@example.com`);
    expect(status).toBe(200);
    await page.getByLabel("What is to be done?").fill("written by the first");
    await page.getByLabel("What is to be done?").press("Enter");
    await page.waitForURL("**/sign-in");
    const theirs = await other.evaluate(async () => {
      const answer = await fetch("/backend/api/{user_id}/tasks");
      return [answer.status, await answer.json()];
    });
    expect(theirs).toEqual([200, []]);
    await other.close();
  });

  test("another site, and a link, get nothing through it", async () => {
    const account = await newAccount(stack.webUrl);
    const path = `${stack.webUrl}/backend/api/{user_id}/tasks`;
    const ask = async (headers: Record<string, string>) =>
      (await fetch(path, { headers: { cookie: account.cookie(), ...headers } })).status;
    const script = { "sec-fetch-site": "same-origin", "sec-fetch-mode": "cors", "sec-fetch-dest": "empty" };
    expect(await ask(script)).toBe(200);
    expect(await ask({ ...script, "sec-fetch-site": "cross-site", origin: "https://evil.example" })).toBe(
      403,
    );
    expect(await ask({ ...script, "sec-fetch-mode": "navigate", "sec-fetch-dest": "document" })).toBe(403);
    expect((await fetch(`${stack.webUrl}/backend/%ff`, { headers: script })).status).toBe(400);
  });
});
