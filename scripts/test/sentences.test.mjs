// What goes wrong on a fresh machine is one clear sentence and a non-zero exit, without a stack trace.

import fs from "node:fs";
import net from "node:net";
import path from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { findChromium } from "../chromium.mjs";
import { matchesLock, npmFailure } from "../node-modules.mjs";
import { nodeProblem } from "../node-version.mjs";
import { freePort } from "../ports.mjs";
import { findPython, pipFailure, UnknownToHashes, venvFailure, withoutHashes } from "../python.mjs";
import { root } from "../repository.mjs";
import { folder, runToEnd } from "./helpers.mjs";

const script = (name) => path.join(root, "scripts", name);

/** Runs `npm start`'s command in a world where it cannot get far. */
async function start(env, args = []) {
  const ports = {
    WEB_PORT: String(await freePort()),
    API_PORT: String(await freePort()),
    PG_PORT: String(await freePort()),
  };
  const clean = { DATABASE_URL: "", PYTHON: path.join(root, "there-is-no-python"), ...ports, ...env };
  return runToEnd(process.execPath, [script("start.mjs"), ...args], { env: clean });
}

function expectSentence({ code, output }, sentence, expected = 1) {
  expect(output).toMatch(sentence);
  expect(output.trim().split("\n")).toHaveLength(1);
  expect(output).not.toMatch(/^\s+at /m);
  expect(code).toBe(expected);
}

test("a taken port", async () => {
  const server = net.createServer().listen(0, "127.0.0.1");
  onTestFinished(() => server.close());
  await new Promise((resolve) => server.on("listening", resolve));
  const { port } = server.address();
  for (const name of ["WEB_PORT", "API_PORT", "PG_PORT"]) {
    const sentence = new RegExp(
      `^Stopped: Port ${port} is taken by another program: .*${name}=${port + 1} npm start`,
    );
    expectSentence(await start({ [name]: String(port) }), sentence);
  }
});

test("a port that is none, and one port for two", async () => {
  expectSentence(await start({ WEB_PORT: "http" }), /WEB_PORT is "http", which is no port/);
  expectSentence(await start({ WEB_PORT: "70000" }), /WEB_PORT is "70000", which is no port/);
  const port = String(await freePort());
  expectSentence(await start({ WEB_PORT: port, API_PORT: port }), /WEB_PORT and API_PORT are both/);
});

test("a DATABASE_URL that is none", async () => {
  expectSentence(await start({ DATABASE_URL: "mysql://u:geheim@h/d" }), /DATABASE_URL begins with mysql:/);
  const wrong = await start({ DATABASE_URL: "geheim" });
  expectSentence(wrong, /DATABASE_URL is not a URL/);
  expect(wrong.output).not.toContain("geheim");
});

test("a DATABASE_URL where nobody listens, before anything is installed", async () => {
  const sentence =
    /^Stopped: The PostgreSQL of DATABASE_URL cannot be reached at localhost:1 \(ECONNREFUSED\): start it/;
  expectSentence(await start({ DATABASE_URL: "postgresql://u:geheim@localhost:1/d" }), sentence);
  expectSentence(
    await start({ DATABASE_URL: "postgresql://u:geheim@no.such.host.invalid/d" }),
    /cannot be reached at no\.such\.host\.invalid:5432/,
  );
});

test("a missing Python", async () => {
  expectSentence(
    await start({}),
    /PYTHON is ".*there-is-no-python", which is no Python that runs: give a Python 3\.11 or newer/,
  );
});

test("an argument that means nothing, for every command that takes some", async () => {
  const answer = (name, ...args) => runToEnd(process.execPath, [script(`${name}.mjs`), ...args]);
  for (const [name, args, sentence] of [
    ["start", ["--fast"], /npm start takes no argument --fast/],
    [
      "start",
      ["--algorithm", "HS512"],
      /--algorithm is "HS512", which is not known here: choose HS256, EdDSA, ES256/,
    ],
    ["walk", ["--algorithm"], /--algorithm names none: choose HS256/],
    ["walk", ["EdDSA"], /npm run walk takes no argument EdDSA: see npm run walk -- --help/],
    ["check", ["--fast"], /There is no option --fast/],
    ["types", ["--fast"], /There is no option --fast/],
    ["test", ["pyhton"], /There is no suite "pyhton"/],
  ]) {
    expectSentence(await answer(name, ...args), sentence, 2);
  }
});

test("no Python in PATH, only an old one, and the newest first", () => {
  const empty = folder();
  expect(() => findPython({ PATH: empty })).toThrow(
    /^Python 3\.11 or newer is needed, and no python was found/i,
  );
  const fake = (name, version) =>
    fs.writeFileSync(path.join(empty, name), `#!/bin/sh\necho ${version}\n`, { mode: 0o755 });
  fake("python3", "3.9.2");
  expect(() => findPython({ PATH: empty })).toThrow(/only Python 3\.9\.2 was found: install it/);
  expect(() => findPython({ PATH: empty, PYTHON: path.join(empty, "python3") })).toThrow(
    /PYTHON is Python 3\.9\.2/,
  );
  fake("python3.11", "3.11.4");
  fake("python3.13", "3.13.0");
  expect(findPython({ PATH: empty })).toEqual({ command: "python3.13", version: "3.13.0" });
  fs.writeFileSync(
    path.join(empty, "python3.13"),
    "#!/bin/sh\necho 'pyenv: python3.13: command not found' >&2\nexit 127\n",
  );
  expect(findPython({ PATH: empty }).version).toBe("3.11.4");
});

