/**
 * The same-origin proxy: cookie in, Bearer out, for those who want the token never to reach the browser.
 *
 * A route handler between the browser and the API. Everything in it is on a short list or stays behind: who may call
 * (`proxy-origin`), which path (`proxy-path`), which header fields (`proxy-headers`), how much body (`proxy-body`).
 * Cheap refusals come first; nobody's body is read before it is known who sends it. Law: RFC 9110 §7.6,
 * RFC 6750 §2.1.
 */

import { USER_FIELD } from "../client/proxied-fetch.js";
import { ConfigurationError } from "../errors.js";
import { judgeIdentifier, judgeLog, judgeSeconds, type Log, refuseUnknown } from "../policy.js";
import { BODY_LIMIT, judgeLength, watchBody } from "./proxy-body.js";
import { fieldsToApi, fieldsToBrowser, judgeNames } from "./proxy-headers.js";
import { judgeCaller } from "./proxy-origin.js";
import { addressAt, locationOf, pathBelow, type Route } from "./proxy-path.js";
import { Refused, toResponse } from "./proxy-refused.js";
import { issueToken, judgeUser, ownOrigin, type ProxyAuth } from "./proxy-token.js";

export type { ProxyAuth } from "./proxy-token.js";

/** One line of the log: what the proxy answered by itself. Nothing in it comes from the caller but the method. */
export interface ProxyNotice {
  /** `error` for 5xx, where somebody has to look, else `info`. */
  readonly level: "info" | "error";
  readonly status: number;
  readonly code: string;
}

/**
 * Options of `createProxy()`.
 *
 * - `auth`: Better Auth, with `jwtBridge()` among its plugins.
 * - `target`: the API's address as this server reaches it; with a path, only what is below it can be reached. Where
 *   it is not set, requests fail and loading the module does not: `next build` loads it without a deployment's
 *   settings.
 * - `basePath`: where the route handler stands: `/backend` for `app/backend/[...path]`. Without a `basePath` of
 *   Next.js's own, which handlers do not see; the `Location` of a redirect lacks it, too.
 * - `audience`: which API's token, where the issuer has several; by default the issuer's first.
 * - `timeout`: seconds without anything moving until the API has answered, 1 to 300, default 30. Then the answer may
 *   take its time, but for Node's own limit: after five minutes of silence `fetch()` ends it, so a stream needs pings.
 * - `bodyLimit`: of a request, in bytes, default 10 000 000. Above that `proxyClientMaxBodySize` of Next.js has to
 *   grow, too, and the request must have a Content-Length.
 * - `requestHeaders`, `responseHeaders`: names of further fields that pass, like `X-Total-Count`. `X-Forwarded-For`
 *   only where a server in front overwrites it.
 * - `log`: gets one line for every answer of the proxy's own; default `console`.
 */
export interface ProxyOptions {
  readonly auth: ProxyAuth;
  readonly target: string | undefined;
  readonly basePath: string;
  readonly audience?: string | undefined;
  readonly timeout?: number | undefined;
  readonly bodyLimit?: number | undefined;
  readonly requestHeaders?: readonly string[] | undefined;
  readonly responseHeaders?: readonly string[] | undefined;
  readonly log?: Log<ProxyNotice> | undefined;
}

/** What a route handler's file exports. */
export type ProxyHandlers = Readonly<
  Record<"GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE", (request: Request) => Promise<Response>>
>;

const OPTIONS = [
  "auth",
  "target",
  "basePath",
  "audience",
  "timeout",
  "bodyLimit",
  "requestHeaders",
  "responseHeaders",
  "log",
];

/**
 * Creates the handlers of a catch-all route that passes requests of this app's own pages on to the API.
 *
 * `{user_id}` in the path becomes the signed-in user's ID. The API's answer passes as it is, streamed, but for header
 * fields that act on the app's origin; it is never stored. By itself the proxy answers 400 (path or body that can be
 * read in two ways), 401 (nobody is signed in), 403 (not a script of this app), 408, 413, 500, 502 (no answer), 503
 * (session store away) and 504, always `{"detail", "error"}`.
 *
 * @param options see {@link ProxyOptions}.
 * @throws ConfigurationError: anything that could not work, while the module loads.
 *
 * @example
 * ```ts
 * // app/backend/[...path]/route.ts
 * export const { GET, HEAD, POST, PUT, PATCH, DELETE } = createProxy({
 *   auth,
 *   target: "http://localhost:8000",
 *   basePath: "/backend",
 * });
 * ```
 *
 * *Does not* follow redirects, upgrade to WebSocket, or serve pages, downloads by link, images and scripts: it answers
 * `fetch()`. *Does not* tell the API the browser's address. *Does not* decide what a user may do: the API does.
 */
export function createProxy(options: ProxyOptions): ProxyHandlers {
  const settings = judge(options);

  async function handle(request: Request): Promise<Response> {
    const cookies: string[] = [];
    const response = await forward(request, settings, cookies).catch((error: unknown) => {
      if (!(error instanceof Refused)) throw error;
      const { status, code, message } = error;
      const cause = error.cause === undefined ? "" : ` (${error.cause})`;
      settings.log(`refused ${request.method} ${settings.basePath}: ${status} ${code}: ${message}${cause}`, {
        level: status >= 500 ? "error" : "info",
        status,
        code,
      });
      return toResponse(error);
    });
    for (const cookie of cookies) response.headers.append("set-cookie", cookie);
    return response;
  }

  return { GET: handle, HEAD: handle, POST: handle, PUT: handle, PATCH: handle, DELETE: handle };
}

type Settings = ReturnType<typeof judge>;

