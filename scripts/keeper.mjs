// The keeper: what stands between a killed starter and a process that lives on.
//
// Whoever starts children (run.mjs, postgres.mjs) starts one keeper first and tells it over a pipe which process
// groups and temporary folders there are. The pipe closes when the starter ends, however it ends (SIGKILL too):
// then the keeper stops what is still on its list, the last first, and goes. It listens to no signal of the
// terminal, since it is in a session of its own.
//
// Run as a program it is the keeper; imported it gives `keep`, which starts it once per process.

import { spawn } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** How long a group may take to end by itself before it is killed, in milliseconds. */
const GRACE = 6000;
const STEP = 40;

let pipe;

/** Tells the keeper one thing: `{ watch: pid, signal }`, `{ forget: pid }`, `{ remove: folder }` or `{ spare: folder }`. */
export function keep(message) {
  if (pipe === undefined) {
    const keeper = spawn(process.execPath, [fileURLToPath(import.meta.url)], {
      cwd: "/",
      detached: true,
      stdio: ["pipe", "ignore", "ignore"],
    });
    keeper.on("error", () => {});
    keeper.unref();
    keeper.stdin.on("error", () => {});
    keeper.stdin.unref?.();
    pipe = keeper.stdin;
  }
  pipe.write(`${JSON.stringify(message)}\n`);
}

/** True while a process of that group runs. A leader that ended and that nobody collected does not count. */
export function groupLives(pid) {
  try {
    process.kill(-pid, 0);
  } catch (error) {
    return error.code === "EPERM";
  }
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    return stat.charAt(stat.lastIndexOf(")") + 2) !== "Z";
  } catch {
    return true;
  }
}

/** Sends a signal to a whole group; a group that is gone is no error. */
export function signalGroup(pid, signal) {
  try {
    process.kill(-pid, signal);
  } catch {
    // gone already
  }
}

/** Stops a group: the polite signal, a wait, then SIGKILL for whatever is left. Resolves when it is gone. */
export async function stopGroup(pid, signal = "SIGTERM", grace = GRACE) {
  signalGroup(pid, signal);
  await gone(pid, grace);
  signalGroup(pid, "SIGKILL");
  await gone(pid, 2000);
}

async function gone(pid, limit) {
  for (let waited = 0; waited < limit; waited += STEP) {
    if (!groupLives(pid)) return;
    await new Promise((resolve) => setTimeout(resolve, STEP));
  }
}

async function serve() {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => {});
  const groups = new Map();
  const folders = new Set();
  for await (const line of createInterface({ input: process.stdin })) {
    const message = JSON.parse(line);
    if (message.watch) groups.set(message.watch, message.signal);
    if (message.forget) groups.delete(message.forget);
    if (message.remove) folders.add(message.remove);
    if (message.spare) folders.delete(message.spare);
  }
  for (const [pid, signal] of [...groups].reverse()) await stopGroup(pid, signal);
  for (const folder of folders)
    rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await serve();
