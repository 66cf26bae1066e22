/**
 * The annex for Hono, the door `./hono`: guards as middleware.
 *
 * They see nothing but Hono's context, so they run wherever Hono runs. Law: `access-token.md` "HTTP answers".
 */

import { toResponse } from "./bearer.js";
import { type BridgeOptions, createGuards, type Seen } from "./guards.js";
import type { Principal } from "./verifier.js";

export { fromEnvironment } from "./environment.js";
export type { BridgeOptions, Refusal } from "./guards.js";
export type { Notice } from "./policy.js";

/** What is needed of Hono's context. */
export interface HonoContext {
  readonly req: {
    readonly raw: { readonly headers: { get(name: string): string | null } };
    readonly method: string;
    readonly matchedRoutes?: readonly { readonly path: string }[];
    // biome-ignore lint/suspicious/noConfusingVoidType: Hono gives nothing back where a path has no parameter
    param(name: string): string | undefined | void;
  };
}

/** Middleware of Hono. */
export type HonoGuard = (context: HonoContext, next: () => Promise<void>) => Promise<Response | undefined>;

/**
 * The guards of one API.
 *
 * - `currentUser` lets a good token through; `optionalUser` no token too; `pathUser` only the path's own user.
 * - `userOf(context)`, `optionalUserOf(context)`: the principal, in the handler behind them.
 * - `prefetch()`: fetches the keys now, where they are fetched, so that the first request need not wait; throws
 *   KeySetUnavailableError where none could be had.
 * - `keyIds`: the `kid` of every key in force, current first; of fetched keys, those that are in hand now.
 */
export interface HonoBridge {
  readonly currentUser: HonoGuard;
  readonly optionalUser: HonoGuard;
  readonly pathUser: HonoGuard;
  userOf(context: HonoContext): Principal;
  optionalUserOf(context: HonoContext): Principal | null;
  prefetch(): Promise<void>;
  readonly keyIds: Promise<readonly string[]>;
}

/**
 * Creates the guards. A token is verified once per request however many of them ask.
 *
 * @throws ConfigurationError: anything that could not work, while the process starts.
 *
 * *Does not* answer a preflight request: let Hono's `cors()` come first.
 *
 * @example
 * ```ts
 * const bridge = createBridge(fromEnvironment(process.env));
 * const app = new Hono();
 * app.use("/api/:user_id/*", bridge.pathUser);
 * app.get("/api/:user_id/tasks", (c) => c.json([`a task of ${bridge.userOf(c).subject}`]));
 * (await app.request("/api/alice/tasks")).status; // 401
 * ```
 */
export function createBridge(options: BridgeOptions): HonoBridge {
  const guards = createGuards(options);
  const guard = (decide: (seen: Seen) => Promise<unknown>): HonoGuard => {
    return async (context, next) => {
      try {
        await decide(show(context));
      } catch (error) {
        return toResponse(error);
      }
      await next();
      return undefined;
    };
  };
  return {
    currentUser: guard(guards.currentUser),
    optionalUser: guard(guards.optionalUser),
    pathUser: guard(guards.pathUser),
    userOf: guards.userOf,
    optionalUserOf: guards.optionalUserOf,
    prefetch: guards.prefetch,
    get keyIds() {
      return guards.keyIds;
    },
  };
}

function show(context: HonoContext): Seen {
  const { req } = context;
  return {
    request: context,
    carrier: req.raw,
    method: req.method,
    // The last that matches is the handler's; a guard's own would be a pattern with a star.
    route: req.matchedRoutes?.at(-1)?.path,
    parameter: (name) => req.param(name),
  };
}
