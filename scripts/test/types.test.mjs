// The types between the two languages: fresh, and a field that Python renames stops the build of the web app.

import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { apiTypes, makeApiTypes } from "../api-types.mjs";
import { api, program, root, web } from "../repository.mjs";
import { folder } from "./helpers.mjs";

test("the web app's types are what the API says now", async () => {
  expect(fs.readFileSync(apiTypes, "utf8"), "run npm run types").toBe(await makeApiTypes());
});

test("a field that is renamed in Python does not compile in TypeScript", async () => {
  const compile = (cwd) =>
    spawnSync(process.execPath, [program("typescript", "bin", "tsc"), "--noEmit", "-p", "."], {
      cwd,
      encoding: "utf8",
    });
  const clone = folder();
  const made = path.join(clone, path.relative(root, web));
  const source = (file) => !/node_modules|[\\/]\.next|\.env|tsbuildinfo/.test(path.relative(web, file));
  fs.cpSync(web, made, { recursive: true, filter: source });
  fs.copyFileSync(path.join(root, "tsconfig.base.json"), path.join(clone, "tsconfig.base.json"));
  fs.symlinkSync(path.join(root, "node_modules"), path.join(clone, "node_modules"), "junction");
  const renamed = path.join(clone, "api");
  fs.cpSync(api, renamed, { recursive: true, filter: (file) => !/\.env|__pycache__/.test(file) });
  const schemas = path.join(renamed, "todo_api", "schemas.py");
  const before = fs.readFileSync(schemas, "utf8");
  const after = before.replace("    user_id: str\n    title: str\n", "    user_id: str\n    heading: str\n");
  expect(after).not.toBe(before);
  fs.writeFileSync(schemas, after);
  fs.writeFileSync(path.join(made, "lib", "api-types.ts"), await makeApiTypes({ folder: renamed }));
  const { status, stdout } = compile(made);
  expect(status).not.toBe(0);
  expect(stdout).toMatch(/components.task-item\.tsx.*Property 'title' does not exist/);
  // Nothing else is wrong with the copy: each complaint is about the field.
  const complaints = stdout.split("\n").filter((line) => /error TS/.test(line));
  for (const line of complaints) expect(line).toMatch(/'title'|'heading'/);
});
