/**
 * A token from Better Auth in the same process, for the request that is being answered.
 *
 * `disableRefresh`: the session is not extended, since its new cookie might never reach the browser. Law:
 * `access-token.md` "Token".
 */

import { SessionMissingError, TokenUnavailableError } from "../client/errors.js";
import { type IssuedToken, readToken } from "../client/issued-token.js";

/** The part of Better Auth, with `jwtBridge()`, that is used here. */
export interface TokenIssuer {
  readonly api: {
    getToken(input: {
      headers: Headers;
      query: { disableRefresh: boolean; audience?: string };
    }): Promise<{ readonly token: string }>;
  };
}

/**
 * Asks for a token.
 *
 * @param headers of the browser's request: its cookie tells the session.
 * @throws SessionMissingError where nobody is signed in; TokenUnavailableError with the issuer's `status`.
 */
export async function issueToken(
  auth: TokenIssuer,
  headers: Headers,
  audience: string | undefined,
): Promise<IssuedToken> {
  const askedAt = Date.now();
  const query = { disableRefresh: true, ...(audience !== undefined && { audience }) };
  const { token } = await auth.api.getToken({ headers, query }).catch((cause: unknown) => {
    const { statusCode: status } = (cause ?? {}) as { statusCode?: number };
    if (status === 401) throw new SessionMissingError("Nobody is signed in");
    throw new TokenUnavailableError("The issuer gave no token", { status, cause });
  });
  return readToken(token, askedAt, audience);
}
