// Runs other programs: each in a process group of its own, watched by the keeper, its output prefixed or kept for the
// case that it fails. And the life of a command: signals and the end of the parent end it, in reverse order of starting.

import { spawn } from "node:child_process";
import { keep, signalGroup, stopGroup } from "./keeper.mjs";
import { faint, progress, Stop, say, sayFailure } from "./say.mjs";

/** The person, or whoever started the command, wants it to end. */
export class Ended extends Error {
  constructor(reason, exitCode) {
    super(reason);
    this.name = "Ended";
    this.exitCode = exitCode;
  }
}

/** How many lines of a program's output are kept for the error message. */
const LAST_LINES = 40;
/** From when on a second signal means "at once", in milliseconds after the first. */
const IMPATIENT = 1500;

/**
 * Starts a program that goes on running. Its lines are shown with its name in front; `plain`: as they are; `quiet`: not;
 * `hide`: not those that match. `account`: as whom it runs, { uid, gid }, where not as ourselves.
 *
 * @returns {{ name: string, pid: number, exited: Promise<string>, running: () => boolean, lastLines: () => string,
 *   stop: (signal?: string) => Promise<void>, kill: () => Promise<void> }} exited resolves with how it ended.
 */
export function startProgram(
  name,
  command,
  args,
  { cwd, env, account, quiet = false, plain = false, hide, onLine } = {},
) {
  const stdio = ["ignore", "pipe", "pipe"];
  const child = spawn(command, args, { ...account, cwd, env, detached: true, stdio });
  const lines = [];
  let running = true;
  const exited = new Promise((resolve) => {
    child.on("error", (error) =>
      resolve(error.code === "ENOENT" ? `${command} was not found` : error.message),
    );
    child.on("close", (code, signal) => resolve(code === null ? `signal ${signal}` : `exit ${code}`));
  }).finally(() => {
    running = false;
    if (child.pid) keep({ forget: child.pid });
  });
  if (child.pid) keep({ watch: child.pid, signal: "SIGTERM" });
  for (const stream of [child.stdout, child.stderr]) {
    eachLine(stream, (line) => {
      lines.push(line);
      if (lines.length > LAST_LINES) lines.shift();
      if (!quiet && !hide?.test(line)) say(plain ? line : `${faint(`${name} |`)} ${line}`);
      onLine?.(line);
    });
  }
  const stop = async (signal = "SIGTERM") => {
    if (child.pid && running) await stopGroup(child.pid, signal);
    await exited;
  };
  const kill = async () => {
    if (child.pid) signalGroup(child.pid, "SIGKILL");
    await exited;
  };
  return {
    name,
    pid: child.pid,
    exited,
    running: () => running,
    lastLines: () => lines.join("\n"),
    stop,
    kill,
  };
}

/**
 * Runs a program to its end and answers what it printed; progress is shown while it lasts.
 *
 * @throws {Stop} where it fails: `failure(output)` gives the sentence; its last lines come with it.
 * @throws {Ended} where `signal` (an AbortSignal) ends it.
 */
export async function runProgram(step, command, args, { cwd, env, signal, failure, shown = true } = {}) {
  signal?.throwIfAborted();
  const output = [];
  const work = async () => {
    const program = startProgram(step, command, args, {
      cwd,
      env,
      quiet: true,
      onLine: (line) => output.push(line),
    });
    const end = () => program.stop();
    signal?.addEventListener("abort", end, { once: true });
    const outcome = await program.exited;
    signal?.removeEventListener("abort", end);
    signal?.throwIfAborted();
    if (outcome === "exit 0") return output.join("\n");
    const text = output.join("\n");
    const known = failure?.(text, outcome);
    if (known instanceof Error) throw known;
    throw new Stop(
      known ?? `This step failed (${outcome}): ${step}; its last lines stand above.`,
      program.lastLines(),
    );
  };
  return shown ? progress(step, work) : work();
}

/**
 * The life of a command. Runs `body({ signal, later })`; whatever `later` was given is called in reverse order at the
 * end: after the body, its failure, SIGINT, SIGTERM, SIGHUP, or the end of the parent process. Then the process ends.
 */
export async function command(body) {
  const controller = new AbortController();
  const undo = [];
  let asked = 0;
  const end = (reason, exitCode) => {
    // Ctrl-C arrives twice at once, from the terminal and from npm; somebody who asks again later means it: the
    // keeper does the rest.
    if (asked !== 0 && performance.now() - asked > IMPATIENT) process.exit(exitCode);
    if (asked !== 0) return;
    asked = performance.now();
    say("Stopping …");
    controller.abort(new Ended(reason, exitCode));
  };
  process.on("SIGINT", () => end("interrupted", 130));
  process.on("SIGTERM", () => end("told to stop", 143));
  process.on("SIGHUP", () => end("the terminal is gone", 129));
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});
  const parent = process.ppid;
  setInterval(() => {
    if (process.ppid !== parent && !controller.signal.aborted) end("its parent is gone", 129);
  }, 200).unref();

  let exitCode = 0;
  try {
    exitCode = (await body({ signal: controller.signal, later: (work) => undo.push(work) })) ?? 0;
  } catch (error) {
    exitCode = error instanceof Ended || error instanceof Stop ? error.exitCode : 1;
    if (!(error instanceof Ended)) sayFailure(error);
  }
  for (const work of undo.reverse()) await work().catch(sayFailure);
  process.exit(exitCode);
}

/** Resolves when the signal ends the command, or rejects with its reason where `asError`. */
export function ended(signal) {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(signal.reason);
    else signal.addEventListener("abort", () => resolve(signal.reason), { once: true });
  });
}

function eachLine(stream, use) {
  if (!stream) return;
  let rest = "";
  stream.setEncoding("utf8");
  stream.on("data", (text) => {
    const lines = (rest + text).split(/\r?\n/);
    rest = lines.pop();
    for (const line of lines) use(line);
  });
  stream.on("end", () => {
    if (rest !== "") use(rest);
  });
}
