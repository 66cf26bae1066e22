/**
 * The guards: who calls, and may they use this path?
 *
 * Comes after the verifier on the data's way, and knows no framework: the annexes `hono`, `express` and
 * `fastify` show it a request and send what it decides. Law: RFC 6750 §2.1 and §3, `access-token.md` "HTTP
 * answers".
 *
 * Deliberately not done: no token is taken from a query string, a cookie or a body (RFC 6750 §2.2, §2.3), and no
 * verified token is kept beyond its request.
 */

import { AT_ONCE } from "#primitives";
import { authorizationValues, type CarriesAuthorization, parseAuthorization } from "./bearer.js";
import {
  BridgeError,
  ConfigurationError,
  type ErrorCode,
  ForbiddenError,
  MissingTokenError,
} from "./errors.js";
import { listKeyIds, withoutQuery } from "./jwks.js";
import { judgeLog, type Log, type Notice } from "./policy.js";
import { createVerifier, type Principal, type VerifierOptions } from "./verifier.js";

export const DEFAULT_PATH_PARAMETER = "user_id";

/** One refusal, for a log: nothing in it comes from the token, and `route` is as the program has it. */
export interface Refusal {
  /** `error` where a route can never work as it is written, else `info`. */
  readonly level: "info" | "error";
  readonly method: string;
  /** The route's template; `?` where the framework knows none yet. */
  readonly route: string;
  readonly code: ErrorCode;
  readonly hint: string;
}

/**
 * Options of `createBridge()`: those of the verifier, and
 *
 * - `pathParameter`: name of the path parameter that `pathUser` holds against the token's user; `user_id`.
 * - `log`: gets one line for every refusal, one with issuer, audience and key IDs at start, and what the verifier
 *   has to say; default `console`, by each line's level.
 */
export interface BridgeOptions extends VerifierOptions {
  readonly pathParameter?: string | undefined;
  readonly log?: Log<Refusal | Notice> | undefined;
}

/** What an annex shows of one request. */
export interface Seen {
  /** The object that lives exactly as long as the request. */
  readonly request: object;
  readonly carrier: CarriesAuthorization;
  readonly method: string;
  /** The route's template. */
  readonly route: unknown;
  /** A path parameter, decoded. */
  readonly parameter: (name: string) => unknown;
}

/** The decisions of one bridge; each throws a BridgeError that is logged already. */
export interface Guards {
  currentUser(seen: Seen): Promise<Principal>;
  optionalUser(seen: Seen): Promise<Principal | null>;
  pathUser(seen: Seen): Promise<Principal>;
  /** The principal of a request that a guard let through. */
  userOf(request: object): Principal;
  /** The same, or `null` where `optionalUser` found no credential. */
  optionalUserOf(request: object): Principal | null;
  /** As the verifier's. */
  prefetch(): Promise<void>;
  readonly keyIds: Promise<readonly string[]>;
}

/** What is known of one request: verified once, for the fields it was read from, and refused once. */
interface Known {
  readonly values: string;
  readonly result: Promise<Principal | BridgeError>;
  logged: boolean;
  admitted?: Principal | null;
}

const PARAMETER_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/**
 * Creates the guards of one API.
 *
 * @throws ConfigurationError: anything that could not work, while the process starts.
 *
 * @example
 * ```ts
 * createGuards({
 *   issuer: "https://app.example.com",
 *   audience: "https://api.example.com",
 *   secret: "k3Zq9vT1xW7pL0sD5fG8hJ2nB4mC6rY+uQeAoI/tX1E=",
 * });
 * ```
 */
export function createGuards(options: BridgeOptions): Guards {
  const { pathParameter = DEFAULT_PATH_PARAMETER, ...rest } = { ...options };
  if (typeof pathParameter !== "string" || !PARAMETER_NAME.test(pathParameter)) {
    throw new ConfigurationError("pathParameter must be the name of a path parameter, like user_id");
  }
  const log = judgeLog(rest.log);
  const verifier = createVerifier({ ...rest, log });
  let announced = false;
  /** Says once what two services compare when every token is refused. */
  function announce(): void {
    if (announced) return;
    announced = true;
    const said = verifier.keyIds.then((keyIds) => log(describe(rest, keyIds), { level: "info" }));
    // What is wrong with the keys, every request is told.
    said.catch(() => {});
  }
  // Else at the first use: some platforms allow no cryptography while a module loads.
  if (AT_ONCE) announce();
  // Of this bridge alone: what one bridge has verified is nothing to another.
  const known = new WeakMap<object, Known>();

  function look({ request, carrier }: Seen): Known {
    const values = authorizationValues(carrier);
    const key = JSON.stringify(values);
    const before = known.get(request);
    // A request may be sent on within the process with another user's header.
    if (before?.values === key) return before;
    announce();
    const now: Known = { values: key, result: verify(values), logged: false };
    known.set(request, now);
    return now;
  }

  async function verify(values: readonly string[]): Promise<Principal | BridgeError> {
    try {
      return await verifier.verify(parseAuthorization(values));
    } catch (error) {
      if (error instanceof BridgeError && !(error instanceof ConfigurationError)) return error;
      throw error;
    }
  }

  function refuse(seen: Seen, request: Known, error: BridgeError): BridgeError {
    if (!request.logged) {
      request.logged = true;
      const route = typeof seen.route === "string" && seen.route !== "" ? seen.route : "?";
      const level = error.code === "path_user_missing" ? "error" : "info";
      const { code, hint } = error;
      log(`refused ${seen.method} ${route}: ${code}: ${hint}`, {
        level,
        method: seen.method,
        route,
        code,
        hint,
      });
    }
    return error;
  }

  async function decide(
    seen: Seen,
    judge: (result: Principal | BridgeError) => Principal | BridgeError | null,
  ) {
    const request = look(seen);
    const decision = judge(await request.result);
    if (decision instanceof BridgeError) throw refuse(seen, request, decision);
    request.admitted = decision;
    return decision;
  }

  /** Compared exactly, and only after the token: a caller without one learns nothing about paths. */
  function judgePath(seen: Seen, result: Principal | BridgeError): Principal | BridgeError {
    if (result instanceof BridgeError) return result;
    const user = seen.parameter(pathParameter);
    if (typeof user !== "string") return new ForbiddenError("path_user_missing");
    return user === result.subject ? result : new ForbiddenError("path_user_mismatch");
  }

  return {
    currentUser: async (seen) => demand(await decide(seen, (result) => result)),
    optionalUser: (seen) => decide(seen, (result) => (result instanceof MissingTokenError ? null : result)),
    pathUser: async (seen) => demand(await decide(seen, (result) => judgePath(seen, result))),
    userOf: (request) => demand(known.get(request)?.admitted),
    optionalUserOf(request) {
      const admitted = known.get(request)?.admitted;
      return admitted === null ? null : demand(admitted);
    },
    async prefetch() {
      await verifier.prefetch();
      announce();
    },
    get keyIds() {
      return verifier.keyIds;
    },
  };
}

function describe({ issuer, audience, jwksUri }: VerifierOptions, keyIds: readonly string[]): string {
  const keys = [
    ...(keyIds.length > 0 ? [`key IDs ${listKeyIds(keyIds)}`] : []),
    ...(jwksUri === undefined ? [] : [`key set at ${withoutQuery(jwksUri)}`]),
  ];
  return `issuer ${issuer}, audience ${audience}, ${keys.join(", ")}`;
}

function demand(principal: Principal | null | undefined): Principal {
  if (principal) return principal;
  throw new ConfigurationError(
    "no guard that demands a user has let this request through; put currentUser or pathUser before the handler",
  );
}
