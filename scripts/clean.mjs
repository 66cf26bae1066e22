// What must not be in a committed file: where packages were downloaded from, and where on which machine it was written.

import { execFileSync, spawnSync } from "node:child_process";
import fs from "node:fs";
import { homedir } from "node:os";
import path from "node:path";
import { root } from "./repository.mjs";

/** The public registries and the pictures that count downloads. */
const HOSTS = /registry\.(?:npmjs|yarnpkg)|python[h]osted|\bpypi\.org|\bnpmjs\.com|shields\.io/;
/** Where a lock file would say what is downloaded from where. npm's also names sponsors, from whom nothing is downloaded. */
const DOWNLOADS = [
  [/(?:^|\/)package-lock\.json$/, /"resolved": "[a-z+]+:/],
  [/^python\/requirements\//, /https?:|--(?:extra-)?index-url|--find-links/],
];

/** Every finding as "file:line: what", for all files that git has or would take. */
export function findings(files = committed(), folder = root) {
  const machine = machineWords();
  return files.flatMap((file) => {
    const text = fs.readFileSync(path.join(folder, file), "utf8");
    if (text.includes("\0")) return [];
    const lines = text.split("\n");
    return lines.flatMap((line, index) => {
      const what =
        (HOSTS.test(line) && "a registry's host") ||
        (DOWNLOADS.some(([lock, address]) => lock.test(file) && address.test(line)) &&
          "a download address") ||
        (machine.some((word) => line.includes(word)) && "a path or host of this machine");
      return what ? [`${file}:${index + 1}: ${what}`] : [];
    });
  });
}

function committed() {
  const list = execFileSync("git", ["ls-files", "-co", "--exclude-standard", "-z"], {
    cwd: root,
    encoding: "utf8",
  });
  return list
    .split("\0")
    .filter((file) => file !== "" && fs.statSync(path.join(root, file), { throwIfNoEntry: false })?.isFile());
}

/** This clone's folder, this person's, and the hosts that this machine installs from. */
function machineWords() {
  const home = homedir();
  const registry = spawnSync("npm", ["config", "get", "registry"], {
    cwd: root,
    encoding: "utf8",
  }).stdout?.trim();
  const hosts = [registry, process.env.PIP_INDEX_URL, process.env.UV_INDEX_URL, process.env.UV_DEFAULT_INDEX]
    .map((url) => URL.canParse(url ?? "") && new URL(url).host)
    .filter((host) => host && !/^(?:localhost|127\.0\.0\.1|\[::1\])(?::|$)/.test(host));
  return [root, home, ...hosts].filter((word) => word.length > 6);
}
