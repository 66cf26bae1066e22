// One `npm start` for one clone: a file says which process it is, so that a second one is told at once.

import fs from "node:fs";
import path from "node:path";
import { identity } from "./processes.mjs";
import { Stop } from "./say.mjs";

/**
 * Claims the clone for this process.
 *
 * @param {string} file where the claim is written: a process id, and what tells it from a later process of that id.
 * @returns {() => void} gives it back.
 * @throws {Stop} where another process that still runs has claimed it.
 */
export function claim(file) {
  const [pid, started] = read(file).split(" ");
  if (pid && Number(pid) !== process.pid && started && started === mark(Number(pid))) {
    throw new Stop(
      `npm start is running in this clone already (process ${pid}): use that one, or stop it first.`,
    );
  }
  fs.mkdirSync(path.dirname(file), { recursive: true });
  const own = `${process.pid} ${mark(process.pid)}`;
  fs.writeFileSync(file, own);
  return () => {
    if (read(file) === own) fs.rmSync(file, { force: true });
  };
}

/** Without the spaces of a date. */
const mark = (pid) => identity(pid).replace(/\s+/g, "-");

function read(file) {
  try {
    return fs.readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
