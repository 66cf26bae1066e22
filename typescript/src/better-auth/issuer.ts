/**
 * Session in, bridge access token out.
 *
 * Signs with the key of the current secret or with a key pair, and hands out nothing that its own verifier would
 * refuse. Law:
 * RFC 9068 §2, RFC 7515 §5.1, RFC 8693 §4.1 (`act`), `access-token.md` "Token".
 */

import { encodeBase64url, randomBytes } from "#primitives";
import { isWellFormed } from "../compact.js";
import { InvalidTokenError } from "../errors.js";
import { MAX_JSON_DEPTH, MAX_TOKEN_LENGTH } from "../profile.js";
import { UnissuableError } from "./errors.js";
import { DEFAULT_GRACE_PERIOD } from "./key-pair-options.js";
import { type EndpointContext, readAllRows } from "./key-pair-rows.js";
import { createKeyPairs, DELETE } from "./key-pairs.js";
import { publish } from "./key-set.js";
import type { ClaimSource, Configuration } from "./options.js";
import { derivedKeys, type SigningKey } from "./signing-keys.js";

/** The row of the session store, as Better Auth gives it. */
export interface SessionRecord {
  readonly user: Readonly<Record<string, unknown>> & { readonly id: string };
  readonly session: Readonly<Record<string, unknown>> & { readonly id: string; readonly expiresAt: Date };
}

/** Issues tokens of one configuration. */
export interface Issuer {
  readonly issuer: string;
  /** The APIs that a token can be issued for, the default first. */
  readonly audiences: readonly string[];
  /** Says which keys one of them must have: to be compared with what it prints. */
  describeKeys(audience: string): Promise<string>;
  /**
   * Issues a token for a session that was read from the store just now.
   *
   * @param audience one of `audiences`.
   * @param context of the request, through which stored key pairs are read.
   * @returns the token, or `null` where there is none to issue: the user is banned, or the session ends before
   *   a token could.
   * @throws UnissuableError where the token would be one that the verifier refuses; KeyStoreError.
   */
  issue(record: SessionRecord, audience: string, context: EndpointContext): Promise<string | null>;
  /**
   * Gives the public keys for `/jwks`, after making the key pair that is due; what is wrong with one is logged once.
   *
   * @throws KeyStoreError
   */
  publishKeys(context: EndpointContext): Promise<readonly object[]>;
}

const UTF8 = new TextEncoder();
/** Random bits of a `jti`, in bytes. */
const TOKEN_ID_LENGTH = 16;

export function createIssuer(configuration: Configuration): Issuer {
  const { issuer, audiences, keyPairs } = configuration;
  const keys = keyPairs ? createKeyPairs(configuration, keyPairs) : derivedKeys(configuration);
  const logged = new Set<string>();
  return {
    issuer,
    audiences,
    describeKeys: (audience) => keys.describe(audience),
    async publishKeys(context) {
      await keys.prepare(context);
      const rows = await readAllRows(context, keyPairs);
      const published = publish(rows, keyPairs?.gracePeriod ?? DEFAULT_GRACE_PERIOD);
      for (const fault of published.faults) {
        // Anybody may ask for the key set, as often as they like.
        if (logged.has(fault)) continue;
        logged.add(fault);
        context.context.logger.error(`[jwt-auth-bridge] ${fault}`);
      }
      return published.keys;
    },
    async issue(record, audience, context) {
      const now = Date.now();
      const iat = Math.floor(now / 1000);
      const sessionEnd = Math.floor(new Date(record.session.expiresAt).getTime() / 1000);
      const exp = Math.min(iat + configuration.lifetime, sessionEnd);
      // Also where the session has no readable end: NaN is not above anything.
      if (isBanned(record.user, now) || !(exp > iat)) return null;
      const claims = {
        ...(await collectClaims(configuration, record)),
        iss: issuer,
        aud: audience,
        sub: record.user.id,
        user_id: record.user.id,
        client_id: issuer,
        sid: record.session.id,
        jti: encodeBase64url(randomBytes(TOKEN_ID_LENGTH)),
        iat,
        exp,
        ...(record.session.impersonatedBy ? { act: { sub: record.session.impersonatedBy } } : {}),
      };
      const key = await keys.find(audience, context);
      const token = await sign(claims, key);
      try {
        await key.verifier.verify(token);
      } catch (error) {
        throw explain(error, token, claims, configuration, key);
      }
      return token;
    },
  };
}

