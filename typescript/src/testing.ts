/**
 * Tokens for tests, the door `./testing`: good ones for anybody, and for each rule one that a verifier must refuse.
 *
 * The factory plays the issuer, with the issuer's own derivation and header, and holds its good tokens against the
 * verifier before it gives them away. Law: `access-token.md`, "Keys" and "Token". Nothing here belongs into a running
 * service.
 */

import { type Bytes, createMac, encodeBase64url, randomBytes } from "#primitives";
import { BridgeError, ConfigurationError, type ErrorCode } from "./errors.js";
import { deriveKey, issuedHeader, judgeSecret, keyId, reduceIssuer, secretsInForce } from "./keys.js";
import { judgeIdentifier, refuseUnknown } from "./policy.js";
import {
  ALGORITHM,
  DEFAULT_LIFETIME,
  KEY_LENGTH,
  MAX_MAXIMUM_LIFETIME,
  RESERVED_CLAIMS,
  TOKEN_TYPE,
} from "./profile.js";
import { createVerifier } from "./verifier.js";

const OPTIONS = ["issuer", "audience", "secret", "clock"];
const TOKEN_OPTIONS = ["sessionId", "claims", "now", "lifetime"];
const ISSUER = "https://app.example.com";
const AUDIENCE = "https://api.example.com";
const SESSION = "test-session";
const SOMEBODY_ELSE = "somebody-else";
/** Seconds; more than any leeway. */
const AN_HOUR = 3600;
const TEXT = new TextEncoder();

/** The factory's refused tokens, in the order of the rules: name of the method to code of the refusal. */
export const REFUSED = {
  unsigned: "token_malformed",
  opaque: "token_opaque",
  criticalHeader: "critical_header_unsupported",
  wrongAlgorithm: "algorithm_not_allowed",
  wrongType: "token_type_mismatch",
  wrongKey: "key_not_found",
  wrongSignature: "signature_invalid",
  tampered: "signature_invalid",
  wrongPayload: "claims_malformed",
  missingClaim: "claim_missing",
  otherUserId: "claim_malformed",
  wrongIssuer: "issuer_mismatch",
  wrongAudience: "audience_mismatch",
  expired: "token_expired",
  notYetValid: "token_not_yet_valid",
  longLived: "lifetime_out_of_range",
} as const satisfies Readonly<Record<string, ErrorCode>>;

/** The name of a refused token. */
export type RefusedName = keyof typeof REFUSED;

/** Claims, unsigned. */
export type Claims = Readonly<Record<string, unknown>>;

/**
 * Whose tokens a factory makes.
 *
 * - `issuer`: what the API under test accepts as `iss`.
 * - `audience`: the API's identifier.
 * - `secret`: the shared secret; by default a random one that lives as long as the factory.
 * - `clock`: gives the time in seconds since 1970; hand it to the verifier as well (`bridgeOptions` does).
 */
export interface TokenFactoryOptions {
  readonly issuer?: string | undefined;
  readonly audience?: string | undefined;
  readonly secret?: string | undefined;
  readonly clock?: (() => number) | undefined;
}

/**
 * What a good token says.
 *
 * - `sessionId`: `sid`; `null` leaves it out.
 * - `claims`: what the web app adds by name, or `act` for an impersonation; no other reserved name.
 * - `now`: when it is issued, in seconds since 1970; by default now.
 * - `lifetime`: whole seconds, default 300.
 */
export interface TokenOptions {
  readonly sessionId?: string | null | undefined;
  readonly claims?: Claims | undefined;
  readonly now?: number | undefined;
  readonly lifetime?: number | undefined;
}

/** Makes access tokens as `jwtBridge()` issues them; `subject` is a user's ID, by default `alice`. */
export interface TokenFactory extends Readonly<Record<RefusedName, (subject?: string) => Promise<string>>> {
  readonly issuer: string;
  readonly audience: string;
  /**
   * A good token.
   *
   * @throws ConfigurationError: a token that no verifier would accept; there are methods for these.
   */
  token(subject?: string, options?: TokenOptions): Promise<string>;
  /** The claims of a good token, unsigned. */
  claims(subject?: string, options?: Omit<TokenOptions, "claims">): Claims;
  /** The value of the `Authorization` header of a user. */
  authorization(subject?: string, options?: TokenOptions): Promise<string>;
  /** The headers of a request of a user. */
  headers(subject?: string, options?: TokenOptions): Promise<{ readonly Authorization: string }>;
  /** One of each refused token: name, as in `REFUSED`, to token. */
  refused(subject?: string): Promise<Readonly<Record<RefusedName, string>>>;
  /** The variables with which `fromEnvironment` accepts these tokens; an empty one counts as unset. */
  environment(): Readonly<Record<string, string>>;
  /** The options with which `createVerifier` and `createBridge` accept these tokens. */
  bridgeOptions(): {
    readonly issuer: string;
    readonly audience: string;
    readonly secret: string;
    readonly clock?: () => number;
  };
}