async function forward(request: Request, settings: Settings, cookies: string[]): Promise<Response> {
  const route: Route = { basePath: settings.basePath, ...settings.target() };
  judgeCaller(request, await ownOrigin(settings.auth));
  const { path, search } = pathBelow(route.basePath, request.url);
  const size = judgeLength(request.headers, settings.bodyLimit);
  const { token, subject } = await issueToken(settings.auth, request, settings.audience, cookies);
  judgeUser(request, subject);
  const address = addressAt(route, path, search, subject);
  const headers = fieldsToApi(request.headers, settings.requestHeaders, token);

  const stop = new AbortController();
  let answered = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  function moved(waitingFor: "caller" | "api"): void {
    clearTimeout(timer);
    if (answered) return;
    timer = setTimeout(
      () => stop.abort(waitingFor === "caller" ? slowCaller() : slowApi()),
      settings.timeout,
    );
  }
  moved("api");
  try {
    const body = hasBody(request)
      ? watchBody(request.body, size, { moved, end: (reason) => stop.abort(reason) })
      : null;
    // What the API is told is what was counted: a body that was cut does not end in a request that looks whole.
    if (body && size.length !== undefined) headers.set("content-length", String(size.length));
    const answer = await fetch(address, {
      method: request.method,
      headers,
      body,
      // A redirect is the browser's to follow, through this proxy again; followed here, it could lead anywhere inside.
      redirect: "manual",
      // Next.js's own fetch has a cache that knows no users.
      cache: "no-store",
      // The caller's leaving ends the API's work, also while the answer streams.
      signal: AbortSignal.any([request.signal, stop.signal]),
      ...(body && { duplex: "half" }),
    });
    const response = passOn(answer, address, route, settings.responseHeaders);
    response.headers.set(USER_FIELD, encodeURIComponent(subject));
    return response;
  } catch (error) {
    if (error instanceof Refused) throw error;
    if (stop.signal.aborted) throw stop.signal.reason;
    if (request.signal.aborted)
      throw new Refused(499, "caller_left", "The caller did not wait for the answer");
    throw unreachable(error);
  } finally {
    answered = true;
    clearTimeout(timer);
  }
}

function passOn(answer: Response, sentTo: URL, route: Route, names: ReadonlySet<string>): Response {
  const { status } = answer;
  const location = answer.headers.get("location");
  const own = location === null ? undefined : locationOf(route, location, sentTo);
  try {
    const headers = fieldsToBrowser(answer, names, own);
    const isEmpty = status === 204 || status === 205 || status === 304;
    // A length without its body: a server that sends it lets the next answer be taken for that body.
    if (isEmpty) headers.delete("content-length");
    return new Response(isEmpty ? null : answer.body, { status, headers });
  } catch (error) {
    void answer.body?.cancel().catch(() => {});
    // A status that HTTP does not have makes Response throw.
    throw error instanceof Refused
      ? error
      : new Refused(502, "api_answer_refused", "The API's answer is no HTTP answer that can be passed on");
  }
}

function hasBody(request: Request): request is Request & { readonly body: ReadableStream<Uint8Array> } {
  const isEmpty = /^(GET|HEAD)$/.test(request.method) || request.headers.get("content-length") === "0";
  return request.body !== null && !isEmpty;
}

function slowCaller(): Refused {
  return new Refused(408, "body_too_slow", "The request's body did not come in time");
}

function slowApi(): Refused {
  return new Refused(504, "api_timeout", "The API did not answer in time");
}

/** The platform's word for it, like ECONNREFUSED, is for the log. */
function unreachable(error: unknown): Refused {
  const refused = new Refused(502, "api_unreachable", "The API can not be reached");
  const { code } = ((error as Error).cause ?? {}) as { code?: unknown };
  return Object.assign(refused, { cause: typeof code === "string" ? code : "no reason given" });
}

/** Judges the options, `target` at each use, where it is not set. */
function judge(options: ProxyOptions) {
  refuseUnknown(options, "createProxy()", OPTIONS);
  const { auth, target, basePath, audience, timeout = 30, bodyLimit = BODY_LIMIT } = options;
  if (typeof auth?.api?.getToken !== "function")
    throw new ConfigurationError(
      "createProxy() needs auth, what betterAuth() returns, with jwtBridge() among its plugins",
    );
  if (typeof basePath !== "string" || !/^(\/[A-Za-z0-9\-._~]+)+$/.test(basePath))
    throw new ConfigurationError(
      "createProxy()'s basePath must be the route handler's own path, like /backend",
    );
  if (!Number.isSafeInteger(bodyLimit) || bodyLimit < 0)
    throw new ConfigurationError("createProxy()'s bodyLimit must be a whole number of bytes");
  const known = target ? judgeTarget(target) : undefined;
  return {
    auth,
    basePath,
    target: () => known ?? judgeTarget(target),
    audience: audience === undefined ? undefined : judgeIdentifier(audience, "createProxy()'s audience"),
    timeout: judgeSeconds(timeout, "createProxy()'s timeout", 1, 300) * 1000,
    bodyLimit,
    requestHeaders: judgeNames(options.requestHeaders ?? [], "requestHeaders"),
    responseHeaders: judgeNames(options.responseHeaders ?? [], "responseHeaders"),
    log: judgeLog(options.log),
  };
}

/** Its text stays out of the message: it may hold a password. */
function judgeTarget(target: string | undefined): Pick<Route, "origin" | "prefix"> {
  const url = URL.canParse(target ?? "") ? new URL(target ?? "") : undefined;
  const isPlain = url && /^https?:$/.test(url.protocol) && !url.username && !url.password;
  if (!isPlain || url.search || url.hash)
    throw new ConfigurationError(
      "createProxy()'s target must be the API's address, like http://localhost:8000, without user, query or fragment; set the variable that it is read from",
    );
  return { origin: url.origin, prefix: url.pathname.replace(/\/+$/, "") };
}
