/** The API as a page calls it, in one of the two ways of access.ts; and who is signed in. */
import { createBridgeFetch, createTokenSource, SessionMissingError } from "jwt-auth-bridge/client";
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
  return {
    api: createTaskApi(apiUrl, proxiedFetch),
    useBridge: createUseBridge({ authClient }),
  };
}

/** The proxy adds the token. Its challenge without an error asks for a session (RFC 6750 §3). */
const proxiedFetch: typeof fetch = async (...call) => {
  const response = await fetch(...call);
  const isMissing = response.status === 401 && response.headers.get("www-authenticate") === "Bearer";
  if (isMissing) throw new SessionMissingError("Nobody is signed in");
  return response;
};
