// The example's API in TypeScript: FastAPI's OpenAPI document, in process, through openapi-typescript. The web app is
// compiled against it, so that a field that Python renames is an error there and not a surprise in a browser.

import { spawnSync } from "node:child_process";
import { python } from "./python.mjs";
import { api, inRoot, program, web } from "./repository.mjs";
import { runProgram } from "./run.mjs";
import { Stop } from "./say.mjs";
import { settingsOf } from "./settings.mjs";

/** Where they are kept. */
export const apiTypes = `${web}/lib/api-types.ts`;

const HEADER = `/**
 * The API's types, made from FastAPI's OpenAPI document by openapi-typescript: run \`npm run types\` after a change in
 * Python. Not to be edited; \`npm run check\` and a test compare it.
 */
`;

/** Prints the document. Nothing is started, and no database is asked. */
const DESCRIBE = "import json; from todo_api.main import app; print(json.dumps(app.openapi()))";

/**
 * Makes the types.
 *
 * @param {{ folder?: string, signal?: AbortSignal }} options folder: of the API; default: the example's.
 * @returns {Promise<string>} the whole file, formatted.
 */
export async function makeApiTypes({ folder = api, signal } = {}) {
  const nowhere = "postgresql://nobody@localhost/todo";
  const settings = settingsOf({
    temporary: true,
    webPort: 3000,
    apiPort: 8000,
    databaseUrl: nowhere,
    apiDatabaseUrl: nowhere,
  });
  const document = await runProgram("Asking the API for its OpenAPI document", python, ["-c", DESCRIBE], {
    cwd: folder,
    env: settings.api,
    signal,
    shown: false,
  });
  const { default: openapiTS, astToString } = await import("openapi-typescript");
  // The API's log comes out beside it; the document is one line.
  const described = JSON.parse(document.split("\n").find((line) => line.startsWith("{")));
  // A field with a default may be left out of what is sent.
  const types = await openapiTS(described, { defaultNonNullable: false, silent: true });
  return formatted(HEADER + astToString(types));
}

function formatted(text) {
  const biome = [program("@biomejs", "biome", "bin", "biome"), "format", `--stdin-file-path=${apiTypes}`];
  const done = spawnSync(process.execPath, biome, { cwd: inRoot(), input: text, encoding: "utf8" });
  if (done.status !== 0) throw new Stop("The API's types could not be formatted.", done.stderr);
  return done.stdout;
}
