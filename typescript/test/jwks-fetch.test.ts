/** The real fetch against real servers of this machine: good, broken, hostile, slow, and gone. */

import type { RequestListener } from "node:http";
import { gzipSync } from "node:zlib";
import { afterEach, describe, expect, test, vi } from "vitest";
import { fetchKeySet } from "../src/jwks-fetch.js";
import { createVerifier } from "../src/verifier.js";
import { keyPair, type Serving, serve, serveRaw, serveUntrusted } from "./key-set-server.js";
import { AUDIENCE, ISSUER, NOW } from "./tokens.js";

const pair = keyPair("EdDSA", "current");
const other = keyPair("EdDSA", "other");
const GOOD = JSON.stringify({ keys: [pair.jwk] });

const servers: Serving[] = [];
async function serving(server: Promise<Serving>): Promise<Serving> {
  servers.push(await server);
  return server;
}
afterEach(async () => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
  await Promise.all(servers.splice(0).map((server) => server.stop()));
});

const json = { "content-type": "application/json" };

describe("one GET", () => {
  test("says what it wants, and nothing about this machine", async () => {
    const seen: unknown[] = [];
    const { url } = await serving(
      serve((request, response) => {
        seen.push([request.method, request.url, request.headers]);
        response.writeHead(200, { ...json, "cache-control": "max-age=60", "set-cookie": "a=b" }).end(GOOD);
      }),
    );
    for (let count = 0; count < 2; count += 1) {
      const answer = await fetchKeySet(`${url}?v=1`);
      expect({ ...answer, body: Buffer.from(answer.body).toString() }).toEqual({
        status: 200,
        contentType: "application/json",
        cacheControl: "max-age=60",
        body: GOOD,
      });
    }
    for (const [method, path, headers] of seen as [string, string, Record<string, string>][]) {
      expect([method, path]).toEqual(["GET", "/api/auth/jwks?v=1"]);
      expect(headers.accept).toBe("application/jwk-set+json, application/json");
      expect(Object.keys(headers)).not.toContain("cookie");
      expect(Object.keys(headers)).not.toContain("authorization");
    }
    expect(seen).toHaveLength(2);
  });

  test("works where the platform refuses the options that only browsers need", async () => {
    const { url } = await serving(serve((_, response) => void response.writeHead(200, json).end(GOOD)));
    const Whole = Request;
    const refused: string[] = [];
    vi.stubGlobal(
      "Request",
      class extends Whole {
        constructor(input: string, init: RequestInit) {
          for (const name of ["cache", "credentials"] as const) {
            if (!(name in init)) continue;
            refused.push(name);
            throw new Error(`The '${name}' field on 'RequestInitializerDict' is not implemented.`);
          }
          super(input, init);
        }
      },
    );
    expect((await fetchKeySet(url)).status).toBe(200);
    expect(refused).toEqual(["cache"]);
  });

  test.each([301, 302, 303, 307, 308])("%d: the target sees no request", async (status) => {
    let requests = 0;
    const target = await serving(
      serve((_, response) => {
        requests += 1;
        response.writeHead(200, json).end(GOOD);
      }),
    );
    const { url } = await serving(
      serve((_, response) => void response.writeHead(status, { location: target.url }).end()),
    );
    expect((await fetchKeySet(url)).status).toBe(status);
    expect(requests).toBe(0);
  });

  test("a redirect that the platform hides is a failure too", async () => {
    vi.stubGlobal("fetch", async () => ({
      status: 0,
      type: "opaqueredirect",
      headers: new Headers(),
      body: null,
    }));
    await expect(fetchKeySet("https://app.example.com/jwks")).rejects.toThrow(
      "a redirect instead of status 200",
    );
  });

  test("ten megabytes are read up to the limit, and the connection is let go", async () => {
    const { url, closed } = await serving(
      serve((_, response) => {
        response.writeHead(200, json);
        const write = () => {
          while (!response.destroyed && response.write(" ".repeat(65536)));
        };
        response.on("drain", write);
        write();
      }),
    );
    expect((await fetchKeySet(url)).body).toHaveLength(65537);
    await closed;
  });

  test("a small answer that unpacks to ten megabytes, too", async () => {
    const packed = gzipSync(Buffer.alloc(10_000_000, " "));
    const { url } = await serving(
      serve(
        (_, response) => void response.writeHead(200, { ...json, "content-encoding": "gzip" }).end(packed),
      ),
    );
    expect((await fetchKeySet(url)).body).toHaveLength(65537);
  });

  test("a body of another status is not read", async () => {
    const { url, closed } = await serving(
      serve((_, response) => {
        response.writeHead(500, json);
        response.write("{");
      }),
    );
    expect(await fetchKeySet(url)).toMatchObject({ status: 500, body: new Uint8Array() });
    await closed;
  });

  const CUT = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{";
  test.each<[string, () => Promise<Serving>, RegExp]>([
    ["no HTTP", () => serveRaw((socket) => socket.end("SSH-2.0-OpenSSH\r\n")), /^no connection \(HPE_\w+\)$/],
    ["nothing", () => serveRaw((socket) => socket.destroy()), /^no connection \(\w+\)$/],
    ["half an answer", () => serveRaw((socket) => void socket.end(CUT)), /^no connection \(\w+\)$/],
    [
      "a header of a megabyte",
      () => serveRaw((socket) => void socket.end(`HTTP/1.1 200 OK\r\nx: ${"x".repeat(2 ** 20)}\r\n\r\n`)),
      /^no connection \(\w+\)$/,
    ],
    [
      "an untrusted certificate",
      () => serveUntrusted((socket) => void socket.end("HTTP/1.1 200 OK\r\n\r\n")),
      /^no connection \(DEPTH_ZERO_SELF_SIGNED_CERT\)$/,
    ],
  ])("%s is a failure, in a word", async (_, start, words) => {
    const { url } = await serving(start());
    await expect(fetchKeySet(url)).rejects.toMatchObject({
      name: "KeySetUnavailableError",
      message: expect.stringMatching(words),
    });
  });

  test("nobody there", async () => {
    const { url, stop } = await serve(() => {});
    await stop();
    await expect(fetchKeySet(url)).rejects.toThrow("no connection (ECONNREFUSED)");
  });

  const drip = (start: string) => (write: (text: string) => void, dripping: () => void) => {
    write(start);
    let drops = 0;
    const drop = () => {
      write("x");
      drops += 1;
      if (drops === 50) dripping();
      else setImmediate(drop);
    };
    drop();
  };
  test.each([
    ["no answer at all", (_: unknown, dripping: () => void) => dripping()],
    ["headers that drip", drip("HTTP/1.1 200 OK\r\nx: ")],
    ["a body that drips", drip("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n")],
  ])("%s: five seconds, and the connection is let go", async (_, behave) => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    let dripping = () => {};
    const begun = new Promise<void>((resolve) => {
      dripping = resolve;
    });
    const { url, closed } = await serving(
      serveRaw((socket) => socket.once("data", () => behave((text) => void socket.write(text), dripping))),
    );
    const fetching = fetchKeySet(url);
    const refused = expect(fetching).rejects.toThrow("no whole answer within 5 seconds");
    await begun;
    let ended = false;
    fetching.catch(() => {
      ended = true;
    });
    await vi.advanceTimersByTimeAsync(4999);
    expect(ended).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    await refused;
    await closed;
  });
});

