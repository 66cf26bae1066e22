/** The verifier outside Node: the published files, by the default condition, in a runtime that has the web's globals alone. */

import path from "node:path";
import { EdgeVM } from "@edge-runtime/vm";
import { build } from "vite";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type * as verify from "../src/verifier.js";
import { keyPair, serve } from "./key-set-server.js";
import { buildPackage } from "./package.js";
import { AUDIENCE, ISSUER, NOW, SECRET } from "./tokens.js";
import { answerOf, load } from "./vectors.js";

const built = buildPackage();
afterAll(built.remove);

async function bundle(conditions: string[]): Promise<string> {
  const result = await build({
    configFile: false,
    logLevel: "silent",
    resolve: { conditions },
    build: {
      write: false,
      minify: false,
      lib: { entry: path.join(built.folder, "dist/verifier.js"), formats: ["iife"], name: "bridge" },
      rollupOptions: { external: /^node:/ },
    },
  });
  const [{ output }] = result as unknown as [{ output: { code: string }[] }];
  return output[0]?.code ?? "";
}

describe("in an edge runtime", () => {
  let code: string;
  let vm: EdgeVM;
  let bridge: typeof verify;

  beforeAll(async () => {
    code = await bundle(["edge-light", "worker", "browser"]);
    vm = new EdgeVM();
    vm.evaluate(code.replace(/^var bridge/m, "globalThis.bridge"));
    bridge = vm.evaluate("bridge");
  });

  test("there is no Node", () => {
    expect(vm.evaluate("typeof process + typeof Buffer + typeof require")).toBe("undefined".repeat(3));
    expect(code.replace(/\/\*.*?\*\/|\/\/.*$/gms, "")).not.toMatch(
      /timingSafeEqual|node:|\bBuffer\.|\bprocess\./,
    );
  });

  test("Node's own condition would bring it", async () => {
    expect(await bundle(["node"])).toContain("timingSafeEqual");
  });

  const { policies, tests } = load("access-token.json");
  test.each(tests.map((each) => [each.id, each] as const))("%s", async (_, each) => {
    expect(await answerOf(bridge.createVerifier, policies, each)).toEqual(each.expect);
  });

  describe.each([
    ["fetched-keys.json", load("fetched-keys.json")],
    ["migration.json", load("migration.json")],
  ])("%s", (_, { policies, tests }) => {
    test.each(tests.map((each) => [each.id, each] as const))("%s", async (_, each) => {
      const fetched = JSON.stringify(policies[each.policy]?.fetched ?? null);
      vm.evaluate(`globalThis.fetch = async () => Response.json(${fetched})`);
      expect(await answerOf(bridge.createVerifier, policies, each)).toEqual(each.expect);
    });
  });

  test("a key set is fetched by the platform's own fetch, and JWT_BRIDGE_KEYS names no file", async () => {
    const pair = keyPair("EdDSA", "ed");
    const server = await serve((_, response) => {
      response
        .writeHead(200, { "content-type": "application/json" })
        .end(JSON.stringify({ keys: [pair.jwk] }));
    });
    const other = new EdgeVM();
    other.evaluate(code.replace(/^var bridge/m, "globalThis.bridge"));
    const { createVerifier, fromEnvironment } = other.evaluate("bridge") as typeof verify;
    const environment = { JWT_BRIDGE_ISSUER: ISSUER, JWT_BRIDGE_AUDIENCE: AUDIENCE };
    const options = {
      ...fromEnvironment({ ...environment, JWT_BRIDGE_JWKS_URL: server.url }),
      log: () => {},
    };
    const verifier = createVerifier({ ...options, clock: () => NOW });
    expect((await verifier.verify(pair.token())).subject).toBe("u1");
    expect(await verifier.keyIds).toEqual(["ed"]);
    await server.stop();
    await expect(createVerifier(options).prefetch()).rejects.toMatchObject({ code: "key_set_unavailable" });
    expect(() => fromEnvironment({ ...environment, JWT_BRIDGE_KEYS: "@keys.json" })).toThrow(
      "can not be read",
    );
  });

  test("a request is authenticated, and refused with an answer", async () => {
    const refusal = await vm.evaluate(`
      const options = ${JSON.stringify({ issuer: ISSUER, audience: AUDIENCE, secret: SECRET })};
      const request = new Request("https://api.example.com", { headers: { authorization: "Bearer a.b.c" } });
      bridge.createVerifier(options).authenticate(request)
        .catch((error) => bridge.toResponse(error))
        .then(async (response) => [response.status, await response.text()]);
    `);
    expect([...refusal]).toEqual([
      401,
      '{"detail":"The access token is invalid or has expired","error":"invalid_token"}',
    ]);
  });
});
