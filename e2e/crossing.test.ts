/**
 * The crossing that motivates key separation: what one side signs is worth nothing on the other.
 *
 * Better Auth signs cookies, cookie caches and e-mail links with the shared secret itself; the bridge signs with a
 * key derived from it.
 */
import { createHmac } from "node:crypto";
import { betterAuth } from "better-auth";
import { memoryAdapter } from "better-auth/adapters/memory";
import { createEmailVerificationToken } from "better-auth/api";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { openBrowser, type Person, signUp, subjectOf, tokenOf } from "./browser.js";

const stack = inject("stack");
let person: Person;
let token: string;

beforeAll(async () => {
  person = await openBrowser(stack.webUrl);
  await signUp(person);
  token = await tokenOf(person.page);
});
afterAll(() => person?.close());

const callApi = (credential: string) =>
  fetch(`${stack.apiUrl}/api/${subjectOf(token)}/tasks`, {
    headers: { authorization: `Bearer ${credential}` },
  });

async function expectRefused(credential: string) {
  const answer = await callApi(credential);
  expect(answer.status).toBe(401);
  expect(answer.headers.get("www-authenticate")).toContain('error="invalid_token"');
}

test("the token itself is good, so that the refusals below mean something", async () => {
  expect((await callApi(token)).status).toBe(200);
});

test("a bridge token proves no mailbox: verify-email refuses it", async () => {
  const verify = (text: string) =>
    fetch(`${stack.webUrl}/api/auth/verify-email?token=${text}`, { redirect: "manual" });
  const refused = await verify(token);
  expect(refused.status).toBe(401);
  expect(refused.headers.getSetCookie()).toEqual([]);
  expect((await refused.json()).code).toBe("INVALID_TOKEN");
  // The endpoint does work: with the shared secret itself it would take the same person's link.
  const link = await createEmailVerificationToken(stack.secret, person.email);
  expect((await verify(link)).status).toBe(200);
});

test("an e-mail link's JWT is refused by the API", async () => {
  await expectRefused(await createEmailVerificationToken(stack.secret, person.email));
});

test("a cookie cache's JWT is refused by the API", async () => {
  const db = { user: [], session: [], account: [], verification: [] };
  const auth = betterAuth({
    baseURL: stack.webUrl,
    secret: stack.secret,
    database: memoryAdapter(db),
    emailAndPassword: { enabled: true },
    session: { cookieCache: { enabled: true, strategy: "jwt" } },
    telemetry: { enabled: false },
  });
  const answer = await auth.api.signUpEmail({
    body: { name: person.name, email: person.email, password: person.password },
    asResponse: true,
  });
  const cookie = answer.headers.getSetCookie().find((line) => line.includes("session_data="));
  const cached = decodeURIComponent(cookie?.match(/session_data=([^;]*)/)?.[1] ?? "");
  expect(cached.split(".")).toHaveLength(3);
  await expectRefused(cached);
});

test("the session's token and its signed cookie are refused by the API", async () => {
  const cookies = await person.context.cookies(stack.webUrl);
  const cookie = cookies.find(({ name }) => name.endsWith("session_token"));
  const signed = decodeURIComponent(cookie?.value ?? "");
  expect(cookie?.httpOnly).toBe(true);
  await expectRefused(signed.split(".")[0] ?? "");
  await expectRefused(signed);
  await expectRefused(cookie?.value ?? "");
});

test("a bridge token's own claims, signed with the secret itself, are refused by the API", async () => {
  const [header, payload] = token.split(".");
  const signature = createHmac("sha256", stack.secret).update(`${header}.${payload}`).digest("base64url");
  await expectRefused(`${header}.${payload}.${signature}`);
});

test("a bridge token opens no session on the web side", async () => {
  const headers = { authorization: `Bearer ${token}`, cookie: `better-auth.session_token=${token}` };
  const answer = await fetch(`${stack.webUrl}/api/auth/get-session`, { headers });
  expect(await answer.json()).toBeNull();
});
