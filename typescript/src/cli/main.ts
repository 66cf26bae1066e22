/**
 * The command `jwt-auth-bridge`, the same as `python -m jwt_auth_bridge` in the other language.
 *
 * Annex: imports the core, Node's own modules, and no framework.
 */

import { type Command, UsageError } from "./command.js";
import { inspectCommand } from "./inspect.js";
import { keyCommand } from "./key.js";
import { verifyCommand } from "./verify.js";

const COMMANDS: Readonly<Record<string, Command>> = {
  verify: verifyCommand,
  inspect: inspectCommand,
  key: keyCommand,
};

const USAGE = `usage: jwt-auth-bridge <command> [--help]

Verify and explain the access tokens of jwt-auth-bridge, and print an API's keys.

${Object.entries(COMMANDS)
  .map(([name, { summary }]) => `  ${name.padEnd(9)} ${summary}`)
  .join("\n")}
`;

/** Runs one command and returns its exit status; wrong usage is 2. */
async function main([name = "", ...rest]: readonly string[]): Promise<number> {
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  const wantsHelp = [name, ...rest].some((argument) => argument === "--help" || argument === "-h");
  if (wantsHelp) {
    process.stdout.write(command ? `${command.usage}\n\n${command.help}` : USAGE);
    return 0;
  }
  if (command === undefined) {
    process.stderr.write(`${USAGE}\njwt-auth-bridge: ${name === "" ? "no command" : `no command ${name}`}\n`);
    return 2;
  }
  try {
    return await command.run(rest);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`${command.usage}\njwt-auth-bridge ${name}: ${error.message}\n`);
    return 2;
  }
}

// The reader went away, as `head` does: no trace, and nothing more to say.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit(0);
});
process.exitCode = await main(process.argv.slice(2));
