/**
 * Less than the secret: an API that is given the key derived for it, and one of several APIs. The key verifies that
 * API's tokens, and opens nothing of Better Auth's.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { makeSignature, symmetricDecrypt } from "better-auth/crypto";
import { SignJWT } from "jose";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { python } from "../scripts/python.mjs";
import type { Server } from "../scripts/stack.mjs";
import { type Account, callApi, newAccount, partOf } from "./account.js";
import { type Stack, startTestStack } from "./stack.js";

const SECOND = "https://second-api.example.com";
const COMMANDS = {
  npx: [fileURLToPath(new URL("../node_modules/.bin/jwt-auth-bridge", import.meta.url)), "key"],
  python: [python, "-m", "jwt_auth_bridge", "key"],
} as const;

let stack: Stack;
let second: Server;
let account: Account;
let secret: string;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "todo-keys-"));
  stack = await startTestStack({ TODO_TEST_SECOND_AUDIENCE: SECOND });
  secret = stack.secrets.BETTER_AUTH_SECRET ?? "";
  second = await stack.startApi({ JWT_BRIDGE_AUDIENCE: SECOND });
  account = await newAccount(stack.webUrl);
});
afterAll(async () => {
  await stack?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Runs the command `key` as somebody who has the secret would. */
function printKeys(by: keyof typeof COMMANDS, ...more: readonly string[]) {
  const [command, ...args] = COMMANDS[by];
  const env = {
    PATH: process.env.PATH,
    BETTER_AUTH_SECRET: secret,
    JWT_BRIDGE_AUDIENCE: stack.apiUrl,
  };
  const { status, stdout, stderr } = spawnSync(command, [...args, ...more], { env, encoding: "utf8" });
  expect(stderr).not.toContain(secret);
  expect({ status, stderr: status === 0 ? "" : stderr }).toEqual({ status: 0, stderr: "" });
  return { stdout, stderr };
}

const keysIn = (text: string): { kid: string; k: string }[] => JSON.parse(text).keys;
const secondToken = () => account.token(`?audience=${encodeURIComponent(SECOND)}`);

test("both commands print the same bytes: one line with the key of one audience, never the secret", async () => {
  const mine = printKeys("npx");
  expect(mine.stdout).toBe(printKeys("python").stdout);
  expect(mine.stdout).toMatch(/^\{"keys":\[\{"kty":"oct",.*\}\]\}\n$/);
  expect(mine.stdout).not.toContain(secret);
  const [key] = keysIn(mine.stdout);
  expect(key?.kid).toBe(partOf(await account.token(), "header").kid);
  expect(mine.stderr).toContain(stack.apiUrl);
  expect(mine.stderr).toContain(key?.kid);

  const other = printKeys("npx", "--audience", SECOND);
  expect(other.stdout).toBe(printKeys("python", "--audience", SECOND).stdout);
  expect(keysIn(other.stdout)[0]?.kid).toBe(partOf(await secondToken(), "header").kid);
});

test("each API accepts its own tokens and refuses the other's", async () => {
  const tokens = [await account.token(), await secondToken()] as const;
  expect(tokens.map((token) => partOf(token, "claims").aud)).toEqual([stack.apiUrl, SECOND]);
  const answers = await Promise.all(
    [stack.api, second].flatMap(({ url }) => tokens.map((token) => callApi(url, token))),
  );
  expect(answers.map(({ status }) => status)).toEqual([200, 401, 401, 200]);
  expect(stack.web.output()).toContain(partOf(tokens[0], "header").kid);
  expect(stack.web.output()).toContain(partOf(tokens[1], "header").kid);
});

test.each([
  ["unknown", "?audience=https://third-api.example.com"],
  ["empty", "?audience="],
  ["repeated", `?audience=${SECOND}&audience=${SECOND}`],
])("no token for an audience that is %s", async (_what, query) => {
  const answer = await account.askToken(query);
  expect(answer.status).toBe(400);
  const body = (await answer.json()) as Record<string, unknown>;
  expect(body).toMatchObject({ code: "AUDIENCE_UNKNOWN", message: expect.stringMatching(/audience/) });
  expect(body).not.toHaveProperty("token");
});

