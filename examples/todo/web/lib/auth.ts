/** Better Auth, as this app runs it. `nextCookies()` comes last: it passes on what the others set. */
import { betterAuth } from "better-auth";
import { nextCookies } from "better-auth/next-js";
import { authOptions } from "./auth-options.mjs";

export const auth = betterAuth({ ...authOptions, plugins: [...authOptions.plugins, nextCookies()] });
