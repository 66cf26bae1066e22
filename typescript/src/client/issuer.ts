/**
 * The issuer, asked for a token: Better Auth's client, or whatever the app gives in its place.
 *
 * What is used of the client is the same in Better Auth 1.6 and 1.7: the endpoint `/token` of `jwtClient()`, and the
 * signal that the client gives after a sign-in, a sign-out and all else that may change the session. 401, and
 * nothing else, means that nobody is signed in.
 */

import { SessionMissingError, TokenUnavailableError } from "./errors.js";
import { type IssuedToken, readToken } from "./issued-token.js";

/** An issuer that has not begun to answer after so many milliseconds is away. */
const PATIENCE = 15_000;

/** The part of Better Auth's client, with `jwtClient()`, that is used here. */
export interface TokenClient {
  token(options?: {
    query: { audience?: string; disableRefresh?: true };
    fetchOptions: {
      throw: false;
      timeout: number;
      disableSignal: true;
      onError(context: { readonly response: Response }): void;
    };
  }): Promise<{
    readonly data: { readonly token: string } | null;
    readonly error: { readonly status: number } | null;
  }>;
  readonly $store?: { listen(signal: string, listener: () => void): unknown };
}

/** Gives a fresh token, or `null` where nobody is signed in. */
export type GetToken = (
  audience: string | undefined,
  options: { readonly background: boolean },
) => Promise<string | null>;

/**
 * Asks for a token.
 *
 * @param askedAt local time in milliseconds, from which the token's lifetime is counted.
 * @returns the token, or why there is none: SessionMissingError, TokenUnavailableError.
 */
export async function askIssuer(
  getToken: GetToken,
  audience: string | undefined,
  background: boolean,
  askedAt: number,
): Promise<IssuedToken | SessionMissingError | TokenUnavailableError> {
  try {
    const value = await getToken(audience, { background });
    return value === null
      ? new SessionMissingError("Nobody is signed in")
      : readToken(value, askedAt, audience);
  } catch (cause) {
    return cause instanceof SessionMissingError || cause instanceof TokenUnavailableError
      ? cause
      : new TokenUnavailableError("The token could not be fetched", { cause });
  }
}

/** Better Auth's client as what gives the token. */
export function tokenOf(authClient: TokenClient): GetToken {
  return async (audience, { background }) => {
    let retryAfter: number | undefined;
    const { data, error } = await authClient.token({
      query: { ...(audience && { audience }), ...(background && { disableRefresh: true }) },
      fetchOptions: {
        // Whatever the app has set for all its calls.
        throw: false,
        timeout: PATIENCE,
        // Where an app's own listeners match every path, the signal below would ask without end.
        disableSignal: true,
        onError({ response: { headers } }) {
          // The second is Better Auth's rate limit's. A date is not read: it is by another clock.
          retryAfter = Number(headers.get("retry-after") ?? headers.get("x-retry-after")) || undefined;
        },
      },
    });
    if (data?.token) return data.token;
    const status = error?.status;
    if (status === 401) return null;
    throw new TokenUnavailableError("The token could not be fetched", { status, retryAfter });
  };
}

/**
 * Calls back when the user has done something in this tab that may have changed the session. Better Auth gives its
 * signal 10 ms after the action, and does not say what it was; other tabs' actions and refetches give none.
 */
export function onAction(authClient: Pick<TokenClient, "$store"> | undefined, listener: () => void): void {
  let listening = false;
  // It calls at once with what is now.
  authClient?.$store?.listen("$sessionSignal", () => listening && listener());
  listening = true;
}
