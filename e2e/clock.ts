/**
 * One clock for all: the web app, the API and the pages go forward together, in steps, so that an hour takes seconds.
 * The servers read how far it is ahead from a file; a browser has Playwright's clock, installed before its pages are opened.
 */
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { BrowserContext } from "playwright-core";

const folder = fileURLToPath(new URL("clock", import.meta.url));

export type Clock = {
  /** For the stack: its servers' environments. */
  readonly webEnv: Record<string, string>;
  readonly apiEnv: Record<string, string>;
  /** Gives a browser this clock, or one that is wrong by so many milliseconds. Before a page is opened. */
  install(browser: BrowserContext, wrongBy?: number): Promise<void>;
  /** Everybody's clock goes forward by so many milliseconds; what a page's timers missed meanwhile runs once. */
  advance(milliseconds: number): Promise<void>;
  dispose(): void;
};

export function startClock(): Clock {
  const place = mkdtempSync(join(tmpdir(), "todo-clock-"));
  const file = join(place, "milliseconds");
  const browsers = new Set<BrowserContext>();
  let ahead = 0;
  /** Whole or not at all: the servers read it all the time. */
  const write = () => {
    writeFileSync(`${file}.next`, String(ahead));
    renameSync(`${file}.next`, file);
  };
  write();
  return {
    webEnv: { E2E_CLOCK: file, NODE_OPTIONS: `--import=${pathToFileURL(join(folder, "step.mjs")).href}` },
    apiEnv: { E2E_CLOCK: file, PYTHONPATH: folder },
    async install(browser, wrongBy = 0) {
      await browser.clock.install({ time: Date.now() + ahead + wrongBy });
      browsers.add(browser);
      browser.on("close", () => browsers.delete(browser));
    },
    async advance(milliseconds) {
      ahead += milliseconds;
      write();
      for (const browser of browsers) await browser.clock.fastForward(milliseconds);
    },
    dispose: () => rmSync(place, { recursive: true, force: true }),
  };
}
