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
  ["JWT_BRIDGE_ALGORITHM", "HS512"],
  ["DATABASE_URL", ""],
  ["DATABASE_URL", "mysql://root:hush-hush@localhost/todo"],
  ["API_URL", ""],
  ["API_URL", "localhost:8000"],
  ["TODO_API_ACCESS", "hush-hush"],
];
const OPTIONS: Readonly<Record<string, string>> = {
  JWT_BRIDGE_LIFETIME: "jwtBridge()'s lifetime",
  JWT_BRIDGE_ALGORITHM: "jwtBridge()'s algorithm",
};
const API = [
  ["BETTER_AUTH_SECRET", ""],
  ["BETTER_AUTH_SECRET", SHORT],
  ["BETTER_AUTH_SECRET", "better-auth-secret-12345678901234567890"],
  ["BETTER_AUTH_SECRETS", SHORT],
  ["BETTER_AUTH_URL", ""],
  ["JWT_BRIDGE_AUDIENCE", ""],
  ["JWT_BRIDGE_KEYS", '{"keys":"hush-hush"}'],
  ["JWT_BRIDGE_JWKS_URL", "https://hush-hush@app.example.com/api/auth/jwks"],
  ["JWT_BRIDGE_MIGRATION", "hush-hush"],
  ["API_DATABASE_URL", ""],
  ["WEB_ORIGIN", ""],
  ["WEB_ORIGIN", "*"],
] as const;

test.each([
  ...WEB.map(([name, value]) => ["web", name, value] as const),
  ...API.map(([name, value]) => ["api", name, value] as const),
])("%s with %s=%j ends with 1 and says what to do", async (side, name, value) => {
  const server = stack[side];
  await expect(server.restart({ ...environmentOf(side), [name]: value })).rejects.toThrow("exit 1");
  const output = server.output();
  // The package knows its options' names, the variable is the app's.
  expect(output).toContain(OPTIONS[name] ?? name);
  expect(output).not.toContain(SHORT);
  expect(output).not.toContain("hush-hush");
  expect(output).not.toMatch(/Traceback|^\s+at /m);
});

test("with the right settings both start again", async () => {
  await Promise.all([stack.web.restart(environmentOf("web")), stack.api.restart(environmentOf("api"))]);
});

/** What the stack gave that side: `restart` keeps what it was told, so each test says all that it may have changed. */
function environmentOf(side: "web" | "api"): Record<string, string> {
  const shared = {
    ...Object.fromEntries([...WEB, ...API].map(([name]) => [name, ""])),
    BETTER_AUTH_SECRET: stack.secrets.BETTER_AUTH_SECRET ?? "",
    BETTER_AUTH_URL: stack.webUrl,
    JWT_BRIDGE_AUDIENCE: stack.apiUrl,
  };
  return side === "web"
    ? { ...shared, DATABASE_URL: stack.databaseUrl, API_URL: stack.apiUrl }
    : { ...shared, API_DATABASE_URL: stack.apiDatabaseUrl, WEB_ORIGIN: stack.webUrl };
}
