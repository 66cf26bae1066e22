// The set-up: everything that a clone needs before anything runs. Each part looks first whether it is there already.

import { buildPackage, buildWeb } from "./builds.mjs";
import { shareSecret } from "./env-file.mjs";
import { withLock } from "./lock.mjs";
import { installNodeModules } from "./node-modules.mjs";
import { choosePython, installOwnPackage, installPython } from "./python.mjs";
import { say } from "./say.mjs";

/**
 * Installs, builds and generates what is missing.
 *
 * @param {{ signal?: AbortSignal, secrets?: boolean, web?: boolean }} options secrets: also the `.env` files of the
 *   example (default true); web: also the Next.js app (default true).
 */
export async function setUp({ signal, secrets = true, web = true } = {}) {
  // Asked first: a missing Python should not be found out after half a minute of installing.
  const options = { signal, notice: say, base: choosePython() };
  await withLock(async () => {
    await installNodeModules(options);
    await installPython(options);
    await installOwnPackage(options);
    await buildPackage(options);
    if (web) await buildWeb(options);
    if (secrets) shareSecret();
  }, options);
}
