/**
 * An API with tickets and one live route, in the words of the contract's wire and none of the code under test: what
 * the client's sockets are tested against.
 */

import { randomBytes } from "node:crypto";
import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { WebSocketServer } from "ws";
import { onClose, type Seen, serve, tokenOf } from "./client-kit.js";

export interface LiveSocket {
  readonly url: string;
  readonly protocol: string;
  /** What the client sent, as text. */
  readonly frames: string[];
  send(text: string): void;
  close(code: number): void;
  /** The code that the client closed it with; 1005 for none. */
  readonly closed: Promise<number>;
}

export async function liveServer(refuse: (seen: Seen, response: ServerResponse) => boolean = () => false) {
  const tickets = new Map<string, { path: string; jti: string }>();
  const { seen, url, server } = await serve((each, response) => {
    if (refuse(each, response)) return;
    if (`${each.method} ${each.url}` !== "POST /v1/api/tickets") return void response.writeHead(404).end();
    const { path } = JSON.parse(each.body);
    const ticket = randomBytes(32).toString("base64url");
    tickets.set(ticket, { path, jti: tokenOf(each) });
    response.writeHead(201, { "content-type": "application/json", "cache-control": "no-store" });
    response.end(JSON.stringify({ ticket, expires_in: 30 }));
  });

  const sockets: LiveSocket[] = [];
  const handshakes: string[] = [];
  const wss = new WebSocketServer({ noServer: true, handleProtocols: (given) => [...given].at(-1) ?? false });
  onClose(() => {
    for (const each of wss.clients) each.terminate();
  });
  server.on("upgrade", (request, socket, head) => {
    handshakes.push(request.url ?? "");
    const { pathname, searchParams } = new URL(request.url ?? "", url);
    const [ticket = "", ...more] = searchParams.getAll("ticket");
    const issued = tickets.get(ticket);
    tickets.delete(ticket);
    const good = !more.length && !request.headers.authorization && `/v1${issued?.path}` === pathname;
    if (!good) return void socket.end("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
    wss.handleUpgrade(request, socket, head, (accepted) => {
      const frames: string[] = [];
      accepted.on("message", (data) => frames.push(String(data)));
      const closed = once(accepted, "close").then(([code]) => code as number);
      sockets.push({
        url: request.url ?? "",
        protocol: accepted.protocol,
        frames,
        send: (text) => accepted.send(text),
        close: (code) => accepted.close(code),
        closed,
      });
    });
  });
  return { base: `${url}/v1/`, seen, sockets, handshakes };
}
