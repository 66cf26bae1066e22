/** The vectors, as files; and one verifier's answer in their form. */

import { readdirSync, readFileSync } from "node:fs";
import type { createVerifier, Environment, VerifierOptions } from "../src/verifier.js";

const SPECIFICATION = new URL("../../specs/001-jwt-auth-bridge/", import.meta.url);

/** One case; what it asks depends on its file. */
export interface Case {
  readonly id: string;
  readonly rule: string;
  readonly law: string;
  readonly policy: string;
  readonly now: number;
  readonly token?: string;
  readonly token_b64?: string;
  readonly values: readonly string[];
  readonly secret: string;
  readonly value: string;
  readonly url: string;
  readonly internal_hosts: readonly string[];
  readonly jwks: unknown;
  readonly status: number;
  readonly content_type: string | null;
  readonly body?: string;
  readonly body_b64?: string;
  readonly body_repeat?: { prefix: string; repeat: string; times: number; suffix: string };
  readonly environment: Environment;
  readonly expect: {
    readonly ok?: boolean;
    readonly code?: string;
    readonly secrets?: readonly string[];
    readonly issuer?: string;
    readonly usable?: readonly string[];
    readonly kids?: readonly string[];
    readonly seconds?: number;
    readonly error?: boolean;
  };
}

export type Named = readonly [id: string, each: Case];
/** Options of a verifier; `fetched` is what its key-set URL answers. */
export type Policy = VerifierOptions & { readonly fetched?: object };
export type Policies = Readonly<Record<string, Policy>>;

export function specification(name: string) {
  return JSON.parse(readFileSync(new URL(name, SPECIFICATION), "utf8"));
}

/** Reads a file of vectors, and prints how many it has. */
export function load(name: string): { tests: readonly Case[]; policies: Policies } {
  const { numberOfTests, tests, policies } = specification(`vectors/${name}`);
  if (numberOfTests !== tests.length) throw new Error(`${name} does not hold ${numberOfTests} vectors`);
  console.info(`${name}: ${numberOfTests} vectors`);
  return { tests, policies };
}

load.names = () =>
  readdirSync(new URL("vectors/", SPECIFICATION)).filter((name) => /^(?!schema|keys\.).*\.json$/.test(name));

/** Latin-1: every byte becomes a character, and V1 judges those beyond ASCII. */
export function tokenOf(each: Case): string {
  return each.token ?? Buffer.from(each.token_b64 ?? "", "base64url").toString("latin1");
}

/** The bytes of a response's body. */
export function bodyOf({ body, body_b64, body_repeat }: Case): Uint8Array {
  if (body_b64 !== undefined) return Buffer.from(body_b64, "base64url");
  if (body_repeat === undefined) return Buffer.from(body ?? "");
  const { prefix, repeat, times, suffix } = body_repeat;
  return Buffer.from(prefix + repeat.repeat(times) + suffix);
}

/** Asks a verifier, which may live in another world: errors are known by their names, and -0 is 0 as in JSON. */
export async function answerOf(
  create: typeof createVerifier,
  policies: Policies,
  each: Case,
): Promise<Record<string, unknown>> {
  const { fetched, ...policy } = policies[each.policy] ?? {};
  if (Object.keys(policy).length === 0) throw new Error(`no policy ${each.policy}`);
  const source = fetched && { jwksUri: "https://app.example.com/api/auth/jwks", log: () => {} };
  const options = { ...policy, ...source, clock: () => each.now } as VerifierOptions;
  try {
    const principal = await create(options).verify(tokenOf(each));
    const answer = {
      ok: true,
      principal: {
        subject: principal.subject,
        session_id: principal.sessionId,
        token_id: principal.tokenId,
        issued_at: principal.issuedAt,
        expires_at: principal.expiresAt,
        claims: principal.claims,
      },
    };
    return JSON.parse(JSON.stringify(answer));
  } catch (error) {
    const { name, code } = error as { name?: unknown; code?: unknown };
    if (name === "ConfigurationError") return { error: true };
    if (name !== "InvalidTokenError") throw error;
    return { ok: false, code };
  }
}
