// Older versions of the frameworks that the npm package says it works with. Each has an overlay: a folder in .cache with
// the packages of e2e/<name>/package.json and its lock. What the repository tests on the newest versions is copied
// beside them, so that it finds those, and is tested there as it is.

import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { packageSources } from "./builds.mjs";
import { requireChromium } from "./chromium.mjs";
import { withLock } from "./lock.mjs";
import { installNodeModules } from "./node-modules.mjs";
import { cache, inRoot, program, web } from "./repository.mjs";
import { runProgram, startProgram } from "./run.mjs";
import { Stop, say } from "./say.mjs";
import { ownEnvironment } from "./settings.mjs";
import { setUp } from "./setup.mjs";
import { nextOf } from "./stack.mjs";
import { hashOf, isSource, stamped } from "./stamp.mjs";
import { vitestCounts } from "./suites.mjs";

/** What of the tests in the browser uses Next.js: pages, server components, the proxy with its events, refusals. */
const IN_BROWSER = ["next-version", "walk", "access", "proxy", "web-input"];
/** The server's fetch in an app with server actions and both routers; the hook, by itself and hydrated. */
const IN_PACKAGE = ["server-fetch-next", "react"];
/** Next.js 15 calls the file `middleware.ts`, and its function `middleware`. */
const PROXY = "export function proxy(";
const MIDDLEWARE = "export function middleware(";

/** The system suites. */
export function olderSuites() {
  return [
    {
      name: "next-15",
      what: "the reference app on Next.js 15 and React 19, in a browser",
      run: ({ signal }) => runApp("next-15", signal),
    },
    {
      name: "react-18",
      what: "the doors ./next and ./react on Next.js 15 and React 18.3",
      run: ({ signal }) => runPackage("react-18", signal),
    },
  ];
}

async function runApp(name, signal) {
  const chromium = await requireChromium({ signal });
  const overlay = await layOver(name, signal);
  const folder = path.join(overlay, "web");
  requireVersions(overlay, folder);
  await buildOn(name, folder, signal);
  return runVitest(
    name,
    inRoot("e2e"),
    IN_BROWSER.map((file) => `${file}.test.ts`),
    {
      env: { TEST_WEB_FOLDER: folder, CHROMIUM: chromium },
      signal,
    },
  );
}

async function runPackage(name, signal) {
  const overlay = await layOver(name, signal);
  const folder = path.join(overlay, "typescript");
  copy(inRoot("typescript"), folder);
  copy(inRoot("scripts"), path.join(overlay, "scripts")); // with which the tests build the package, there
  fs.copyFileSync(inRoot("tsconfig.base.json"), path.join(overlay, "tsconfig.base.json"));
  requireVersions(overlay, path.join(folder, "test"));
  const files = IN_PACKAGE.map((file) => `test/${file}.test.ts`);
  return runVitest(name, folder, ["--project=better-auth 1.7", ...files], { signal });
}

/** The overlay, with the packages of its lock; and what the tests need of the repository. */
async function layOver(name, signal) {
  await setUp({ signal, secrets: false, web: false });
  const overlay = path.join(cache, name);
  await withLock(
    async () => {
      fs.mkdirSync(overlay, { recursive: true });
      for (const file of ["package.json", "package-lock.json"])
        fs.copyFileSync(inRoot("e2e", name, file), path.join(overlay, file));
      fs.copyFileSync(inRoot(".npmrc"), path.join(overlay, ".npmrc"));
      await installNodeModules({ folder: overlay, what: `the packages of e2e/${name}`, signal });
    },
    { signal, notice: say },
  );
  return overlay;
}

/** Fails where the folder would find other versions than the overlay's: then nothing would be proved. */
function requireVersions(overlay, folder) {
  const wanted = JSON.parse(fs.readFileSync(path.join(overlay, "package.json"), "utf8")).dependencies;
  const versions = ["next", "react", "react-dom", "better-auth"].map((name) => {
    const from = createRequire(path.join(folder, "x.js")).resolve.paths(name);
    const place = from.map((modules) => path.join(modules, name, "package.json")).find(fs.existsSync);
    const { version } = JSON.parse(fs.readFileSync(place, "utf8"));
    if (version !== wanted[name])
      throw new Stop(`${name} is ${version} here and not ${wanted[name]}: delete ${overlay} and try again.`);
    return `${name} ${version}`;
  });
  say(`  ${versions.join(", ")}`);
}

/** The reference app in the overlay, with the package as it is built, by `next build`. */
async function buildOn(name, folder, signal) {
  const sources = [web, inRoot("e2e", name), inRoot("scripts", "older-frameworks.mjs")];
  const outputs = [path.join(folder, ".next", "BUILD_ID")];
  await stamped(`${name}-web`, hashOf(sources, packageSources()), outputs, async () => {
    copy(web, folder);
    const proxy = fs.readFileSync(path.join(folder, "proxy.ts"), "utf8");
    if (proxy.split(PROXY).length !== 2)
      throw new Stop(
        `proxy.ts does not hold "${PROXY}" once: scripts/older-frameworks.mjs has to follow it.`,
      );
    fs.writeFileSync(path.join(folder, "middleware.ts"), proxy.replace(PROXY, MIDDLEWARE));
    fs.rmSync(path.join(folder, "proxy.ts"));
    const own = path.join(folder, "node_modules", "jwt-auth-bridge");
    for (const part of ["package.json", "dist"])
      fs.cpSync(inRoot("typescript", part), path.join(own, part), { recursive: true });
    const env = { ...ownEnvironment(), NODE_ENV: "production", NEXT_TELEMETRY_DISABLED: "1" };
    const step = `Building the Next.js app on ${name}`;
    await runProgram(step, process.execPath, [nextOf(folder), "build"], { cwd: folder, env, signal });
  });
}

/** What a person wrote, and nothing that was there before. */
function copy(from, to) {
  fs.rmSync(to, { recursive: true, force: true });
  const filter = (file) => isSource(path.basename(file)) && path.basename(file) !== ".cache";
  fs.cpSync(from, to, { recursive: true, filter: (file) => file === from || filter(file) });
}

/** Vitest over some files: their numbers. A skipped test counts as failed, and so does a file that was not found. */
async function runVitest(name, root, args, { env = {}, signal }) {
  const report = path.join(cache, "reports", `${name}.json`);
  fs.mkdirSync(path.dirname(report), { recursive: true });
  fs.rmSync(report, { force: true });
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
  const words = [program("vitest", "vitest.mjs"), "run", "--root", root, ...reporters, ...args];
  const options = { cwd: root, env: { ...ownEnvironment(), ...env }, plain: true };
  const vitest = startProgram(name, process.execPath, words, options);
  const end = () => vitest.stop();
  signal?.addEventListener("abort", end, { once: true });
  const outcome = await vitest.exited;
  signal?.removeEventListener("abort", end);
  signal?.throwIfAborted();
  if (!fs.existsSync(report)) throw new Stop(`Vitest left no report (${outcome}).`, vitest.lastLines());
  const text = fs.readFileSync(report, "utf8");
  const { passed, failed, skipped } = vitestCounts(text);
  const asked = args.filter((argument) => argument.endsWith(".test.ts"));
  const ran = JSON.parse(text).testResults.map((file) => file.name);
  const missing = asked.filter((file) => !ran.some((name) => name.endsWith(`/${file}`)));
  for (const file of missing) say(`  ${file} did not run.`);
  const silent = outcome !== "exit 0" && failed === 0 ? 1 : 0;
  return { passed, failed: failed + skipped + missing.length + silent };
}
