// What is built from the sources: the npm package, and the Next.js app that uses it. Each only when its sources changed.

import fs from "node:fs";
import path from "node:path";
import { inRoot, program, web } from "./repository.mjs";
import { runProgram } from "./run.mjs";
import { hashOf, stamped } from "./stamp.mjs";

/** A hash of what the npm package is built from. */
export const packageSources = () =>
  hashOf([
    inRoot("typescript", "src"),
    inRoot("typescript", "package.json"),
    inRoot("typescript", "tsconfig.json"),
    inRoot("typescript", "tsconfig.build.json"),
    inRoot("tsconfig.base.json"),
    inRoot("package-lock.json"),
  ]);

/** typescript/dist, by tsc. */
export async function buildPackage({ signal } = {}) {
  const dist = inRoot("typescript", "dist");
  await stamped("typescript", packageSources(), [dist], async () => {
    fs.rmSync(dist, { recursive: true, force: true }); // a door that is gone must not stay behind
    await runProgram(
      "Building the npm package",
      process.execPath,
      [program("typescript", "bin", "tsc"), "-p", "tsconfig.build.json"],
      { cwd: inRoot("typescript"), signal },
    );
  });
}

/** Stands where a real one may stand while an app is built; e2e/across-origins.test.ts looks for it in what came of it. */
export const BUILD_SECRET = "seen-by-the-build-and-to-be-kept-out-of-it-4f1c09";

/** examples/todo/web/.next, by `next build`. */
export async function buildWeb({ signal } = {}) {
  const hash = hashOf([web, inRoot("scripts", "builds.mjs")], packageSources());
  await stamped("web", hash, [path.join(web, ".next", "BUILD_ID")], async () => {
    await runProgram(
      "Building the Next.js app",
      process.execPath,
      [program("next", "dist", "bin", "next"), "build"],
      {
        cwd: web,
        env: {
          ...process.env,
          NODE_ENV: "production",
          NEXT_TELEMETRY_DISABLED: "1",
          BETTER_AUTH_SECRET: BUILD_SECRET,
        },
        signal,
      },
    );
  });
}
