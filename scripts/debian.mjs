// Debian's packages: installed where this is root on Debian (or a relative); else the person is told what to install.

import { spawnSync } from "node:child_process";
import { runProgram } from "./run.mjs";
import { Stop, say } from "./say.mjs";

/** True where apt-get is there. */
export const hasApt = () => spawnSync("apt-get", ["--version"], { stdio: "ignore" }).status === 0;

/**
 * Installs packages that were found missing.
 *
 * @param {{ names: string[], what: string, need: string, cure?: string, signal?: AbortSignal }} options names: the packages;
 *   what: the thing in the sentence "There is no …"; need: the beginning of the sentence that says who needs it; cure: what
 *   to do where there is no apt-get.
 * @throws {Stop} where they may not or cannot be installed: `need`, and how to install them.
 */
export async function installPackages({ names, what, need, cure, signal }) {
  const apt = hasApt();
  const advice = apt ? `run: sudo apt-get install ${names.join(" ")}` : cure;
  if (!apt || process.getuid?.() !== 0) throw new Stop(`${need}: ${advice}.`);
  say(`  There is no ${what}: Debian's package is installed.`);
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const install = ["install", "--yes", "--no-install-recommends", ...names];
  await runProgram("apt-get update", "apt-get", ["update"], { env, signal, failure: () => undefined });
  await runProgram(`apt-get install ${names.join(" ")}`, "apt-get", install, {
    env,
    signal,
    failure: () => `${what} could not be installed: ${advice}.`,
  });
}
