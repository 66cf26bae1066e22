/**
 * `verify`: the conformance port. Questions come as JSON lines, one answer leaves for each, in order.
 *
 * A line that is no question, or that states an impossible policy, is answered with an error; the stream goes
 * on. Law: `access-token.md`, "Conformance port".
 */

import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { decodeUtf8 } from "#primitives";
import { isObject, type JsonObject, parseJsonObject } from "../compact.js";
import { ConfigurationError, InvalidTokenError } from "../errors.js";
import { createVerifier, type Principal, type Verifier, type VerifierOptions } from "../verifier.js";
import { type Command, readArguments, UsageError } from "./command.js";

const HELP = `Read questions as JSON lines from standard input and write one answer for each:

  {"id": "1", "token": "eyJ…", "now": 1800000000, "policy": {"issuer": …, "audience": …, "secrets": […]}}
  {"id": "1", "ok": true, "principal": {…}}   or   {"id": "1", "ok": false, "code": …, "hint": …}

"token_b64" may stand in place of "token"; "keys" (a JWK Set) in place of "secrets". A policy may also have
"algorithms", "leeway" and "maximumLifetime". A line that is no question gets {"id": …, "error": …}.
The exit status is 0 whenever every line got its answer.

  --policy FILE   a JSON file: the policy of questions without one
  --now SECONDS   the time of questions without one
`;

const MEMBERS = ["issuer", "audience", "secrets", "keys", "algorithms", "leeway", "maximumLifetime"];
/** Verifiers kept, one for each policy. */
const KEPT = 256;

export const verifyCommand: Command = {
  usage: "usage: jwt-auth-bridge verify [--policy FILE] [--now SECONDS] < questions > answers",
  summary: "answer questions about tokens, as JSON lines",
  help: HELP,
  async run(args) {
    const { values } = readArguments(args, ["policy", "now"], 0);
    const now = values.now === undefined ? undefined : seconds(values.now);
    const policy = values.policy === undefined ? undefined : await readPolicy(values.policy);
    for await (const replies of answers(process.stdin, policy, now)) {
      if (!process.stdout.write(replies)) await once(process.stdout, "drain");
    }
    return 0;
  },
};

function seconds(text: string): number {
  if (!/^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$/.test(text) || !Number.isFinite(Number(text))) {
    throw new UsageError(`--now ${text} is no number of seconds`);
  }
  return Number(text);
}

async function readPolicy(file: string): Promise<JsonObject> {
  const bytes = await readFile(file).catch((error: unknown) => {
    throw new UsageError(`--policy ${file} can not be read: ${(error as Error).message}`);
  });
  const policy = parseJsonObject(decodeUtf8(bytes));
  if (policy === null) throw new UsageError(`--policy ${file} is no strict JSON object`);
  return policy;
}

/** Answers to what one read of the input completed: whoever asks a few questions and waits is answered. */
export async function* answers(
  input: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  policy?: JsonObject,
  now?: number,
): AsyncGenerator<string> {
  const defaults: JsonObject = { ...(policy && { policy }), ...(now !== undefined && { now }) };
  let pending: Uint8Array[] = [];
  for await (const chunk of input) {
    let replies = "";
    let start = 0;
    for (let end = chunk.indexOf(0x0a); end >= 0; end = chunk.indexOf(0x0a, start)) {
      pending.push(chunk.subarray(start, end));
      replies += await reply(pending, defaults);
      pending = [];
      start = end + 1;
    }
    if (start < chunk.length) pending.push(chunk.subarray(start));
    if (replies !== "") yield replies;
  }
  if (pending.length > 0) yield await reply(pending, defaults);
}

async function reply(pieces: readonly Uint8Array[], defaults: JsonObject): Promise<string> {
  const line = parseJsonObject(decodeUtf8(Buffer.concat(pieces)));
  if (line === null) return dump({ id: null, error: "the line is not one strict JSON object" });
  const question = { ...defaults, ...line };
  const id = typeof question.id === "string" ? question.id : null;
  try {
    const { token, now, policy } = read(question);
    const principal = await verifyAt(policy, token, now);
    return dump({ id, ok: true, principal: describe(principal) });
  } catch (error) {
    if (error instanceof InvalidTokenError)
      return dump({ id, ok: false, code: error.code, hint: error.hint });
    if (error instanceof ConfigurationError || error instanceof QuestionError) {
      return dump({ id, error: error.message });
    }
    throw error;
  }
}

function dump(answer: object): string {
  return `${JSON.stringify(answer)}\n`;
}

/** A line that is no question. */
class QuestionError extends Error {
  override readonly name = "QuestionError";
}

function read(question: JsonObject): { token: string; now: number; policy: unknown } {
  const { now, policy } = question;
  if (typeof question.id !== "string") throw new QuestionError("id must be a string");
  if (Object.hasOwn(question, "token") === Object.hasOwn(question, "token_b64")) {
    throw new QuestionError("exactly one of token and token_b64 must be there");
  }
  if (typeof now !== "number") throw new QuestionError("now must be a number of seconds");
  const token = Object.hasOwn(question, "token") ? question.token : decode(question.token_b64);
  if (typeof token !== "string") throw new QuestionError("token must be a string");
  return { token, now, policy };
}

function decode(text: unknown): string {
  if (typeof text !== "string") throw new QuestionError("token_b64 must be a string");
  const digits = text.replace(/=+$/, "");
  if (!/^[A-Za-z0-9+/_-]*$/.test(digits) || digits.length % 4 === 1) {
    throw new QuestionError("token_b64 is not base64");
  }
  // Latin-1: every byte becomes a character, and V1 judges those beyond ASCII.
  return Buffer.from(digits, "base64url").toString("latin1");
}

/** A verifier whose clock stands at each question's own time. */
interface TimedVerifier {
  readonly verifier: Verifier;
  readonly time: { now: number };
}

const kept = new Map<string, TimedVerifier>();

function verifyAt(policy: unknown, token: string, now: number): Promise<Principal> {
  const key = JSON.stringify(policy) ?? "";
  const { verifier, time } = kept.get(key) ?? create(policy);
  kept.delete(key);
  kept.set(key, { verifier, time });
  // The one that was asked longest ago goes.
  for (const oldest of kept.keys()) {
    if (kept.size <= KEPT) break;
    kept.delete(oldest);
  }
  time.now = now;
  return verifier.verify(token);
}

function create(policy: unknown): TimedVerifier {
  if (!isObject(policy)) throw new ConfigurationError("policy must be an object");
  for (const [name, value] of Object.entries(policy)) {
    if (!MEMBERS.includes(name)) {
      throw new ConfigurationError(`policy has the unknown member ${JSON.stringify(name)}`);
    }
    if (value === null) throw new ConfigurationError(`policy has null for ${name}`);
  }
  for (const name of ["issuer", "audience"]) {
    if (!Object.hasOwn(policy, name)) throw new ConfigurationError(`policy lacks ${name}`);
  }
  const time = { now: 0 };
  // The verifier judges every member's type itself.
  const options = { ...policy, clock: () => time.now } as unknown as VerifierOptions;
  return { verifier: createVerifier(options), time };
}

function describe(principal: Principal): object {
  return {
    subject: principal.subject,
    session_id: principal.sessionId,
    token_id: principal.tokenId,
    issued_at: principal.issuedAt,
    expires_at: principal.expiresAt,
    claims: principal.claims,
  };
}
