/**
 * A small reverse proxy. In front of the API's processes it does what a rolling deploy needs: each request goes to the
 * next process, and one that is taken out gets no more and is waited for. In front of the web app it counts.
 */
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Server, Stack } from "../scripts/stack.mjs";

export type Front = {
  readonly url: string;
  /** How many requests for that path have come. */
  seen(path: string): number;
  /** New requests go to these from now on; resolves when the others have answered what they were asked. */
  use(...targets: readonly string[]): Promise<void>;
  stop(): Promise<void>;
};

/** Starts one on a free port. */
export async function startFront(...first: readonly string[]): Promise<Front> {
  let targets = first;
  let turn = 0;
  const seen = new Map<string, number>();
  const busy = new Map<string, number>();
  const waiting = new Set<() => void>();
  const drained = (gone: readonly string[]) => gone.every((target) => (busy.get(target) ?? 0) === 0);
  const count = (target: string, change: 1 | -1) => {
    busy.set(target, (busy.get(target) ?? 0) + change);
    for (const look of waiting) look();
  };

  function forward(incoming: IncomingMessage, outgoing: ServerResponse) {
    const path = incoming.url ?? "/";
    const [plain = path] = path.split("?");
    seen.set(plain, (seen.get(plain) ?? 0) + 1);
    turn += 1;
    const target = targets[turn % targets.length] ?? "";
    const { method, headers } = incoming;
    count(target, 1);
    outgoing.on("close", () => count(target, -1));
    const onward = request(target + path, { method, headers, agent: false }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
      answer.on("error", () => outgoing.destroy());
    });
    // Nobody there: to the caller it looks as it would without a proxy.
    onward.on("error", () => outgoing.destroy());
    incoming.pipe(onward);
  }

  const server = createServer(forward);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://localhost:${(server.address() as AddressInfo).port}`,
    seen: (path) => seen.get(path) ?? 0,
    async use(...next) {
      const gone = targets.filter((target) => !next.includes(target));
      targets = next;
      await new Promise<void>((resolve) => {
        const look = () => {
          if (!drained(gone)) return;
          waiting.delete(look);
          resolve();
        };
        waiting.add(look);
        look();
      });
    },
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Some processes of the API behind one address. */
export type Deployment = {
  readonly url: string;
  readonly processes: readonly Server[];
  /** A rolling deploy: process by process, a new one with these settings answers before the old one ends. */
  roll(env: Record<string, string>): Promise<void>;
  stop(): Promise<void>;
};

/** Puts the stack's API and as many more processes as it takes behind one address. */
export async function deploy(stack: Stack, count: number): Promise<Deployment> {
  const processes = [stack.api];
  while (processes.length < count) processes.push(await stack.startApi());
  const addresses = () => processes.map(({ url }) => url);
  const front = await startFront(...addresses());
  return {
    url: front.url,
    processes,
    async roll(env) {
      for (const [index, old] of [...processes].entries()) {
        processes[index] = await stack.startApi({ ...old.env(), ...env });
        await front.use(...addresses());
        await old.stop();
      }
    },
    stop: front.stop,
  };
}
