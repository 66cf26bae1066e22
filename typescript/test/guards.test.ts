/** The guards of Hono, Express and Fastify: one suite, on each framework's own server and a real socket. */

import { Hono } from "hono";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createBridge as expressBridge } from "../src/express.js";
import { createBridge as fastifyBridge } from "../src/fastify.js";
import { type BridgeOptions, createGuards } from "../src/guards.js";
import { createBridge as honoBridge } from "../src/hono.js";
import { BROKEN_LOGS } from "./broken-logs.js";
import { FRAMEWORKS, logInto, nothingSeen, type Seen, type Start, send } from "./guard-servers.js";
import { AUDIENCE, claims, ISSUER, NOW, SECRET, sign } from "./tokens.js";
import { specification } from "./vectors.js";

const { answers } = specification("errors.json");
const good = sign();
const bearer = (token: string) => `authorization: Bearer ${token}`;
const owner = (sub: string) => bearer(sign(claims({ sub, user_id: sub })));

describe.each(FRAMEWORKS)("%s", (framework, start) => {
  let seen: Seen;
  let server: Awaited<ReturnType<Start>>;
  const ask = (target: string, fields?: readonly string[], body?: string) =>
    send(server.port, target, fields, body);

  beforeEach(async () => {
    seen = nothingSeen();
    const clock = () => {
      seen.readings += 1;
      return NOW;
    };
    const options = { issuer: ISSUER, audience: AUDIENCE, secret: SECRET, clock, log: logInto(seen) };
    server = await start(options, seen);
  });

  afterEach(async () => {
    await server.stop();
  });

  const refused = async (answer: ReturnType<typeof ask>, name: string, ...codes: string[]) => {
    const { status, headers, body } = await answer;
    expect({ status, body }).toEqual({ status: answers[name].status, body: answers[name].body });
    expect(headers).toMatchObject({ ...answers[name].headers, "content-type": "application/json" });
    expect(headers["www-authenticate"]).toBe(answers[name].headers["www-authenticate"]);
    expect(seen.refusals).toHaveLength(1);
    expect(codes).toContain(seen.refusals[0]?.[1].code);
    expect(JSON.stringify(seen.refusals)).not.toContain(good.slice(-20));
    expect(seen.bodies).toBe(0);
    expect(seen.failures).toEqual([]);
  };

  test("a good token is let through, and verified once however many guards ask", async () => {
    expect(await ask("GET /me", [bearer(good)])).toMatchObject({ status: 200, body: "u1" });
    expect(await ask("GET /me", [`AUTHORIZATION: bEARER  ${good}`])).toMatchObject({ status: 200 });
    expect([seen.readings, seen.refusals]).toEqual([2, []]);
  });

  // A fetch-style framework sees two fields as one, joined by a comma; the answer is the same.
  const AMBIGUOUS = ["authorization_repeated", "authorization_malformed"];
  test.each<[string, string[], string, string[]]>([
    ["no token", [], "MissingTokenError", ["token_missing"]],
    ["another scheme", ["authorization: Basic dTpw"], "MissingTokenError", ["token_missing"]],
    ["two fields, good ones", [bearer(good), bearer(good)], "InvalidRequestError", AMBIGUOUS],
    [
      "two fields, the second good",
      ["authorization: Basic x", bearer(good)],
      "InvalidRequestError",
      AMBIGUOUS,
    ],
    [
      "two fields, the first good",
      [bearer(good), "Authorization: Basic x"],
      "InvalidRequestError",
      AMBIGUOUS,
    ],
    ["joined by a comma", [`${bearer(good)}, Bearer ${good}`], "InvalidRequestError", AMBIGUOUS],
    ["two tokens", [`${bearer(good)} ${good}`], "InvalidRequestError", ["authorization_malformed"]],
    ["an expired token", [bearer(sign(claims({ exp: NOW - 11 })))], "InvalidTokenError", ["token_expired"]],
    ["a session token", [bearer("a1".repeat(16))], "InvalidTokenError", ["token_opaque"]],
    ["a cookie", [bearer(`${"a1".repeat(16)}.${"a".repeat(43)}%3D`)], "InvalidTokenError", ["token_opaque"]],
    ["a forgery", [bearer(`${good.slice(0, -2)}AA`)], "InvalidTokenError", ["signature_invalid"]],
  ])("%s: the exact answer, one line in the log", async (_, fields, name, codes) => {
    await refused(ask("GET /me", fields), name, ...codes);
    expect(seen.refusals[0]).toEqual([
      expect.stringMatching(/^refused GET \/me: [a-z_]+: [A-Z]/),
      { level: "info", method: "GET", route: "/me", code: expect.any(String), hint: expect.any(String) },
    ]);
  });

  test("optionalUser: nobody without a Bearer credential, and a bad one is refused", async () => {
    expect(await ask("GET /maybe")).toMatchObject({ status: 200, body: "nobody" });
    expect(await ask("GET /maybe", ["authorization: Basic x"])).toMatchObject({ body: "nobody" });
    expect(await ask("GET /maybe", [bearer(good)])).toMatchObject({ status: 200, body: "u1" });
    expect(seen.refusals).toEqual([]);
    await refused(ask("GET /maybe", [bearer("x")]), "InvalidTokenError", "token_malformed");
  });

  test.each([
    ["u1", "u1"],
    ["a b", "a%20b"],
    ["a%20b", "a%2520b"],
    ["ä/ö?#", "%C3%A4%2F%C3%B6%3F%23"],
    ["__proto__", "__proto__"],
  ])("pathUser: %s is itself at /api/%s", async (subject, segment) => {
    const answer = await ask(`GET /api/${segment}/tasks`, [owner(subject)]);
    expect(answer).toMatchObject({ status: 200, body: subject });
    expect(seen.refusals).toEqual([]);
  });

  test.each(["u2", "U1", "u1%20", "%75%31%00", "u1%2F", "u"])("pathUser: u1 is not %s", async (segment) => {
    await refused(ask(`GET /api/${segment}/tasks`, [bearer(good)]), "ForbiddenError", "path_user_mismatch");
    expect(seen.refusals[0]?.[1]).toMatchObject({ level: "info", route: "/api/:user_id/tasks" });
    expect(JSON.stringify(seen.refusals)).not.toContain("u1%");
  });

  test("pathUser: the token comes first", () =>
    refused(ask("GET /api/u2/tasks"), "MissingTokenError", "token_missing"));

  test("pathUser on a path without the parameter: 403, and an error in the log", async () => {
    await refused(ask("GET /broken", [bearer(good)]), "ForbiddenError", "path_user_missing");
    expect(seen.refusals[0]?.[1]).toMatchObject({ level: "error", route: "/broken" });
  });

  test("a body behind a bad token is not waited for, however long it says it is", () =>
    refused(
      ask("POST /api/u1/tasks", [bearer("x"), "content-length: 1000000000"], "{"),
      "InvalidTokenError",
      "token_malformed",
    ));

  test("a body behind a bad token is not parsed", () =>
    refused(ask("POST /api/u1/tasks", [bearer("x")], "{not json"), "InvalidTokenError", "token_malformed"));

  test("a body behind a good token arrives", async () => {
    const answer = await ask("POST /api/u1/tasks", [bearer(good)], '{"title":"x"}');
    expect(JSON.parse(answer.body.replace(/^[0-9a-f]+\r\n|\r\n0\r\n\r\n$/g, ""))).toEqual({
      body: { title: "x" },
      user: "u1",
    });
    expect(seen.bodies).toBe(1);
  });

  test("one bridge's token is nothing to another", async () => {
    const { status } = await ask("GET /both", [bearer(good)]);
    expect([status, seen.refusals.map(([, { code }]) => code)]).toEqual([401, ["key_not_found"]]);
  });

  test("a handler that no guard stands before fails, and says what to do", async () => {
    expect(await ask("GET /open", [bearer(good)])).toMatchObject({ status: 500, body: "failure" });
    expect(seen.failures).toEqual([expect.objectContaining({ name: "ConfigurationError" })]);
  });

  if (framework === "Hono") {
    test("CORS comes first, and its fields are on a refusal", async () => {
      const { headers } = await ask("GET /me", ["origin: https://app.example.com"]);
      expect(headers).toMatchObject({
        "access-control-allow-origin": "https://app.example.com",
        "access-control-expose-headers": "WWW-Authenticate",
      });
    });
  }
});

