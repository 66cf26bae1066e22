/** One small API on each framework's own server, and a client that sends bytes as they are. */

import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { connect } from "node:net";
import { createAdaptorServer } from "@hono/node-server";
import express, { type ErrorRequestHandler } from "express";
import fastify from "fastify";
import { Hono } from "hono";
import { cors } from "hono/cors";
import { createBridge as expressBridge } from "../src/express.js";
import { createBridge as fastifyBridge } from "../src/fastify.js";
import type { BridgeOptions, Refusal } from "../src/guards.js";
import { createBridge as honoBridge } from "../src/hono.js";
import type { Notice } from "../src/policy.js";

/** What happened on the server's side of one test. */
export interface Seen {
  readonly refusals: [string, Refusal][];
  readonly notices: [string, Notice][];
  bodies: number;
  readings: number;
  failures: unknown[];
}

export type Start = (
  options: BridgeOptions,
  seen: Seen,
) => Promise<{ port: number; stop(): Promise<unknown> }>;

export const startHono: Start = async (options, seen) => {
  const bridge = honoBridge(options);
  const other = honoBridge({ ...options, audience: "https://other.example.com" });
  const app = new Hono();
  app.use(cors({ origin: "https://app.example.com", exposeHeaders: ["WWW-Authenticate"] }));
  app.get("/me", bridge.currentUser, bridge.currentUser, (c) => c.text(bridge.userOf(c).subject));
  app.get("/maybe", bridge.optionalUser, (c) => c.text(bridge.optionalUserOf(c)?.subject ?? "nobody"));
  app.get("/both", bridge.currentUser, other.currentUser, (c) => c.text(other.userOf(c).subject));
  app.get("/broken", bridge.pathUser, (c) => c.text("broken"));
  app.get("/open", (c) => c.text(bridge.userOf(c).subject));
  app.use("/api/:user_id/*", bridge.pathUser);
  app.get("/api/:user_id/tasks", (c) => c.text(bridge.userOf(c).subject));
  app.post("/api/:user_id/tasks", async (c) => {
    const body: unknown = await c.req.json();
    seen.bodies += 1;
    return c.json({ body, user: bridge.userOf(c).subject });
  });
  app.onError((error, c) => {
    seen.failures.push(error);
    return c.text("failure", 500);
  });
  const server = createAdaptorServer({ fetch: app.fetch });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const stop = () => new Promise((resolve) => server.close(resolve));
  return { port: (server.address() as AddressInfo).port, stop };
};

export const startExpress: Start = async (options, seen) => {
  const bridge = expressBridge(options);
  const other = expressBridge({ ...options, audience: "https://other.example.com" });
  const app = express();
  app.get("/me", bridge.currentUser, bridge.currentUser, (request, response) => {
    response.send(bridge.userOf(request).subject);
  });
  app.get("/maybe", bridge.optionalUser, (request, response) => {
    response.send(bridge.optionalUserOf(request)?.subject ?? "nobody");
  });
  app.get("/both", bridge.currentUser, other.currentUser, (request, response) => {
    response.send(other.userOf(request).subject);
  });
  app.get("/broken", bridge.pathUser, (_request, response) => {
    response.send("broken");
  });
  app.get("/open", (request, response) => {
    response.send(bridge.userOf(request).subject);
  });
  const countBody: express.RequestHandler = (_request, _response, next) => {
    seen.bodies += 1;
    next();
  };
  app.get("/api/:user_id/tasks", bridge.pathUser, (request, response) => {
    response.send(bridge.userOf(request).subject);
  });
  app.use("/api/:user_id", bridge.pathUser, express.json(), countBody);
  app.post("/api/:user_id/tasks", (request, response) => {
    response.json({ body: request.body, user: bridge.userOf(request).subject });
  });
  const fail: ErrorRequestHandler = (error, _request, response, _next) => {
    seen.failures.push(error);
    response.status(500).send("failure");
  };
  app.use(fail);
  const server = app.listen(0, "127.0.0.1");
  await once(server, "listening");
  const stop = () => new Promise((resolve) => server.close(resolve));
  return { port: (server.address() as AddressInfo).port, stop };
};

