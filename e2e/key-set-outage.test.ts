/**
 * The issuer goes away from an API that fetches its keys. Whoever is signed in goes on working; an API that never had
 * the keys says 503, never 401; and tokens with invented key IDs do not make it ask more often.
 *
 * Keys past their age and the cool-down itself are tested with a clock that is stepped, in both packages.
 */
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { type Account, callApi, newAccount, partOf } from "./account.js";
import { type Front, startFront } from "./front.js";
import { type Stack, startTestStack } from "./stack.js";

/** Seconds: how far apart attempts are for an unknown key ID, and where there is no key at all. */
const COOL_DOWN = 30;
const RETRY = 5;
const PATH = "/api/auth/jwks";

let stack: Stack;
/** Between the API and the web app: counts what the API asks. */
let between: Front;
let account: Account;
let token: string;

beforeAll(async () => {
  stack = await startTestStack({}, { algorithm: "EdDSA" });
  between = await startFront(stack.webUrl);
  await stack.api.restart({ JWT_BRIDGE_JWKS_URL: between.url + PATH });
  account = await newAccount(stack.webUrl);
  token = await account.token();
});
afterAll(async () => {
  await stack?.stop();
  await between?.stop();
});

/** The same token with an invented key ID; whoever looks at the key first does not come to its signature. */
function withOtherKeyId(): string {
  const [, payload, signature] = token.split(".");
  const header = { ...partOf(token, "header"), kid: crypto.randomUUID() };
  return `${Buffer.from(JSON.stringify(header)).toString("base64url")}.${payload}.${signature}`;
}

/** How often the API asks for the keys during that work, and how many seconds it took. */
async function asked(work: () => Promise<void>) {
  const before = between.seen(PATH);
  const began = performance.now();
  await work();
  return { times: between.seen(PATH) - before, seconds: (performance.now() - began) / 1000 };
}

async function expectUnavailable(credential: string) {
  const answer = await callApi(stack.apiUrl, credential);
  expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, expect.stringMatching(/^\d+$/)]);
  expect(answer.headers.get("www-authenticate")).toBeNull();
}

test("the API asks for the keys when it starts, and not again for tokens that they verify", async () => {
  expect(between.seen(PATH)).toBe(1);
  const { times } = await asked(async () => {
    for (let time = 0; time < 20; time += 1) {
      expect((await callApi(stack.apiUrl, token)).status).toBe(200);
    }
  });
  expect(times).toBe(0);
});

test("a hundred tokens with invented key IDs are refused, and cause at most one fetch in a cool-down", async () => {
  const { times, seconds } = await asked(async () => {
    const answers = await Promise.all(
      Array.from({ length: 100 }, () => callApi(stack.apiUrl, withOtherKeyId())),
    );
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 401));
  });
  expect(times).toBeLessThanOrEqual(1 + seconds / COOL_DOWN);
  expect((await callApi(stack.apiUrl, token)).status).toBe(200);
});

test("the web app goes away: its tokens go on working", async () => {
  await stack.web.stop();
  await expect(fetch(stack.jwksUrl)).rejects.toThrow();
  for (let time = 0; time < 5; time += 1) {
    expect((await callApi(stack.apiUrl, token)).status).toBe(200);
  }
});

test("an API that starts meanwhile says 503 with Retry-After, never 401, and asks rarely", async () => {
  const { times, seconds } = await asked(async () => {
    await stack.api.restart();
    expect(stack.api.output()).toContain("Started without keys");
    for (let time = 0; time < 20; time += 1) {
      await expectUnavailable(token);
      await expectUnavailable(withOtherKeyId());
    }
  });
  expect(times).toBeLessThanOrEqual(1 + seconds / RETRY);
  // Who sends no token, or none that could ever be good, needs no keys to be refused.
  expect((await callApi(stack.apiUrl, "a.b.c")).status).toBe(401);
  expect((await fetch(`${stack.apiUrl}/api/me`)).status).toBe(401);
  expect((await fetch(`${stack.apiUrl}/healthz`)).status).toBe(200);
});

test("the web app comes back, and so does the API, by itself", async () => {
  await stack.web.start();
  const answered = async () => (await callApi(stack.apiUrl, token)).status;
  await vi.waitFor(
    async () => {
      const status = await answered();
      expect([200, 503]).toContain(status);
      if (status !== 200) throw new Error(`still ${status}`);
    },
    { timeout: 2 * RETRY * 1000, interval: 100 },
  );
  expect((await callApi(stack.apiUrl, withOtherKeyId())).status).toBe(401);
  expect((await callApi(stack.apiUrl, await account.token())).status).toBe(200);
});
