// `npm run differential`: the same odd tokens to both verifiers, as many as one likes.

import { spawn } from "node:child_process";
import { python } from "../python.mjs";
import { inRoot } from "../repository.mjs";
import { command } from "../run.mjs";
import { setUp } from "../setup.mjs";

await command(async ({ signal }) => {
  await setUp({ signal, secrets: false, web: false });
  const args = [inRoot("e2e", "differential"), ...process.argv.slice(2)];
  const child = spawn(python, args, { stdio: "inherit", signal });
  return await new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve(code ?? 1));
  });
});
