// The ignored `.env` files: generated secrets, readable by their owner only, never overwritten and never printed.

import { randomBytes } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { apiEnv, webEnv } from "./repository.mjs";
import { Stop } from "./say.mjs";

/** The variables of a `.env` file; {} where there is none. Quotes around a value are taken off, as dotenv does. */
export function readEnv(file) {
  if (!fs.existsSync(file)) return {};
  const values = {};
  for (const line of fs.readFileSync(file, "utf8").split(/\r?\n/)) {
    const found = /^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*?)\s*$/.exec(line);
    if (found) values[found[1]] = found[2].replace(/^(["'])(.*)\1$/, "$2");
  }
  return values;
}

/** Adds what the file does not name yet. What it names stays as it is, and so does everything else in it. */
export function addToEnv(file, values) {
  const existing = readEnv(file);
  const missing = Object.entries(values).filter(([name]) => existing[name] === undefined);
  if (missing.length > 0) {
    const before = fs.existsSync(file) ? fs.readFileSync(file, "utf8") : "";
    const gap = before === "" || before.endsWith("\n") ? "" : "\n";
    const draft = `${file}.${randomBytes(4).toString("hex")}`;
    const lines = missing.map(([name, value]) => `${name}=${value}\n`).join("");
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(draft, before + gap + lines, { mode: 0o600 });
    fs.renameSync(draft, file);
  }
  if (fs.existsSync(file) && (fs.statSync(file).mode & 0o077) !== 0) fs.chmodSync(file, 0o600);
  return missing.map(([name]) => name);
}

/** 256 random bits in letters that no dotenv loader rewrites. */
export const newSecret = () => randomBytes(32).toString("base64url");

/**
 * The secret that the issuer and the API share, in both `.env` files; generated once.
 *
 * @throws {Stop} where the two files name different secrets: the API would refuse every token.
 */
export function shareSecret({ files = [webEnv, apiEnv], environ = process.env } = {}) {
  if (environ.BETTER_AUTH_SECRET || environ.BETTER_AUTH_SECRETS) return; // the process environment wins over the files
  const known = files.map(readEnv).map((values) => values.BETTER_AUTH_SECRETS || values.BETTER_AUTH_SECRET);
  const given = known.filter((value) => value);
  if (given.length === 2 && given[0] !== given[1]) {
    throw new Stop(
      `BETTER_AUTH_SECRET(S) in ${files.map(short).join(" and ")} differ, so the API would refuse every token: give both files the same.`,
    );
  }
  const name = files.some((file) => readEnv(file).BETTER_AUTH_SECRETS)
    ? "BETTER_AUTH_SECRETS"
    : "BETTER_AUTH_SECRET";
  const secret = given[0] ?? newSecret();
  for (const [index, file] of files.entries()) addToEnv(file, known[index] ? {} : { [name]: secret });
}

const short = (file) => path.relative(process.cwd(), file) || file;
