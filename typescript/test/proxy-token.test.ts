/** Where the proxy's token comes from: the cookie alone, and what the issuer says when it gives none. */

import { betterAuth } from "better-auth";
import { memoryAdapter } from "better-auth/adapters/memory";
import { bearer } from "better-auth/plugins";
import { expect, test } from "vitest";
import { jwtBridge } from "../src/better-auth/index.js";
import { issueToken, type ProxyAuth } from "../src/next/proxy-token.js";
import { AUDIENCE, ORIGIN, PLAIN_PASSWORDS, SECRET } from "./real-auth.js";

test("an Authorization header is no credential here, with Better Auth's bearer() neither", async () => {
  const auth = betterAuth({
    database: memoryAdapter({ user: [], session: [], account: [], verification: [], jwks: [] }),
    secret: SECRET,
    baseURL: ORIGIN,
    emailAndPassword: { enabled: true, password: PLAIN_PASSWORDS },
    rateLimit: { enabled: false },
    telemetry: { enabled: false },
    logger: { disabled: true },
    plugins: [jwtBridge({ audience: AUDIENCE }), bearer()],
  });
  const body = { name: "a", email: "a@example.com", password: "correct horse" };
  const { token } = await auth.api.signUpEmail({ body });
  const headers = { authorization: `Bearer ${token}` };
  // There it is one:
  expect(await auth.api.getToken({ headers: new Headers(headers) })).toHaveProperty("token");
  const request = new Request(`${ORIGIN}/backend/tasks`, { headers });
  await expect(issueToken(auth, request, undefined, [])).rejects.toMatchObject({ status: 401 });
});

test("the issuer's Retry-After is passed on", async () => {
  const away = new Response(null, { status: 503, headers: { "retry-after": "7" } });
  const auth = { api: { getToken: async () => away } } as unknown as ProxyAuth;
  const request = new Request(`${ORIGIN}/backend/tasks`);
  await expect(issueToken(auth, request, undefined, [])).rejects.toMatchObject({
    status: 503,
    fields: { "retry-after": "7" },
  });
});
