/** Many calls, many tabs, one user: one token; and what one tab knows about signing out, the others know. */
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { addTask, fillSignIn, openBrowser, type Person, signUp } from "./browser.js";
import { callThrough, installClient } from "./client.js";

const stack = inject("stack");
let person: Person;

beforeAll(async () => {
  person = await openBrowser(stack.webUrl);
  await person.context.clock.install();
  await signUp(person);
});
afterAll(async () => {
  await person?.close();
  expect(person.faults).toEqual([]);
});

/** Counts token requests of all tabs. */
function countTokens() {
  const seen = { tokens: 0 };
  person.context.on("request", (request) => {
    if (request.url().includes("/api/auth/token")) seen.tokens += 1;
  });
  return seen;
}

test("500 calls at once on a cold source cause one token request", async () => {
  await installClient(person.page, stack.apiUrl);
  const seen = countTokens();
  const statuses = await person.page.evaluate(async () => {
    const call = async () => (await globalThis.bridge.api("/api/{user_id}/tasks?limit=1")).status;
    return Promise.all(Array.from({ length: 500 }, call));
  });
  expect(new Set(statuses)).toEqual(new Set([200]));
  expect(statuses).toHaveLength(500);
  expect(seen.tokens).toBe(1);
});

test("two tabs that both need a new token cause one token request", async () => {
  const other = await person.context.newPage();
  await other.goto("/");
  await other.getByRole("heading", { name: "Nothing to do" }).waitFor();
  for (const page of [person.page, other]) await installClient(page, stack.apiUrl);
  // Each has its own first.
  for (const page of [person.page, other]) expect(await callThrough(page)).toBe(200);
  await person.context.clock.fastForward(290_000);
  const seen = countTokens();
  const statuses = await Promise.all([person.page, other].map((page) => callThrough(page)));
  expect(statuses).toEqual([200, 200]);
  expect(seen.tokens).toBe(1);
  const texts = [person.page, other].map((page) =>
    page.evaluate(async () => (await globalThis.bridge.source.get()).value),
  );
  const [first, second] = await Promise.all(texts);
  expect(first).toBe(second);
  await other.close();
});

test("what a source is told in one tab, the sources of the other know, without a word from Better Auth", async () => {
  const other = await person.context.newPage();
  await other.goto("/");
  await other.getByRole("heading", { name: "Nothing to do" }).waitFor();
  for (const page of [person.page, other]) {
    await installClient(page, stack.apiUrl);
    expect(await callThrough(page)).toBe(200);
  }
  await person.page.evaluate(() => globalThis.bridge.source.clear());
  await other.waitForFunction(() => globalThis.bridge.source.state().status === "signed-out");
  // The app's own source heard it, too.
  await other.waitForURL("**/sign-in");
  await other.close();
  await person.page.goto("/");
});

test("signing out in one tab signs the other out", async () => {
  const other = await person.context.newPage();
  await other.goto("/");
  await addTask(other, "seen in both");
  await person.page.reload();
  await person.page.getByRole("checkbox", { name: "seen in both" }).waitFor();
  await person.page.getByRole("button", { name: "Sign out" }).click();
  await person.page.waitForURL("**/sign-in");
  await other.waitForURL("**/sign-in");
  expect(await other.getByText("seen in both").count()).toBe(0);
  await other.close();
});

test("another user in one tab does not make the other tab theirs", async () => {
  const { page } = person;
  await fillSignIn(person);
  await page.getByRole("checkbox", { name: "seen in both" }).waitFor();
  await installClient(page, stack.apiUrl);
  expect(await callThrough(page)).toBe(200);
  // Somebody else signs in on the same browser, where nothing of ours hears of it.
  const email = `other-${crypto.randomUUID()}@example.com`;
  const status = await page.evaluate(async (email) => {
    const body = JSON.stringify({ name: "Other", email, password: "correct horse" });
    const headers = { "content-type": "application/json" };
    return (await fetch("/api/auth/sign-up/email", { method: "POST", headers, body })).status;
  }, email);
  expect(status).toBe(200);
  await person.context.clock.fastForward(290_000);
  expect(await callThrough(page)).toBe("SessionMissingError");
});
