/** The package as it is published: built by tsc, with its package.json, in a folder of its own. */

import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const PACKAGE = fileURLToPath(new URL("../", import.meta.url));

/** Builds below the package, so that the built files find better-auth; the folder is ignored by git. */
export function buildPackage(): { folder: string; remove(): void } {
  mkdirSync(path.join(PACKAGE, ".cache"), { recursive: true });
  const folder = mkdtempSync(path.join(PACKAGE, ".cache", "built-"));
  copyFileSync(path.join(PACKAGE, "package.json"), path.join(folder, "package.json"));
  const tsc = fileURLToPath(new URL("../../node_modules/typescript/bin/tsc", import.meta.url));
  const args = [tsc, "-p", path.join(PACKAGE, "tsconfig.build.json"), "--outDir", path.join(folder, "dist")];
  const { status, stdout } = spawnSync(process.execPath, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(stdout);
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}
