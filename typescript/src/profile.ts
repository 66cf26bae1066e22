/**
 * The profile: every number and name that the contract fixes, and nothing else.
 *
 * First room on the data's way; all others import it and it imports nothing. Law:
 * `specs/001-jwt-auth-bridge/access-token.md` (an RFC 9068 access token with keys derived by RFC 5869).
 */

/** The `alg` of tokens signed with a derived key (RFC 7518 §3.2). */
export const ALGORITHM = "HS256";

/** The `typ` of an access token (RFC 9068 §2.1). */
export const TOKEN_TYPE = "at+jwt";

/** HKDF's `info` is this prefix followed by the audience (RFC 5869 §2.3). */
export const KEY_INFO_PREFIX = "jwt-auth-bridge/v1/HS256/";

/** Length of a derived key, in bytes. */
export const KEY_LENGTH = 32;

/** Longest token, in ASCII characters. */
export const MAX_TOKEN_LENGTH = 8192;

/** Shape of Better Auth's session token, alone or with its cookie's signature. */
export const OPAQUE_SHAPE = "[A-Za-z0-9]{32}(?:\\.[A-Za-z0-9+/=%]{40,64})?";

/** Deepest nesting of a header or a payload; the object itself is 1. */
export const MAX_JSON_DEPTH = 64;

/** Largest integer literal in either direction (RFC 8259 §6, RFC 7493 §2.2). */
export const MAX_SAFE_INTEGER = 2 ** 53 - 1;

/** Latest date, in seconds: 9999-12-31T23:59:59Z. */
export const MAX_NUMERIC_DATE = 253402300799;

/** Longest `sub`, in Unicode code points. */
export const MAX_SUBJECT_LENGTH = 255;

/** Allowed difference of clocks, in seconds. */
export const DEFAULT_LEEWAY = 10;

/** Largest leeway, in seconds. */
export const MAX_LEEWAY = 60;

/** Lifetime of an issued token, in seconds. */
export const DEFAULT_LIFETIME = 300;

/** Longest lifetime that an issuer may choose, in seconds. */
export const MAX_LIFETIME = 3600;

/** Longest lifetime that a verifier accepts unless told otherwise, in seconds. */
export const DEFAULT_MAXIMUM_LIFETIME = 3600;

/** Longest lifetime that a verifier can be told to accept, in seconds. */
export const MAX_MAXIMUM_LIFETIME = 86400;

/** Largest answer of a key-set URL, in bytes. */
export const MAX_KEY_SET_BYTES = 65536;

/** Most entries of a fetched key set, usable or not. */
export const MAX_KEY_SET_KEYS = 32;

/** Longest fetch of a key set, from name resolution to the last byte, in seconds. */
export const KEY_SET_TIMEOUT = 5;

/** Shortest time from one fetch to the next while keys are in hand, in seconds. */
export const KEY_SET_COOL_DOWN = 30;

/** The same while none are, in seconds. */
export const KEY_SET_RETRY = 5;

/** For how long a fetched key set is fresh where its answer does not say, in seconds. */
export const DEFAULT_KEY_SET_AGE = 300;

/** Least that an answer can say, in seconds. */
export const MIN_KEY_SET_AGE = 30;

/** Most that an answer can say, in seconds. */
export const MAX_KEY_SET_AGE = 3600;

/** For how long keys that are no longer fresh outlive an outage, in seconds. */
export const MAX_KEY_SET_STALENESS = 86400;

/** Shortest shared secret, in characters. */
export const MIN_SECRET_LENGTH = 32;

/** Fewest distinct characters of a shared secret. */
export const MIN_SECRET_DISTINCT = 8;

/** Smallest `length × log2(distinct characters)` of a shared secret, in bits. */
export const MIN_SECRET_BITS = 96;

/** Claims that every token carries (RFC 9068 §2.2, and `user_id`). */
export const REQUIRED_CLAIMS = ["iss", "aud", "sub", "user_id", "client_id", "iat", "exp", "jti"] as const;

/** Claim names that an integrator can not set. */
export const RESERVED_CLAIMS: ReadonlySet<string> = new Set([...REQUIRED_CLAIMS, "sid", "nbf", "act", "cnf"]);

/** Published strings that are no secrets; equal to `placeholders.json`. */
export const PLACEHOLDERS: ReadonlySet<string> = new Set([
  "better-auth-secret-12345678901234567890",
  "better-auth-secret-123456789",
  "change-me-change-me-change-me-change-me",
  "changeme-changeme-changeme-changeme",
  "your-secret-key-here-min-32-characters",
  "your-secret-key-at-least-32-characters",
  "your-secret-key-at-least-32-characters-long",
  "your-super-secret-key-at-least-32-characters",
  "your-super-secret-key-at-least-32-characters-long",
  "your_better_auth_secret_at_least_32_characters",
  "your-better-auth-secret-at-least-32-characters",
  "replace-me-with-a-random-32-character-secret",
  "replace-with-a-secure-random-string-of-32-characters",
  "generate-a-random-secret-at-least-32-chars",
  "a-very-long-random-secret-that-nobody-guesses",
  "super-secret-key-change-in-production",
  "supersecretkeychangeinproduction123",
  "this-is-a-secret-key-change-in-production",
  "0123456789abcdef0123456789abcdef",
  "abcdefghijklmnopqrstuvwxyz123456",
  "abcdefghijklmnopqrstuvwxyz012345",
  "12345678901234567890123456789012",
]);
