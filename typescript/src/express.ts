/**
 * The annex for Express 4 and 5, the door `./express`: guards as middleware.
 *
 * Law: `access-token.md` "HTTP answers". Fields are read from `rawHeaders`: Node's `headers` keep the first of
 * two Authorization fields.
 */

import { answer } from "./bearer.js";
import { BridgeError } from "./errors.js";
import { type BridgeOptions, createGuards, type Seen } from "./guards.js";
import type { Principal } from "./verifier.js";

export { fromEnvironment } from "./environment.js";
export type { BridgeOptions, Refusal } from "./guards.js";
export type { Notice } from "./policy.js";

/** What is needed of Express's request. */
export interface ExpressRequest {
  readonly rawHeaders: readonly string[];
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly method: string;
  readonly params?: object;
  readonly route?: { readonly path?: unknown };
}

/** What is needed of Express's response: Node's own part of it. */
export interface ExpressResponse {
  writeHead(status: number, headers: Record<string, string>): { end(body: string): unknown };
}

/** Middleware of Express. */
export type ExpressGuard = (
  request: ExpressRequest,
  response: ExpressResponse,
  next: (error?: unknown) => void,
) => void;

/**
 * The guards of one API.
 *
 * - `currentUser` lets a good token through; `optionalUser` no token too; `pathUser` only the path's own user.
 * - `userOf(request)`, `optionalUserOf(request)`: the principal, in the handler behind them.
 * - `prefetch()`: fetches the keys now, where they are fetched, so that the first request need not wait; throws
 *   KeySetUnavailableError where none could be had.
 * - `keyIds`: the `kid` of every key in force, current first; of fetched keys, those that are in hand now.
 */
export interface ExpressBridge {
  readonly currentUser: ExpressGuard;
  readonly optionalUser: ExpressGuard;
  readonly pathUser: ExpressGuard;
  userOf(request: ExpressRequest): Principal;
  optionalUserOf(request: ExpressRequest): Principal | null;
  prefetch(): Promise<void>;
  readonly keyIds: Promise<readonly string[]>;
}

/**
 * Creates the guards. A token is verified once per request however many of them ask.
 *
 * Put them before `express.json()`, and nobody's body is read before it is known who sends it. `pathUser` stands
 * on a path that has the parameter: `app.use("/api/:user_id", bridge.pathUser)`, or on the route itself.
 *
 * @throws ConfigurationError: anything that could not work, while the process starts.
 *
 * *Does not* answer a preflight request: let CORS middleware come first. *Does not* know the route's template for
 * the log where it stands on `app.use`: Express gives it to routes alone.
 *
 * @example
 * ```ts
 * const bridge = createBridge(fromEnvironment(process.env));
 * const app = express();
 * app.use("/api/:user_id", bridge.pathUser, express.json());
 * app.get("/api/:user_id/tasks", (request, response) => {
 *   response.json([`a task of ${bridge.userOf(request).subject}`]);
 * });
 * ```
 */
export function createBridge(options: BridgeOptions): ExpressBridge {
  const guards = createGuards(options);
  const guard = (decide: (seen: Seen) => Promise<unknown>): ExpressGuard => {
    return (request, response, next) => {
      decide(show(request)).then(
        () => next(),
        (error: unknown) => refuse(error, response, next),
      );
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

function refuse(error: unknown, response: ExpressResponse, next: (error?: unknown) => void): void {
  if (!(error instanceof BridgeError) || error.status === 0) {
    next(error);
    return;
  }
  const { status, headers, body } = answer(error);
  // Not by response.send(), which adds an ETag and a charset.
  const size = { "content-type": "application/json", "content-length": String(body.length) };
  response.writeHead(status, { ...headers, ...size }).end(body);
}

function show(request: ExpressRequest): Seen {
  return {
    request,
    carrier: request,
    method: request.method,
    // Never baseUrl, which holds what the caller sent.
    route: request.route?.path,
    parameter: (name) => (request.params as Record<string, unknown> | undefined)?.[name],
  };
}
