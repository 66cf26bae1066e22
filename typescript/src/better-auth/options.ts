/**
 * The plugin's configuration, judged in `init`: options, base URL and secrets in, or a sentence with the cure.
 *
 * Nothing is judged while the plugin is constructed, because `next build` imports the module that constructs it
 * on machines that have no secret.
 */

import { isWellFormed } from "../compact.js";
import { ConfigurationError } from "../errors.js";
import { judgeSecret, parseVersionedSecrets, reduceIssuer } from "../keys.js";
import { judgeIdentifier, judgeSeconds, refuseUnknown } from "../policy.js";
import { DEFAULT_LIFETIME, MAX_LIFETIME, RESERVED_CLAIMS } from "../profile.js";
import { judgeKeyPairs, type KeyPairAlgorithm, type KeyPairConfiguration } from "./key-pair-options.js";

/** What a claim may be made of: the signed-in user, and the session without its token. */
export interface ClaimSource {
  readonly user: Readonly<Record<string, unknown>> & { readonly id: string };
  readonly session: Readonly<Record<string, unknown>> & { readonly id: string };
}

/** Gives one claim's value, or `undefined` to leave it out. */
export type ClaimFunction = (source: ClaimSource) => unknown;

/**
 * Options of `jwtBridge()`.
 *
 * - `audience`: the API's identifier, the same text as the API's `JWT_BRIDGE_AUDIENCE`; the key depends on it.
 *   Or several APIs' identifiers: `/token?audience=...` asks for one of them, and the first is the default.
 *   `undefined` is a configuration error at start, not a type error, so that an environment variable fits here.
 * - `algorithm`: `HS256`, the default, signs with a key derived from the shared secret. `EdDSA`, `ES256` and
 *   `RS256` sign with Better Auth's own key pairs, and an API verifies with the key set at `/api/auth/jwks`.
 * - `issuer`: the `iss` of every token, taken literally. Default: `JWT_BRIDGE_ISSUER`, else the base URL's
 *   origin.
 * - `lifetime`: of a token, 1 to 3600 whole seconds, default 300. A sign-out takes effect when it has passed.
 * - `claims`: claims to add, by name; each function gets the user and the session and returns a JSON value, or
 *   a promise of one. Whatever is put here can be read by everybody who sees the token.
 * - `rotationInterval`: a key pair signs for so many seconds, at least 3600; by default it has no end. Ten minutes
 *   before, the next one is made and published.
 * - `gracePeriod`: its public key is published for so many seconds after that, default 30 days; then its row is
 *   deleted. Both are for key pairs only: keys of `HS256` change with `BETTER_AUTH_SECRETS`.
 */
export interface JwtBridgeOptions {
  readonly audience: string | readonly string[] | undefined;
  readonly algorithm?: "HS256" | KeyPairAlgorithm | undefined;
  readonly issuer?: string | undefined;
  readonly lifetime?: number | undefined;
  readonly claims?: Readonly<Record<string, ClaimFunction>> | undefined;
  readonly rotationInterval?: number | undefined;
  readonly gracePeriod?: number | undefined;
}

/** The part of Better Auth's context that configuration is read from. */
export interface InitContext {
  readonly baseURL: string;
  readonly secret: string;
  readonly secretConfig: string | { readonly keys: ReadonlyMap<number, string> };
  readonly options: {
    readonly secrets?: unknown;
    readonly plugins?: readonly { readonly id: string }[] | undefined;
  };
}

/** What the issuer works with; the default audience first, secrets current first, lifetime in seconds. */
export interface Configuration {
  readonly issuer: string;
  readonly audiences: readonly string[];
  readonly keyPairs: KeyPairConfiguration | undefined;
  readonly keySetUrl: string;
  readonly lifetime: number;
  readonly secrets: readonly string[];
  readonly claims: readonly (readonly [string, ClaimFunction])[];
}

const OPTIONS = ["audience", "algorithm", "issuer", "lifetime", "claims", "rotationInterval", "gracePeriod"];
const HERE = "give audience, issuer, lifetime and claims to jwtBridge() itself";
const CURES: Readonly<Record<string, string>> = {
  audiences: "it is called audience here, and takes a list",
  expirationTime: "it is called lifetime here, in seconds",
  jwt: `Better Auth's jwt.* would be ignored; ${HERE}`,
  jwks: "give algorithm, rotationInterval and gracePeriod to jwtBridge() itself",
  definePayload: "name each claim in claims instead: claims: { org: ({ user }) => user.org }",
};

/**
 * Judges all of it.
 *
 * @throws ConfigurationError with the setting's name and the cure, never a secret.
 */
