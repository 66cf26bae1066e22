/**
 * The fetched key set, judged: its URL, each answer that the URL gives, and for how long that is fresh.
 *
 * Seventh room, of three files: this one decides and does nothing, `jwks-fetch` asks the server once, `jwks-remote`
 * keeps the keys. Law: RFC 7517 §5, RFC 9110 §15, RFC 9111 §5.2, RFC 8725 §3.10, `access-token.md` "Verification
 * keys".
 *
 * Deliberately not done: a redirect is not followed, and no `oct` key of a fetched set is used.
 */

import { decodeUtf8 } from "#primitives";
import { parseJsonObject } from "./compact.js";
import { ConfigurationError, KeySetUnavailableError } from "./errors.js";
import { type KeySet, PUBLIC_KEY_ALGORITHMS, usableKeys } from "./jwk.js";
import { PLAIN_KEY_ID } from "./keys.js";
import {
  ALGORITHM,
  DEFAULT_KEY_SET_AGE,
  KEY_SET_TIMEOUT,
  MAX_KEY_SET_AGE,
  MAX_KEY_SET_BYTES,
  MAX_KEY_SET_KEYS,
  MIN_KEY_SET_AGE,
} from "./profile.js";

const HOST = "[a-z0-9._-]+|\\[[0-9a-f:.]+\\]";
const HOST_SHAPE = new RegExp(`^(?:${HOST})$`, "i");
// Printable ASCII without the fragment's # and without \, which some parsers take for a slash.
const URL_SHAPE = new RegExp(`^(https?)://(${HOST})(?::([0-9]{1,5}))?(?:/[!"$-[\\]-~]*)?$`, "i");
const BYTE = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])";
const LOOPBACK = new RegExp(`^(?:localhost|127(?:\\.${BYTE}){3}|\\[::1\\])$`, "i");

/**
 * Refuses a key-set URL that is none, or that is fetched in the clear from beyond this machine.
 *
 * `https`, or `http` to `localhost`, `127.0.0.0/8`, `[::1]` and the hosts that `internalHosts` names: a container's
 * name, for instance, without a port, compared without ASCII case. Both languages use this grammar and no URL
 * parser, since parsers disagree on odd input.
 *
 * @param name the setting to name in the message.
 * @returns the URL, unchanged.
 * @throws ConfigurationError with the setting's name and the cure, never the URL: it may hold a password.
 *
 * @example
 * ```ts
 * judgeKeySetUrl("http://web:3000/api/auth/jwks", ["web"]); // "http://web:3000/api/auth/jwks"
 * ```
 */
export function judgeKeySetUrl(
  url: string | undefined,
  internalHosts: readonly string[] = [],
  name = "jwksUri",
  hostsName = "internalHosts",
): string {
  if (!Array.isArray(internalHosts) || !internalHosts.every(isHost)) {
    throw new ConfigurationError(
      `${hostsName} must list host names without scheme, port or wildcard, like web or 10.0.0.1`,
    );
  }
  if (typeof url !== "string" || url === "") {
    throw new ConfigurationError(
      `${name} is not set; set it to the issuer's key-set URL, like https://app.example.com/api/auth/jwks`,
    );
  }
  const [, scheme, host = "", digits] = URL_SHAPE.exec(url) ?? [];
  const port = digits === undefined ? 443 : Number(digits);
  if (scheme === undefined || port < 1 || port > 65535) {
    throw new ConfigurationError(
      `${name} must be the issuer's key-set URL, like https://app.example.com/api/auth/jwks: https, an ASCII ` +
        "host, a path, no user or fragment",
    );
  }
  const isInternal = internalHosts.some((each) => each.toLowerCase() === host.toLowerCase());
  if (scheme.toLowerCase() === "http" && !LOOPBACK.test(host) && !isInternal) {
    throw new ConfigurationError(
      `${name} is fetched in the clear, where whoever is on the way can put in keys of their own; use https, or ` +
        `name its host in ${hostsName} where the network between is your own`,
    );
  }
  return url;
}

function isHost(host: unknown): boolean {
  return typeof host === "string" && HOST_SHAPE.test(host);
}

/**
 * What a server answered; header values are `null` where it sent none.
 *
 * The body is empty where the status is not 200, and has at most one byte more than a key set may have.
 */
export interface KeySetResponse {
  readonly status: number;
  readonly contentType: string | null;
  readonly cacheControl: string | null;
  readonly body: Uint8Array;
}

/**
 * Makes the error of one failed fetch.
 *
 * @example
 * ```ts
 * failure("status 500 instead of 200").message; // "status 500 instead of 200"
 * ```
 */
export function failure(reason: string): KeySetUnavailableError {
  return new KeySetUnavailableError("key_set_unavailable", reason);
}

