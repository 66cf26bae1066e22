/**
 * The door `./better-auth`: the plugin that issues bridge access tokens, and the check at start.
 *
 * It wraps Better Auth's own JWT plugin, replaces its `/token`, and corrects its `/jwks`; so `authClient.token()`,
 * `auth.api.getToken`, `/jwks` and `signJWT` stay where they are. Law: `access-token.md` "Token".
 */

import { APIError, createAuthEndpoint, getSession, isAPIError } from "better-auth/api";
import { jwt } from "better-auth/plugins";
import { BRIDGE, bridgeOf } from "./assert-bridge.js";
import { KeyStoreError, UnissuableError } from "./errors.js";
import { createIssuer, type Issuer, type SessionRecord } from "./issuer.js";
import { pluginOptions } from "./key-pair-options.js";
import type { EndpointContext } from "./key-pair-rows.js";
import { type JwtBridgeOptions, judgeConfiguration, judgeVersionedSecrets } from "./options.js";
import { tolerateAbsence } from "./schema-check.js";

export { assertBridge, type BridgedAuth } from "./assert-bridge.js";
export type { ClaimFunction, ClaimSource, JwtBridgeOptions } from "./options.js";

/** Seconds after which a client may try again when sessions or key pairs can not be reached. */
const RETRY_AFTER = "5";

/**
 * Better Auth's JWT plugin, issuing bridge access tokens.
 *
 * `GET /api/auth/token` answers `{ token }`, never cached: 401 without a session, for a banned user, or in a
 * session's last second; 503 with `Retry-After` when sessions or key pairs can not be reached; 500 when the user's
 * row, an added claim or a key pair makes a token that no verifier would take, with the reason in the log. The
 * session is read from the store each time, never from the cookie cache. `?disableRefresh=true`, or
 * `auth.api.getToken({ headers, query: { disableRefresh: true } })`, does not extend it. `?audience=...` asks for
 * one of several APIs' tokens: 400 for any other value.
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
  const base = jwt(pluginOptions(options ?? {}));
  const { schema } = base;
  const initBase: typeof base.init | undefined = base.init; // 1.6 has none
  const readSession = getSession() as unknown as ReadSession;

  const getToken = createAuthEndpoint(
    "/token",
    { method: "GET", requireHeaders: true, metadata: base.endpoints.getToken.options.metadata },
    async (ctx) => {
      ctx.setHeader("cache-control", "no-store");
      const issuer = issuerOf(ctx.context);
      const audience = chooseAudience(ctx.query, issuer);
      // Not one of Better Auth's session middlewares: they answer 401 when the store can not be reached.
      const answer = await readSession({
        ...ctx,
        ...PLAIN,
        method: "GET",
        returnHeaders: true,
        query: { disableCookieCache: true, disableRefresh: isTrue(ctx.query) },
      }).catch((error: unknown) => {
        throw isAPIError(error) && error.status === "INTERNAL_SERVER_ERROR" ? unavailable("session") : error;
      });
      // A session that was extended comes with its new cookie; one that has ended, with the cookie's removal.
      for (const cookie of answer.headers.getSetCookie()) ctx.responseHeaders.append("set-cookie", cookie);
      const token =
        answer.response && (await issueToken(issuer, answer.response, audience, ctx as EndpointContext));
      if (token === null)
        throw new APIError("UNAUTHORIZED", { message: "Unauthorized", code: "UNAUTHORIZED" });
      return ctx.json({ token });
    },
  );

  const { path, options: keySetOptions } = base.endpoints.getJwks;
  const getJwks = createAuthEndpoint(
    path,
    { method: "GET", metadata: keySetOptions.metadata },
    async (ctx) => {
      const keys = await issuerOf(ctx.context)
        .publishKeys(ctx as EndpointContext)
        .catch((error: unknown) => {
          throw error instanceof KeyStoreError ? unavailable("key") : error;
        });
      return ctx.json({ keys });
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
    endpoints: { ...base.endpoints, getJwks, getToken },
  };
  return plugin as unknown as ReturnType<typeof jwt>;
}

/** How another endpoint answers: with its value, and not as it would answer the request itself. */
const PLAIN = { asResponse: false, returnHeaders: false, returnStatus: false };

/** Better Auth's own reading of the session, called as its middlewares call it. */
type ReadSession = (input: object) => Promise<{ headers: Headers; response: SessionRecord | null }>;

function issuerOf(context: object): Issuer {
  const issuer = bridgeOf(context);
  if (issuer === undefined) throw new TypeError("jwtBridge() was not initialised by Better Auth");
  return issuer;
}

function isTrue(query: unknown): boolean {
  const value = (query as { disableRefresh?: unknown } | undefined)?.disableRefresh;
  return value === true || value === "true" || value === "1";
}

/** One API's identifier, once, or none: a token for another one than was asked for would only fail later. */
function chooseAudience(query: unknown, { audiences }: Issuer): string {
  const { audience = audiences[0] } = (query ?? {}) as { audience?: unknown };
  const known = audiences.find((each) => each === audience);
  if (known !== undefined) return known;
  const message = "audience must be one of those that this issuer is configured with, once, or be left out";
  throw new APIError("BAD_REQUEST", { message, code: "AUDIENCE_UNKNOWN" });
}

async function issueToken(
  issuer: Issuer,
  record: SessionRecord,
  audience: string,
  ctx: EndpointContext,
): Promise<string | null> {
  try {
    return await issuer.issue(record, audience, ctx);
  } catch (error) {
    if (!(error instanceof UnissuableError || error instanceof KeyStoreError)) throw error;
    ctx.context.logger.error(`[jwt-auth-bridge] no token was issued: ${error.message}`, ...causeOf(error));
    if (error instanceof KeyStoreError) throw unavailable("key");
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
function unavailable(store: "session" | "key"): APIError {
  const code = `${store.toUpperCase()}_STORE_UNAVAILABLE`;
  const body = { message: `The ${store} store is unavailable, try again`, code };
  return new APIError("SERVICE_UNAVAILABLE", body, { "retry-after": RETRY_AFTER });
}
