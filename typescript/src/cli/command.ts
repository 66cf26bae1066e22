/**
 * What one command of the command line is, and how its arguments are read.
 */

import { type ParseArgsConfig, parseArgs } from "node:util";

/** One command: how it is called, what it is for, and what it does with its arguments. */
export interface Command {
  readonly usage: string;
  readonly summary: string;
  readonly help: string;
  /** @returns the exit status. */
  run(args: readonly string[]): Promise<number>;
}

/** Wrong usage, in a sentence: exit status 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** Reads options that all have a value, and `count` arguments. */
export function readArguments<Name extends string>(
  args: readonly string[],
  names: readonly Name[],
  count: number,
): { values: Partial<Record<Name, string>>; positionals: string[] } {
  const options: ParseArgsConfig["options"] = Object.fromEntries(
    names.map((name) => [name, { type: "string" }]),
  );
  try {
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
    if (positionals.length !== count) {
      throw new UsageError(
        `${count} argument${count === 1 ? "" : "s"} expected, ${positionals.length} given`,
      );
    }
    return { values: values as Partial<Record<Name, string>>, positionals };
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}
