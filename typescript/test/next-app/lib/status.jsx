"use client";

import { jwtClient } from "better-auth/client/plugins";
import { createAuthClient } from "better-auth/react";
import { createTokenSource } from "jwt-auth-bridge/client";
import { createUseBridge } from "jwt-auth-bridge/react";

const authClient = createAuthClient({ plugins: [jwtClient()] });
const useBridge = createUseBridge({ authClient, tokenSource: createTokenSource({ authClient }) });

export function Status() {
  return <p>status:{useBridge().status};</p>;
}
