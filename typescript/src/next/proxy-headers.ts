/**
 * The header fields that pass, by name; all others stay behind, those too that nobody has thought of yet.
 *
 * To the API: nothing that names a caller, a host or a connection. uvicorn believes `X-Forwarded-For` from its own
 * machine, frameworks obey `X-HTTP-Method-Override`, and Connection lists what a hop shall drop. To the browser:
 * nothing that acts on the app's origin, where the API has no say. Law: RFC 9110 §7.6.1 and §17.
 */

import { ConfigurationError } from "../errors.js";
import { Refused, SAFETY } from "./proxy-refused.js";

const TO_API = [
  "accept",
  "accept-language",
  "content-encoding",
  "content-language",
  "content-type",
  "idempotency-key",
  "if-match",
  "if-modified-since",
  "if-none-match",
  "if-range",
  "if-unmodified-since",
  "last-event-id",
  "prefer",
  "range",
  "traceparent",
  "tracestate",
  "user-agent",
];

const TO_BROWSER = [
  "accept-ranges",
  "allow",
  "content-disposition",
  "content-language",
  "content-range",
  "content-type",
  "deprecation",
  "etag",
  "last-modified",
  "preference-applied",
  "retry-after",
  "sunset",
];

/** Credentials, framing, and what the proxy or the platform says itself. X-Forwarded-* may be asked for by name. */
const NEVER_TO_API =
  /^(accept-encoding|authorization|connection|content-length|cookie2?|expect|host|keep-alive|origin|proxy-.*|sec-.*|te|trailer|transfer-encoding|upgrade|x-bridge-user)$/;
/** What acts on an origin, on a cache or on a server in between, and what the proxy decides itself. */
const NEVER_TO_BROWSER =
  /^(accept-ch|access-control-.*|activate-.*|age|alt-svc|attribution-.*|cache-control|.*-cache-control|clear-site-data|connection|content-encoding|content-length|content-location|content-security-policy.*|critical-ch|cross-origin-.*|document-policy.*|expect-ct|expires|integrity-policy.*|keep-alive|link|location|nel|no-vary-search|observe-.*|origin-.*|permissions-policy.*|pragma|proxy-.*|public-key-pins.*|referrer-policy|refresh|report-to|reporting-endpoints|sec-.*|service-worker.*|set-.*|sourcemap|speculation-rules|strict-transport-security|supports-loading-mode|surrogate-.*|te|timing-allow-origin|trailer|transfer-encoding|upgrade|use-as-dictionary|vary|via|www-authenticate|x-(accel-.*|content-type-options|dns-prefetch-control|frame-options|middleware-.*|permitted-cross-domain-policies|sendfile|sourcemap|xss-protection))$/;

/** Codings that fetch has undone before the body is seen, in every Node that is supported. */
const DECODED: readonly string[] = ["identity", "gzip", "x-gzip", "deflate", "br"];
/** What a script or link element would run, whatever the attacker's markup calls it: nosniff then stops it. */
const RUNS = /script|css|wasm/i;
/** One challenge (RFC 6750 §3), no second behind it: at a Basic one the browser asks for a password, in the app's name. */
const BEARER = /^bearer(?: +[\w-]+="[^"\\]*"(?:, *[\w-]+="[^"\\]*")*)?$/i;

/** Judges names that the integrator adds; both directions together. */
export function judgeNames(
  names: unknown,
  option: "requestHeaders" | "responseHeaders",
): ReadonlySet<string> {
  const [passed, never] =
    option === "requestHeaders" ? [TO_API, NEVER_TO_API] : [TO_BROWSER, NEVER_TO_BROWSER];
  if (!Array.isArray(names))
    throw new ConfigurationError(`createProxy()'s ${option} must be a list of names`);
  const added = names.map((name: unknown) => {
    const lower = typeof name === "string" ? name.toLowerCase() : "";
    if (!/^[!#$%&'*+\-.^_`|~0-9a-z]+$/.test(lower))
      throw new ConfigurationError(
        `createProxy()'s ${option} has an entry that is no header name; remove it`,
      );
    if (never.test(lower))
      throw new ConfigurationError(
        `createProxy()'s ${option} has ${lower}, which the proxy never passes; remove it`,
      );
    return lower;
  });
  return new Set([...passed, ...added]);
}

/** The fields of the request to the API. */
export function fieldsToApi(received: Headers, names: ReadonlySet<string>, token: string): Headers {
  const headers = pick(received, names);
  headers.set("authorization", `Bearer ${token}`);
  // fetch would undo a coding and keep its name and length; asked for none, the API says the truth about both.
  headers.set("accept-encoding", "identity");
  return headers;
}

/**
 * The fields of the answer to the browser.
 *
 * @param location as the browser may see it.
 * @throws Refused 502: a body that is encoded in a way that nobody on this side knows.
 */
export function fieldsToBrowser(
  { headers: received, body }: Response,
  names: ReadonlySet<string>,
  location: string | undefined,
): Headers {
  const coding = received.get("content-encoding")?.trim().toLowerCase();
  if (coding !== undefined && !DECODED.includes(coding))
    throw new Refused(
      502,
      "api_answer_refused",
      "The API's answer has a Content-Encoding that was not asked for",
    );
  const headers = pick(received, names);
  for (const [name, value] of Object.entries(SAFETY)) headers.set(name, value);
  if (location !== undefined) headers.set("location", location);
  const challenge = received.get("www-authenticate") ?? "";
  if (BEARER.test(challenge)) headers.set("www-authenticate", challenge);
  // Kept where it is true: so a body that broke off is seen to have done so.
  const length = received.get("content-length");
  if (length !== null && (coding ?? "identity") === "identity") headers.set("content-length", length);
  const type = headers.get("content-type") ?? "";
  if (type === "" ? body !== null : RUNS.test(type)) headers.set("content-type", "application/octet-stream");
  // Should it be opened all the same, it is saved and not shown; scripts do not notice. A middleware's CSP replaces
  // the one above in Next.js, this stays.
  headers.set(
    "content-disposition",
    (headers.get("content-disposition") ?? "").replace(/^[^;]*/, "attachment"),
  );
  if (/^text\/event-stream\b/i.test(type)) {
    // Else Next.js's compression, or nginx, would hold events back until they have enough of them.
    headers.set("cache-control", `${SAFETY["cache-control"]}, no-transform`);
    headers.set("x-accel-buffering", "no");
  }
  return headers;
}

function pick(received: Headers, names: ReadonlySet<string>): Headers {
  const dropped = (received.get("connection") ?? "")
    .toLowerCase()
    .split(",")
    .map((name) => name.trim());
  return new Headers([...received].filter(([name]) => names.has(name) && !dropped.includes(name)));
}
