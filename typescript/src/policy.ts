/**
 * What an integrator configured, judged: names, texts, durations, and where the log goes.
 *
 * A room of this language only, where options are untyped objects at run time; Python's signatures do the same
 * work. Wrong configuration throws when the process starts, and never later.
 */

import { isWellFormed } from "./compact.js";
import { ConfigurationError } from "./errors.js";

/**
 * Refuses an issuer or an audience that is no text.
 *
 * @throws ConfigurationError
 */
export function judgeIdentifier(value: string | undefined, name: string): string {
  if (typeof value !== "string" || value === "") {
    throw new ConfigurationError(`${name} is missing; set it to the same text on both sides`);
  }
  if (!isWellFormed(value)) {
    throw new ConfigurationError(`${name} has a lone surrogate; set it to plain text`);
  }
  return value;
}

/**
 * Refuses a duration that is no whole number of seconds within its bounds.
 *
 * @throws ConfigurationError
 */
export function judgeSeconds(value: number, name: string, least: number, most: number): number {
  if (!Number.isInteger(value) || value < least || value > most) {
    throw new ConfigurationError(
      `${name} is ${typeof value === "number" ? value : `of type ${typeof value}`} and must be a whole number, ${least} to ${most} seconds`,
    );
  }
  return value;
}

/**
 * Refuses an option that would be ignored.
 *
 * @param cures what to do about a name that people try, where "remove it" does not say enough.
 * @throws ConfigurationError
 */
export function refuseUnknown(
  options: object,
  owner: string,
  known: readonly string[],
  cures: Readonly<Record<string, string>> = {},
): void {
  if (typeof options !== "object" || options === null) {
    throw new ConfigurationError(`${owner} needs an object with its options: ${known.join(", ")}`);
  }
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue;
    const cure = Object.hasOwn(cures, name) ? cures[name] : `remove it; the options are ${known.join(", ")}`;
    throw new ConfigurationError(`${owner} has no option ${name}: ${cure}`);
  }
}

/** What a line of the log is about where it is no refusal; nothing in it comes from a token. */
export interface Notice {
  readonly level: "info" | "warn";
  /** A refusal has one. */
  readonly code?: undefined;
}

/** Gets one line, and what it is about. */
export type Log<Entry = Notice> = (line: string, entry: Entry) => void;

/**
 * Refuses a log that is no function; none is the console.
 *
 * @returns one that never throws, and whose promise, where it gives one, rejects unnoticed: a log that fails must
 *   change no answer, nor end the process.
 * @throws ConfigurationError
 */
export function judgeLog<Entry extends { readonly level: "info" | "warn" | "error" }>(
  log: Log<Entry> | undefined,
): Log<Entry> {
  if (log === undefined) return (line, { level }) => console[level](line);
  if (typeof log !== "function") throw new ConfigurationError("log must be a function (line, entry) => void");
  return (line, entry) => {
    try {
      const written: unknown = log(line, entry);
      Promise.resolve(written).catch(() => {});
    } catch {}
  };
}
