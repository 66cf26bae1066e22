/** Better Auth in the browser, and the one token source of this page: sign-out drops its token. */
import { jwtClient } from "better-auth/client/plugins";
import { createAuthClient } from "better-auth/react";
import { createTokenSource } from "jwt-auth-bridge/client";

export const authClient = createAuthClient({ plugins: [jwtClient()] });

export const tokenSource = createTokenSource({ authClient });
