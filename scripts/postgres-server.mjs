// One life of a PostgreSQL server: from spawning it until it accepts connections, and its end.

import { spawn } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { keep, signalGroup, stopGroup } from "./keeper.mjs";
import { processIs } from "./processes.mjs";
import { Stop } from "./say.mjs";

/** How long the server may take to accept connections, recovery included, in milliseconds. */
const START_LIMIT = 60_000;
/** How long a server that is just going may take to be gone, in milliseconds. */
const LEAVE_LIMIT = 8000;

/** No locale, no time zone and no PG* setting of the person reaches the server. */
export const environment = { PATH: process.env.PATH ?? "/usr/bin:/bin", LC_ALL: "C", LANG: "C", TZ: "UTC" };

/** One life of the server: resolves when it accepts connections. */
export async function launch(place, port) {
  await waitForOther(place);
  for (let waited = 0; ; waited += 250) {
    try {
      return await attempt(place, port);
    } catch (error) {
      // The last processes of a server that was killed hold its shared memory for a moment.
      if (!/shared memory block/.test(error.details ?? "") || waited >= LEAVE_LIMIT) throw error;
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
  }
}

async function attempt(place, port) {
  const settings = [
    `port=${port}`,
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "logging_collector=off",
    "log_destination=stderr",
    "lc_messages=C",
    "timezone=UTC",
    "log_timezone=UTC",
    ...(place.temporary ? ["fsync=off", "synchronous_commit=off", "full_page_writes=off"] : []),
  ];
  const child = spawn(
    path.join(place.programs, "bin", "postgres"),
    ["-D", place.data, ...settings.flatMap((setting) => ["-c", setting])],
    {
      ...place.account,
      cwd: place.base,
      env: environment,
      detached: true,
      stdio: ["ignore", "ignore", "pipe"],
    },
  );
  const log = fs.openSync(place.log, "a", 0o600);
  let last = "";
  const exited = new Promise((resolve) => {
    child.on("error", (error) => resolve(error.message));
    child.on("exit", (code, signal) => resolve(`exit ${code ?? signal}`));
  });
  if (child.pid !== undefined) keep({ watch: child.pid, signal: "SIGINT" });
  exited.then(() => {
    if (child.pid !== undefined) keep({ forget: child.pid });
  });
  const silent = new Promise((resolve) => child.stderr.on("close", resolve));
  silent.then(() => fs.closeSync(log));
  const ready = new Promise((resolve) => {
    child.stderr.setEncoding("utf8");
    child.stderr.on("data", (text) => {
      fs.writeSync(log, text);
      last = (last + text).slice(-4000);
      if (last.includes("ready to accept connections")) resolve("ready");
    });
  });
  let timer;
  const late = new Promise((resolve) => {
    timer = setTimeout(resolve, START_LIMIT, `not ready after ${START_LIMIT / 1000} s`);
  });
  const outcome = await Promise.race([ready, exited, late]);
  clearTimeout(timer);
  if (outcome !== "ready") {
    if (child.pid !== undefined) await stopGroup(child.pid, "SIGQUIT");
    await silent; // its last words are why
    throw new Stop(
      /Address already in use/.test(last)
        ? `Port ${port} is in use already: set PG_PORT to another one.`
        : `PostgreSQL did not start (${outcome}): its log is ${place.log}; DATABASE_URL would use a PostgreSQL of yours instead.`,
      last,
    );
  }
  child.unref();
  child.stderr.unref?.();
  return {
    pid: child.pid,
    end: async (signal) => {
      child.ref();
      if (signal === "SIGKILL") signalGroup(child.pid, signal);
      else await stopGroup(child.pid, signal, 10_000);
      await exited;
    },
  };
}

/** A server that still runs on this data is going (its starter was killed) or belongs to another start. */
async function waitForOther({ data }) {
  const file = path.join(data, "postmaster.pid");
  for (let waited = 0; ; waited += 100) {
    const pid = Number(read(file)?.split("\n")[0]);
    if (!Number.isInteger(pid) || pid <= 0) return;
    if (!processIs(pid, /postgres/)) {
      // Left by a kill -9; its number may be somebody else's by now, which PostgreSQL would take for a running server.
      fs.rmSync(file, { force: true });
      return;
    }
    if (waited >= LEAVE_LIMIT) {
      throw new Stop(
        `A PostgreSQL (process ${pid}) already serves ${data}: another start is running; stop it first.`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

function read(file) {
  try {
    return fs.readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}