test("an API with the derived key alone verifies as before, from a file or inline", async () => {
  const { stdout } = printKeys("npx");
  const file = join(folder, "keys.json");
  writeFileSync(file, stdout, { mode: 0o600 });
  for (const keys of [`@${file}`, stdout]) {
    await stack.api.restart({ BETTER_AUTH_SECRET: "", BETTER_AUTH_SECRETS: "", JWT_BRIDGE_KEYS: keys });
    expect(Object.values(stack.api.env()).join("\n")).not.toContain(secret);
    const status = async (token: string, id: string) =>
      (await callApi(stack.apiUrl, token, `/api/${id}/tasks`)).status;
    const token = await account.token();
    expect([await status(token, account.id), await status(token, "somebody-else")]).toEqual([200, 403]);
    expect((await callApi(stack.apiUrl, await secondToken())).status).toBe(401);
  }
});

test("an API with the secret and a key that is not of it does not start", async () => {
  const { stdout } = printKeys("python", "--audience", SECOND);
  await expect(stack.api.restart({ BETTER_AUTH_SECRET: secret, JWT_BRIDGE_KEYS: stdout })).rejects.toThrow(
    "exit 1",
  );
  expect(stack.api.output()).toMatch(
    /JWT_BRIDGE_KEYS.*BETTER_AUTH_SECRET|BETTER_AUTH_SECRET.*JWT_BRIDGE_KEYS/,
  );
  expect(stack.api.output()).not.toContain(secret);
  expect(stack.api.output()).not.toContain(keysIn(stdout)[0]?.k);
  // The two that belong together are no contradiction.
  await stack.api.restart({ JWT_BRIDGE_KEYS: printKeys("npx").stdout });
  expect((await callApi(stack.apiUrl, await account.token())).status).toBe(200);
});

const bytesOf = (text: string) => new TextEncoder().encode(text);

/** The key in every way in which somebody might use it as a secret. */
function waysToUseTheKey() {
  const key = Buffer.from(keysIn(printKeys("npx").stdout)[0]?.k ?? "", "base64url");
  expect(key).toHaveLength(32);
  const texts = [
    key.toString("base64url"),
    key.toString("base64"),
    key.toString("hex"),
    key.toString("latin1"),
  ];
  return { texts, bytes: [new Uint8Array(key), ...texts.map(bytesOf)] };
}

test("the derived key signs no session's cookie", async () => {
  const token = decodeURIComponent(account.cookie()).match(/session_token=([^.]+)\./)?.[1] ?? "";
  const session = async (key: Uint8Array<ArrayBuffer>) => {
    const cookie = `better-auth.session_token=${encodeURIComponent(`${token}.${await makeSignature(token, key)}`)}`;
    return (await fetch(`${stack.webUrl}/api/auth/get-session`, { headers: { cookie } })).json();
  };
  expect(await session(bytesOf(secret))).toMatchObject({ user: { id: account.id } });
  for (const key of waysToUseTheKey().bytes) expect(await session(key)).toBeNull();
});

test("the derived key signs no e-mail link", async () => {
  const verify = async (key: Uint8Array<ArrayBuffer>) => {
    const link = await new SignJWT({ email: account.email })
      .setProtectedHeader({ alg: "HS256" })
      .setIssuedAt()
      .setExpirationTime("1h")
      .sign(key);
    return (await fetch(`${stack.webUrl}/api/auth/verify-email?token=${link}`)).status;
  };
  for (const key of waysToUseTheKey().bytes) expect(await verify(key)).toBe(401);
  expect(await verify(bytesOf(secret))).toBe(200);
});

test("the derived key opens nothing that Better Auth stored encrypted", async () => {
  await fetch(stack.jwksUrl); // makes the key pair
  const owner = new pg.Client({ connectionString: stack.databaseUrl });
  await owner.connect();
  const { rows } = await owner.query('SELECT "privateKey" FROM auth.jwks');
  await owner.end();
  const data = JSON.parse(rows[0].privateKey);
  expect(await symmetricDecrypt({ key: secret, data })).toContain('"d"');
  for (const key of waysToUseTheKey().texts) await expect(symmetricDecrypt({ key, data })).rejects.toThrow();
});
