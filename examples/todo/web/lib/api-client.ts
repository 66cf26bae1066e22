/** The API as a page calls it, in one of the two ways of access.ts; and who is signed in. */
import { createBridgeFetch, createTokenSource } from "jwt-auth-bridge/client";
import { createProxiedFetch } from "jwt-auth-bridge/proxied";
import { createUseBridge } from "jwt-auth-bridge/react";
import { authClient } from "./auth-client";
import { createTaskApi } from "./tasks";

type ApiClient = ReturnType<typeof direct>;

const made = new Map<string, ApiClient>();

/** The same one for the whole life of the page: it holds the token. `apiUrl`: an address, or the proxy's path. */
export function apiClient(apiUrl: string): ApiClient {
  const client = made.get(apiUrl) ?? (apiUrl.startsWith("/") ? proxied(apiUrl) : direct(apiUrl));
  made.set(apiUrl, client);
  return client;
}

function direct(apiUrl: string) {
  const tokenSource = createTokenSource({ authClient });
  return {
    api: createTaskApi(apiUrl, createBridgeFetch({ baseURL: apiUrl, tokenSource })),
    useBridge: createUseBridge({ authClient, tokenSource }),
  };
}

function proxied(apiUrl: string): ApiClient {
  const send = createProxiedFetch({ basePath: apiUrl, authClient });
  return {
    api: createTaskApi(apiUrl, send),
    useBridge: createUseBridge({ authClient, tokenSource: send.tokenSource }),
  };
}