/**
 * Makes a factory of access tokens, for tests.
 *
 * *Does not* sign with public-key algorithms: test an app that fetches a key set with `environment()` or
 * `bridgeOptions()` in place of its own settings.
 *
 * @throws ConfigurationError: a secret that no verifier would take, or an option that does not exist.
 *
 * @example
 * ```ts
 * const factory = createTokenFactory();
 * (await factory.token("alice")).split(".").length; // 3
 * (await factory.expired("alice")).split(".").length; // 3
 * factory.bridgeOptions().audience; // "https://api.example.com"
 * ```
 */
export function createTokenFactory(options: TokenFactoryOptions = {}): TokenFactory {
  refuseUnknown(options, "createTokenFactory()", OPTIONS);
  const issuer = judgeIdentifier(options.issuer ?? ISSUER, "issuer");
  const audience = judgeIdentifier(options.audience ?? AUDIENCE, "audience");
  const secret = judgeSecret(options.secret ?? encodeBase64url(randomBytes(KEY_LENGTH)), "secret");
  const clock = options.clock ?? (() => Date.now() / 1000);
  const own = once(async () => deriveKey(secret, audience));

  const claimsOf: TokenFactory["claims"] = (subject = "alice", chosen = {}) => {
    const { sessionId = SESSION, now = clock(), lifetime = DEFAULT_LIFETIME } = chosen;
    const iat = Math.floor(now);
    return {
      iss: issuer,
      aud: audience,
      sub: subject,
      user_id: subject,
      client_id: issuer,
      jti: encodeBase64url(randomBytes(16)),
      iat,
      exp: iat + lifetime,
      ...(sessionId === null ? {} : { sid: sessionId }),
    };
  };

  /** Signs anything; a plain header is the issuer's own, byte for byte. */
  async function sign(payload: unknown, header?: Claims, key?: Bytes): Promise<string> {
    const kid = await keyId(await own());
    const segment = header ? encode({ alg: ALGORITHM, typ: TOKEN_TYPE, kid, ...header }) : issuedHeader(kid);
    const input = `${segment}.${encode(payload)}`;
    return `${input}.${encodeBase64url(await createMac(key ?? (await own())).compute(input))}`;
  }

  async function token(subject = "alice", chosen: TokenOptions = {}): Promise<string> {
    refuseUnknown(chosen, "token()", TOKEN_OPTIONS);
    const { claims: extra = {}, ...rest } = chosen;
    const reserved = Object.keys(extra).filter((name) => name !== "act" && RESERVED_CLAIMS.has(name));
    if (reserved.length > 0) {
      throw new ConfigurationError(
        `the issuer sets ${reserved.sort().join(", ")} by itself; remove it from claims, and use subject, sessionId, ` +
          "now and lifetime, or one of the factory's refused tokens",
      );
    }
    const claims = { ...claimsOf(subject, rest), ...extra };
    const signed = await sign(claims);
    const limits = { leeway: 0, maximumLifetime: MAX_MAXIMUM_LIFETIME, clock: () => Number(claims.iat) };
    try {
      await createVerifier({ issuer, audience, secret, ...limits }).verify(signed);
    } catch (error) {
      if (!(error instanceof BridgeError)) throw error;
      throw new ConfigurationError(`no verifier accepts a token like this: ${error.message}`);
    }
    return signed;
  }

  /** The refused tokens, rule by rule; what each is wrong in stands in its line. */
  const refusals: Readonly<Record<RefusedName, (subject: string) => Promise<string>>> = {
    // [V2] `alg` is `none`, and the signature is empty
    unsigned: async (subject) => (await sign(claimsOf(subject), { alg: "none" })).replace(/[^.]*$/, ""),
    // [V2] what Better Auth's session token looks like, the usual mistake
    opaque: async () => encodeBase64url(randomBytes(48)).replace(/[-_]/g, "a").slice(0, 32),
    criticalHeader: (subject) => sign(claimsOf(subject), { crit: ["exp"] }), // [V4] asks for an extension
    wrongAlgorithm: (subject) => sign(claimsOf(subject), { alg: "EdDSA" }), // [V5] as Better Auth's stock plugin
    wrongType: (subject) => sign(claimsOf(subject), { typ: "JWT" }), // [V6] a JWT that is no access token
    // [V7] another secret's key, honestly named
    wrongKey: (subject) => createTokenFactory({ issuer, audience, clock }).token(subject),
    // [V8] another secret's key under the name of the right one
    wrongSignature: (subject) => sign(claimsOf(subject), undefined, randomBytes(KEY_LENGTH)),
    // [V8] somebody else's good token, rewritten to the subject's
    async tampered(subject) {
      const [header, , signature] = (await sign(claimsOf(SOMEBODY_ELSE))).split(".");
      return `${header}.${encode(claimsOf(subject))}.${signature}`;
    },
    wrongPayload: (subject) => sign([claimsOf(subject)]), // [V9] an array, signed
    missingClaim: (subject) => sign({ ...claimsOf(subject), jti: undefined }), // [V10]
    // [V14] `user_id` says the subject, `sub` says somebody else
    otherUserId: (subject) => sign({ ...claimsOf(subject), sub: SOMEBODY_ELSE }),
    // [V12] another web app with the same key
    async wrongIssuer(subject) {
      const other = "https://other-issuer.example";
      return sign({ ...claimsOf(subject), iss: other, client_id: other });
    },
    // [V13] for another API, although under this one's key; a real issuer's would fail before that, at its key
    wrongAudience: (subject) => sign({ ...claimsOf(subject), aud: "https://other-audience.example" }),
    expired: (subject) => sign(claimsOf(subject, { now: clock() - AN_HOUR - DEFAULT_LIFETIME })), // [V15]
    notYetValid: (subject) => sign(claimsOf(subject, { now: clock() + AN_HOUR })), // [V16]
    longLived: (subject) => sign(claimsOf(subject, { lifetime: MAX_MAXIMUM_LIFETIME + 1 })), // [V17]
  };
  const names = Object.keys(REFUSED) as RefusedName[];
  const named = names.map((name) => [name, (subject = "alice") => refusals[name](subject)] as const);

  const authorization = async (subject?: string, chosen?: TokenOptions) =>
    `Bearer ${await token(subject, chosen)}`;
  return {
    ...(Object.fromEntries(named) as Record<RefusedName, (subject?: string) => Promise<string>>),
    issuer,
    audience,
    token,
    claims: claimsOf,
    authorization,
    headers: async (subject, chosen) => ({ Authorization: await authorization(subject, chosen) }),
    async refused(subject) {
      const made = named.map(async ([name, make]) => [name, await make(subject)] as const);
      return Object.fromEntries(await Promise.all(made)) as Record<RefusedName, string>;
    },
    environment: () => ({
      BETTER_AUTH_SECRET: secret,
      BETTER_AUTH_URL: issuer,
      JWT_BRIDGE_ISSUER: issuer,
      JWT_BRIDGE_AUDIENCE: audience,
      BETTER_AUTH_SECRETS: "",
      JWT_BRIDGE_KEYS: "",
      JWT_BRIDGE_JWKS_URL: "",
      JWT_BRIDGE_JWKS_INTERNAL_HOSTS: "",
      JWT_BRIDGE_MIGRATION: "",
    }),
    bridgeOptions: () => ({
      issuer,
      audience,
      secret,
      ...(options.clock === undefined ? {} : { clock: options.clock }),
    }),
  };
}

