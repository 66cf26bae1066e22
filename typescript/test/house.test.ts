/** The house: imports go one way, and every example of a docstring runs. */

import { readdirSync, readFileSync } from "node:fs";
import { betterAuth } from "better-auth";
import { memoryAdapter } from "better-auth/adapters/memory";
import express from "express";
import fastify from "fastify";
import { Hono } from "hono";
import ts from "typescript";
import { afterEach, describe, expect, test, vi } from "vitest";
import { AUDIENCE, ORIGIN, SECRET } from "./real-auth.js";
import { claims, sign } from "./tokens.js";

/** A request that Next.js answers. */
vi.mock("next/headers.js", () => ({
  headers: async () => new Headers({ host: "localhost:3000" }),
  cookies: async () => ({ getAll: () => [] }),
}));

/** A WebSocket whose other side leaves at once. */
class ClosedSocket extends EventTarget {
  constructor() {
    super();
    queueMicrotask(() => this.dispatchEvent(new Event("close")));
  }
  close() {}
}

const SOURCE = new URL("../src/", import.meta.url);
const files = readdirSync(SOURCE, { recursive: true, encoding: "utf8" }).filter((name) =>
  name.endsWith(".ts"),
);
const read = (name: string) => readFileSync(new URL(name, SOURCE), "utf8");

/** The rooms in the order of the data's way: each may import those before it, and nothing else. */
const ROOMS = [
  "profile",
  "errors",
  "primitives",
  "primitives-node",
  "bearer",
  "compact",
  "claims",
  "policy",
  "keys",
  "jwk",
  "jwks",
  "jwks-fetch",
  "jwks-remote",
  "key-source",
  "environment",
  "verifier",
  "guards",
  "hono",
  "express",
  "fastify",
  "testing",
  "react",
];

