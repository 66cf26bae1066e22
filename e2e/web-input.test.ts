/** Whatever is sent to the web app, the answer is a 4xx: never a 500, never a stack trace. */
import { expect, inject, test } from "vitest";

const stack = inject("stack");

function post(path: string, body: string, type = "application/json") {
  return fetch(`${stack.webUrl}/api/auth/${path}`, {
    method: "POST",
    headers: { "content-type": type, origin: stack.webUrl },
    body,
  });
}

const email = () => `input-${crypto.randomUUID()}@example.com`;
const withName = (name: string) => `{"name":${name},"email":"${email()}","password":"long enough"}`;

test.each([
  ["not JSON", "{"],
  ["empty", ""],
  ["an array", "[]"],
  ["null", "null"],
  ["a number as name", withName("5")],
  ["U+0000 in the name", withName('"a\\u0000b"')],
  ["a lone surrogate in the name", withName('"a\\ud800"')],
  ["U+0000 in the address", `{"name":"a","email":"a\\u0000@example.com","password":"long enough"}`],
  ["a lone surrogate in the address", `{"name":"a","email":"a\\ud800@example.com","password":"long enough"}`],
  ["no address", `{"name":"a","email":"nobody","password":"long enough"}`],
  ["a short password", `{"name":"a","email":"${email()}","password":"short"}`],
  ["an endless password", `{"name":"a","email":"${email()}","password":"${"a".repeat(1_000_000)}"}`],
])("signing up with %s is refused with a reason", async (_what, body) => {
  const answer = await post("sign-up/email", body);
  expect([400, 422]).toContain(answer.status);
  expect((await answer.json()).message).toEqual(expect.any(String));
});

test.each(["/", "/sign-in", "/nowhere", "/api/nowhere", "/_next/nowhere"])(
  "the page at %s comes with a content security policy, also where it says that there is none",
  async (path) => {
    const answer = await fetch(stack.webUrl + path);
    expect(answer.headers.get("content-security-policy")).toContain("default-src 'none'");
  },
);

test("a form that is not JSON is refused", async () => {
  expect((await post("sign-up/email", withName('"a"'), "text/plain")).status).toBe(415);
});

test("another site cannot sign anybody in or out", async () => {
  const answer = await fetch(`${stack.webUrl}/api/auth/sign-out`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      origin: "https://evil.example",
      cookie: "better-auth.session_token=x",
    },
    body: "{}",
  });
  expect(answer.status).toBe(403);
});

test.each([
  "/%ff",
  "/%E0%A4%A",
  "/%00",
  "/api/auth/%ff",
  "/api/auth/nowhere",
  "/api/nowhere",
  "/backend/%ff",
  "/backend/nowhere",
  `/${"a".repeat(10_000)}`,
])("an address that is none (%s) is 400 or 404", async (path) => {
  const answer = await fetch(stack.webUrl + path);
  expect([400, 404]).toContain(answer.status);
  expect(await answer.text()).not.toMatch(/^\s+at /m);
});

test.each(["%00%ff.x", "%E0%A4%A", "a.b.c", "x".repeat(4000)])(
  "a session cookie that is none (%s) is no session",
  async (value) => {
    const headers = { cookie: `better-auth.session_token=${value}` };
    const token = await fetch(`${stack.webUrl}/api/auth/token`, { headers });
    expect(token.status).toBe(401);
    expect(token.headers.get("cache-control")).toBe("no-store");
  },
);
