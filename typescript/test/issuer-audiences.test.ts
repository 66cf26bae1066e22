/** Several APIs, one issuer: each gets its own tokens, in every mode. */

import { createAuthClient } from "better-auth/client";
import { jwtClient } from "better-auth/client/plugins";
import { describe, expect, test } from "vitest";
import { createTokenSource } from "../src/client/index.js";
import { createVerifier } from "../src/verifier.js";
import { email, start } from "./issuer-kit.js";
import { fetchKeySet } from "./key-sets.js";
import { createBrowser, ORIGIN, readClaims, SECRET } from "./real-auth.js";

const APIS = ["https://api-a.example.com", "https://api-b.example.com?x=1&y=é"] as const;

describe.each(["HS256", "EdDSA", "ES256", "RS256"])("%s, two APIs", (algorithm) => {
  const startBoth = () => start({}, { audience: APIS, algorithm });
  type Auth = ReturnType<typeof startBoth>["auth"];

  async function verifiersOf(auth: Auth) {
    const keys = algorithm === "HS256" ? { secret: SECRET } : { keys: await fetchKeySet(auth) };
    return APIS.map((audience) => createVerifier({ issuer: ORIGIN, audience, ...keys }));
  }

  async function tokenFor(browser: ReturnType<typeof createBrowser>, audience?: string): Promise<string> {
    const query = audience === undefined ? "" : `?${new URLSearchParams({ audience })}`;
    const response = await browser.request(`/token${query}`);
    expect(response.status).toBe(200);
    return ((await response.json()) as { token: string }).token;
  }

  test("each accepts its own tokens only; the first is the default", async () => {
    const { auth, browser } = startBoth();
    const user = await browser.signUp(email());
    const tokens = [await tokenFor(browser, APIS[0]), await tokenFor(browser, APIS[1])];
    const verifiers = await verifiersOf(auth);
    for (const [api, verifier] of verifiers.entries()) {
      for (const [at, token] of tokens.entries()) {
        if (at === api) expect((await verifier.verify(token)).subject).toBe(user.id);
        else {
          const code = algorithm === "HS256" ? "key_not_found" : "audience_mismatch";
          await expect(verifier.verify(token)).rejects.toMatchObject({ name: "InvalidTokenError", code });
        }
      }
    }
    expect(readClaims(await tokenFor(browser)).aud).toBe(APIS[0]);
    expect(readClaims(tokens[1] ?? "").aud).toBe(APIS[1]);
  });

  test("auth.api.getToken takes the audience in its query, beside disableRefresh", async () => {
    const { auth, browser } = startBoth();
    await browser.signUp(email());
    const { headers } = browser;
    for (const audience of APIS) {
      const { token } = await auth.api.getToken({ headers, query: { audience, disableRefresh: true } });
      expect(readClaims(token).aud).toBe(audience);
    }
    const query = { audience: "https://api-c.example.com" };
    await expect(auth.api.getToken({ headers, query })).rejects.toMatchObject({ statusCode: 400 });
    const both = { audience: [...APIS] };
    await expect(auth.api.getToken({ headers, query: both })).rejects.toMatchObject({ statusCode: 400 });
  });

  test.each([
    ["an unknown audience", "audience=https://api-c.example.com"],
    ["an empty one", "audience="],
    ["one that has no value", "audience"],
    ["the same twice", `audience=${APIS[0]}&audience=${APIS[0]}`],
    ["two of them", `audience=${APIS[0]}&audience=${encodeURIComponent(APIS[1])}`],
    ["another case", `audience=${APIS[0].toUpperCase()}`],
    ["a slash behind", `audience=${APIS[0]}/`],
    ["a space before", `audience=%20${APIS[0]}`],
    ["both in one", `audience=${APIS[0]},${encodeURIComponent(APIS[1])}`],
    ["a member of every object", "audience=constructor"],
  ])("%s: 400, no token, never cached", async (_, query) => {
    const { browser } = startBoth();
    await browser.signUp(email());
    const response = await browser.request(`/token?${query}`);
    expect(response.status).toBe(400);
    expect(response.headers.get("cache-control")).toBe("no-store");
    expect(await response.json()).toEqual({
      code: "AUDIENCE_UNKNOWN",
      message: "audience must be one of those that this issuer is configured with, once, or be left out",
    });
  });

  test("nobody without a session gets one", async () => {
    const { auth } = startBoth();
    const query = new URLSearchParams({ audience: APIS[1] });
    expect((await createBrowser(auth).request(`/token?${query}`)).status).toBe(401);
  });

  test("a token source for each, over one client", async () => {
    const { auth, browser } = startBoth();
    await browser.signUp(email());
    const asked: string[] = [];
    const authClient = createAuthClient({
      baseURL: ORIGIN,
      plugins: [jwtClient()],
      fetchOptions: {
        headers: { cookie: browser.headers.get("cookie") ?? "" },
        customFetchImpl: (input, init) => {
          asked.push(new URL(String(input)).search);
          return auth.handler(new Request(input, init));
        },
      },
    });
    const sources = [undefined, ...APIS].map((audience) => createTokenSource({ authClient, audience }));
    const tokens = [];
    for (const source of [...sources, ...sources]) tokens.push((await source.get()).value);
    expect(tokens.slice(3)).toEqual(tokens.slice(0, 3));
    expect(tokens.slice(0, 3).map((token) => readClaims(token).aud)).toEqual([APIS[0], ...APIS]);
    expect(asked.map((query) => new URLSearchParams(query).get("audience"))).toEqual([null, ...APIS]);
    const wrong = createTokenSource({ authClient, audience: "https://api-c.example.com" });
    await expect(wrong.get()).rejects.toMatchObject({ name: "TokenUnavailableError", status: 400 });
  });
});
