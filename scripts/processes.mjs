// What can be known about a process that is not ours to wait for: whether it runs, and that it is still the same one.

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** True while a process with that id runs (one that ended and was not collected does not). */
export function runs(pid) {
  return describe(pid) !== undefined;
}

/** True while a process with that id runs and its name matches. Ids are used again; names tell them apart. */
export function processIs(pid, name) {
  return name.test(describe(pid)?.name ?? "");
}

/** A text that differs between two processes that had the same id one after the other; "" for one that is gone. */
export function identity(pid) {
  return describe(pid)?.started ?? "";
}

function describe(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    const name = stat.slice(stat.indexOf("(") + 1, stat.lastIndexOf(")"));
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" ? undefined : { name, started: fields[19] };
  } catch (error) {
    if (process.platform === "linux") return undefined;
    const asked = spawnSync("ps", ["-o", "stat=,lstart=,comm=", "-p", String(pid)], { encoding: "utf8" });
    const found = /^(\S+)\s+(\S+\s+\S+\s+\S+\s+\S+\s+\S+)\s+(.*)$/.exec(asked.stdout?.trim() ?? "");
    if (asked.error !== undefined) throw error;
    return !found || found[1].startsWith("Z") ? undefined : { name: found[3], started: found[2] };
  }
}
