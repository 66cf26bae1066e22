// Chromium for the tests in a browser: the one that is there; as root on Debian it is installed.

import fs from "node:fs";
import path from "node:path";
import { installPackages } from "./debian.mjs";
import { Stop } from "./say.mjs";

const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"];
const PLACES = [
  "/Applications/Chromium.app/Contents/MacOS/Chromium",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

/** The path of Chromium (or Chrome); undefined where there is none. CHROMIUM, where set, is the only one. */
export function findChromium(environ = process.env) {
  if (environ.CHROMIUM) {
    if (fs.existsSync(environ.CHROMIUM)) return environ.CHROMIUM;
    throw new Stop(
      `CHROMIUM is "${environ.CHROMIUM}", which is not there: give the path of Chromium or Chrome.`,
    );
  }
  const folders = (environ.PATH ?? "").split(path.delimiter).filter((folder) => folder !== "");
  const found = folders.flatMap((folder) => NAMES.map((name) => path.join(folder, name)));
  return [...found, ...PLACES].find((file) => fs.existsSync(file));
}

/** Chromium's path, installed where it is missing and may be installed. */
export async function requireChromium({ signal } = {}) {
  const found = findChromium();
  if (found) return found;
  await installPackages({
    names: ["chromium"],
    what: "Chromium",
    need: "The tests in a browser need Chromium",
    cure: "install Chromium or Chrome, or name one: CHROMIUM=/path/to/chromium",
    signal,
  });
  const now = findChromium();
  if (!now) throw new Stop(`Chromium was installed and is not found: name it, CHROMIUM=/path/to/chromium.`);
  return now;
}
