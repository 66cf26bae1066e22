/** People with a browser: each has a new profile of their own in one Chromium, and a page that may not misbehave. */
import { existsSync } from "node:fs";
import { type BrowserContext, type BrowserServer, chromium, type Page } from "playwright-core";
import { inject } from "vitest";

const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Where Chromium is. Throws with what to do where there is none: a missing part is never a skipped test. */
export function chromiumPath(): string {
  const path = process.env.CHROMIUM ?? "/usr/bin/chromium";
  if (existsSync(path)) return path;
  throw new Error(
    `There is no browser at ${path}: install Chromium (apt-get install chromium), or set CHROMIUM to its path.`,
  );
}

/** Starts the one Chromium, of which nobody sees anything. */
export function startChromium(): Promise<BrowserServer> {
  return chromium.launchServer({ executablePath: chromiumPath(), args: FLAGS });
}

/** Somebody in front of a browser. */
export type Person = {
  readonly page: Page;
  readonly context: BrowserContext;
  readonly name: string;
  readonly email: string;
  readonly password: string;
  /** What went wrong in the page: uncaught errors, and whatever the content security policy blocked. */
  readonly faults: string[];
  close(): Promise<void>;
};

let people = 0;

/** Opens a browser for somebody with an e-mail address that nobody else has. */
export async function openBrowser(webUrl: string): Promise<Person> {
  const browser = await chromium.connect(inject("chromium"));
  const context = await browser.newContext({ baseURL: webUrl });
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  const faults: string[] = [];
  page.on("pageerror", (error) => isNextsOwn(page, error) || faults.push(String(error)));
  page.on("console", (message) => {
    if (/Content Security Policy|Hydration|hydrat/.test(message.text())) faults.push(message.text());
  });
  people += 1;
  return {
    page,
    context,
    name: `Person ${people}`,
    email: `person-${people}-${Date.now()}@example.com`,
    password: `correct horse ${people}`,
    faults,
    async close() {
      await context.close();
      await browser.close(); // the connection: Chromium goes on
    },
  };
}

/**
 * Next.js 15.5 now and then fails to hydrate a page that is loaded for the first time, and renders it anew (#96371 of its
 * issues). On the forms, where nothing of the bridge is rendered, that is not looked at; elsewhere it is a fault.
 */
function isNextsOwn(page: Page, error: Error): boolean {
  const isForm = /^\/sign-(in|up)$/.test(new URL(page.url()).pathname);
  return isForm && Boolean(process.env.TEST_WEB_FOLDER) && error.message.includes("React error #418");
}

/** Fills in the form to sign up and sends it; waits for nothing. */
export async function fillSignUp({ page, name, email, password }: Omit<Person, "close">): Promise<void> {
  await page.goto("/sign-up");
  await page.getByLabel("Name").fill(name);
  await page.getByLabel("E-mail address").fill(email);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign up" }).click();
}

/** Signs up and waits for the list of tasks, and until the page asks nothing more by itself. */
export async function signUp(person: Person): Promise<void> {
  await untilFollowed(person.page, () => fillSignUp(person));
  await person.page.getByRole("heading", { name: "Nothing to do" }).waitFor();
}

/**
 * Does it, and waits until the page has asked the API by itself: the list that it came with needs no token. The page
 * before must be at rest, or its answer is taken for the new one's.
 */
export async function untilFollowed(page: Page, work: () => Promise<unknown>): Promise<void> {
  const followed = page.waitForResponse((response) => /\/tasks$/.test(response.url()));
  await work();
  await followed;
}

/** Fills in the form to sign in and sends it; waits for nothing. */
export async function fillSignIn({ page, email, password }: Omit<Person, "close">): Promise<void> {
  await page.goto("/sign-in");
  await page.getByLabel("E-mail address").fill(email);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
}

/** Adds a task in the page and waits until it is there. */
export async function addTask(page: Page, title: string): Promise<void> {
  await page.getByLabel("What is to be done?").fill(title);
  await page.getByRole("button", { name: "Add" }).click();
  await page.getByRole("checkbox", { name: title }).waitFor();
}

/** The page's own way to a token: Better Auth's endpoint, with the session's cookie. */
export async function tokenOf(page: Page): Promise<string> {
  return page.evaluate(async () => {
    const answer = await fetch("/api/auth/token");
    return ((await answer.json()) as { token: string }).token;
  });
}

/** The user's ID in a token, unverified. */
export function subjectOf(token: string): string {
  const payload = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());
  return String(payload.sub);
}