test.each(BROKEN_LOGS)("a log that %s changes no answer, and ends no process", async (_, log) => {
  const guards = createGuards({ issuer: ISSUER, audience: AUDIENCE, secret: SECRET, log });
  const seen = {
    request: {},
    carrier: { headers: new Headers() },
    method: "GET",
    route: "/",
    parameter: () => undefined,
  };
  await expect(guards.currentUser(seen)).rejects.toMatchObject({ code: "token_missing" });
  await new Promise((resolve) => setImmediate(resolve));
});

test("a request that is refused by several guards is logged once", async () => {
  const lines: string[] = [];
  const options = { issuer: ISSUER, audience: AUDIENCE, secret: SECRET, clock: () => NOW };
  const log = (line: string) => line.startsWith("refused") && lines.push(line);
  const guards = createGuards({ ...options, log });
  const carrier = { headers: new Headers({ authorization: bearer(good).slice(15) }) };
  const seen = { request: {}, carrier, method: "GET", route: "/:user_id", parameter: () => "u2" };
  for (const _ of [1, 2]) await expect(guards.pathUser(seen)).rejects.toMatchObject({ status: 403 });
  expect(lines).toHaveLength(1);
  // The same request, sent on with another user's fields, is another question.
  const other = { ...seen, carrier: { headers: new Headers() } };
  await expect(guards.currentUser(other)).rejects.toMatchObject({ code: "token_missing" });
  expect(() => guards.userOf(seen.request)).toThrow(expect.objectContaining({ name: "ConfigurationError" }));
});

describe("configuration", () => {
  const options = { issuer: ISSUER, audience: AUDIENCE, secret: SECRET };
  test.each([
    ["pathParameter", { pathParameter: "" }],
    ["pathParameter", { pathParameter: ":user_id" }],
    ["pathParameter", { pathParameter: null }],
    ["log", { log: null }],
    ["log", { log: "info" }],
    ["audience", { audience: "" }],
    ["maxAge", { maxAge: 1 }],
  ])("%s: %j is refused at once", (name, changes) => {
    for (const create of [honoBridge, expressBridge, fastifyBridge]) {
      expect(() => create({ ...options, ...changes } as BridgeOptions)).toThrow(
        expect.objectContaining({ name: "ConfigurationError", message: expect.stringContaining(name) }),
      );
    }
  });

  test("another name for the path parameter", async () => {
    const bridge = honoBridge({ ...options, pathParameter: "owner", clock: () => NOW, log: () => {} });
    const app = new Hono();
    app.get("/:owner/:user_id", bridge.pathUser, (c) => c.text("mine"));
    const headers = { authorization: `Bearer ${good}` };
    expect((await app.request("/u1/u2", { headers })).status).toBe(200);
    expect((await app.request("/u2/u1", { headers })).status).toBe(403);
    expect(await bridge.keyIds).toHaveLength(1);
  });
});
