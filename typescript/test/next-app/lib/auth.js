/** Better Auth in memory, and the server's fetch. */
import { betterAuth } from "better-auth";
import { memoryAdapter } from "better-auth/adapters/memory";
import { nextCookies } from "better-auth/next-js";
import { jwtBridge } from "jwt-auth-bridge/better-auth";
import { createServerFetch } from "jwt-auth-bridge/next";

// One for the process, whatever bundles Next.js makes of this module.
globalThis.tables ??= { user: [], session: [], account: [], verification: [], jwks: [] };

export const auth = betterAuth({
  database: memoryAdapter(globalThis.tables),
  emailAndPassword: {
    enabled: true,
    password: { hash: async (text) => text, verify: async ({ hash, password }) => hash === password },
  },
  rateLimit: { enabled: false },
  telemetry: { enabled: false },
  plugins: [jwtBridge({ audience: process.env.JWT_BRIDGE_AUDIENCE }), nextCookies()],
});

export const serverFetch = createServerFetch({ auth, baseURL: process.env.API_URL });