export function judgeConfiguration(options: JwtBridgeOptions, context: InitContext): Configuration {
  refuseUnknown(options, "jwtBridge()", OPTIONS, CURES);
  if ((context.options.plugins ?? []).filter((plugin) => plugin.id === "jwt").length > 1) {
    throw new ConfigurationError(
      "plugins has jwtBridge() and jwt(), or one of them twice; keep jwtBridge() alone",
    );
  }
  const environment = readEnvironment();
  // An empty variable is an unset one; an empty option is a mistake.
  const {
    issuer = environment.JWT_BRIDGE_ISSUER || undefined,
    lifetime = DEFAULT_LIFETIME,
    claims = {},
  } = options;
  return {
    audiences: judgeAudiences(options.audience),
    // ctx.options.baseURL has lost a user or a query that makes an address ambiguous; ctx.baseURL has not. It is
    // empty where Better Auth would follow the request's Host, which names no issuer.
    issuer:
      issuer === undefined ? reduceIssuer(context.baseURL) : judgeIdentifier(issuer, "jwtBridge()'s issuer"),
    lifetime: judgeSeconds(lifetime, "jwtBridge()'s lifetime", 1, MAX_LIFETIME),
    claims: judgeClaims(claims),
    keyPairs: judgeKeyPairs(options, lifetime),
    keySetUrl: `${context.baseURL}/jwks`,
    secrets: judgeSecretConfig(context, environment),
  };
}

function judgeAudiences(audience: JwtBridgeOptions["audience"]): readonly string[] {
  const name = "jwtBridge()'s audience (JWT_BRIDGE_AUDIENCE)";
  if (!isList(audience)) return [judgeIdentifier(audience, name)];
  if (audience.length === 0) throw new ConfigurationError(`${name} is an empty list; name at least one API`);
  // Array.from makes holes undefined.
  const audiences = Array.from(audience, (each, index) =>
    judgeIdentifier(each, `${name}, entry ${index + 1},`),
  );
  if (new Set(audiences).size !== audiences.length) {
    throw new ConfigurationError(`${name} holds one API twice; keep it once`);
  }
  return audiences;
}

function isList(audience: JwtBridgeOptions["audience"]): audience is readonly string[] {
  return Array.isArray(audience);
}

function judgeClaims(claims: Readonly<Record<string, ClaimFunction>>): Configuration["claims"] {
  // { __proto__: … } sets a prototype and adds no member: it would be ignored.
  const prototype: unknown = Object(claims) === claims ? Object.getPrototypeOf(claims) : undefined;
  if (prototype !== Object.prototype && prototype !== null) {
    throw new ConfigurationError(
      "jwtBridge()'s claims must be an object like { org: ({ user }) => user.org }",
    );
  }
  for (const [name, claim] of Object.entries(claims)) {
    if (RESERVED_CLAIMS.has(name)) {
      throw new ConfigurationError(
        `jwtBridge()'s claims has ${name}, which is reserved; choose another name`,
      );
    }
    if (name === "" || !isWellFormed(name)) {
      throw new ConfigurationError("jwtBridge()'s claims has a name that is empty or no text; rename it");
    }
    if (typeof claim !== "function") {
      throw new ConfigurationError(
        `jwtBridge()'s claims.${name} must be a function of { user, session }, like ({ user }) => user.${name}`,
      );
    }
  }
  return Object.entries(claims);
}

function judgeSecretConfig(context: InitContext, environment: Environment): readonly string[] {
  const { secretConfig } = context;
  if (typeof secretConfig === "string")
    return [judgeSecret(secretConfig, nameSecret(secretConfig, environment))];
  const list = context.options.secrets === undefined ? "BETTER_AUTH_SECRETS" : "the option secrets";
  const secrets = [...secretConfig.keys.values()];
  secrets.forEach((secret, index) => {
    judgeSecret(secret, `${list}, entry ${index + 1},`);
  });
  if (new Set(secrets).size !== secrets.length) {
    throw new ConfigurationError(`${list} holds one secret twice; give each version its own`);
  }
  return secrets;
}

/** Better Auth's order; its public default, which it uses silently in development, stands for none of them. */
function nameSecret(secret: string, environment: Environment): string {
  if (environment.BETTER_AUTH_SECRET === secret) return "BETTER_AUTH_SECRET";
  if (environment.AUTH_SECRET === secret) return "AUTH_SECRET";
  if (!environment.BETTER_AUTH_SECRET && !environment.AUTH_SECRET) {
    return "BETTER_AUTH_SECRET (or betterAuth()'s option secret)";
  }
  return "betterAuth()'s option secret";
}

/** The value that was judged last and accepted: Better Auth reads `schema` again and again. */
let accepted: string | undefined;

/**
 * Judges `BETTER_AUTH_SECRETS` before Better Auth parses it.
 *
 * Better Auth parses it on its way to `init` and prints a malformed entry, the secret with it. Two moments come
 * earlier. One is the construction of the plugin; but a throw there makes the import of the module fail, which
 * breaks `next build` and, inside `instrumentation.ts`, leaves Next.js running and answering 500. The other is
 * the making of the database adapter, which reads every plugin's `schema`: a throw there rejects the context like
 * one in `init`. So the plugin's `schema` is a getter that calls this. Where nothing is set, nothing is judged.
 *
 * @throws ConfigurationError
 */
export function judgeVersionedSecrets(): void {
  const value = readEnvironment().BETTER_AUTH_SECRETS;
  if (!value || value === accepted) return;
  parseVersionedSecrets(value);
  accepted = value;
}

type Environment = Readonly<Record<string, string | undefined>>;

function readEnvironment(): Environment {
  return globalThis.process?.env ?? {};
}
