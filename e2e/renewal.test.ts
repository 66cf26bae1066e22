/** A token that lives for a second or two: the person does not notice. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { addTask, openBrowser, type Person, signUp, untilFollowed } from "./browser.js";
import { MANY_SIGN_INS, type Stack, startTestStack } from "./stack.js";

/** Seconds; and what the API adds to it for clocks that differ. */
const LIFETIME = 2;
const LEEWAY = 10;

let stack: Stack;
let person: Person;

beforeAll(async () => {
  stack = await startTestStack({ ...MANY_SIGN_INS, JWT_BRIDGE_LIFETIME: String(LIFETIME) });
  person = await openBrowser(stack.webUrl);
});
afterAll(async () => {
  await person?.close();
  await stack?.stop();
});

/** Counts the requests of the page, by path. */
function watch() {
  const seen = { token: 0, refused: 0 };
  person.page.on("response", (response) => {
    if (response.url().endsWith("/api/auth/token")) seen.token += 1;
    if (response.url().startsWith(stack.apiUrl) && response.status() === 401) seen.refused += 1;
  });
  return seen;
}

test("ahead of its end: a token is used again while it is fresh, and renewed before it expires", async () => {
  const { page } = person;
  await page.clock.install();
  await signUp(person);
  const seen = watch();
  await addTask(page, "while it is fresh");
  expect(seen).toEqual({ token: 0, refused: 0 });
  for (const title of ["later", "and later still"]) {
    await page.clock.fastForward(LIFETIME * 1000);
    await addTask(page, title);
  }
  expect(seen).toEqual({ token: 2, refused: 0 });
  expect(await page.getByRole("alert").allInnerTexts()).not.toContain(expect.stringMatching(/./));
});

test("after its end: the API's 401 leads to a new token and the same request again", async () => {
  const { page } = person;
  // For this page no time passes, so that it takes the token for fresh.
  await page.clock.setFixedTime(Date.now());
  await untilFollowed(page, () => page.reload());
  await page.getByRole("heading", { name: "3 tasks" }).waitFor();
  const seen = watch();
  await new Promise((resolve) => setTimeout(resolve, (LIFETIME + LEEWAY) * 1000 + 100));
  await addTask(page, "after a long pause");
  expect(seen).toEqual({ token: 1, refused: 1 });
  expect(await page.locator("p[role=alert]").innerText()).toBe("");
  await page.getByRole("heading", { name: "4 tasks" }).waitFor();
});
