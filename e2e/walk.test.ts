/** The walk of one person: sign up, use the list, sign out; by mouse and by keyboard; and what is said when it fails. */
import { afterEach, beforeEach, expect, inject, test } from "vitest";
import {
  addTask,
  fillSignIn,
  fillSignUp,
  openBrowser,
  type Person,
  signUp,
  subjectOf,
  tokenOf,
} from "./browser.js";

const stack = inject("stack");
let person: Person;

beforeEach(async () => {
  person = await openBrowser(stack.webUrl);
});
afterEach(async () => {
  await person.close();
  expect(person.faults).toEqual([]);
});

test("sign up, add, reload, rename, complete, delete, sign out; then the API answers 401", async () => {
  const { page } = person;
  await page.goto("/");
  await page.waitForURL("**/sign-in");
  await page.getByRole("link", { name: "Sign up" }).click();
  await page.waitForURL("**/sign-up");
  await signUp(person);
  expect(await page.title()).toBe("Your tasks · Todo");
  await page.getByText(`Signed in as ${person.name}.`).waitFor();

  await addTask(page, "Buy milk");
  await addTask(page, "Write a letter");
  await page.reload();
  await page.getByRole("heading", { name: "2 tasks" }).waitFor();

  await page.getByRole("button", { name: "Rename Buy milk" }).click();
  await page.getByLabel("New title").fill("Buy oat milk");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByRole("checkbox", { name: "Buy oat milk" }).click();
  await page.getByRole("status").filter({ hasText: "Done: Buy oat milk" }).waitFor();
  await page.getByRole("button", { name: "Delete Write a letter" }).click();
  await page.getByRole("heading", { name: "1 task" }).waitFor();
  await page.reload();
  await page.getByRole("checkbox", { name: "Buy oat milk", checked: true }).waitFor();

  const token = await tokenOf(page);
  const path = `${stack.apiUrl}/api/${subjectOf(token)}/tasks`;
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.waitForURL("**/sign-in");
  const signedOut = await page.evaluate(async (path) => {
    const api = await fetch(path);
    const web = await fetch("/api/auth/token");
    return { api: api.status, error: (await api.json()).error, web: web.status };
  }, path);
  expect(signedOut).toEqual({ api: 401, error: "token_missing", web: 401 });
  await page.goto("/");
  await page.waitForURL("**/sign-in");

  await fillSignIn(person);
  await page.getByRole("checkbox", { name: "Buy oat milk", checked: true }).waitFor();
});

test("a session that has ended elsewhere leads to the form, not to an error", async () => {
  const { page, context } = person;
  await signUp(person);
  const cookies = await context.cookies();
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.waitForURL("**/sign-in");
  await context.addCookies(cookies);
  await page.goto("/");
  await page.waitForURL("**/sign-in");
});

test("the next person in the same window sees their own tasks", async () => {
  const { page } = person;
  await page.clock.install();
  await signUp(person);
  await addTask(page, "the first one's");
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByRole("link", { name: "Sign up" }).click();
  await page.waitForURL("**/sign-up");
  // People are slower than tests: by then nothing of the page listens to the session any more.
  await page.clock.fastForward(2000);
  await page.getByLabel("Name").fill("Next");
  await page.getByLabel("E-mail address").fill(`next-${person.email}`);
  await page.getByLabel("Password").fill(person.password);
  await page.getByRole("button", { name: "Sign up" }).click();
  await page.getByRole("heading", { name: "Nothing to do" }).waitFor();
  await page.getByText("Signed in as Next.").waitFor();
  expect(await page.getByText("the first one's").count()).toBe(0);
});

test("a duplicate e-mail address, a short password and a wrong one: the reason is said", async () => {
  const { page } = person;
  const alert = page.locator("#reason");
  await fillSignUp({ ...person, password: "short" });
  await alert.filter({ hasText: "too short: use at least 8 characters" }).waitFor();
  const isFocused = (label: string) =>
    page.getByLabel(label).evaluate((field) => field === document.activeElement);
  expect(await isFocused("Password")).toBe(true);

  await signUp(person);
  await fillSignUp(person);
  await alert.filter({ hasText: "An account with this e-mail address exists already" }).waitFor();
  await fillSignUp({ ...person, email: person.email.toUpperCase() });
  await alert.filter({ hasText: "exists already" }).waitFor();

  await fillSignIn({ ...person, password: "not the password" });
  await alert.filter({ hasText: "The e-mail address or the password is wrong." }).waitFor();
  await fillSignIn({ ...person, email: `nobody-${person.email}` });
  await alert.filter({ hasText: "The e-mail address or the password is wrong." }).waitFor();
});

test("the keyboard alone is enough, and the focus is always somewhere", async () => {
  const { page } = person;
  const press = async (...keys: string[]) => {
    for (const key of keys) await page.keyboard.press(key);
  };
  const focused = () =>
    page.evaluate(() => {
      const at = document.activeElement;
      return at?.getAttribute("aria-label") || at?.id || at?.textContent || "";
    });
  await page.goto("/sign-up");
  await page.waitForFunction(() => document.activeElement?.tagName === "H1");
  await press("Tab");
  await page.keyboard.type(person.name);
  await press("Tab");
  await page.keyboard.type(person.email);
  await press("Tab");
  await page.keyboard.type(person.password);
  await press("Enter");
  await page.getByRole("heading", { name: "Nothing to do" }).waitFor();

  await page.waitForFunction(() => document.activeElement?.tagName === "H1");
  await press("Tab", "Tab");
  expect(await focused()).toBe("title");
  await page.keyboard.type("Buy milk");
  await press("Enter");
  await page.getByRole("status").filter({ hasText: "Added: Buy milk" }).waitFor();
  expect(await focused()).toBe("title");

  await press("Tab", "Tab", "Space");
  await page.getByRole("checkbox", { name: "Buy milk", checked: true }).waitFor();
  await press("Tab");
  expect(await focused()).toBe("Rename Buy milk");
  await press("Enter");
  await page.keyboard.type("Buy bread");
  await press("Escape");
  expect(await focused()).toBe("Rename Buy milk");
  await press("Enter");
  await page.keyboard.type("Buy bread");
  await press("Enter");
  await page.getByRole("checkbox", { name: "Buy bread" }).waitFor();
  await page.waitForFunction(() => document.activeElement?.getAttribute("aria-label") === "Rename Buy bread");
  const outline = await page.evaluate(
    () => getComputedStyle(document.activeElement ?? document.body).outlineStyle,
  );
  expect(outline).toBe("solid");
  await press("Tab", "Enter");
  await page.getByRole("heading", { name: "Nothing to do" }).waitFor();
  await page.waitForFunction(() => document.activeElement?.id === "list");

  await press("Shift+Tab", "Shift+Tab", "Shift+Tab");
  expect(await focused()).toBe("Sign out");
  await press("Enter");
  await page.waitForURL("**/sign-in");
  await page.waitForFunction(() => document.activeElement !== document.body);
});

test("pages say their language and title, and every field has a label", async () => {
  const { page } = person;
  for (const [path, title] of [
    ["/sign-in", "Sign in · Todo"],
    ["/sign-up", "Sign up · Todo"],
    ["/nowhere", "Not found · Todo"],
  ] as const) {
    await page.goto(path);
    expect(await page.title()).toBe(title);
    expect(await page.getAttribute("html", "lang")).toBe("en");
    expect(await page.locator("h1").count()).toBe(1);
    const nameless = await page.$$eval("input", (fields) => fields.filter((field) => !field.labels?.length));
    expect(nameless).toEqual([]);
  }
});
