// Ports: a free one for what nobody needs to find, and a plain answer to whether a wanted one is free.

import net from "node:net";
import { Stop } from "./say.mjs";

/** A port of 127.0.0.1 that is free now. */
export function freePort() {
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    server.on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** The port that an environment variable asks for, or the default. */
export function portFrom(name, standard, environ = process.env) {
  const text = environ[name];
  if (text === undefined || text === "") return standard;
  const port = Number(text);
  if (/^\d{1,5}$/.test(text) && port >= 1 && port <= 65535) return port;
  throw new Stop(`${name} is "${text}", which is no port: give a number from 1 to 65535.`);
}

/** Ports by the variables that move them: different ones, and none of them taken. A port that is just being left is waited for. */
export async function requireFree(ports) {
  const names = new Map();
  for (const [name, port] of Object.entries(ports)) {
    if (names.has(port))
      throw new Stop(`${names.get(port)} and ${name} are both ${port}: give each a port of its own.`);
    names.set(port, name);
  }
  for (const [port, name] of names) {
    let problem = await portProblem(port);
    for (let waited = 0; problem === "taken" && waited < 2000; waited += 200) {
      await new Promise((resolve) => setTimeout(resolve, 200));
      problem = await portProblem(port);
    }
    if (problem === "taken") {
      throw new Stop(
        `Port ${port} is taken by another program: stop that one, or choose another port, for instance ${name}=${port + 1} npm start.`,
      );
    }
    if (problem !== undefined) {
      throw new Stop(
        `Port ${port} cannot be used (${problem}): choose another one, for instance ${name}=${port + 10_000} npm start.`,
      );
    }
  }
}

/** Undefined where the port can be used; "taken"; or the system's reason. Looks at both meanings of `localhost`. */
export async function portProblem(port) {
  for (const host of ["127.0.0.1", "::1"]) {
    const problem = await listenProblem(port, host);
    if (problem === "EADDRINUSE") return "taken";
    if (problem !== undefined && host === "127.0.0.1") return problem;
  }
  return (await answers(port)) ? "taken" : undefined;
}

function listenProblem(port, host) {
  return new Promise((resolve) => {
    const server = net.createServer();
    server.on("error", (error) => resolve(error.code));
    server.listen(port, host, () => server.close(() => resolve(undefined)));
  });
}

/** Some systems allow to listen on an address beside somebody who listens on all of them. */
function answers(port) {
  return new Promise((resolve) => {
    const socket = net.connect({ port, host: "127.0.0.1" });
    const done = (answer) => {
      socket.destroy();
      resolve(answer);
    };
    socket.on("connect", () => done(true));
    socket.on("error", () => done(false));
    socket.setTimeout(1000, () => done(false));
  });
}
