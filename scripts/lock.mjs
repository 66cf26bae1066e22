// One set-up at a time in one clone: a folder is made (which only one can), with who made it inside. A lock whose
// process is gone is taken over.

import { randomBytes } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { identity } from "./processes.mjs";
import { cache } from "./repository.mjs";

/** How long a lock may be without its owner's name, which is written right after the folder is made, in milliseconds. */
const NAMELESS = 2000;
const STEP = 100;

/** Runs the work while holding the lock; waits for another holder, and says so once. */
export async function withLock(work, { folder = path.join(cache, "set-up.lock"), signal, notice } = {}) {
  await take(folder, signal, notice);
  const release = () => fs.rmSync(folder, { recursive: true, force: true });
  process.on("exit", release);
  try {
    return await work();
  } finally {
    process.off("exit", release);
    release();
  }
}

async function take(folder, signal, notice) {
  fs.mkdirSync(path.dirname(folder), { recursive: true });
  let told = false;
  for (let nameless = 0; ; ) {
    signal?.throwIfAborted();
    try {
      fs.mkdirSync(folder);
      fs.writeFileSync(
        path.join(folder, "owner"),
        JSON.stringify({ pid: process.pid, is: identity(process.pid) }),
      );
      return;
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
    }
    const owner = ownerOf(folder);
    nameless = owner === undefined ? nameless + STEP : 0;
    if (nameless > NAMELESS || (owner !== undefined && !holds(owner))) {
      takeAway(folder, owner);
      continue;
    }
    if (owner !== undefined && !told) {
      told = true;
      notice?.(`Another set-up of this clone is at work (process ${owner.pid}): waiting for it.`);
    }
    await new Promise((resolve) => setTimeout(resolve, STEP));
  }
}

/** Moves a dead lock aside, which only one of those who wait can; one that was renewed meanwhile is put back. */
function takeAway(folder, dead) {
  const aside = `${folder}.${randomBytes(4).toString("hex")}`;
  try {
    fs.renameSync(folder, aside);
  } catch {
    return;
  }
  const found = ownerOf(aside);
  if (found !== undefined && found.pid !== dead?.pid) fs.renameSync(aside, folder);
  else fs.rmSync(aside, { recursive: true, force: true });
}

function ownerOf(folder) {
  try {
    return JSON.parse(fs.readFileSync(path.join(folder, "owner"), "utf8"));
  } catch {
    return undefined;
  }
}

function holds(owner) {
  const now = identity(owner.pid);
  return now !== "" && now === owner.is;
}
