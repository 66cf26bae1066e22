// Whatever ends a command, nothing that it started lives on.

import fs from "node:fs";
import path from "node:path";
import { expect, test, vi } from "vitest";
import { startFixture, stillRunning } from "./helpers.mjs";

const gone = async ({ facts }) => {
  const pids = [facts.starter, facts.postgres, facts.child, facts.grandchild];
  await vi.waitFor(() => expect(stillRunning(pids)).toEqual([]), { timeout: 20_000, interval: 50 });
  await vi.waitFor(() => expect(fs.existsSync(path.dirname(facts.log))).toBe(false), { timeout: 5000 });
};

test.each(["SIGINT", "SIGTERM", "SIGHUP"])(
  "%s stops children and grandchildren, and removes temporary data",
  async (signal) => {
    const started = await startFixture("starter.mjs");
    started.child.kill(signal);
    expect(await started.ended).toBe(0);
    await gone(started);
  },
);

test("kill -9 of the command", async () => {
  const started = await startFixture("starter.mjs");
  started.child.kill("SIGKILL");
  await gone(started);
});

test.each(["SIGTERM", "SIGKILL"])("%s also stops what does not want to be stopped", async (signal) => {
  const started = await startFixture("starter.mjs", { more: ["stubborn"] });
  started.child.kill(signal);
  await gone(started);
});

test("kill -9 of npm, which starts the command", async () => {
  const started = await startFixture("starter.mjs", { wrapped: true });
  started.child.kill("SIGKILL");
  await gone(started);
});

test("Ctrl-C that arrives twice, from the terminal and from npm, stops in order all the same", async () => {
  const started = await startFixture("starter.mjs");
  started.child.kill("SIGINT");
  started.child.kill("SIGINT");
  expect(await started.ended).toBe(0);
  await gone(started);
});
