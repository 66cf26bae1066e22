/** Parts of the stack go away and come back: 503 with Retry-After, never 401 or 500, and no restart needed. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { addTask, fillSignIn, openBrowser, type Person, signUp, subjectOf, tokenOf } from "./browser.js";
import { type Stack, startTestStack } from "./stack.js";

let stack: Stack;
let person: Person;

beforeAll(async () => {
  stack = await startTestStack({}, { databases: null });
  person = await openBrowser(stack.webUrl);
  await signUp(person);
  await addTask(person.page, "before");
});
afterAll(async () => {
  await person?.close();
  await stack?.stop();
});

function postgres() {
  if (stack.postgres === undefined) throw new Error("The stack has no PostgreSQL of its own");
  return stack.postgres;
}

/** Asks both sides from the page, across the two origins. */
function ask(token: string) {
  return person.page.evaluate(
    async ({ url, token }) => {
      const describe = async (answer: Response) => ({
        status: answer.status,
        retryAfter: answer.headers.get("retry-after"),
        text: await answer.text(),
      });
      return {
        web: await describe(await fetch("/api/auth/token")),
        api: await describe(await fetch(url, { headers: { authorization: `Bearer ${token}` } })),
      };
    },
    { url: `${stack.apiUrl}/api/${subjectOf(token)}/tasks`, token },
  );
}

test.each(["stop", "kill"] as const)("the database goes away (%s) and comes back", async (how) => {
  const { page } = person;
  const token = await tokenOf(page);
  await postgres()[how]();
  for (let time = 0; time < 2; time += 1) {
    const { web, api } = await ask(token);
    expect(web).toMatchObject({ status: 503, retryAfter: "5" });
    expect(api).toMatchObject({ status: 503, retryAfter: "5" });
    expect(web.text + api.text).not.toMatch(/ECONNREFUSED|Traceback|postgres|\bat /);
  }
  await page.getByLabel("What is to be done?").fill("meanwhile");
  await page.getByRole("button", { name: "Add" }).click();
  await page.getByRole("alert").filter({ hasText: "Try again in 5 seconds" }).waitFor();
  // What was written is still there to be sent again.
  expect(await page.getByLabel("What is to be done?").inputValue()).toBe("meanwhile");

  await postgres().start();
  const { web, api } = await ask(token);
  expect([web.status, api.status]).toEqual([200, 200]);
  await page.getByRole("button", { name: "Load again" }).click();
  await page.getByRole("checkbox", { name: "before" }).waitFor();
  await page.reload();
  await page.getByRole("checkbox", { name: "before" }).waitFor();
});

test("a page that is opened while the database is away says so, and does not sign anybody out", async () => {
  const { page } = person;
  await postgres().stop();
  await page.goto("/");
  await page.getByRole("alert").filter({ hasText: "Try again" }).waitFor();
  expect(new URL(page.url()).pathname).toBe("/");
  const other = await openBrowser(stack.webUrl);
  await fillSignIn({ ...other, email: person.email, password: person.password });
  await other.page.locator("#reason").filter({ hasText: "cannot be reached or cannot answer" }).waitFor();
  await postgres().start();
  await other.page.getByRole("button", { name: "Sign in" }).click();
  await other.page.getByRole("checkbox", { name: "before" }).waitFor();
  await other.close();
  await page.getByRole("button", { name: "Load again" }).click();
  await page.getByRole("checkbox", { name: "before" }).waitFor();
});

test("signing in and up is 503 with Retry-After while the database is away, and not 500", async () => {
  await postgres().stop();
  const body = JSON.stringify({ email: person.email, password: person.password, name: person.name });
  const headers = { "content-type": "application/json", origin: stack.webUrl };
  for (const path of ["sign-in/email", "sign-up/email"]) {
    const answer = await fetch(`${stack.webUrl}/api/auth/${path}`, { method: "POST", headers, body });
    expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "5"]);
    expect(answer.headers.get("cache-control")).toBe("no-store");
  }
  await postgres().start();
});

test("both servers start while the database is away, and serve once it is back", async () => {
  const token = await tokenOf(person.page);
  await postgres().stop();
  await stack.web.restart();
  await stack.api.restart();
  const away = await ask(token);
  expect(away.web).toMatchObject({ status: 503, retryAfter: "5" });
  expect(away.api).toMatchObject({ status: 503, retryAfter: "5" });
  await postgres().start();
  const back = await ask(token);
  expect([back.web.status, back.api.status]).toEqual([200, 200]);
});

test("the issuer goes away: tokens that it issued still work", async () => {
  const { page } = person;
  const token = await tokenOf(page);
  await page.reload();
  await page.getByRole("checkbox", { name: "before" }).waitFor();
  await stack.web.stop();
  const answer = await fetch(`${stack.apiUrl}/api/me`, { headers: { authorization: `Bearer ${token}` } });
  expect(answer.status).toBe(200);
  await addTask(page, "without the issuer");
  await stack.web.start();
  await page.reload();
  await page.getByRole("checkbox", { name: "without the issuer" }).waitFor();
});

test("the API goes away: the page says so and works again afterwards", async () => {
  const { page } = person;
  await stack.api.stop();
  await page.getByLabel("What is to be done?").fill("later");
  await page.getByRole("button", { name: "Add" }).click();
  await page.getByRole("alert").filter({ hasText: "The server cannot be reached" }).waitFor();
  await stack.api.start();
  await page.getByRole("button", { name: "Add" }).click();
  await page.getByRole("checkbox", { name: "later" }).waitFor();
});

test("Better Auth's limit on sign-ins stands where no test raises it", async () => {
  const other = await openBrowser(stack.webUrl);
  for (let time = 0; time < 4; time += 1) {
    await fillSignIn({ ...other, password: "not the password" });
    await other.page.locator("#reason").filter({ hasText: /\S/ }).waitFor();
  }
  expect(await other.page.locator("#reason").innerText()).toContain("Too many attempts");
  await other.close();
});
