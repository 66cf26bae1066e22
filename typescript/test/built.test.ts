/** What is published: the doors, their types, their size, and `assertBridge` in a process of its own. */

import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "vite";
import { afterAll, describe, expect, test } from "vitest";
import { buildPackage } from "./package.js";
import { OTHER_SECRET, SECRET } from "./tokens.js";

const built = buildPackage();
const path = (name: string) => join(built.folder, "dist", name);
afterAll(built.remove);

const { exports } = JSON.parse(readFileSync(join(built.folder, "package.json"), "utf8"));
const doors = Object.entries<{ types: string; default: string }>(exports).filter(
  ([name]) => name !== "./package.json",
);

interface Chunk {
  code: string;
  imports: string[];
  modules: object;
}

describe("the doors", () => {
  test("lead to what is announced, and to nothing else", async () => {
    const found: Record<string, string[]> = {};
    for (const [name, { default: file }] of doors) {
      found[name] = Object.keys(await import(pathToFileURL(path(file.replace("./dist/", ""))).href)).sort();
    }
    expect(found).toEqual({
      ".": [
        "BridgeError",
        "ConfigurationError",
        "ForbiddenError",
        "InvalidRequestError",
        "InvalidTokenError",
        "KeySetUnavailableError",
        "MissingTokenError",
      ],
      "./better-auth": ["assertBridge", "jwtBridge"],
      "./client": ["SessionMissingError", "TokenUnavailableError", "createBridgeFetch", "createTokenSource"],
      "./proxied": ["SessionMissingError", "createProxiedFetch"],
      "./live": ["UnexpectedResponseError", "openSocket", "readEvents"],
      "./express": ["createBridge", "fromEnvironment"],
      "./fastify": ["createBridge", "fromEnvironment"],
      "./testing": ["REFUSED", "createTokenFactory", "tokenFactoryFrom"],
      "./hono": ["createBridge", "fromEnvironment"],
      "./next": ["SessionMissingError", "TokenUnavailableError", "createProxy", "createServerFetch"],
      "./react": ["createUseBridge"],
      "./verify": ["createVerifier", "fromEnvironment", "toResponse"],
    });
  });

  test("the types of better-auth's leak no other package", () => {
    for (const name of ["index", "options", "assert-bridge"]) {
      const types = readFileSync(path(`better-auth/${name}.d.ts`), "utf8");
      expect(types).not.toMatch(/better-call|zod|jose|@better-auth/);
    }
  });

  test("no types but the issuer's lead out of the package", () => {
    for (const [name, { types }] of doors.filter(([door]) => door !== "./better-auth")) {
      const text = readFileSync(path(types.replace("./dist/", "")), "utf8");
      expect(text, name).not.toMatch(/from "(?!\.)|\bBuffer\b|NodeJS/);
    }
  });

  // Bytes, minified and gzipped, of all that a door brings into a page; who uses less of it downloads less.
  test.each([
    ["client/index.js", 3000],
    ["client/live.js", 2000],
    ["client/proxied.js", 1200],
  ])("%s imports nothing, has no server code, and takes at most %i bytes", async (entry, limit) => {
    const result = await build({
      configFile: false,
      logLevel: "silent",
      build: {
        write: false,
        minify: "esbuild",
        // The door's exports are what is kept: there is no page here.
        rollupOptions: { input: path(entry), preserveEntrySignatures: "strict" },
      },
    });
    const { output } = result as unknown as { output: Chunk[] };
    const [{ code, imports, modules }] = output as [Chunk];
    expect([output.length, imports]).toEqual([1, []]);
    for (const file of Object.keys(modules)) expect(dirname(file)).toBe(path("client"));
    expect(code).not.toMatch(
      /\b(process|require|import|Buffer)\b|node:|better-auth|BETTER_AUTH|hkdf|hmac|subtle|v1\/HS/i,
    );
    expect(gzipSync(code).length).toBeLessThanOrEqual(limit);
  });
});

describe("assertBridge in a process of its own", () => {
  function run(module: string, environment: Record<string, string>) {
    const file = path("auth.mjs");
    writeFileSync(file, module);
    const code = `
      import { assertBridge } from ${JSON.stringify(pathToFileURL(path("better-auth/index.js")).href)};
      await assertBridge(import(${JSON.stringify(pathToFileURL(file).href)}));
      console.log("started");`;
    const env = { PATH: process.env.PATH ?? "", ...environment };
    const result = spawnSync(process.execPath, ["--input-type=module", "-e", code], {
      encoding: "utf8",
      env,
    });
    return { status: result.status, said: result.stdout + result.stderr };
  }

  const MODULE = `
    import { betterAuth } from "better-auth";
    import { memoryAdapter } from "better-auth/adapters/memory";
    import { jwtBridge } from "./better-auth/index.js";
    export const auth = betterAuth({
      database: memoryAdapter({ user: [], session: [], account: [], verification: [], jwks: [] }),
      telemetry: { enabled: false },
      plugins: [jwtBridge({ audience: process.env.JWT_BRIDGE_AUDIENCE })],
    });`;
  const GOOD = {
    NODE_ENV: "production",
    BETTER_AUTH_SECRET: SECRET,
    BETTER_AUTH_URL: "https://app.example.com",
    JWT_BRIDGE_AUDIENCE: "https://api.example.com",
  };

  test("starts, and says what to compare", () => {
    const { status, said } = run(MODULE, GOOD);
    expect([status, said]).toEqual([
      0,
      "jwt-auth-bridge: issuer https://app.example.com, audience https://api.example.com, " +
        "key IDs vrqa5TdV3SOpsaQDoGDZt7cQeMU-zDyJtkjBoBupOLM\nstarted\n",
    ]);
  });

  test.each([
    ["no audience", MODULE, { ...GOOD, JWT_BRIDGE_AUDIENCE: "" }, "JWT_BRIDGE_AUDIENCE"],
    ["no base URL", MODULE, { ...GOOD, BETTER_AUTH_URL: "" }, "BETTER_AUTH_URL is not set"],
    ["no secret", MODULE, { ...GOOD, BETTER_AUTH_SECRET: "" }, "BETTER_AUTH_SECRET"],
    [
      "no secret in development",
      MODULE,
      { ...GOOD, NODE_ENV: "development", BETTER_AUTH_SECRET: "" },
      "BETTER_AUTH_SECRET",
    ],
    ["a weak secret", MODULE, { ...GOOD, BETTER_AUTH_SECRET: "abcdefg".repeat(10) }, "guessed"],
    ["a list without versions", MODULE, { ...GOOD, BETTER_AUTH_SECRETS: OTHER_SECRET }, "entry 1,"],
    ["a module that throws", 'throw new Error("DATABASE_URL is not set")', GOOD, "DATABASE_URL is not set"],
  ])("%s ends it with 1", (_, module, environment, words) => {
    const { status, said } = run(module, environment);
    expect(status).toBe(1);
    expect(said).toContain(words);
    expect(said).not.toContain("started");
    expect(said).not.toContain(OTHER_SECRET.slice(0, 8));
    expect(said).not.toContain("abcdefgabcdefg");
  });
});
