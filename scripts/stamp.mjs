// Stamps: what was made from what. A thing is made again when the content of its sources is not what the stamp says.

import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { cache, root } from "./repository.mjs";

/** Made by tools inside the sources, so never a source. */
const MADE = new Set([
  "node_modules",
  "dist",
  ".next",
  "__pycache__",
  "next-env.d.ts",
  ".pytest_cache",
  ".mypy_cache",
  ".ruff_cache",
]);

/** A hash over the content and names of files and folders, and over texts (versions, other hashes) that matter too. */
export function hashOf(paths, ...texts) {
  const hash = createHash("sha256");
  for (const text of texts) hash.update(`${text}\0`);
  for (const file of paths.flatMap(filesBelow)) {
    hash.update(`${path.relative(root, file)}\0`);
    hash.update(createHash("sha256").update(fs.readFileSync(file)).digest());
  }
  return hash.digest("hex");
}

/** Does the work where the stamp differs or something that it made is missing; the stamp is written when it succeeded. */
export async function stamped(name, hash, outputs, work, folder = path.join(cache, "stamps")) {
  const file = path.join(folder, name);
  if (outputs.every((output) => fs.existsSync(output)) && read(file) === hash) return false;
  fs.rmSync(file, { force: true });
  await work();
  fs.mkdirSync(folder, { recursive: true });
  fs.writeFileSync(file, hash);
  return true;
}

function filesBelow(entry) {
  const found = fs.lstatSync(entry, { throwIfNoEntry: false });
  if (found === undefined) return [];
  if (!found.isDirectory()) return found.isFile() ? [entry] : [];
  return fs
    .readdirSync(entry)
    .filter(isSource)
    .sort()
    .flatMap((name) => filesBelow(path.join(entry, name)));
}

/** True for the name of what a person wrote, and wrote for others. */
export function isSource(name) {
  return !MADE.has(name) && !isPrivate(name) && !name.endsWith(".tsbuildinfo");
}

/** Settings and secrets of the person: read when a process runs, never part of what is built. */
function isPrivate(name) {
  return name === ".env" || name.startsWith(".env.");
}

function read(file) {
  try {
    return fs.readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}