/** The failure of a fetch that takes too long. */
export function tooLate(): KeySetUnavailableError {
  return failure(`no whole answer within ${KEY_SET_TIMEOUT} seconds`);
}

const MEDIA_TYPE = /^[ \t]*application\/(?:jwk-set\+)?json[ \t]*(?:;.*)?$/i;

/**
 * Judges one answer of a key-set URL.
 *
 * @param status exactly 200; a redirect is an answer like any other.
 * @param contentType `application/json` or `application/jwk-set+json`, with any parameters.
 * @param body at most 64 KiB of strict JSON: a JWK Set of at most 32 entries, one of them a usable public key.
 * @returns its usable public keys, and the algorithms that a fetched set may use.
 * @throws KeySetUnavailableError whose message is the reason, never the body.
 *
 * @example
 * ```ts
 * const key = { kty: "OKP", crv: "Ed25519", kid: "a", x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" };
 * const body = new TextEncoder().encode(JSON.stringify({ keys: [key] }));
 * judgeResponse(200, "application/json", body).keys.size; // 1
 * ```
 */
export function judgeResponse(status: number, contentType: string | null, body: Uint8Array): KeySet {
  if (status !== 200) throw failure(`status ${status} instead of 200`);
  if (contentType === null || !MEDIA_TYPE.test(contentType)) {
    throw failure("the content type is neither application/json nor application/jwk-set+json");
  }
  if (body.length > MAX_KEY_SET_BYTES) throw failure(`the body is larger than ${MAX_KEY_SET_BYTES} bytes`);
  const document = parseJsonObject(decodeUtf8(body));
  if (document === null) throw failure("the body is not one strict JSON object");
  const entries = Object.hasOwn(document, "keys") ? document.keys : undefined;
  if (!Array.isArray(entries)) throw failure('the body is no JWK Set, which looks like {"keys": [...]}');
  if (entries.length > MAX_KEY_SET_KEYS) {
    throw failure(`the key set has ${entries.length} entries, more than ${MAX_KEY_SET_KEYS}`);
  }
  const usable = [...usableKeys(document).keys].filter(([, key]) => key.algorithm !== ALGORITHM);
  if (usable.length === 0) throw failure("the key set has no usable public key");
  return { keys: new Map(usable), algorithms: FETCHED_ALGORITHMS };
}

/** The allow-list of a fetched set: its content must not widen it. */
export const FETCHED_ALGORITHMS: ReadonlySet<string> = new Set(PUBLIC_KEY_ALGORITHMS);

/** Characters; a header that is longer says nothing. */
const MAX_CACHE_CONTROL = 1024;

/**
 * Says for how long a fetched key set is fresh (RFC 9111 §5.2), in whole seconds.
 *
 * The first valid `max-age`, 30 to 3600; 30 for `no-store` and `no-cache`; 300 where nothing valid is said, or more
 * than 1024 characters are.
 *
 * @param cacheControl the value of the answer's `Cache-Control`, or `null` where it has none.
 *
 * @example
 * ```ts
 * cacheAge("public, max-age=600"); // 600
 * ```
 */
export function cacheAge(cacheControl: string | null): number {
  if (cacheControl === null || cacheControl.length > MAX_CACHE_CONTROL) return DEFAULT_KEY_SET_AGE;
  const directives = cacheControl.split(",").map((each) => each.replace(/^[ \t]+|[ \t]+$/g, ""));
  if (directives.some((each) => /^no-(?:store|cache)(?:=.*)?$/i.test(each))) return MIN_KEY_SET_AGE;
  const stated = directives.flatMap((each) => /^max-age=([0-9]+)$/i.exec(each)?.[1] ?? []).map(Number);
  return Math.min(Math.max(stated[0] ?? DEFAULT_KEY_SET_AGE, MIN_KEY_SET_AGE), MAX_KEY_SET_AGE);
}

/**
 * Gives a key-set URL for people: its query may hold what nobody else is to read.
 *
 * @example
 * ```ts
 * withoutQuery("https://app.example.com/jwks?code=x"); // "https://app.example.com/jwks"
 * ```
 */
export function withoutQuery(url: string): string {
  return url.replace(/\?.*$/, "");
}

/**
 * Lists key IDs for people; whoever publishes a key chooses its `kid`, and an odd one is quoted.
 *
 * @example
 * ```ts
 * listKeyIds(["a", "b c"]); // 'a, "b c"'
 * ```
 */
export function listKeyIds(keyIds: readonly string[]): string {
  const quote = (keyId: string) =>
    JSON.stringify(keyId).replace(
      /[^ -~]/g,
      (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
    );
  return keyIds.map((each) => (PLAIN_KEY_ID.test(each) ? each : quote(each))).join(", ") || "none";
}