export const startFastify: Start = async (options, seen) => {
  const bridge = fastifyBridge(options);
  const other = fastifyBridge({ ...options, audience: "https://other.example.com" });
  const app = fastify();
  const currentUser = [bridge.currentUser, bridge.currentUser];
  app.get("/me", { onRequest: currentUser }, async (request) => bridge.userOf(request).subject);
  app.get("/maybe", { onRequest: bridge.optionalUser }, async (request) => {
    return bridge.optionalUserOf(request)?.subject ?? "nobody";
  });
  app.get("/both", { onRequest: [bridge.currentUser, other.currentUser] }, async (request) => {
    return other.userOf(request).subject;
  });
  app.get("/broken", { onRequest: bridge.pathUser }, async () => "broken");
  app.get("/open", async (request) => bridge.userOf(request).subject);
  app.register(
    async (tasks) => {
      tasks.addHook("onRequest", bridge.pathUser);
      tasks.addHook("preHandler", async (request) => {
        if (request.body !== undefined && request.body !== null) seen.bodies += 1;
      });
      tasks.get("/tasks", async (request) => bridge.userOf(request).subject);
      tasks.post("/tasks", async (request) => {
        return { body: request.body, user: bridge.userOf(request).subject };
      });
    },
    { prefix: "/api/:user_id" },
  );
  app.setErrorHandler((error, _request, reply) => {
    seen.failures.push(error);
    return reply.code(500).send("failure");
  });
  await app.listen({ port: 0, host: "127.0.0.1" });
  return { port: (app.server.address() as AddressInfo).port, stop: () => app.close() };
};

/** Sends bytes as they are, since no client repeats an Authorization field; gives the whole answer. */
export async function send(port: number, target: string, fields: readonly string[] = [], body?: string) {
  const [method, path] = target.split(" ");
  const socket = connect(port, "127.0.0.1");
  const lines = [`${method} ${path} HTTP/1.1`, "host: 127.0.0.1", "connection: close", ...fields];
  if (body !== undefined) lines.push("content-type: application/json");
  if (body !== undefined && !fields.some((field) => field.startsWith("content-length"))) {
    lines.push(`content-length: ${Buffer.byteLength(body)}`);
  }
  socket.write(`${lines.join("\r\n")}\r\n\r\n${body ?? ""}`, "latin1");
  let text = "";
  socket.setEncoding("utf8");
  for await (const chunk of socket) {
    text += chunk;
    const [head = "", rest = ""] = text.split(/\r\n\r\n(.*)/s);
    const length = /^content-length: (\d+)$/im.exec(head)?.[1];
    if (length !== undefined && Buffer.byteLength(rest) >= Number(length)) break;
  }
  socket.destroy();
  const [head = "", rest = ""] = text.split(/\r\n\r\n(.*)/s);
  const [status = "", ...named] = head.split("\r\n");
  const headers = Object.fromEntries(
    named.map((line) => [line.slice(0, line.indexOf(":")).toLowerCase(), line.slice(line.indexOf(":") + 2)]),
  );
  return { status: Number(status.split(" ")[1]), headers, body: rest };
}

export function nothingSeen(): Seen {
  return { refusals: [], notices: [], bodies: 0, readings: 0, failures: [] };
}

/** Keeps what a bridge logs. */
export function logInto(seen: Seen): (line: string, entry: Refusal | Notice) => void {
  return (line, entry) => {
    if (entry.code === undefined) seen.notices.push([line, entry]);
    else seen.refusals.push([line, entry]);
  };
}

export const FRAMEWORKS: readonly (readonly [string, Start])[] = [
  ["Hono", startHono],
  ["Express", startExpress],
  ["Fastify", startFastify],
];
