/** The guards where keys are fetched: 503 with its exact answer, prefetching, and what is said at start. */

import { Hono } from "hono";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { AT_ONCE } from "#primitives";
import { createBridge as expressBridge } from "../src/express.js";
import { createBridge as fastifyBridge } from "../src/fastify.js";
import type { BridgeOptions } from "../src/guards.js";
import { createBridge as honoBridge } from "../src/hono.js";
import { FRAMEWORKS, logInto, nothingSeen, type Seen, send } from "./guard-servers.js";
import { keyPair, type Serving, serve } from "./key-set-server.js";
import { AUDIENCE, deriveKey, HEADER, ISSUER, keyId, NOW, OTHER_SECRET, SECRET, sign } from "./tokens.js";
import { specification } from "./vectors.js";

const answer = specification("errors.json").answers.KeySetUnavailableError;
const pair = keyPair("EdDSA", "ed");
const bearer = `authorization: Bearer ${pair.token()}`;

let issuer: Serving;
let healthy: boolean;
let requests: number;
beforeAll(async () => {
  issuer = await serve((_, response) => {
    requests += 1;
    response.writeHead(healthy ? 200 : 500, { "content-type": "application/json" });
    response.end(JSON.stringify({ keys: [pair.jwk] }));
  });
});
afterAll(() => issuer.stop());

let seen: Seen;
let options: BridgeOptions;
beforeEach(() => {
  [healthy, requests, seen] = [true, 0, nothingSeen()];
  options = { issuer: ISSUER, audience: AUDIENCE, clock: () => NOW, log: logInto(seen) };
});
afterEach(() => {
  vi.restoreAllMocks();
});

describe.each(FRAMEWORKS)("%s", (_, start) => {
  test.each(["GET /me", "GET /maybe", "GET /api/u2/tasks", "POST /api/u1/tasks"])(
    "%s without keys is 503, exactly, and one line in the log",
    async (target) => {
      healthy = false;
      const server = await start({ ...options, jwksUri: issuer.url }, seen);
      const body = target.startsWith("POST") ? "{not json" : undefined;
      const { status, headers, body: text } = await send(server.port, target, [bearer], body);
      expect([status, text]).toEqual([answer.status, answer.body]);
      expect(headers).toMatchObject({ ...answer.headers, "content-type": "application/json" });
      expect(headers["www-authenticate"]).toBeUndefined();
      expect(headers["retry-after"]).toBe("5");
      expect(seen.refusals).toEqual([
        [
          expect.stringMatching(/^refused \w+ \S+: key_set_unavailable: /),
          expect.objectContaining({ level: "info" }),
        ],
      ]);
      expect([seen.failures, seen.bodies]).toEqual([[], 0]);
      await server.stop();
    },
  );

  test("with keys it lets through, and whoever sends no token is 401 with keys or without", async () => {
    healthy = false;
    const down = await start({ ...options, jwksUri: issuer.url }, seen);
    expect((await send(down.port, "GET /me")).status).toBe(401);
    expect(await send(down.port, "GET /maybe")).toMatchObject({ status: 200, body: "nobody" });
    await down.stop();
    healthy = true;
    const up = await start({ ...options, jwksUri: issuer.url }, seen);
    expect(await send(up.port, "GET /me", [bearer])).toMatchObject({ status: 200, body: "u1" });
    expect((await send(up.port, "GET /api/u2/tasks", [bearer])).status).toBe(403);
    await up.stop();
  });

  test("two kinds of tokens while one replaces the other", async () => {
    const server = await start({ ...options, secret: SECRET, jwksUri: issuer.url, migration: true }, seen);
    for (const token of [sign(), pair.token()]) {
      const { body } = await send(server.port, "GET /me", [`authorization: Bearer ${token}`]);
      expect(body).toBe("u1");
    }
    await server.stop();
  });
});

describe.each([
  ["Hono", honoBridge],
  ["Express", expressBridge],
  ["Fastify", fastifyBridge],
])("%s's bridge", (_, createBridge) => {
  test("prefetch() has the keys at hand before the first request, or throws", async () => {
    healthy = false;
    const bridge = createBridge({ ...options, jwksUri: issuer.url });
    await expect(bridge.prefetch()).rejects.toMatchObject({ name: "KeySetUnavailableError", status: 503 });
    healthy = true;
    const next = createBridge({ ...options, jwksUri: issuer.url });
    expect([await next.keyIds, requests]).toEqual([[], 1]);
    await next.prefetch();
    expect([await next.keyIds, requests]).toEqual([["ed"], 2]);
    await createBridge({ ...options, secret: SECRET }).prefetch();
  });
});

const START = `issuer ${ISSUER}, audience ${AUDIENCE},`;

describe("what is said at start, once", () => {
  const said = async (more: Partial<BridgeOptions>) => {
    const bridge = honoBridge({ ...options, ...more });
    await bridge.keyIds;
    // Where cryptography may have to wait for it, the first request is the start.
    const app = new Hono().get("/", bridge.optionalUser, (c) => c.text(""));
    expect(seen.notices).toHaveLength(AT_ONCE && !("log" in more) ? 1 : 0);
    for (let count = 0; count < 2; count += 1) await app.request("/");
    return { bridge, lines: () => seen.notices.map(([line]) => line) };
  };

  test.each<[string, () => Partial<BridgeOptions>, string]>([
    ["a secret", () => ({ secret: SECRET }), `${START} key IDs ${HEADER.kid}`],
    [
      "two secrets",
      () => ({ secrets: [OTHER_SECRET, SECRET] }),
      `${START} key IDs ${keyId(deriveKey(OTHER_SECRET, AUDIENCE))}, ${HEADER.kid}`,
    ],
    ["public keys", () => ({ keys: { keys: [pair.jwk] } }), `${START} key IDs ed`],
    ["an odd key ID", () => ({ keys: { keys: [{ ...pair.jwk, kid: "a\nb" }] } }), `${START} key IDs "a\\nb"`],
    ["a key set", () => ({ jwksUri: `${issuer.url}?v=1` }), `${START} key set at {url}`],
    [
      "a migration",
      () => ({ secret: SECRET, jwksUri: issuer.url, migration: true }),
      `${START} key IDs ${HEADER.kid}, key set at {url}`,
    ],
  ])("%s", async (_, more, line) => {
    const { lines } = await said(more());
    expect(lines()).toEqual([line.replace("{url}", issuer.url)]);
    expect(seen.notices[0]?.[1]).toEqual({ level: "info" });
    expect(requests).toBe(0);
  });

  test("and the key IDs when they are fetched", async () => {
    const { bridge, lines } = await said({ jwksUri: issuer.url });
    await bridge.prefetch();
    await bridge.prefetch();
    expect(lines()).toEqual([`${START} key set at ${issuer.url}`, "key IDs ed"]);
  });

  test("to the console where no log is given", async () => {
    const info = vi.spyOn(console, "info").mockImplementation(() => {});
    const { bridge } = await said({ secret: SECRET, log: undefined });
    await bridge.prefetch();
    expect(info.mock.calls).toEqual([[`${START} key IDs ${HEADER.kid}`]]);
  });

  test("by a log that throws, nothing ends", async () => {
    const log = () => {
      throw new Error("the disk is full");
    };
    const { bridge } = await said({ secret: SECRET, log });
    expect(await bridge.keyIds).toEqual([HEADER.kid]);
  });
});
