/** The package as it is published: built by tsc, with its package.json, in a folder of its own. */

import { spawnSync } from "node:child_process";
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
} from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const PACKAGE = fileURLToPath(new URL("../", import.meta.url));
const TSC = fileURLToPath(new URL("../../node_modules/typescript/bin/tsc", import.meta.url));
const inPackage = (name: string) => path.join(PACKAGE, name);

/** Below the package, so that the built files find better-auth; the folder is ignored by git. */
export function buildPackage(): { folder: string; remove(): void } {
  mkdirSync(inPackage(".cache"), { recursive: true });
  const folder = mkdtempSync(inPackage(".cache/built-"));
  copyFileSync(inPackage("package.json"), path.join(folder, "package.json"));
  const dist = path.join(folder, "dist");
  if (!copyBuilt(dist)) build(dist);
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

/** What the set-up built, where it is younger than all that it was built from, and stays so while it is copied. */
function copyBuilt(dist: string): boolean {
  const from = inPackage("dist");
  const built = ageOf(from, "first");
  const sources = ["src", "package.json", "tsconfig.json", "tsconfig.build.json", "../tsconfig.base.json"];
  if (sources.some((source) => ageOf(inPackage(source), "last") >= built)) return false;
  try {
    cpSync(from, dist, { recursive: true });
  } catch {
    // Somebody builds it anew.
  }
  if (ageOf(from, "first") === built) return true;
  rmSync(dist, { recursive: true, force: true });
  return false;
}

function build(dist: string): void {
  const args = [TSC, "-p", inPackage("tsconfig.build.json"), "--outDir", dist];
  const { status, stdout } = spawnSync(process.execPath, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(stdout);
}

/** When the first or the last thing at a place was written, in milliseconds; 0 where there is none. Folders count, too. */
function ageOf(place: string, which: "first" | "last"): number {
  if (!existsSync(place)) return 0;
  const below = statSync(place).isDirectory()
    ? readdirSync(place, { recursive: true, encoding: "utf8" }).map((name) => path.join(place, name))
    : [];
  const times = [place, ...below].map((name) => statSync(name).mtimeMs);
  return which === "first" ? Math.min(...times) : Math.max(...times);
}
