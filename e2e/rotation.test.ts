/**
 * Keys change while the API is used all the time, and no request of it fails: the shared secret is rotated, then the web
 * app moves from the secret to a key pair of its own. Both in the documented order: who verifies learns the new key,
 * then it signs, then the old one is dropped.
 *
 * Two processes of the API stand behind one address and are replaced one after the other, as a rolling deploy does it:
 * for a while the old settings and the new ones are both in use, and the order has to be right for that.
 */
import { randomBytes } from "node:crypto";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { type Account, callApi, newAccount, partOf } from "./account.js";
import { type Deployment, deploy } from "./front.js";
import { type Load, startLoad } from "./load.js";
import { MANY_SIGN_INS, type Stack, startTestStack } from "./stack.js";

/** Requests that are waited for while nothing changes, so that each state is used. */
const SOME = 100;

const OLD = randomBytes(32).toString("base64url");
const NEW = randomBytes(32).toString("base64url");
const BOTH = { BETTER_AUTH_SECRETS: `2:${NEW},1:${OLD}`, BETTER_AUTH_SECRET: "" };

let stack: Stack;
let api: Deployment;
let account: Account;
let load: Load;
/** Signed before anything changed, and not expired for minutes. */
let early: string;

beforeAll(async () => {
  stack = await startTestStack(MANY_SIGN_INS, { secrets: { BETTER_AUTH_SECRET: OLD } });
  api = await deploy(stack, 2);
  account = await newAccount(stack.webUrl);
});
afterAll(async () => {
  await load?.stop();
  await api?.stop();
  await stack?.stop();
});
afterEach(() => expect(load?.failures ?? {}).toEqual({}));

/** The key IDs that a side printed when it started, and the audience beside them. */
function printedBy(output: string) {
  const [, audience, keyIds = ""] = /audience (\S+), key IDs (.+)$/m.exec(output) ?? [];
  return { audience, keyIds: keyIds.split(", ") };
}

/** Ends the load, which fills the logs; then each process of the API refuses the token and writes why. */
async function expectRefused(token: string, code: string) {
  await load.stop();
  for (const process of api.processes) {
    const answer = await callApi(process.url, token);
    expect(answer.status).toBe(401);
    expect(answer.headers.get("www-authenticate")).toContain('error="invalid_token"');
    await vi.waitFor(() => expect(process.output()).toContain(`refused GET /api/me: ${code}`));
  }
}

describe("a new secret", () => {
  test("at start both sides print the audience and the key's ID, and they are the same", async () => {
    early = await account.token();
    const printed = { audience: stack.apiUrl, keyIds: [partOf(early, "header").kid] };
    for (const side of [stack.web, ...api.processes]) expect(printedBy(side.output())).toEqual(printed);
  });

  test("first the API learns it, and tokens are signed with the old one still", async () => {
    load = await startLoad(account, api.url);
    await load.pass(SOME);
    await api.roll(BOTH);
    await load.pass(SOME);
    expect(load.header().kid).toBe(partOf(early, "header").kid);
    expect(load.signIns()).toBe(0);
  });

  test("then the web app signs with it: everybody signs in again, tokens in hand go on working", async () => {
    const cookie = account.cookie();
    await stack.web.restart(BOTH);
    const { keyIds } = printedBy(stack.web.output());
    expect(keyIds).toEqual([expect.any(String), partOf(early, "header").kid]);
    await load.until(() => load.header().kid === keyIds[0]);
    await load.pass(SOME);
    // Better Auth's own doing, for which the runbook prepares: cookies are signed with the current secret only.
    expect(load.signIns()).toBe(1);
    const session = await fetch(`${stack.webUrl}/api/auth/get-session`, { headers: { cookie } });
    expect(await session.json()).toBeNull();
    expect((await callApi(api.url, early)).status).toBe(200);
  });

  test("last the old one is dropped, and what it signed is refused", async () => {
    await api.roll({ BETTER_AUTH_SECRETS: `2:${NEW}` });
    await load.pass(SOME);
    await expectRefused(early, "key_not_found");
  });
});

describe("a key pair in place of the secret", () => {
  beforeAll(async () => {
    early = await account.token();
    load = await startLoad(account, api.url);
  });

  test("first the API learns the public keys, and tokens are signed with the secret's key still", async () => {
    await api.roll({ JWT_BRIDGE_JWKS_URL: stack.jwksUrl, JWT_BRIDGE_MIGRATION: "true" });
    await load.pass(SOME);
    expect(load.header().alg).toBe("HS256");
  });

  test("then the web app signs with its own: tokens in hand go on working, nobody signs in again", async () => {
    await stack.web.restart({ JWT_BRIDGE_ALGORITHM: "EdDSA" });
    await load.until(() => load.header().alg === "EdDSA");
    await load.pass(SOME);
    expect((await callApi(api.url, early)).status).toBe(200);
    expect(load.signIns()).toBe(0);
  });

  test("last the API forgets the secret, and what was signed with it is refused", async () => {
    await api.roll({ BETTER_AUTH_SECRETS: "", JWT_BRIDGE_MIGRATION: "" });
    await load.pass(SOME);
    const environment = api.processes.flatMap((process) => Object.values(process.env())).join("\n");
    for (const secret of [OLD, NEW]) expect(environment).not.toContain(secret);
    await expectRefused(early, "algorithm_not_allowed");
  });
});
