/** The verifier outside Node: the published files, by the default condition, in a runtime that has the web's globals alone. */

import path from "node:path";
import { EdgeVM } from "@edge-runtime/vm";
import { build } from "vite";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type * as verify from "../src/verifier.js";
import { buildPackage } from "./package.js";
import { AUDIENCE, ISSUER, SECRET } from "./tokens.js";
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