/** A ban that has ended leaves `banned: true` behind, with `banExpires` in the past. */
function isBanned(user: SessionRecord["user"], now: number): boolean {
  if (!user.banned) return false;
  if (user.banExpires === null || user.banExpires === undefined) return true;
  // Secondary storage gives dates back as text; a date that can not be read ends no ban.
  return !(new Date(user.banExpires as Date | string | number).getTime() <= now);
}

async function collectClaims(
  { claims }: Configuration,
  { user, session }: SessionRecord,
): Promise<Record<string, unknown>> {
  const collected: Record<string, unknown> = {};
  if (claims.length === 0) return collected;
  const { token: _kept, ...shown } = session;
  const source: ClaimSource = { user, session: { ...shown, id: session.id } };
  for (const [name, claim] of claims) {
    const value = await callClaim(name, claim, source);
    if (value === undefined) continue;
    const fault = findFault(value, 2);
    if (fault !== undefined) throw new UnissuableError(`the claim ${name} ${fault}`);
    // Not by assignment: __proto__ is a name like any other.
    Object.defineProperty(collected, name, { value, enumerable: true });
  }
  return collected;
}

async function callClaim(name: string, claim: (source: ClaimSource) => unknown, source: ClaimSource) {
  try {
    return await claim(source);
  } catch (error) {
    throw new UnissuableError(`the function of the claim ${name} threw`, { cause: error });
  }
}

/** Says why JSON can not carry a value as it is; `JSON.stringify` would alter or drop it without a word. */
function findFault(value: unknown, depth: number): string | undefined {
  if (value === null || typeof value === "boolean") return undefined;
  if (typeof value === "string") return isWellFormed(value) ? undefined : "has a lone surrogate";
  if (typeof value === "number") {
    const fits = Number.isSafeInteger(value) || (Number.isFinite(value) && !Number.isInteger(value));
    return fits ? undefined : "has a number that is not finite, or an integer beyond ±(2^53 - 1)";
  }
  if (typeof value !== "object") return `has a ${typeof value}, which is no JSON`;
  if (depth > MAX_JSON_DEPTH) return `is nested deeper than ${MAX_JSON_DEPTH}`;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (!Array.isArray(value) && prototype !== Object.prototype && prototype !== null) {
    return "has an object that is no plain one; turn dates and the like into text first";
  }
  const faultyName = Array.isArray(value)
    ? undefined
    : Object.keys(value).find((name) => !isWellFormed(name));
  if (faultyName !== undefined) return "has a name with a lone surrogate";
  // Array.from makes holes undefined.
  for (const member of Array.isArray(value) ? Array.from(value) : Object.values(value)) {
    const fault = findFault(member, depth + 1);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

async function sign(claims: object, { header, sign }: SigningKey): Promise<string> {
  const signingInput = `${header}.${encodeBase64url(UTF8.encode(JSON.stringify(claims)))}`;
  return `${signingInput}.${encodeBase64url(await sign(signingInput))}`;
}

/** Says what to look at: by then only sizes, the user's own ID, or a stored key pair can be wrong. */
function explain(
  error: unknown,
  token: string,
  claims: object,
  configuration: Configuration,
  key: SigningKey,
): unknown {
  if (!(error instanceof InvalidTokenError)) return error;
  if (error.code === "signature_invalid") {
    return new UnissuableError(
      `the verifier would refuse it (signature_invalid): the halves of key pair ${key.keyId} do not belong together; ${DELETE}`,
    );
  }
  if (token.length <= MAX_TOKEN_LENGTH) {
    return new UnissuableError(
      `the verifier would refuse it (${error.code}); look at sub, the user's ID: at most 255 characters, no control characters`,
    );
  }
  const added = new Set(configuration.claims.map(([name]) => name));
  const [largest = ["sub", ""]] = Object.entries(claims)
    .filter(([name]) => added.size === 0 || added.has(name))
    .map(([name, value]): [string, string] => [name, JSON.stringify(value)])
    .sort(([, one], [, other]) => other.length - one.length);
  return new UnissuableError(
    `it would have ${token.length} characters, and ${MAX_TOKEN_LENGTH} are allowed; the largest claim is ${largest[0]}`,
  );
}
