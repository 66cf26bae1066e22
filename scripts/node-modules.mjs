// The npm packages: installed exactly as the lock file says, and only where node_modules is not what it says.

import fs from "node:fs";
import path from "node:path";
import { root } from "./repository.mjs";
import { runProgram } from "./run.mjs";

/** `npm ci`, where it is needed, in the repository or in another folder. Answers true where it installed. */
export async function installNodeModules({ signal, folder = root, what = "npm packages" } = {}) {
  if (matchesLock(folder)) return false;
  // By npm's own address where npm started us, so that it is the same npm and the same Node.
  const script = process.env.npm_execpath?.endsWith(".js") ? process.env.npm_execpath : undefined;
  const args = ["ci", "--include=dev", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
  const retries = ["--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=2000"];
  await runProgram(
    `Installing ${what} (npm ci)`,
    script ? process.execPath : "npm",
    [...(script ? [script] : []), ...args, ...retries],
    { cwd: folder, signal, failure: npmFailure },
  );
  return true;
}

/** True where every package of the lock is there in its version; what belongs to other platforms need not be. */
export function matchesLock(folder) {
  try {
    const wanted = JSON.parse(fs.readFileSync(path.join(folder, "package-lock.json"), "utf8")).packages;
    // npm writes this one last: an installation that was cut off has none.
    const found = JSON.parse(
      fs.readFileSync(path.join(folder, "node_modules", ".package-lock.json"), "utf8"),
    ).packages;
    return Object.entries(wanted).every(([place, entry]) => {
      if (!place.startsWith("node_modules/") && !place.includes("/node_modules/")) return true;
      if (found[place] === undefined) return entry.optional === true || entry.devOptional === true;
      if (entry.link) return fs.existsSync(path.join(folder, place));
      return (
        found[place].version === entry.version && fs.existsSync(path.join(folder, place, "package.json"))
      );
    });
  } catch {
    return false;
  }
}

/** One sentence for the ways in which `npm ci` fails most. */
export function npmFailure(output, outcome) {
  if (/not found$/.test(outcome))
    return "npm was not found: install Node with npm (https://nodejs.org) and try again.";
  if (
    /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|ERR_SOCKET_TIMEOUT|network/i.test(
      output,
    )
  ) {
    return "The npm registry could not be reached, so the npm packages are not installed: check the connection (or the proxy and registry in npm's settings) and try again.";
  }
  if (/can only install packages when your package\.json and package-lock\.json/.test(output)) {
    return "package.json and package-lock.json do not agree: run `npm install` once and look at what it changes in the lock.";
  }
  if (/ENOSPC/.test(output)) return "The disk is full: about 1 GB is needed; make room and try again.";
  return "npm could not install the packages: its words stand above.";
}