/** What a file of a folder may import; a room may import rooms, by the order above. */
const ALLOWED: Readonly<Record<string, RegExp>> = {
  client: /^\.\/[a-z-]+\.js$/,
  "better-auth": /^(\.\.?\/[a-z-]+\.js|#primitives|better-auth\/(api|crypto|plugins))$/,
  cli: /^(\.\.?\/[a-z-]+\.js|#primitives|node:[a-z/]+)$/,
  next: /^(\.\.?\/(client\/)?[a-z-]+\.js|next\/headers\.js)$/,
};
const ROOM = /^(\.\/[a-z-]+\.js|#primitives)$/;
/** The room of a framework's hook, which knows the client by its types alone. */
const REACT_ROOM = /^(react|\.\/client\/[a-z-]+\.js)$/;
const NODE_ROOM = /^(\.\/[a-z-]+\.js|node:[a-z]+)$/;
const ROOM_OF: Readonly<Record<string, RegExp>> = { "primitives-node": NODE_ROOM, react: REACT_ROOM };

/** What a file imports: `{ from, typeOnly }`, dynamic imports too. */
function importsOf(name: string): { from: string; typeOnly: boolean }[] {
  const source = ts.createSourceFile(name, read(name), ts.ScriptTarget.Latest);
  const found = source.statements.flatMap((statement) => {
    const isImport = ts.isImportDeclaration(statement);
    if (!isImport && !ts.isExportDeclaration(statement)) return [];
    if (!statement.moduleSpecifier || !ts.isStringLiteral(statement.moduleSpecifier)) return [];
    const typeOnly = isImport ? statement.importClause?.isTypeOnly === true : statement.isTypeOnly;
    return [{ from: statement.moduleSpecifier.text, typeOnly }];
  });
  expect(read(name).replace(/\/\*.*?\*\/|\/\/.*$/gms, "")).not.toMatch(/(?<!\.)\b(import|require)\(/);
  return found;
}

describe("imports go one way", () => {
  test.each(files)("%s", (name) => {
    const imports = importsOf(name);
    const [folder] = name.includes("/") ? name.split("/") : [""];
    const own = name.slice(0, -3);
    for (const { from, typeOnly } of imports) {
      expect(from).toMatch(ALLOWED[folder ?? ""] ?? ROOM_OF[own] ?? ROOM);
      if (own === "react") expect(from === "react" || typeOnly, `${from} brings code`).toBe(true);
      if (own === "react" || folder !== "" || from.startsWith("node:")) continue;
      const room = from.replace(/^\.\/|\.js$|#/g, "");
      if (own === "index") expect(room === "errors" || typeOnly, `${room} brings code`).toBe(true);
      else expect(ROOMS.slice(0, ROOMS.indexOf(own))).toContain(room);
    }
    if (folder === "") expect([...ROOMS, "index"]).toContain(own);
  });

  test("no file is longer than 400 lines, and each begins with its paragraph", () => {
    for (const name of files) {
      expect(read(name).split("\n").length, name).toBeLessThanOrEqual(400);
      expect(read(name).replace("#!/usr/bin/env node\n", "").startsWith("/**"), name).toBe(true);
    }
  });
});

const examples = files.flatMap((name) =>
  [...read(name).matchAll(/@example\n\s*\* ```ts\n(.*?)```/gs)].map((match, index) => {
    const body = (match[1] ?? "").replace(/^\s*\* ?/gm, "");
    return [`${name} ${index + 1}`, name, body] as const;
  }),
);

describe("the docstrings' examples run", () => {
  afterEach(() => {
    vi.unstubAllGlobals();
    vi.unstubAllEnvs();
  });

  test("every public function has one", () => {
    expect(examples.length).toBeGreaterThanOrEqual(29);
  });

  test.each(examples)("%s", async (_, name, body) => {
    const now = Math.floor(Date.now() / 1000);
    const token = sign(claims({ iat: now, exp: now + 300 }));
    const authClient = {
      token: async () => ({ data: { token }, error: null }),
      signOut: async () => {},
    };
    vi.stubGlobal("fetch", async (input: unknown) => {
      if (String(input).endsWith("/events")) return new Response(null, { status: 204 });
      if (String(input).endsWith("/tickets")) return Response.json({ ticket: "x" }, { status: 201 });
      return new Response("[]");
    });
    vi.stubGlobal("WebSocket", ClosedSocket);
    vi.stubGlobal("location", new URL(ORIGIN));
    vi.stubEnv("JWT_BRIDGE_AUDIENCE", AUDIENCE);
    vi.stubEnv("BETTER_AUTH_SECRET", SECRET);
    vi.stubEnv("BETTER_AUTH_URL", ORIGIN);
    const clientDoor = await import("../src/client/index.js");
    const scope: Record<string, unknown> = {
      auth: { api: { getToken: async () => ({ token }) } },
      authClient,
      tokenSource: clientDoor.createTokenSource({ authClient }),
      pool: memoryAdapter({ user: [], session: [], account: [], verification: [], jwks: [] }),
      betterAuth,
      Hono,
      express,
      fastify,
      ...clientDoor,
      ...(await import("../src/index.js")),
      ...(await import(new URL(name, SOURCE).href)),
      check: (value: unknown, comment: string) => {
        const expected = evaluate(comment);
        if (expected)
          expect(value instanceof Uint8Array ? Buffer.from(value).toString() : value).toEqual(expected.value);
      },
    };
    // An expression with a comment behind it is compared with the comment, where that is a value.
    const compared = body.replace(/^(?!const|export)(\S.*); \/\/ (.*)$/gm, (_line, expression, comment) => {
      return `check(await (${expression}), ${JSON.stringify(comment)});`;
    });
    const { outputText } = ts.transpileModule(compared.replace(/^export /gm, ""), {
      compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext },
    });
    const names = Object.keys(scope).filter(
      (each) => !new RegExp(`\\b(const|function) ${each}\\b`).test(body),
    );
    const run = new Function(...names, `return (async () => { ${outputText}\n })();`);
    await run(...names.map((each) => scope[each]));
  });
});

function evaluate(comment: string): { value: unknown } | undefined {
  const bytes = /^the bytes of (.*)$/.exec(comment);
  if (bytes) return { value: bytes[1] };
  try {
    return { value: new Function(`return (${comment});`)() };
  } catch {
    return undefined;
  }
}
