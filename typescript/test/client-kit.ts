/** What the client's tests share: local HTTP servers that remember, and issuers of tokens t1, t2, … */

import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { vi } from "vitest";
import { createBridgeFetch, createTokenSource } from "../src/client/index.js";
import { claims, NOW, sign } from "./tokens.js";

export const clock = () => NOW * 1000;

/** Gives tokens whose `jti` is t1, t2, … with the given claims; counts how often it is asked. */
export function issuer(changes: Record<string, unknown> = {}) {
  const getToken = vi.fn(async (..._asked: unknown[]): Promise<string | null> => {
    const jti = `t${getToken.mock.calls.length}`;
    return sign(claims({ ...changes, jti }));
  });
  return getToken;
}

export interface Seen {
  method: string;
  url: string;
  authorization: string | undefined;
  type: string | undefined;
  headers: IncomingMessage["headers"];
  body: string;
}

const closers: (() => void)[] = [];

/** What else `closeServers()` is to end. */
export function onClose(close: () => void): void {
  closers.push(close);
}

/** For `afterEach`: ends every server of this file. */
export function closeServers(): void {
  for (const close of closers.splice(0)) close();
}

/** A server on a free port, as it is. */
export async function listen(handle: (request: IncomingMessage, response: ServerResponse) => void) {
  const server: Server = createServer(handle);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  closers.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

/** A server that remembers what it was asked. */
export async function serve(
  handle: (seen: Seen, response: ServerResponse) => void = (_, response) => response.end("ok"),
) {
  const seen: Seen[] = [];
  const { url, server } = await listen(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const { authorization, "content-type": type } = request.headers;
    const entry = {
      method: request.method ?? "",
      url: request.url ?? "",
      authorization,
      type,
      headers: request.headers,
      body: Buffer.concat(chunks).toString(),
    };
    seen.push(entry);
    handle(entry, response);
  });
  return { seen, url, server };
}

/** The `jti` of the token that was sent. */
export function tokenOf(seen: Pick<Seen, "authorization">): string {
  return JSON.parse(Buffer.from(seen.authorization?.split(".")[1] ?? "e30", "base64url").toString()).jti;
}

/** Answers 401 to t1 and "ok" to those that follow. */
export function refusing(challenge?: string, body: object = { error: "invalid_token" }) {
  return (seen: Seen, response: ServerResponse) => {
    if (tokenOf(seen) !== "t1") return void response.end("ok");
    response.writeHead(401, {
      "content-type": "application/json",
      ...(challenge ? { "www-authenticate": challenge } : {}),
    });
    response.end(JSON.stringify(body));
  };
}

/** The bridge's fetch with an issuer of its own. */
export function client(baseURL: string, changes: Record<string, unknown> = {}) {
  const getToken = issuer(changes);
  return {
    getToken,
    api: createBridgeFetch({ baseURL, tokenSource: createTokenSource({ getToken, clock }) }),
  };
}
