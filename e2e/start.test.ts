/** Wrong configuration stops each side with one sentence: the process ends, nothing is served, no value is printed. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Stack, startTestStack } from "./stack.js";

const SHORT = "tooshort-K3y";
let stack: Stack;

beforeAll(async () => {
  stack = await startTestStack();
});
afterAll(() => stack?.stop());

const WEB: readonly (readonly [name: string, value: string])[] = [
  ["BETTER_AUTH_SECRET", ""],
  ["BETTER_AUTH_SECRET", SHORT],
  ["BETTER_AUTH_SECRET", "better-auth-secret-12345678901234567890"],
  ["BETTER_AUTH_SECRETS", SHORT],
  ["BETTER_AUTH_URL", ""],
  ["JWT_BRIDGE_AUDIENCE", ""],
  ["JWT_BRIDGE_LIFETIME", "ever"],
  ["DATABASE_URL", ""],
  ["DATABASE_URL", "mysql://root:hush-hush@localhost/todo"],
  ["API_URL", ""],
  ["API_URL", "localhost:8000"],
];
const API = [
  ["BETTER_AUTH_SECRET", ""],
  ["BETTER_AUTH_SECRET", SHORT],
  ["BETTER_AUTH_SECRET", "better-auth-secret-12345678901234567890"],
  ["BETTER_AUTH_SECRETS", SHORT],
  ["BETTER_AUTH_URL", ""],
  ["JWT_BRIDGE_AUDIENCE", ""],
  ["API_DATABASE_URL", ""],
  ["WEB_ORIGIN", ""],
  ["WEB_ORIGIN", "*"],
] as const;

test.each([
  ...WEB.map(([name, value]) => ["web", name, value] as const),
  ...API.map(([name, value]) => ["api", name, value] as const),
])("%s with %s=%j ends with 1 and says what to do", async (side, name, value) => {
  const server = stack[side];
  const kept = { BETTER_AUTH_SECRETS: "", JWT_BRIDGE_LIFETIME: "", ...environmentOf(side) };
  await expect(server.restart({ ...kept, [name]: value })).rejects.toThrow("exit 1");
  const output = server.output();
  expect(output).toContain(name.replace("JWT_BRIDGE_LIFETIME", "lifetime"));
  expect(output).not.toContain(SHORT);
  expect(output).not.toContain("hush-hush");
  expect(output).not.toMatch(/Traceback|^\s+at /m);
});

test("with the right settings both start again", async () => {
  await stack.web.restart({ ...environmentOf("web"), BETTER_AUTH_SECRETS: "", JWT_BRIDGE_LIFETIME: "" });
  await stack.api.restart({ ...environmentOf("api"), BETTER_AUTH_SECRETS: "" });
});

/** What the stack gave that side: `restart` keeps what it was told, so each test says all that it may have changed. */
function environmentOf(side: "web" | "api"): Record<string, string> {
  const shared = {
    BETTER_AUTH_SECRET: stack.secrets.BETTER_AUTH_SECRET ?? "",
    BETTER_AUTH_URL: stack.webUrl,
    JWT_BRIDGE_AUDIENCE: stack.apiUrl,
  };
  return side === "web"
    ? { ...shared, DATABASE_URL: stack.databaseUrl, API_URL: stack.apiUrl }
    : { ...shared, API_DATABASE_URL: stack.apiDatabaseUrl, WEB_ORIGIN: stack.webUrl };
}
