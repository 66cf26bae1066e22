// What the tests of the scripts share: folders that go away, commands run to their end, and waiting for a fact.

import { spawn } from "node:child_process";
import fs from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { onTestFinished } from "vitest";
import { runs } from "../processes.mjs";
import { root } from "../repository.mjs";

/** A folder of this test's own; closed to others, as `mktemp -d` makes it. */
export function folder() {
  const made = fs.mkdtempSync(path.join(fs.realpathSync(tmpdir()), "scripts-test-"));
  onTestFinished(() => fs.rmSync(made, { recursive: true, force: true }));
  return made;
}

/** Runs a command to its end: { code, output, seconds }. */
export function runToEnd(command, args, { env = {}, cwd = root } = {}) {
  const began = performance.now();
  const child = spawn(command, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8");
    stream.on("data", (text) => {
      output += text;
    });
  }
  return new Promise((resolve) => {
    child.on("close", (code) => resolve({ code, output, seconds: (performance.now() - began) / 1000 }));
  });
}

/** Starts a fixture that prints one line of JSON when it is ready: { child, facts }. */
export async function startFixture(name, { wrapped = false, more = [] } = {}) {
  const script = path.join(root, "scripts", "test", "fixtures", name);
  const [command, args] = wrapped
    ? [process.execPath, [path.join(root, "scripts", "test", "fixtures", "parent.mjs"), script, ...more]]
    : [process.execPath, [script, ...more]];
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"] });
  onTestFinished(() => child.kill("SIGKILL"));
  const ended = new Promise((resolve) => child.on("exit", (code, signal) => resolve(code ?? signal)));
  child.stdout.setEncoding("utf8");
  const facts = await new Promise((resolve, reject) => {
    let text = "";
    child.stdout.on("data", (more) => {
      text += more;
      const line = text.split("\n").find((candidate) => candidate.startsWith("{"));
      if (line) resolve(JSON.parse(line));
    });
    ended.then((how) => reject(new Error(`the fixture ended (${how}): ${text}`)));
  });
  return { child, ended, facts };
}

/** Which of these processes still run. */
export const stillRunning = (pids) => pids.filter((pid) => runs(pid));