describe("a verifier whose key set turns bad", () => {
  const many = Array.from({ length: 33 }, (_, index) => ({ ...pair.jwk, kid: `k${index}` }));
  const answers: [string, RequestListener][] = [
    [
      "HTML",
      (_, response) => void response.writeHead(200, { "content-type": "text/html" }).end("<p>Sign in"),
    ],
    ["HTML that calls itself JSON", (_, response) => void response.writeHead(200, json).end("<p>Sign in")],
    ["invalid JSON", (_, response) => void response.writeHead(200, json).end(GOOD.slice(0, -1))],
    ['{"keys":{}}', (_, response) => void response.writeHead(200, json).end('{"keys":{}}')],
    ["nulls", (_, response) => void response.writeHead(200, json).end('{"keys":[null,null]}')],
    ["null", (_, response) => void response.writeHead(200, json).end("null")],
    ["nothing", (_, response) => void response.writeHead(200, json).end()],
    [
      "one kid twice",
      (_, response) => void response.writeHead(200, json).end(JSON.stringify({ keys: [pair.jwk, pair.jwk] })),
    ],
    ["33 keys", (_, response) => void response.writeHead(200, json).end(JSON.stringify({ keys: many }))],
    ["10 MB", (_, response) => void response.writeHead(200, json).end(Buffer.alloc(10_000_000, " "))],
    ["500", (_, response) => void response.writeHead(500, json).end(GOOD)],
    ["204", (_, response) => void response.writeHead(204).end()],
    ["302", (_, response) => void response.writeHead(302, { location: "/elsewhere" }).end(GOOD)],
    ["a closed connection", (request) => void request.socket.destroy()],
  ];

  test.each(answers)("%s: keys in hand stay in use, and what is unknown is 503", async (_, bad) => {
    let listener: RequestListener = (_request, response) => void response.writeHead(200, json).end(GOOD);
    let requests = 0;
    const { url } = await serving(
      serve((request, response) => {
        requests += 1;
        expect(request.url).toBe("/api/auth/jwks");
        listener(request, response);
      }),
    );
    let at = 0;
    vi.spyOn(performance, "now").mockImplementation(() => at * 1000);
    const lines: string[] = [];
    const verifier = createVerifier({
      issuer: ISSUER,
      audience: AUDIENCE,
      jwksUri: url,
      clock: () => NOW,
      log: (line, { level }) => lines.push(`${level} ${line}`),
    });
    const passes = async () => expect((await verifier.verify(pair.token())).subject).toBe("u1");
    await passes();
    expect(lines).toEqual(["info key IDs current"]);

    listener = bad;
    at = 30;
    await expect(verifier.verify(other.token())).rejects.toMatchObject({ status: 503 });
    await passes();
    at = 59;
    await expect(verifier.verify(other.token())).rejects.toMatchObject({ status: 503 });
    await passes();
    expect(requests).toBe(2);
    expect(lines).toHaveLength(2);
    expect(lines[1]).toMatch(`warn the key set at ${url} can not be used: `);
    expect(await verifier.keyIds).toEqual(["current"]);

    listener = (_request, response) => {
      response.writeHead(200, json).end(JSON.stringify({ keys: [other.jwk, pair.jwk] }));
    };
    at = 60;
    await verifier.verify(other.token());
    await passes();
    expect(requests).toBe(3);
  });
});
