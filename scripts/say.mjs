// What the scripts say to a person: one line per step, one clear sentence per failure, nothing secret in either.

import { stderr, stdout } from "node:process";

/** A failure that the person can cure: its message is the one sentence that is shown, without a stack trace. */
export class Stop extends Error {
  constructor(sentence, details = "", exitCode = 1) {
    super(sentence);
    this.name = "Stop";
    this.details = details;
    this.exitCode = exitCode;
  }
}

/** A Stop for a command that was called in a way that it does not know. */
export const misuse = (sentence) => new Stop(sentence, "", 2);

const coloured = (stream) =>
  stream.isTTY === true && process.env.NO_COLOR === undefined && process.env.TERM !== "dumb";

const paint = (stream, code, text) => (coloured(stream) ? `\u001b[${code}m${text}\u001b[0m` : text);

export const bold = (text) => paint(stdout, 1, text);
export const green = (text) => paint(stdout, 32, text);
export const red = (text) => paint(stdout, 31, text);
export const faint = (text) => paint(stdout, 2, text);

/** A line of plain text for the person. */
export function say(text = "") {
  stdout.write(`${text}\n`);
}

/** How often a step that lasts says that it goes on, in milliseconds: rarely where lines stay, often where they do not. */
const BEAT_LINES = 15_000;
const BEAT_TERMINAL = 1000;

/** Does a step that takes time: its name at once, that it goes on, and how long it took. */
export async function progress(name, work) {
  const terminal = stdout.isTTY === true && process.env.TERM !== "dumb";
  const began = performance.now();
  const seconds = () => Math.round((performance.now() - began) / 1000);
  const line = (text) => stdout.write(`\r\u001b[K${text}`);
  if (terminal) line(`  ${name} …`);
  else say(`  ${name} …`);
  const beat = setInterval(
    () => {
      if (terminal) line(`  ${name} … ${seconds()} s`);
      else say(`  ${name} … ${seconds()} s and going on`);
    },
    terminal ? BEAT_TERMINAL : BEAT_LINES,
  );
  try {
    const result = await work();
    if (terminal) line(`  ${name}: ${seconds()} s\n`);
    else say(`  ${name}: ${seconds()} s`);
    return result;
  } catch (error) {
    if (terminal) stdout.write("\n");
    throw error;
  } finally {
    clearInterval(beat);
  }
}

/** Says why it ends, in one sentence (and the last lines of what failed, where there are any). */
export function sayFailure(error) {
  if (error instanceof Stop) {
    if (error.details) stderr.write(`${error.details.trimEnd()}\n\n`);
    stderr.write(`${paint(stderr, 31, "Stopped:")} ${error.message}\n`);
    return;
  }
  stderr.write(
    `${paint(stderr, 31, "Stopped by a fault of these scripts, please report it:")} ${error?.stack ?? error}\n`,
  );
}
