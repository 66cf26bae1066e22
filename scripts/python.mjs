// Python: an interpreter that is new enough, a virtual environment with the pinned and hashed requirements, and the
// project's own package installed from its built wheel, as a user would get it.

import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { inRoot } from "./repository.mjs";
import { runProgram } from "./run.mjs";
import { Stop, say } from "./say.mjs";
import { hashOf, stamped } from "./stamp.mjs";

export const venv = inRoot(".venv");
/** The environment's own interpreter. Tools are run as `python -m`, so that a moved clone still works. */
export const python =
  process.platform === "win32" ? path.join(venv, "Scripts", "python.exe") : path.join(venv, "bin", "python");
const requirements = inRoot("python", "requirements", "dev.txt");
const REQUIRED = [3, 11];

/** The Python to use: the environment's own where that will do and the person names no other, else a newly found one. */
export function choosePython(environ = process.env) {
  const existing = versionOf(python, environ);
  return existing && enough(existing.version) && !environ.PYTHON ? existing : findPython(environ);
}

/** The virtual environment, made or completed where it is not what the requirements say. */
export async function installPython({ base = choosePython(), signal, notice = say } = {}) {
  const existing = versionOf(python);
  const hash = hashOf([requirements], base.version, process.platform, process.arch);
  await stamped(
    ".requirements",
    hash,
    [python],
    async () => {
      if (existing === undefined || existing.version !== base.version) await makeEnvironment(base, signal);
      await installRequirements(requirements, [], { signal, notice });
    },
    venv,
  );
}

/** jwt_auth_bridge, built by hatchling and installed from the wheel, where its sources changed. */
export async function installOwnPackage({ signal } = {}) {
  const sources = ["src", "pyproject.toml", "README.md"].map((name) => inRoot("python", name));
  const hash = hashOf(sources, fs.statSync(python).ino);
  const wheels = inRoot(".cache", "wheel");
  await stamped(
    ".own-package",
    hash,
    [python],
    async () => {
      fs.rmSync(wheels, { recursive: true, force: true });
      await runProgram(
        "Building the Python package",
        python,
        ["-m", "hatchling", "build", "-t", "wheel", "-d", wheels],
        { cwd: inRoot("python"), signal },
      );
      const wheel = fs.readdirSync(wheels).find((name) => name.endsWith(".whl"));
      const args = ["--no-deps", "--no-index", "--force-reinstall", path.join(wheels, wheel)];
      await runProgram("Installing it", python, [...pip, "install", ...args], { signal, shown: false });
    },
    venv,
  );
}

const pip = ["-m", "pip", "--disable-pip-version-check", "--no-input", "--retries", "1"];

/**
 * Installs a requirements file with its hashes; where they know no file for this platform, the same versions without.
 *
 * @param {string[]} more further arguments for `pip install`, such as `--target`.
 */
export async function installRequirements(file, more, { signal, notice = say } = {}) {
  const name = path.relative(inRoot("python", "requirements"), file);
  const install = (step, args) =>
    runProgram(step, python, [...pip, "install", "--quiet", ...more, ...args], {
      signal,
      failure: pipFailure,
    });
  try {
    await install(`Installing Python packages (${name}, hashes checked)`, ["--require-hashes", "-r", file]);
  } catch (error) {
    if (!(error instanceof UnknownToHashes)) throw error;
    notice(`  ${error.message} The same pinned versions are installed without checking hashes.`);
    const bare = inRoot(".cache", `without-hashes-${name}`);
    fs.mkdirSync(path.dirname(bare), { recursive: true });
    fs.writeFileSync(bare, withoutHashes(fs.readFileSync(file, "utf8")));
    await install(`Installing Python packages (${name}, without hashes)`, ["-r", bare]);
  }
}

/** The pinned versions of a hashed requirements file, without the hashes. */
export function withoutHashes(text) {
  return text
    .split(/\r?\n/)
    .filter((line) => !/^\s*--hash=/.test(line))
    .map((line) => line.replace(/\s*\\$/, ""))
    .join("\n");
}

/** The one failure that is answered by installing without hashes. */
export class UnknownToHashes extends Error {}

