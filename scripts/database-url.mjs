// PostgreSQL addresses: what is wrong with one, connecting with it, and the same place for another role.

import { createHash, createHmac, pbkdf2Sync, randomBytes } from "node:crypto";
import net from "node:net";
import { Stop } from "./say.mjs";

/** How long a database may take to answer a connection, in milliseconds. */
const PATIENCE = 10_000;

/** What is wrong with a DATABASE_URL as it is written, or undefined. Never names its password. */
export function urlProblem(text, name = "DATABASE_URL") {
  let url;
  try {
    url = new URL(text);
  } catch {
    return `${name} is not a URL: give postgresql://user:password@host:5432/database.`;
  }
  if (url.protocol !== "postgres:" && url.protocol !== "postgresql:") {
    return `${name} begins with ${url.protocol}// and only PostgreSQL will do: give postgresql://user:password@host:5432/database.`;
  }
  if (url.hostname === "" || url.pathname.length < 2) {
    return `${name} names no ${url.hostname === "" ? "host" : "database"}: give postgresql://user:password@host:5432/database.`;
  }
  return undefined;
}

/** Before anything is installed: does anybody listen where the URL points? One sentence where nobody does. */
export async function requireReachable(url, name = "DATABASE_URL") {
  const { hostname, port } = new URL(url);
  await new Promise((resolve, reject) => {
    const socket = net.connect({ host: hostname.replace(/^\[|\]$/g, ""), port: Number(port) || 5432 });
    const fail = (error) => {
      socket.destroy();
      reject(new Stop(connectSentence(url, name, error)));
    };
    socket.setTimeout(PATIENCE, () => fail({ code: "ETIMEDOUT" }));
    socket.on("error", fail);
    socket.on("connect", () => resolve(socket.destroy()));
  });
}

/** A connection, or one sentence on why there is none. */
export async function connect(url, name = "DATABASE_URL") {
  const problem = urlProblem(url, name);
  if (problem) throw new Stop(problem);
  const { default: pg } = await import("pg");
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: PATIENCE });
  client.on("error", () => {});
  try {
    await client.connect();
    return client;
  } catch (error) {
    await client.end().catch(() => {});
    throw new Stop(connectSentence(url, name, error));
  }
}

function connectSentence(url, name, error) {
  const { hostname, port, pathname, username } = new URL(url);
  const where = `${hostname}:${port || 5432}`;
  if (error.code === "28P01" || error.code === "28000" || /password|SASL/i.test(error.message)) {
    return `The PostgreSQL at ${where} refuses the user "${decodeURIComponent(username)}" of ${name}: correct its user or password.`;
  }
  if (error.code === "3D000")
    return `The PostgreSQL at ${where} has no database "${pathname.slice(1)}", which ${name} names: create it first.`;
  const why = error.code ?? error.errors?.[0]?.code ?? error.message;
  return `The PostgreSQL of ${name} cannot be reached at ${where} (${why}): start it, or correct ${name}.`;
}

/** The same server for another role, and another database where one is given. */
export function retarget(url, { user, password, database }) {
  const next = new URL(url);
  next.username = encodeURIComponent(user);
  next.password = encodeURIComponent(password);
  if (database) next.pathname = `/${encodeURIComponent(database)}`;
  return next.href;
}

/** What PostgreSQL keeps of a password (RFC 5803), so that the password itself is in no statement, log or printed SQL. */
export function scram(password) {
  const salt = randomBytes(16);
  const salted = pbkdf2Sync(password.normalize("NFKC"), salt, 4096, 32, "sha256");
  const clientKey = createHmac("sha256", salted).update("Client Key").digest();
  const stored = createHash("sha256").update(clientKey).digest("base64");
  const server = createHmac("sha256", salted).update("Server Key").digest("base64");
  return `SCRAM-SHA-256$4096:${salt.toString("base64")}$${stored}:${server}`;
}
