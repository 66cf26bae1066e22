/** What the tests of key pairs share: the key set as an API fetches it, and who verifies with it. */

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createVerifier, type VerifierOptions } from "../src/verifier.js";
import { AUDIENCE, ORIGIN } from "./real-auth.js";

export const KEY_PAIR_ALGORITHMS = ["EdDSA", "ES256", "RS256"] as const;

interface Handler {
  handler(request: Request): Promise<Response>;
}

type Jwk = Record<string, unknown> & { readonly kid: string };

/** Asks `/jwks`, as anybody may. */
export async function fetchKeySet(auth: Handler): Promise<{ readonly keys: readonly Jwk[] }> {
  const response = await auth.handler(new Request(`${ORIGIN}/api/auth/jwks`));
  if (response.status !== 200) throw new Error(`/jwks answered ${response.status}`);
  return (await response.json()) as { keys: Jwk[] };
}

/** An API's verifier, with the key set of this moment. */
export async function verifierOf(auth: Handler, more: Partial<VerifierOptions> = {}) {
  return createVerifier({ issuer: ORIGIN, audience: AUDIENCE, keys: await fetchKeySet(auth), ...more });
}

/** Serves Better Auth on a free port; `requests` are the paths that were asked for. */
export async function serve(auth: Handler) {
  const requests: string[] = [];
  const server = createServer(async ({ url = "" }, answer) => {
    requests.push(url);
    const response = await auth.handler(new Request(ORIGIN + url));
    answer.writeHead(response.status, Object.fromEntries(response.headers)).end(await response.text());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/auth/jwks`,
    requests,
    close: () => new Promise((resolve) => server.close(resolve)),
  };
}