/** One sentence for the ways in which pip fails most; UnknownToHashes where the hashes know no file for this platform. */
export function pipFailure(output) {
  const offline =
    /NewConnectionError|ConnectTimeout|ReadTimeout|Failed to establish|name resolution|Connection (refused|reset|broken)|ProxyError|Max retries exceeded/i;
  if (offline.test(output)) {
    return "The Python package index could not be reached, so the Python packages are not installed: check the connection (or pip's proxy and index settings) and try again.";
  }
  const none = /No matching distribution found for ([A-Za-z0-9._-]+)/.exec(output)?.[1];
  if (none) return new UnknownToHashes(`The hashes know no file of ${none} for this platform.`);
  if (/DO NOT MATCH THE HASHES/.test(output)) {
    // Only a file for one platform may be one that the lock has not seen; any other difference is a changed file.
    const odd = /^\s+([A-Za-z0-9._-]+)(?:\[\S*\])?==\S+.* from \S*?([^/\s#]+\.(?:whl|tar\.gz|zip))/m.exec(
      output,
    );
    if (odd && /\.whl$/.test(odd[2]) && !/-any\.whl$/.test(odd[2])) {
      return new UnknownToHashes(`The hashes know no file of ${odd[1]} for this platform.`);
    }
    return "A Python package is not the one whose hash stands in python/requirements: it was not installed; the index served something else.";
  }
  if (/No space left/.test(output)) return "The disk is full: about 1 GB is needed; make room and try again.";
  return "pip could not install the Python packages: its words stand above.";
}

async function makeEnvironment(base, signal) {
  fs.rmSync(venv, { recursive: true, force: true });
  try {
    await runProgram(
      `Making a virtual environment (Python ${base.version})`,
      base.command,
      ["-m", "venv", venv],
      {
        signal,
        failure: (output) => venvFailure(output, base),
      },
    );
  } catch (error) {
    fs.rmSync(venv, { recursive: true, force: true });
    throw error;
  }
}

/** Debian and Ubuntu ship Python without the parts that make environments. */
export function venvFailure(output, base) {
  if (!/ensurepip|No module named '?venv/.test(output)) return undefined;
  const minor = base.version.split(".").slice(0, 2).join(".");
  return `${base.command} (Python ${base.version}) cannot make virtual environments: install its venv module (on Debian and Ubuntu: apt-get install python${minor}-venv) and try again.`;
}

/** The first Python that is new enough; PYTHON, where set, is the only one asked. */
export function findPython(environ = process.env) {
  const named = environ.PYTHON;
  const needed = REQUIRED.join(".");
  if (named) {
    const found = versionOf(named, environ);
    if (found === undefined)
      throw new Stop(`PYTHON is "${named}", which is no Python that runs: give a Python ${needed} or newer.`);
    if (!enough(found.version))
      throw new Stop(`PYTHON is Python ${found.version}: give a Python ${needed} or newer.`);
    return found;
  }
  const seen = [];
  for (const name of ["python3.13", "python3.12", "python3.11", "python3", "python"]) {
    const found = versionOf(name, environ);
    if (found && enough(found.version)) return found;
    if (found) seen.push(found.version);
  }
  const what = seen.length > 0 ? `only Python ${seen.join(" and ")} was found` : "no Python was found";
  throw new Stop(
    `Python ${needed} or newer is needed, and ${what}: install it (https://www.python.org, or your system's packages), or name one: PYTHON=/path/to/python3 npm start.`,
  );
}

function versionOf(command, environ = process.env) {
  const code = "import sys; print('%d.%d.%d' % sys.version_info[:3])";
  const asked = spawnSync(command, ["-c", code], { encoding: "utf8", env: environ, timeout: 20_000 });
  const version = asked.stdout?.trim();
  return asked.status === 0 && /^\d+\.\d+\.\d+$/.test(version) ? { command, version } : undefined;
}

function enough(version) {
  const [major, minor] = version.split(".").map(Number);
  return major > REQUIRED[0] || (major === REQUIRED[0] && minor >= REQUIRED[1]);
}
