/**
 * The environment variables that all parts of a deployment share, in; what a verifier needs of them, out.
 *
 * Law: `access-token.md` "Secrets in force", "Verification keys" and "Issuer".
 */

import { type Bytes, decodeUtf8, encodeBase64url, readFile } from "#primitives";
import { type JsonObject, parseJsonObject } from "./compact.js";
import { ConfigurationError } from "./errors.js";
import { judgeKeySetUrl } from "./jwks.js";
import { CHECK, type Checked, type JwkSet, judgeKeySet, type KeyOptions } from "./key-source.js";
import { reduceIssuer, type SecretEnvironment, secretsInForce, TRIM } from "./keys.js";
import { ALGORITHM } from "./profile.js";

/** The variables that are read; `process.env` is one such object. An empty one is an unset one. */
export interface Environment extends SecretEnvironment {
  readonly BETTER_AUTH_URL?: string | undefined;
  readonly JWT_BRIDGE_ISSUER?: string | undefined;
  readonly JWT_BRIDGE_AUDIENCE?: string | undefined;
  readonly JWT_BRIDGE_KEYS?: string | undefined;
  readonly JWT_BRIDGE_JWKS_URL?: string | undefined;
  readonly JWT_BRIDGE_JWKS_INTERNAL_HOSTS?: string | undefined;
  readonly JWT_BRIDGE_MIGRATION?: string | undefined;
}

/** Options of a verifier, as far as the environment gives them. */
export interface EnvironmentOptions extends KeyOptions {
  readonly issuer: string;
  readonly audience: string;
}

/**
 * Reads issuer, audience and where the keys come from from the environment.
 *
 * - Keys: `BETTER_AUTH_SECRETS`, else `BETTER_AUTH_SECRET`; or `JWT_BRIDGE_KEYS`, a JWK Set as JSON, or `@` and the
 *   name of a file that holds it; or `JWT_BRIDGE_JWKS_URL`, which may use `http` to the hosts that
 *   `JWT_BRIDGE_JWKS_INTERNAL_HOSTS` lists, separated by commas.
 * - `JWT_BRIDGE_MIGRATION=true`: keys of both kinds, while tokens move from a shared secret to public keys.
 * - `JWT_BRIDGE_ISSUER`, taken literally, where set, else `BETTER_AUTH_URL`, reduced to its origin.
 * - `JWT_BRIDGE_AUDIENCE`.
 *
 * @param environment the variables, `process.env` as a rule: passed, because not every platform has it.
 * @throws ConfigurationError with the variable's name and the cure, never its value.
 *
 * *Does not* say at once that `JWT_BRIDGE_KEYS` and the secrets disagree: `createVerifier()` does on Node, and the
 * first use of the verifier elsewhere.
 *
 * @example
 * ```ts
 * const options = fromEnvironment({
 *   BETTER_AUTH_SECRET: "k3Zq9vT1xW7pL0sD5fG8hJ2nB4mC6rY+uQeAoI/tX1E=",
 *   BETTER_AUTH_URL: "https://app.example.com/",
 *   JWT_BRIDGE_AUDIENCE: "https://api.example.com",
 * });
 * options.issuer; // "https://app.example.com"
 * ```
 */
export function fromEnvironment(environment: Environment): EnvironmentOptions {
  const keys = readSources(environment);
  const audience = environment.JWT_BRIDGE_AUDIENCE;
  if (!audience) {
    throw new ConfigurationError(
      "JWT_BRIDGE_AUDIENCE is not set; set it to this API's identifier, as on the issuing side",
    );
  }
  const issuer = environment.JWT_BRIDGE_ISSUER || reduceIssuer(environment.BETTER_AUTH_URL);
  return { issuer, audience, ...keys };
}

