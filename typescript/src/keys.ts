/**
 * Shared secrets in, verification keys out.
 *
 * Fifth room: judges the secrets, derives one key per secret and audience, and names it. The shared secret
 * itself never signs: Better Auth signs cookies and e-mail links with it, and what it signs must not cross
 * over. Law: RFC 5869 (HKDF), RFC 7638 (thumbprint), `access-token.md` "Keys".
 */

import { type Bytes, createMac, digest, encodeBase64url, type Maybe } from "#primitives";
import { ConfigurationError } from "./errors.js";
import {
  ALGORITHM,
  KEY_INFO_PREFIX,
  KEY_LENGTH,
  MIN_SECRET_BITS,
  MIN_SECRET_DISTINCT,
  MIN_SECRET_LENGTH,
  PLACEHOLDERS,
  TOKEN_TYPE,
} from "./profile.js";

const ALLOWED = /^[!-~]*$/;
const REWRITTEN = /[$#\\'"`,]/;
const CURE = "generate one with: openssl rand -base64 32";
/** Blanks around an entry of a list in the environment. */
export const TRIM = /^[ \t\r\n]+|[ \t\r\n]+$/g;
const TEXT = new TextEncoder();

/**
 * Refuses a shared secret that is missing, published, short, simple, or that a .env loader would alter.
 *
 * @param secret the value exactly as Better Auth holds it.
 * @param name the variable to name in the message, for instance `BETTER_AUTH_SECRET`.
 * @returns the secret, unchanged.
 * @throws ConfigurationError with the variable's name and the cure, never its value.
 *
 * @example
 * ```ts
 * judgeSecret("k3Zq9vT1xW7pL0sD5fG8hJ2nB4mC6rY+uQeAoI/tX1E=", "BETTER_AUTH_SECRET");
 * ```
 */
export function judgeSecret(secret: string | undefined, name: string): string {
  if (typeof secret !== "string" || secret === "") {
    throw new ConfigurationError(`${name} is not set; ${CURE}, or take the other side's: both need the same`);
  }
  if (!ALLOWED.test(secret)) {
    throw new ConfigurationError(
      `${name} has a space, a control character or one outside ASCII, which .env loaders rewrite; ${CURE}`,
    );
  }
  if (REWRITTEN.test(secret)) {
    throw new ConfigurationError(`${name} has one of $ # \\ ' " \` , which .env loaders rewrite; ${CURE}`);
  }
  if (PLACEHOLDERS.has(secret)) {
    throw new ConfigurationError(`${name} is a published placeholder, not a secret; ${CURE}`);
  }
  if (secret.length < MIN_SECRET_LENGTH) {
    throw new ConfigurationError(
      `${name} has ${secret.length} characters and needs at least ${MIN_SECRET_LENGTH}; ${CURE}`,
    );
  }
  const distinct = new Set(secret).size;
  if (distinct < MIN_SECRET_DISTINCT || secret.length * Math.log2(distinct) < MIN_SECRET_BITS) {
    throw new ConfigurationError(`${name} repeats too few characters and can be guessed; ${CURE}`);
  }
  return secret;
}

/** The environment variables that hold the shared secrets. */
export interface SecretEnvironment {
  readonly BETTER_AUTH_SECRET?: string | undefined;
  readonly BETTER_AUTH_SECRETS?: string | undefined;
}

/**
 * Reads the shared secrets of an environment, current first.
 *
 * `BETTER_AUTH_SECRETS` where it is set and not empty, else `BETTER_AUTH_SECRET`.
 *
 * @throws ConfigurationError: neither is set, or one of them is refused.
 *
 * @example
 * ```ts
 * secretsInForce({ BETTER_AUTH_SECRET: "k3Zq9vT1xW7pL0sD5fG8hJ2nB4mC6rY+uQeAoI/tX1E=" }).length; // 1
 * ```
 */
export function secretsInForce(environment: SecretEnvironment): readonly string[] {
  const versioned = environment.BETTER_AUTH_SECRETS;
  if (versioned) return parseVersionedSecrets(versioned);
  return [judgeSecret(environment.BETTER_AUTH_SECRET, "BETTER_AUTH_SECRET")];
}

/**
 * Parses Better Auth's `version:secret,version:secret`, current first.
 *
 * @throws ConfigurationError naming the entry by its place, because the entry itself holds a secret.
 *
 * @example
 * ```ts
 * parseVersionedSecrets("2:k3Zq9vT1xW7pL0sD5fG8hJ2nB4mC6rY+uQeAoI/tX1E=").length; // 1
 * ```
 */
export function parseVersionedSecrets(value: string): readonly string[] {
  const versions = new Set<string>();
  return value.split(",").map((raw, index) => {
    const name = `BETTER_AUTH_SECRETS, entry ${index + 1},`;
    const entry = raw.replace(TRIM, "");
    const colon = entry.indexOf(":");
    if (colon === -1 || !/^[0-9]+$/.test(entry.slice(0, colon))) {
      throw new ConfigurationError(
        `${name} is not version:secret with a whole number as version; write it like 2:new,1:old`,
      );
    }
    // Better Auth reads 01 and 1 as one version.
    const version = entry.slice(0, colon).replace(/^0+/, "");
    if (versions.has(version)) {
      throw new ConfigurationError(`${name} repeats a version; give each secret a version of its own`);
    }
    versions.add(version);
    return judgeSecret(entry.slice(colon + 1).replace(TRIM, ""), name);
  });
}

/**
 * Derives the HS256 key of one API from a shared secret (HKDF-SHA256, RFC 5869 §2).
 *
 * With an empty salt and 32 bytes of output HKDF is exactly two HMACs; WebCrypto's own HKDF is not used,
 * because Node's refuses an `info`, and so an audience, beyond 1024 bytes, where other platforms do not.
 *
 * @param secret the shared secret, judged.
 * @param audience the API's identifier.
 * @returns 32 bytes.
 *
 * @example
 * ```ts
 * await deriveKey("k3Zq9vT1xW7pL0sD5fG8hJ2nB4mC6rY+uQeAoI/tX1E=", "https://api.example.com"); // ca 86 2b 5e …
 * ```
 */
export function deriveKey(secret: string, audience: string): Maybe<Bytes> {
  return andThen(createMac(new Uint8Array(KEY_LENGTH)).compute(secret), (pseudorandomKey) =>
    createMac(pseudorandomKey).compute(`${KEY_INFO_PREFIX}${audience}\u0001`),
  );
}

/**
 * Names a derived key by its RFC 7638 SHA-256 thumbprint: safe to print and to compare.
 *
 * @example
 * ```ts
 * await keyId(new Uint8Array(32)); // "9nnxVaRYos6pwySYZALWRL64fgG5CMX9No3tAqd5urU"
 * ```
 */
export function keyId(key: Bytes): Maybe<string> {
  return andThen(digest(`{"k":"${encodeBase64url(key)}","kty":"oct"}`), encodeBase64url);
}

/**
 * Derives the verification keys of one API: `kid` to key, current first.
 *
 * @param secrets the shared secrets, judged and distinct.
 */
export function deriveKeys(secrets: readonly string[], audience: string): Maybe<ReadonlyMap<string, Bytes>> {
  return secrets.reduce<Maybe<Map<string, Bytes>>>(
    (deriving, secret) =>
      andThen(deriving, (keys) =>
        andThen(deriveKey(secret, audience), (key) => andThen(keyId(key), (kid) => keys.set(kid, key))),
      ),
    new Map(),
  );
}

/**
 * Writes derived keys as a JWK Set (RFC 7517 §5): whoever has it can issue tokens for that API.
 *
 * @example
 * ```ts
 * keySetOf(new Map([["x", new Uint8Array(32)]])).keys[0].kid; // "x"
 * ```
 */
export function keySetOf(keys: ReadonlyMap<string, Bytes>) {
  const write = ([kid, key]: readonly [string, Bytes]) => {
    return { kty: "oct", k: encodeBase64url(key), kid, alg: ALGORITHM, use: "sig" };
  };
  return { keys: [...keys].map(write) };
}

/** Goes on with a value, at once where it is there at once. */
export function andThen<From, To>(value: Maybe<From>, next: (value: From) => Maybe<To>): Maybe<To> {
  return isPromise(value) ? value.then(next) : next(value);
}

export function isPromise<Value>(value: Maybe<Value>): value is Promise<Value> {
  return typeof (value as { then?: unknown } | undefined)?.then === "function";
}

/** A `kid` that JSON writes as it is, in one way only, as every thumbprint; a given key's may be any text. */
export const PLAIN_KEY_ID = /^[A-Za-z0-9_-]+$/;

/**
 * Gives the encoded protected header that `jwtBridge()` writes for a derived key, byte for byte.
 *
 * A verifier that knows it in advance need not parse it again; any other header is parsed by the rules.
 * *Does not* escape: ask only for a `PLAIN_KEY_ID`.
 *
 * @example
 * ```ts
 * issuedHeader("x"); // "eyJhbGciOiJIUzI1NiIsInR5cCI6ImF0K2p3dCIsImtpZCI6IngifQ"
 * ```
 */
export function issuedHeader(kid: string): string {
  return encodeBase64url(TEXT.encode(`{"alg":"${ALGORITHM}","typ":"${TOKEN_TYPE}","kid":"${kid}"}`));
}

/**
 * Refuses an empty list of secrets and one that holds a secret twice: two keys with one `kid` name no key.
 *
 * @throws ConfigurationError
 */
export function judgeSecrets(secrets: readonly string[], name: string): readonly string[] {
  if (secrets.length === 0) {
    throw new ConfigurationError(`no secret is given; set BETTER_AUTH_SECRET, ${CURE}`);
  }
  for (const secret of secrets) judgeSecret(secret, name);
  if (new Set(secrets).size !== secrets.length) {
    throw new ConfigurationError(`${name} holds one secret twice; give each version its own`);
  }
  return secrets;
}

const URL_SHAPE = /^(https?):\/\/([a-z0-9._-]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?(?:\/[!-~]*)?$/i;
const DEFAULT_PORT: Readonly<Record<string, number>> = { http: 80, https: 443 };

/**
 * Reduces Better Auth's base URL to the issuer: `scheme://host[:port]`, lower case, no default port.
 *
 * Both languages use this grammar and no URL parser, since parsers disagree on odd input.
 *
 * @throws ConfigurationError: unset, not http or https, or with userinfo, query, fragment or non-ASCII.
 *
 * @example
 * ```ts
 * reduceIssuer("HTTPS://App.Example.com:443/api/auth"); // "https://app.example.com"
 * ```
 */
export function reduceIssuer(url: string | undefined, name = "BETTER_AUTH_URL"): string {
  if (typeof url !== "string" || url === "") {
    throw new ConfigurationError(`${name} is not set; set it to the web app's public address`);
  }
  const [, protocol, address, digits] = URL_SHAPE.exec(url) ?? [];
  const port = digits === undefined ? undefined : Number(digits);
  if (
    protocol === undefined ||
    address === undefined ||
    /[?#\\]/.test(url) ||
    (port !== undefined && !(port > 0 && port < 65536))
  ) {
    throw new ConfigurationError(
      `${name} must be the web app's public address, like https://app.example.com:8443: http or https, an ` +
        "ASCII host, no user, query or fragment",
    );
  }
  const scheme = protocol.toLowerCase();
  const suffix = port === undefined || port === DEFAULT_PORT[scheme] ? "" : `:${port}`;
  return `${scheme}://${address.toLowerCase()}${suffix}`;
}
