/**
 * The annex for Fastify, the door `./fastify`: guards as hooks.
 *
 * Law: `access-token.md` "HTTP answers". Fields are read from Node's `rawHeaders`: `request.headers` keep the
 * first of two Authorization fields.
 */

import { answer } from "./bearer.js";
import { BridgeError } from "./errors.js";
import { type BridgeOptions, createGuards, type Seen } from "./guards.js";
import type { Principal } from "./verifier.js";

export { fromEnvironment } from "./environment.js";
export type { BridgeOptions, Refusal } from "./guards.js";
export type { Notice } from "./policy.js";

/** What is needed of Fastify's request. */
export interface FastifyRequest {
  readonly raw: {
    readonly rawHeaders: readonly string[];
    readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  };
  readonly method: string;
  readonly params: unknown;
  readonly routeOptions: { readonly url?: string | undefined };
}

/** What is needed of Fastify's reply. */
export interface FastifyReply {
  code(status: number): unknown;
  headers(headers: Record<string, string>): unknown;
  send(payload: Uint8Array): unknown;
}

/** A hook of Fastify. */
export type FastifyGuard = (request: FastifyRequest, reply: FastifyReply) => Promise<unknown>;

/**
 * The guards of one API.
 *
 * - `currentUser` lets a good token through; `optionalUser` no token too; `pathUser` only the path's own user.
 * - `userOf(request)`, `optionalUserOf(request)`: the principal, in the handler behind them.
 * - `prefetch()`: fetches the keys now, where they are fetched, so that the first request need not wait; throws
 *   KeySetUnavailableError where none could be had.
 * - `keyIds`: the `kid` of every key in force, current first; of fetched keys, those that are in hand now.
 */
export interface FastifyBridge {
  readonly currentUser: FastifyGuard;
  readonly optionalUser: FastifyGuard;
  readonly pathUser: FastifyGuard;
  userOf(request: FastifyRequest): Principal;
  optionalUserOf(request: FastifyRequest): Principal | null;
  prefetch(): Promise<void>;
  readonly keyIds: Promise<readonly string[]>;
}

/**
 * Creates the guards. A token is verified once per request however many of them ask.
 *
 * Use them as `onRequest`, of a route or of a plugin: any later hook, `preHandler` too, comes after the body was
 * read.
 *
 * @throws ConfigurationError: anything that could not work, while the process starts.
 *
 * *Does not* answer a preflight request: register CORS first.
 *
 * @example
 * ```ts
 * const bridge = createBridge(fromEnvironment(process.env));
 * const app = fastify();
 * app.get("/api/:user_id/tasks", { onRequest: bridge.pathUser }, async (request) => {
 *   return [`a task of ${bridge.userOf(request).subject}`];
 * });
 * (await app.inject("/api/alice/tasks")).statusCode; // 401
 * ```
 */
export function createBridge(options: BridgeOptions): FastifyBridge {
  const guards = createGuards(options);
  const guard = (decide: (seen: Seen) => Promise<unknown>): FastifyGuard => {
    return async (request, reply) => {
      try {
        await decide(show(request));
        return undefined;
      } catch (error) {
        return refuse(error, reply);
      }
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

function refuse(error: unknown, reply: FastifyReply): FastifyReply {
  if (!(error instanceof BridgeError) || error.status === 0) throw error;
  const { status, headers, body } = answer(error);
  reply.code(status);
  reply.headers({ ...headers, "content-type": "application/json" });
  // As bytes: Fastify adds a charset to text.
  reply.send(new TextEncoder().encode(body));
  return reply;
}

function show(request: FastifyRequest): Seen {
  return {
    request,
    carrier: request.raw,
    method: request.method,
    route: request.routeOptions.url,
    parameter: (name) => (request.params as Record<string, unknown> | null)?.[name],
  };
}