test("a Node that is too old, for every command", async () => {
  expect(["20.9.0", "20.20.2", "22.0.0", "24.1.0"].map(nodeProblem)).toEqual(["", "", "", ""]);
  const old =
    "Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '18.19.1' } })";
  const preload = `data:text/javascript,${encodeURIComponent(old)}`;
  for (const name of ["start.mjs", "test.mjs", "check.mjs", "types.mjs", "walk.mjs"]) {
    const answer = await runToEnd(process.execPath, ["--import", preload, script(name)]);
    expectSentence(answer, /^Stopped: Node 18\.19\.1 is too old: Node 20\.9 or newer is needed/);
  }
});

test("no network for npm: a sentence within seconds", async () => {
  const clone = folder();
  for (const name of [
    "package.json",
    "package-lock.json",
    "scripts",
    "typescript/package.json",
    "examples/todo/web/package.json",
  ]) {
    fs.cpSync(path.join(root, name), path.join(clone, name), { recursive: true });
  }
  const env = {
    npm_config_registry: "http://127.0.0.1:1/",
    npm_config_cache: folder(),
    DATABASE_URL: "",
    PYTHON: "",
  };
  const ports = {
    WEB_PORT: String(await freePort()),
    API_PORT: String(await freePort()),
    PG_PORT: String(await freePort()),
  };
  const answer = await runToEnd(process.execPath, ["scripts/start.mjs"], {
    cwd: clone,
    env: { ...env, ...ports },
  });
  expect(answer.output).toMatch(/^Stopped: The npm registry could not be reached/m);
  expect(answer.output).not.toMatch(/^\s+at /m);
  expect(answer.code).toBe(1);
  expect(answer.seconds).toBeLessThan(30);
});

test("what npm says when it fails", () => {
  expect(npmFailure("npm error code ENOTFOUND", "exit 1")).toMatch(/registry could not be reached/);
  expect(npmFailure("", "npm was not found")).toMatch(/^npm was not found: install Node with npm/);
  expect(npmFailure("npm error nospc ENOSPC", "exit 1")).toMatch(/The disk is full/);
  expect(npmFailure("something", "exit 1")).toMatch(/its words stand above/);
});

test("what pip says when it fails: hashes are given up only for a platform that they do not know", () => {
  const offline =
    "WARNING: Retrying ... NewConnectionError\nERROR: No matching distribution found for fastapi==1";
  expect(pipFailure(offline)).toMatch(/package index could not be reached/);
  const unknown =
    "ERROR: Could not find a version\nERROR: No matching distribution found for asyncpg==0.31.0";
  expect(pipFailure(unknown)).toBeInstanceOf(UnknownToHashes);
  const mismatch = (file) =>
    pipFailure(`ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.
    asyncpg==0.31.0 from https://example.com/x/${file}#sha256=ab (from -r dev.txt (line 1)):
        Expected sha256 aa
             Got        ab`);
  expect(mismatch("asyncpg-0.31.0-cp311-cp311-musllinux_1_2_riscv64.whl")).toBeInstanceOf(UnknownToHashes);
  expect(mismatch("asyncpg-0.31.0-py3-none-any.whl")).toMatch(/is not the one whose hash stands in/);
  expect(mismatch("asyncpg-0.31.0.tar.gz")).toMatch(/is not the one whose hash stands in/);
});

test("a Debian Python without its venv module", () => {
  const words = "The virtual environment was not created successfully because ensurepip is not\navailable.";
  expect(venvFailure(words, { command: "python3", version: "3.11.2" })).toMatch(
    /apt-get install python3\.11-venv/,
  );
  expect(venvFailure("something else", { command: "python3", version: "3.11.2" })).toBeUndefined();
});

test("the pinned versions without their hashes", () => {
  const text =
    'a==1 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\n    # via x\nb==2 ; sys_platform == "win32" \\\n    --hash=sha256:cc\n';
  expect(withoutHashes(text)).toBe('a==1\n    # via x\nb==2 ; sys_platform == "win32"\n');
});

test("node_modules is installed again only where it is not what the lock says", () => {
  const clone = folder();
  const write = (file, value) => {
    fs.mkdirSync(path.dirname(path.join(clone, file)), { recursive: true });
    fs.writeFileSync(path.join(clone, file), JSON.stringify(value));
  };
  const lock = (version) => ({
    packages: {
      "": {},
      "node_modules/a": { version },
      "node_modules/other-platform": { version: "1", optional: true },
    },
  });
  write("package-lock.json", lock("1"));
  expect(matchesLock(clone)).toBe(false);
  write("node_modules/a/package.json", {});
  expect(matchesLock(clone)).toBe(false);
  write("node_modules/.package-lock.json", { packages: { "node_modules/a": { version: "1" } } });
  expect(matchesLock(clone)).toBe(true);
  write("package-lock.json", lock("2"));
  expect(matchesLock(clone)).toBe(false);
});

test("Chromium by name, by PATH, and missing", () => {
  const place = folder();
  expect(findChromium({ PATH: `:${place}` }) ?? "").not.toContain(place);
  expect(() => findChromium({ CHROMIUM: path.join(place, "no") })).toThrow(
    /^CHROMIUM is ".*", which is not there/,
  );
  fs.writeFileSync(path.join(place, "chromium"), "");
  expect(findChromium({ PATH: place })).toBe(path.join(place, "chromium"));
  expect(findChromium({ PATH: "", CHROMIUM: path.join(place, "chromium") })).toBe(
    path.join(place, "chromium"),
  );
});
