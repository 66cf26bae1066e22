/** What a page on one origin may see of an API on another, and what may not be in a page at all. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { BUILD_SECRET } from "../scripts/builds.mjs";
import { openBrowser, type Person, signUp, subjectOf, tokenOf, untilFollowed } from "./browser.js";

/** What every derived key is made with (access-token.md, "Keys"). */
const KEY_INFO_PREFIX = "jwt-auth-bridge/v1/HS256/";

const stack = inject("stack");
let person: Person;

beforeAll(async () => {
  person = await openBrowser(stack.webUrl);
  await signUp(person);
});
afterAll(async () => {
  await person?.close();
  expect(person.faults).toEqual([]);
});

test("a page sees why it was refused", async () => {
  const challenges = await person.page.evaluate(async (apiUrl) => {
    const challenge = async (headers: HeadersInit) =>
      (await fetch(`${apiUrl}/api/me`, { headers })).headers.get("www-authenticate");
    return [await challenge({}), await challenge({ authorization: "Bearer a.b.c" })];
  }, stack.apiUrl);
  expect(challenges[0]).toBe("Bearer");
  expect(challenges[1]).toContain('error="invalid_token"');
});

test("a page on another origin is told nothing", async () => {
  const other = stack.webUrl.replace("localhost", "127.0.0.1");
  const page = await person.context.newPage();
  // The app's own policy would stop the request as well; without it, CORS alone has to.
  await page.route(other, (route) =>
    route.fulfill({ contentType: "text/html", body: "<title>elsewhere</title>" }),
  );
  await page.goto(other);
  const token = await tokenOf(person.page);
  const outcome = await page.evaluate(
    async ({ url, token }) => {
      try {
        return (await fetch(url, { headers: { authorization: `Bearer ${token}` } })).status;
      } catch (error) {
        return String(error);
      }
    },
    { url: `${stack.apiUrl}/api/${subjectOf(token)}/tasks`, token },
  );
  expect(outcome).toContain("Failed to fetch");
  await page.close();
});

test("the token goes to the API only, and is nowhere a later script could find it", async () => {
  const { page } = person;
  const carriers = new Set<string>();
  page.on("request", (request) => {
    if (request.headers().authorization) carriers.add(new URL(request.url()).origin);
  });
  await untilFollowed(page, () => page.reload());
  expect([...carriers]).toEqual([stack.apiUrl]);
  const kept = await page.evaluate(() =>
    JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie, location.href]),
  );
  expect(kept).not.toContain("eyJ");
});

test("pages forbid framing, sniffing and scripts from elsewhere", async () => {
  const { headers } = await fetch(`${stack.webUrl}/sign-in`);
  const policy = headers.get("content-security-policy") ?? "";
  expect(policy).toContain("frame-ancestors 'none'");
  expect(policy).toMatch(/script-src 'self' 'nonce-[^']+' 'strict-dynamic'/);
  expect(policy).toContain(`connect-src 'self' ${stack.apiUrl}`);
  expect(policy).not.toContain("unsafe");
  expect(headers.get("x-content-type-options")).toBe("nosniff");
  expect(headers.get("referrer-policy")).toBe("same-origin");
  expect(headers.get("x-powered-by")).toBeNull();
});

test("the API's address comes at run time, and no secret is in what the browser gets", async () => {
  const folder = new URL("../examples/todo/web/.next/static", import.meta.url).pathname;
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), "utf8"));
  const page = await person.page.content();
  const holds = (word: string) => [page, ...files].some((text) => text.includes(word));
  expect(files.length).toBeGreaterThan(0);
  expect(page).toContain(stack.apiUrl);
  expect(files.some((text) => text.includes(new URL(stack.apiUrl).port))).toBe(false);
  // The one that this stack has, and the one that was in the environment when the app was built.
  expect(holds(stack.secret)).toBe(false);
  expect(holds(BUILD_SECRET)).toBe(false);
  expect(holds("postgresql://")).toBe(false);
  // The browser gets nothing that derives keys or signs.
  expect(holds(KEY_INFO_PREFIX)).toBe(false);
});