function readSources(environment: Environment): KeyOptions & Checked {
  const secretName = environment.BETTER_AUTH_SECRETS ? "BETTER_AUTH_SECRETS" : "BETTER_AUTH_SECRET";
  const migration = readMigration(environment.JWT_BRIDGE_MIGRATION);
  const url = readUrl(environment);
  const set = readKeys(environment.JWT_BRIDGE_KEYS);
  const isOct = set !== undefined && judgeKeySet(set, "JWT_BRIDGE_KEYS").algorithms.has(ALGORITHM);
  const isNothingElse = set === undefined && url.jwksUri === undefined;
  const secrets = environment[secretName] || isNothingElse ? secretsInForce(environment) : undefined;

  const symmetric = secrets ? secretName : isOct ? "JWT_BRIDGE_KEYS" : undefined;
  const published = [
    ...(set && !isOct ? ["JWT_BRIDGE_KEYS"] : []),
    ...(url.jwksUri ? ["JWT_BRIDGE_JWKS_URL"] : []),
  ];
  if (published.length > 1) {
    throw new ConfigurationError(
      `${published.join(" and ")} are both set, with public keys; remove one of them`,
    );
  }
  if (symmetric && published[0] && !migration) {
    throw new ConfigurationError(
      `${symmetric} and ${published[0]} are both set; remove one of them, or set JWT_BRIDGE_MIGRATION=true while ` +
        "tokens move from one to the other",
    );
  }
  if (migration && !(symmetric && published[0])) {
    throw new ConfigurationError(
      `JWT_BRIDGE_MIGRATION is set, and of both kinds of keys only ${symmetric ?? published[0]} is: the migration ` +
        "has ended, remove JWT_BRIDGE_MIGRATION",
    );
  }
  return {
    ...(secrets && { secrets }),
    // Where both are set and agree, the secrets are used.
    ...(set && !(secrets && isOct) && { keys: set }),
    ...(set && secrets && isOct && { [CHECK]: (derived) => compare(derived, set, secretName) }),
    ...url,
    ...(migration && { migration }),
  };
}

function readMigration(value: string | undefined): boolean {
  if (!value || value === "true") return value === "true";
  throw new ConfigurationError("JWT_BRIDGE_MIGRATION must be true, or not set at all");
}

function readUrl(environment: Environment): Pick<KeyOptions, "jwksUri" | "internalHosts"> {
  const { JWT_BRIDGE_JWKS_URL: value, JWT_BRIDGE_JWKS_INTERNAL_HOSTS: list } = environment;
  if (!value) {
    if (!list) return {};
    throw new ConfigurationError(
      "JWT_BRIDGE_JWKS_INTERNAL_HOSTS is set without JWT_BRIDGE_JWKS_URL; remove it, or set the URL",
    );
  }
  const internalHosts = list ? list.split(",").map((host) => host.replace(TRIM, "")) : undefined;
  const names = ["JWT_BRIDGE_JWKS_URL", "JWT_BRIDGE_JWKS_INTERNAL_HOSTS"] as const;
  return { jwksUri: judgeKeySetUrl(value, internalHosts, ...names), ...(internalHosts && { internalHosts }) };
}

function readKeys(value: string | undefined): JwkSet | undefined {
  if (!value) return undefined;
  const text = value.startsWith("@") ? decodeUtf8(read(value.slice(1))) : value;
  const set = parseJsonObject(text);
  if (set !== null) return set as JsonObject & JwkSet;
  throw new ConfigurationError(
    'JWT_BRIDGE_KEYS is not one strict JSON object; set it to {"keys": [...]}, as the command key prints it, or to ' +
      "@ and the name of a file that holds it",
  );
}

function read(file: string): Uint8Array {
  try {
    return readFile(file);
  } catch (error) {
    throw new ConfigurationError(
      `JWT_BRIDGE_KEYS names a file that can not be read (${(error as { code?: unknown }).code}); correct what ` +
        "follows the @, or set the variable to the JSON itself",
    );
  }
}

/** The same key material; the names of given keys are whatever they are. */
function compare(derived: ReadonlyMap<string, Bytes>, set: JwkSet, secretName: string): void {
  const usable = judgeKeySet(set, "JWT_BRIDGE_KEYS").keys;
  const entries = set.keys as readonly { readonly kid?: string; readonly k?: string }[];
  const given = new Set(entries.filter((each) => each?.kid && usable.has(each.kid)).map((each) => each.k));
  const own = [...derived.values()].map(encodeBase64url);
  if (given.size === own.length && own.every((key) => given.has(key))) return;
  throw new ConfigurationError(
    `JWT_BRIDGE_KEYS and ${secretName} are both set and do not agree: the keys are not those that the secret gives ` +
      "for this audience; remove one of them",
  );
}