/**
 * Makes tokens for the API that these variables configure: the same that `fromEnvironment` reads.
 *
 * *Does not* belong where the variables are a production's: its tokens would be good there.
 *
 * @throws ConfigurationError as `fromEnvironment`.
 *
 * @example
 * ```ts
 * tokenFactoryFrom(createTokenFactory({ audience: "https://api.test" }).environment()).audience; // "https://api.test"
 * ```
 */
export function tokenFactoryFrom(environment: Readonly<Record<string, string | undefined>>): TokenFactory {
  const { JWT_BRIDGE_AUDIENCE: audience, JWT_BRIDGE_ISSUER, BETTER_AUTH_URL } = environment;
  if (!audience) {
    throw new ConfigurationError("JWT_BRIDGE_AUDIENCE is not set; set it to the identifier of the API");
  }
  const issuer = JWT_BRIDGE_ISSUER || reduceIssuer(BETTER_AUTH_URL);
  return createTokenFactory({ issuer, audience, secret: secretsInForce(environment)[0] });
}

function encode(value: unknown): string {
  return encodeBase64url(TEXT.encode(JSON.stringify(value)));
}

/** Some platforms allow no cryptography while a module loads: the key is derived when it is asked for. */
function once<Value>(make: () => Promise<Value>): () => Promise<Value> {
  let made: Promise<Value> | undefined;
  return () => {
    made ??= make();
    return made;
  };
}
