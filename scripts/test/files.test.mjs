// What is written into files: secrets, stamps, locks, and what must not be committed.

import fs from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { findings } from "../clean.mjs";
import { addToEnv, readEnv, shareSecret } from "../env-file.mjs";
import { withLock } from "../lock.mjs";
import { identity } from "../processes.mjs";
import { root } from "../repository.mjs";
import { claim } from "../running.mjs";
import { hashOf, stamped } from "../stamp.mjs";
import { folder, runToEnd } from "./helpers.mjs";

const twoFiles = () => [path.join(folder(), "web", ".env"), path.join(folder(), "api", ".env")];

test("one secret is generated for both sides, for their owner's eyes only, and never again", () => {
  const files = twoFiles();
  shareSecret({ files, environ: {} });
  const [web, api] = files.map(readEnv);
  expect(web.BETTER_AUTH_SECRET).toMatch(/^[A-Za-z0-9_-]{43}$/);
  expect(api).toEqual(web);
  for (const file of files) expect(fs.statSync(file).mode & 0o777).toBe(0o600);
  const before = files.map((file) => fs.readFileSync(file, "utf8"));
  shareSecret({ files, environ: {} });
  expect(files.map((file) => fs.readFileSync(file, "utf8"))).toEqual(before);
});

test("what a person wrote stays, is given to the other side, and is closed to others", () => {
  const files = twoFiles();
  fs.mkdirSync(path.dirname(files[1]), { recursive: true });
  fs.writeFileSync(files[1], '# mine\nBETTER_AUTH_SECRETS="2:b,1:a"\nOTHER=x', { mode: 0o644 });
  shareSecret({ files, environ: {} });
  expect(readEnv(files[0])).toEqual({ BETTER_AUTH_SECRETS: "2:b,1:a" });
  addToEnv(files[1], { OTHER: "y", MORE: "z" });
  expect(fs.readFileSync(files[1], "utf8")).toBe('# mine\nBETTER_AUTH_SECRETS="2:b,1:a"\nOTHER=x\nMORE=z\n');
  expect(fs.statSync(files[1]).mode & 0o777).toBe(0o600);
});

test("two different secrets are one sentence; a secret of the environment needs no file", () => {
  const files = twoFiles();
  addToEnv(files[0], { BETTER_AUTH_SECRET: "one" });
  addToEnv(files[1], { BETTER_AUTH_SECRET: "two" });
  expect(() => shareSecret({ files, environ: {} })).toThrow(/differ, so the API would refuse every token/);
  const others = twoFiles();
  shareSecret({ files: others, environ: { BETTER_AUTH_SECRET: "of the environment" } });
  expect(others.some((file) => fs.existsSync(file))).toBe(false);
});

test("work is done again when a source changed or what it made is gone, and only then", async () => {
  const made = folder();
  const source = path.join(made, "source");
  const output = path.join(made, "output");
  fs.mkdirSync(source);
  fs.writeFileSync(path.join(source, "a"), "1");
  const work = () => stamped("x", hashOf([source]), [output], async () => fs.writeFileSync(output, ""), made);
  expect([await work(), await work()]).toEqual([true, false]);
  fs.writeFileSync(path.join(source, "a"), "2");
  expect([await work(), await work()]).toEqual([true, false]);
  fs.rmSync(output);
  expect([await work(), await work()]).toEqual([true, false]);
  fs.writeFileSync(path.join(source, ".env"), "SECRET=1");
  fs.mkdirSync(path.join(source, "node_modules"));
  fs.writeFileSync(path.join(source, "node_modules", "b"), "");
  expect(await work()).toBe(false);
});

test("work that failed is done again", async () => {
  const made = folder();
  const fail = () => Promise.reject(new Error("no"));
  await expect(stamped("x", "1", [], fail, made)).rejects.toThrow("no");
  expect(await stamped("x", "1", [], async () => {}, made)).toBe(true);
});

test("two set-ups take turns", async () => {
  const lock = path.join(folder(), "lock");
  const seen = [];
  const notices = [];
  const one = withLock(
    async () => {
      seen.push("one in");
      await new Promise((resolve) => setTimeout(resolve, 300));
      seen.push("one out");
    },
    { folder: lock },
  );
  const two = withLock(async () => seen.push("two in"), {
    folder: lock,
    notice: (sentence) => notices.push(sentence),
  });
  await Promise.all([one, two]);
  expect(seen).toEqual(["one in", "one out", "two in"]);
  expect(notices).toHaveLength(1);
  expect(fs.existsSync(lock)).toBe(false);
});

test("the lock of a process that is gone is taken over, also where its number is used again", async () => {
  const { output } = await runToEnd(process.execPath, ["-e", "console.log(process.pid)"]);
  for (const owner of [
    { pid: Number(output), is: "1" },
    { pid: process.pid, is: "another start" },
  ]) {
    const lock = path.join(folder(), "lock");
    fs.mkdirSync(lock);
    fs.writeFileSync(path.join(lock, "owner"), JSON.stringify(owner));
    expect(await withLock(async () => "in", { folder: lock })).toBe("in");
  }
});

test("a lock whose owner was killed before it wrote its name is taken over", async () => {
  const lock = path.join(folder(), "lock");
  fs.mkdirSync(lock);
  expect(await withLock(async () => "in", { folder: lock })).toBe("in");
});

test("a path of this machine, a registry's host and a download address are found", () => {
  const made = folder();
  const registry = ["https://registry", "npmjs.org/x"].join(".");
  fs.writeFileSync(path.join(made, "a.md"), `fine\nsee ${root}/x\n`);
  fs.writeFileSync(path.join(made, "b.md"), `see ${registry}\n`);
  fs.writeFileSync(
    path.join(made, "package-lock.json"),
    '  "resolved": "https://example.com/x.tgz",\n  "url": "https://x"\n',
  );
  expect(findings(["a.md", "b.md", "package-lock.json"], made)).toEqual([
    "a.md:2: a path or host of this machine",
    "b.md:1: a registry's host",
    "package-lock.json:1: a download address",
  ]);
});

test("a clone is claimed by one start at a time, and a start that was killed holds nothing", () => {
  const file = path.join(folder(), "data", "start.pid");
  const release = claim(file);
  const own = fs.readFileSync(file, "utf8");
  claim(file); // the same process
  const other = process.ppid;
  fs.writeFileSync(file, `${other} ${identity(other).replace(/\s+/g, "-")}`);
  expect(() => claim(file)).toThrow(`npm start is running in this clone already (process ${other})`);
  fs.writeFileSync(file, `${other} an-earlier-process-of-that-id`);
  claim(file);
  expect(fs.readFileSync(file, "utf8")).toBe(own);
  release();
  expect(fs.existsSync(file)).toBe(false);
});
