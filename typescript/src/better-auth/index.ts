/**
 * The door `./better-auth`: the plugin that issues bridge access tokens, and the check at start.
 *
 * It wraps Better Auth's own JWT plugin and replaces its `/token` alone, so `authClient.token()`,
 * `auth.api.getToken`, `/jwks` and `signJWT` stay where they are. Law: `access-token.md` "Token".
 */

import { APIError, createAuthEndpoint, getSession, isAPIError } from "better-auth/api";
import { jwt } from "better-auth/plugins";
import { BRIDGE, bridgeOf } from "./assert-bridge.js";
import { createIssuer, type SessionRecord, UnissuableError } from "./issuer.js";
import { type JwtBridgeOptions, judgeConfiguration, judgeVersionedSecrets } from "./options.js";
import { tolerateAbsence } from "./schema-check.js";

export { assertBridge, type BridgedAuth } from "./assert-bridge.js";
export type { ClaimFunction, ClaimSource, JwtBridgeOptions } from "./options.js";

/** Seconds after which a client may try again when the session store can not be reached. */
const RETRY_AFTER = "5";

/**
 * Better Auth's JWT plugin, issuing bridge access tokens.
 *
 * `GET /api/auth/token` answers `{ token }`, never cached: 401 without a session, for a banned user, or in a
 * session's last second; 503 with `Retry-After` when the session store can not be reached; 500 when the user's
 * row or an added claim makes a token that no verifier would take, with the reason in the log. The session is
 * read from the store each time, never from the cookie cache. `?disableRefresh=true`, or
 * `auth.api.getToken({ headers, query: { disableRefresh: true } })`, does not extend it.
 *
 * @param options see {@link JwtBridgeOptions}.
 * @returns the plugin, in place of `jwt()`; a wrong option, base URL or secret rejects `auth.$context` with a
 *   `ConfigurationError`, see {@link assertBridge}.
 *
 * *Does not* put e-mail, name or image into the token, does not set `set-auth-jwt` on `/get-session`, and does
 * not revoke: a token is good until it expires.
 *
 * @example
 * ```ts
 * export const auth = betterAuth({
 *   database: pool,
 *   plugins: [jwtBridge({ audience: process.env.JWT_BRIDGE_AUDIENCE })],
 * });
 * ```
 */
export function jwtBridge(options: JwtBridgeOptions): ReturnType<typeof jwt> {
  const base = jwt({ disableSettingJwtHeader: true });
  const { schema } = base;
  const initBase: typeof base.init | undefined = base.init; // 1.6 has none
  const readSession = getSession() as unknown as ReadSession;

  const getToken = createAuthEndpoint(
    "/token",
    { method: "GET", requireHeaders: true, metadata: base.endpoints.getToken.options.metadata },
    async (ctx) => {
      ctx.setHeader("cache-control", "no-store");
      // Not one of Better Auth's session middlewares: they answer 401 when the store can not be reached.
      const answer = await readSession({
        ...ctx,
        method: "GET",
        asResponse: false,
        returnHeaders: true,
        returnStatus: false,
        query: { disableCookieCache: true, disableRefresh: isTrue(ctx.query) },
      }).catch((error: unknown) => {
        throw isAPIError(error) && error.status === "INTERNAL_SERVER_ERROR" ? unavailable() : error;
      });
      // A session that was extended comes with its new cookie; one that has ended, with the cookie's removal.
      for (const cookie of answer.headers.getSetCookie()) ctx.responseHeaders.append("set-cookie", cookie);
      const token = await issueToken(ctx.context, answer.response);
      if (token === null)
        throw new APIError("UNAUTHORIZED", { message: "Unauthorized", code: "UNAUTHORIZED" });
      return ctx.json({ token });
    },
  );

  const plugin = {
    ...base,
    get schema() {
      judgeVersionedSecrets();
      return schema;
    },
    init(context: Parameters<typeof base.init>[0]) {
      const issuer = createIssuer(judgeConfiguration(options ?? {}, context));
      tolerateAbsence(context);
      return { context: { ...initBase?.(context)?.context, [BRIDGE]: issuer } };
    },
    endpoints: { ...base.endpoints, getToken },
  };
  return plugin as unknown as ReturnType<typeof jwt>;
}

/** Better Auth's own reading of the session, called as its middlewares call it. */
type ReadSession = (input: object) => Promise<{ headers: Headers; response: SessionRecord | null }>;

function isTrue(query: unknown): boolean {
  const value = (query as { disableRefresh?: unknown } | undefined)?.disableRefresh;
  return value === true || value === "true" || value === "1";
}

async function issueToken(
  context: { logger: { error(message: string, ...more: unknown[]): void } },
  record: SessionRecord | null,
): Promise<string | null> {
  if (!record) return null;
  const issuer = bridgeOf(context);
  if (issuer === undefined) throw new TypeError("jwtBridge() was not initialised by Better Auth");
  try {
    return await issuer.issue(record);
  } catch (error) {
    if (!(error instanceof UnissuableError)) throw error;
    context.logger.error(`[jwt-auth-bridge] no token was issued: ${error.message}`, ...causeOf(error));
    throw new APIError("INTERNAL_SERVER_ERROR", {
      message: "No token can be issued for this user; the server's log says why",
      code: "TOKEN_NOT_ISSUED",
    });
  }
}

function causeOf(error: Error): readonly unknown[] {
  return error.cause === undefined ? [] : [error.cause];
}

/** RFC 9110 §15.6.4. Never 401, which a client takes for "signed out". */
function unavailable(): APIError {
  const body = { message: "The session store is unavailable, try again", code: "SESSION_STORE_UNAVAILABLE" };
  return new APIError("SERVICE_UNAVAILABLE", body, { "retry-after": RETRY_AFTER });
}
