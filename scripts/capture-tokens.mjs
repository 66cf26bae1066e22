// Captures what a real Better Auth hands out, for the vectors: node scripts/capture-tokens.mjs
//
// Prints JSON for specs/001-jwt-auth-bridge/vectors/generate/captured.json. Run it when a new version of Better Auth
// changes what it signs; the secret is the published one of the vectors.

import { betterAuth } from "better-auth";
import { memoryAdapter } from "better-auth/adapters/memory";
import { createEmailVerificationToken } from "better-auth/api";
import { bearer, jwt } from "better-auth/plugins";
import { jwtBridge } from "jwt-auth-bridge/better-auth";

const secret = "k3Zq9vT1xW7pL0sD5fG8hJ2nB4mC6rY+uQeAoI/tX1E=";
const baseURL = "https://app.example.com";
const audience = "https://api.example.com";

async function capture(plugin) {
  const auth = betterAuth({
    baseURL,
    secret,
    database: memoryAdapter({ user: [], session: [], account: [], verification: [], jwks: [] }),
    emailAndPassword: { enabled: true },
    session: { cookieCache: { enabled: true, strategy: "jwt" } },
    telemetry: { enabled: false },
    plugins: [plugin, bearer()],
  });
  const person = { name: "Alice", email: "alice@example.com", password: "correct horse battery" };
  const made = await auth.api.signUpEmail({ body: person, asResponse: true });
  const cookies = new Map(
    made.headers.getSetCookie().map((line) => {
      const [pair = ""] = line.split(";");
      return [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)];
    }),
  );
  const headers = new Headers({ cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join("; ") });
  return {
    token: (await auth.api.getToken({ headers })).token,
    jwks: await auth.api.getJwks(),
    session: (await made.json()).token,
    cookies: Object.fromEntries(cookies),
  };
}

const bridge = await capture(jwtBridge({ audience }));
const stock = await capture(jwt({ jwt: { audience } }));
const cookie = bridge.cookies["__Secure-better-auth.session_token"];
console.log(
  JSON.stringify(
    {
      now: Math.floor(Date.now() / 1000),
      bridge: bridge.token,
      sessionToken: bridge.session,
      sessionCookie: decodeURIComponent(cookie),
      sessionCookieEncoded: cookie,
      cookieCache: bridge.cookies["__Secure-better-auth.session_data"],
      emailVerification: await createEmailVerificationToken(secret, "alice@example.com"),
      stockToken: stock.token,
      stockJwks: stock.jwks,
    },
    null,
    2,
  ),
);
