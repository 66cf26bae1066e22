/**
 * Long use at a lifetime of 20 seconds, on one clock that goes in steps: the page sees no 401, whatever happens to
 * the issuer, the API, the laptop or its clock; and where there is one all the same, the person does not notice.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import { addTask, openBrowser, type Person, signUp } from "./browser.js";
import { callThrough, installClient } from "./client.js";
import { type Clock, startClock } from "./clock.js";
import { MANY_SIGN_INS, type Stack, startTestStack } from "./stack.js";

const SECOND = 1000;
const HOUR = 3600 * SECOND;
const LIFETIME = 20;
/** What the API adds to it for clocks that differ. */
const LEEWAY = 10;

let clock: Clock;
let stack: Stack;
let person: Person;

beforeAll(async () => {
  clock = startClock();
  stack = await startTestStack(
    { ...MANY_SIGN_INS, ...clock.webEnv, JWT_BRIDGE_LIFETIME: String(LIFETIME) },
    { apiEnv: clock.apiEnv },
  );
  person = await openBrowser(stack.webUrl);
  await clock.install(person.context);
  await signUp(person);
  await leaveApp(person);
});
afterAll(async () => {
  await person?.close();
  await stack?.stop();
  clock?.dispose();
});

/** To a page of the app that itself asks for nothing, with the client in it. */
async function leaveApp({ page }: Person): Promise<void> {
  await page.goto("/sign-in");
  await installClient(page, stack.apiUrl);
}

/** Counts what that browser's pages ask and are told during that work. */
async function during(work: () => Promise<void>, { context } = person) {
  const seen = { tokens: 0, refused: 0 };
  const count = (response: { url(): string; status(): number }) => {
    if (response.url().includes("/api/auth/token")) seen.tokens += 1;
    if (response.url().startsWith(stack.apiUrl) && response.status() === 401) seen.refused += 1;
  };
  context.on("response", count);
  await work();
  context.off("response", count);
  return seen;
}

/** A call every so often; answers what came of each. */
async function use(seconds: number, step = 5): Promise<(number | string)[]> {
  const outcomes: (number | string)[] = [];
  for (let passed = 0; passed < seconds; passed += step) {
    await clock.advance(step * SECOND);
    outcomes.push(await callThrough(person.page));
  }
  return outcomes;
}

test("the servers' clocks are ours", async () => {
  const before = await person.page.evaluate(() => globalThis.bridge.newSource().get());
  await clock.advance(10 * HOUR);
  const after = await person.page.evaluate(() => globalThis.bridge.newSource().get());
  const claimsOf = ({ value }: { value: string }) =>
    JSON.parse(Buffer.from(value.split(".")[1] ?? "", "base64url").toString());
  expect(claimsOf(after).iat - claimsOf(before).iat).toBeGreaterThanOrEqual(36_000);
  // The API has come along: to it the first one is ten hours old.
  const answer = await fetch(`${stack.apiUrl}/api/me`, {
    headers: { authorization: `Bearer ${before.value}` },
  });
  expect(answer.status).toBe(401);
});

test("an hour of use: not one 401, and a token per lifetime", async () => {
  const seen = await during(async () => {
    expect(new Set(await use(3600))).toEqual(new Set([200]));
  });
  expect(seen.refused).toBe(0);
  // Renewed when a fifth of the lifetime is left: at 15 s of use, then every 20 s in steps of 5.
  expect(seen.tokens).toBeGreaterThanOrEqual(3600 / LIFETIME - 1);
  expect(seen.tokens).toBeLessThanOrEqual(3600 / LIFETIME + 1);
});

test("a laptop asleep past the expiry", async () => {
  const seen = await during(async () => {
    for (const pause of [LIFETIME, 60, 3600]) {
      await clock.advance(pause * SECOND);
      expect(await callThrough(person.page)).toBe(200);
    }
  });
  expect(seen).toEqual({ tokens: 3, refused: 0 });
});

test("the API restarted in between", async () => {
  const seen = await during(async () => {
    expect(await callThrough(person.page)).toBe(200);
    await stack.api.restart();
    expect(await callThrough(person.page)).toBe(200);
  });
  expect(seen).toEqual({ tokens: 0, refused: 0 });
});

test("the issuer down for a minute and back", async () => {
  await clock.advance(60 * SECOND);
  const seen = await during(async () => {
    expect(await callThrough(person.page)).toBe(200);
    await stack.web.stop();
    const outcomes = await use(60);
    // As long as the token in hand is good, nothing is noticed.
    expect(outcomes.slice(0, 3)).toEqual([200, 200, 200]);
    expect(new Set(outcomes.slice(4))).toEqual(new Set(["TokenUnavailableError"]));
    await stack.web.start();
    await clock.advance(5 * SECOND);
    expect(await callThrough(person.page)).toBe(200);
  });
  expect(seen.refused).toBe(0);
});

test.each([
  ["a day ahead", 24 * HOUR],
  ["a day behind", -24 * HOUR],
])("a local clock %s: as good as a right one", async (_, wrongBy) => {
  const other = await openBrowser(stack.webUrl);
  try {
    await clock.install(other.context, wrongBy);
    await signUp(other);
    await leaveApp(other);
    const seen = await during(async () => {
      for (let passed = 0; passed < 60; passed += 5) {
        expect(await callThrough(other.page)).toBe(200);
        await clock.advance(5 * SECOND);
      }
    }, other);
    expect(seen).toEqual({ tokens: 3, refused: 0 });
  } finally {
    await other.close();
  }
});

test("ahead of its end: a token is used again while it is fresh, and renewed before it expires", async () => {
  const other = await openBrowser(stack.webUrl);
  try {
    const { page } = other;
    await clock.install(other.context);
    await signUp(other);
    const fresh = await during(() => addTask(page, "while it is fresh"), other);
    expect(fresh).toEqual({ tokens: 0, refused: 0 });
    const later = await during(async () => {
      for (const title of ["later", "and later still"]) {
        await clock.advance(LIFETIME * SECOND);
        await addTask(page, title);
      }
    }, other);
    expect(later).toEqual({ tokens: 2, refused: 0 });
    expect(await page.getByRole("alert").allInnerTexts()).not.toContain(expect.stringMatching(/./));
  } finally {
    await other.close();
  }
});

test("after its end: the API's 401 leads to a new token and the same request again", async () => {
  const other = await openBrowser(stack.webUrl);
  try {
    // This page's clock stands still while the servers' goes on, so that it takes the token for fresh.
    const { page } = other;
    await page.clock.install();
    await signUp(other);
    await page.clock.setFixedTime(Date.now());
    await addTask(page, "at once");
    const seen = await during(async () => {
      await clock.advance((LIFETIME + LEEWAY + 1) * SECOND);
      await addTask(page, "after a long pause");
    }, other);
    expect(seen.tokens).toBe(1);
    // The call, and maybe the stream of changes, which has ended with its token and comes again.
    expect([1, 2]).toContain(seen.refused);
    expect(await page.locator("p[role=alert]").innerText()).toBe("");
    await page.getByRole("heading", { name: "2 tasks" }).waitFor();
  } finally {
    await other.close();
  }
});
