/**
 * `inspect`: one token, explained to a person.
 *
 * Shows header and claims (unverified), the times in words, the first rule that fails under the settings of the
 * environment, and what to do. *Does not* print the token, its signature or a key.
 */

import { text } from "node:stream/consumers";
import { type JsonObject, parseCompact, parseHeader, parseJsonObject } from "../compact.js";
import { type Environment, fromEnvironment } from "../environment.js";
import { ConfigurationError, InvalidTokenError, KeySetUnavailableError } from "../errors.js";
import { listKeyIds } from "../jwks.js";
import { createVerifier } from "../verifier.js";
import { type Command, readArguments } from "./command.js";

const HELP = `Explain one token: its header and claims (unverified), its times, the rule it fails, what to do.

The token is the argument, or standard input where the argument is "-" (a token in the arguments is seen by
other processes and kept by the shell's history). It is verified under the environment's settings, where they
are set: BETTER_AUTH_SECRET or BETTER_AUTH_SECRETS, JWT_BRIDGE_KEYS or JWT_BRIDGE_JWKS_URL (which is fetched),
BETTER_AUTH_URL or JWT_BRIDGE_ISSUER, JWT_BRIDGE_AUDIENCE.
The exit status is 0 when the token is good, 1 when it is not, 2 when nothing could be verified.
`;

export const inspectCommand: Command = {
  usage: "usage: jwt-auth-bridge inspect <token | ->",
  summary: "explain one token to a person",
  help: HELP,
  async run(args) {
    const [argument = ""] = readArguments(args, [], 1).positionals;
    const token = argument === "-" ? (await text(process.stdin)).trim() : argument;
    const { lines, status } = await inspect(token, process.env, Date.now() / 1000);
    process.stdout.write(`${lines.join("\n")}\n`);
    return status;
  },
};

/**
 * Explains a token.
 *
 * @param token anything that was sent as one.
 * @param environment where the settings are.
 * @param now seconds since 1970.
 * @returns the lines to show, and the exit status.
 *
 * @example
 * ```ts
 * (await inspect("a1B2".repeat(8), {}, 0)).lines[0]; // "No JWT: token_opaque"
 * ```
 */
export async function inspect(
  token: string,
  environment: Environment,
  now: number,
): Promise<{ lines: string[]; status: number }> {
  let header: JsonObject;
  let claims: JsonObject;
  try {
    const { headerSegment, payload } = parseCompact(token);
    header = parseHeader(headerSegment);
    claims = parseJsonObject(payload) ?? {};
  } catch (error) {
    if (!(error instanceof InvalidTokenError)) throw error;
    return { lines: [`No JWT: ${error.code}`, `  ${error.hint}`], status: 1 };
  }
  const known = Object.keys(claims).length > 0;
  const { lines, status } = await judge(token, environment, now);
  return {
    lines: [
      "Header (unverified)",
      ...describe(header),
      "Claims (unverified)",
      ...(known ? describe(claims) : ["  not one strict JSON object"]),
      ...times(claims, now),
      ...warnings(header),
      ...lines,
    ],
    status,
  };
}

function describe(members: JsonObject): string[] {
  return Object.entries(members).map(([name, value]) => {
    return `  ${dump(name).slice(1, -1).padEnd(10)} ${dump(value)}`;
  });
}

/** JSON in ASCII, with no character that a terminal acts upon, and a space behind `,` and `:`. */
function dump(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(dump).join(", ")}]`;
  if (typeof value === "object" && value !== null) {
    const members = Object.entries(value).map(([name, member]) => `${dump(name)}: ${dump(member)}`);
    return `{${members.join(", ")}}`;
  }
  return JSON.stringify(value).replace(/[^ -~]/g, (unit) => {
    return `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}

function times(claims: JsonObject, now: number): string[] {
  const known = ["iat", "nbf", "exp"].flatMap((name) => {
    const value = Object.hasOwn(claims, name) ? claims[name] : undefined;
    return typeof value === "number" ? [[name, value] as const] : [];
  });
  const lines = known.map(([name, seconds]) => {
    return `  ${name.padEnd(10)} ${moment(seconds)}, ${relative(seconds - now)}`;
  });
  return lines.length > 0 ? ["Times", ...lines] : [];
}

function moment(seconds: number): string {
  const date = new Date(seconds * 1000);
  const year = date.getUTCFullYear();
  if (!(year >= 1 && year <= 9999)) return "no date of this calendar";
  return `${date.toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

const UNITS = [
  [86400n, "day"],
  [3600n, "hour"],
  [60n, "minute"],
  [1n, "second"],
] as const;

/**
 * Says in words how far a moment is away.
 *
 * @example
 * ```ts
 * relative(-90); // "1 minute 30 seconds ago"
 * ```
 */
export function relative(seconds: number): string {
  let rest = BigInt(Math.round(Math.abs(seconds)));
  const parts: string[] = [];
  for (const [size, name] of UNITS) {
    const count = rest / size;
    rest %= size;
    if (count > 0n) parts.push(`${count} ${name}${count === 1n ? "" : "s"}`);
  }
  if (parts.length === 0) return "now";
  const words = parts.slice(0, 2).join(" ");
  return seconds < 0 ? `${words} ago` : `in ${words}`;
}

const STOCK = ["EdDSA", "ES256", "ES512", "PS256", "RS256"];

function warnings({ typ, alg }: JsonObject): string[] {
  if (typ === "at+jwt" || typeof alg !== "string" || !STOCK.includes(alg)) return [];
  return [
    "Warning",
    "  This looks like a token of Better Auth's stock jwt() plugin: its own key pair signed it.",
    "  Put jwtBridge() in its place, and this API's address into its audience.",
  ];
}

async function judge(
  token: string,
  environment: Environment,
  now: number,
): Promise<{ lines: string[]; status: number }> {
  try {
    const options = fromEnvironment(environment);
    const verifier = createVerifier({ ...options, clock: () => now, log: () => {} });
    const settings = async () => {
      const keys = listKeyIds(await verifier.keyIds);
      return `  issuer ${options.issuer}, audience ${options.audience}, keys ${keys}`;
    };
    try {
      await verifier.verify(token);
    } catch (error) {
      if (!(error instanceof InvalidTokenError)) throw error;
      return { lines: [`Refused: ${error.code}`, `  ${error.hint}`, await settings()], status: 1 };
    }
    return { lines: ["Good: every rule passes, V1 to V17", await settings()], status: 0 };
  } catch (error) {
    if (!(error instanceof ConfigurationError || error instanceof KeySetUnavailableError)) throw error;
    return { lines: ["Not verified", `  ${error.message}`], status: 2 };
  }
}
