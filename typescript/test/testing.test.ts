/** The token factory: good tokens are accepted, each bad one is refused for its own reason, in both languages. */

import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Hono } from "hono";
import ts from "typescript";
import { describe, expect, test } from "vitest";
import { createBridge } from "../src/hono.js";
import {
  createTokenFactory,
  REFUSED,
  type RefusedName,
  type TokenOptions,
  tokenFactoryFrom,
} from "../src/testing.js";
import { createVerifier, fromEnvironment } from "../src/verifier.js";
import { AUDIENCE, ISSUER, NOW, OTHER_SECRET, SECRET } from "./tokens.js";
import { specification } from "./vectors.js";

const names = Object.keys(REFUSED) as RefusedName[];

describe("a good token", () => {
  test("says who, and is what the issuer makes", async () => {
    const factory = createTokenFactory();
    const principal = await createVerifier(factory.bridgeOptions()).verify(await factory.token("alice"));
    expect(principal.subject).toBe("alice");
    expect(principal.sessionId).toBe("test-session");
    expect(principal.expiresAt - principal.issuedAt).toBe(300);
    expect(Math.abs(principal.issuedAt - Date.now() / 1000)).toBeLessThan(5);
    expect(principal.claims.user_id).toBe("alice");
  });

  test("has the issuer's header, byte for byte", async () => {
    const factory = createTokenFactory({ issuer: ISSUER, audience: AUDIENCE, secret: SECRET });
    const [header] = (await factory.token()).split(".");
    expect(Buffer.from(header ?? "", "base64url").toString()).toBe(
      '{"alg":"HS256","typ":"at+jwt","kid":"vrqa5TdV3SOpsaQDoGDZt7cQeMU-zDyJtkjBoBupOLM"}',
    );
  });

  test("says what was chosen", async () => {
    const factory = createTokenFactory();
    const verifier = createVerifier({ ...factory.bridgeOptions(), clock: () => 1030 });
    const claims = { org: "acme", act: { sub: "admin" } };
    const token = await factory.token("bob", { sessionId: null, claims, now: 1000.9, lifetime: 60 });
    const principal = await verifier.verify(token);
    expect(principal).toMatchObject({ subject: "bob", sessionId: null, issuedAt: 1000, expiresAt: 1060 });
    expect(principal.claims).toMatchObject(claims);
  });

  test("is accepted by the environment that goes with it", async () => {
    const factory = createTokenFactory({
      issuer: "http://localhost:3000",
      audience: "http://localhost:8000",
    });
    const theirs = { BETTER_AUTH_SECRETS: `1:${SECRET}`, JWT_BRIDGE_KEYS: "{}" };
    const verifier = createVerifier(fromEnvironment({ ...theirs, ...factory.environment() }));
    expect((await verifier.verify(await factory.token())).subject).toBe("alice");
  });

  test("is made for the environment that is there", async () => {
    const environment = {
      BETTER_AUTH_SECRETS: `2:${SECRET},1:${OTHER_SECRET}`,
      BETTER_AUTH_URL: "https://app.example.com/",
      JWT_BRIDGE_AUDIENCE: AUDIENCE,
    };
    const token = await tokenFactoryFrom(environment).token();
    expect((await createVerifier(fromEnvironment(environment)).verify(token)).subject).toBe("alice");
    expect(() => tokenFactoryFrom({ ...environment, JWT_BRIDGE_AUDIENCE: "" })).toThrow(
      /JWT_BRIDGE_AUDIENCE/,
    );
  });

  test("comes as headers", async () => {
    const factory = createTokenFactory();
    const { Authorization, ...rest } = await factory.headers("bob", { claims: { org: "acme" } });
    expect(rest).toEqual({});
    const request = new Request("http://localhost", { headers: { Authorization } });
    const principal = await createVerifier(factory.bridgeOptions()).authenticate(request);
    expect([principal.subject, principal.claims.org]).toEqual(["bob", "acme"]);
    expect(await factory.authorization()).toMatch(/^Bearer ey/);
  });

  test("is nothing to another factory", async () => {
    const verifier = createVerifier(createTokenFactory().bridgeOptions());
    await expect(verifier.verify(await createTokenFactory().token())).rejects.toMatchObject({
      code: "key_not_found",
    });
  });

  const never: readonly [what: string, words: string, subject: string, options?: TokenOptions][] = [
    ["nobody", "claim_malformed", ""],
    ["a long subject", "claim_malformed", "x".repeat(256)],
    ["no lifetime", "no verifier accepts", "alice", { lifetime: 0 }],
    ["a long lifetime", "lifetime_out_of_range", "alice", { lifetime: 86_401 }],
    ["another sub", "the issuer sets sub", "alice", { claims: { sub: "bob" } }],
    ["reserved names", "the issuer sets cnf, exp", "alice", { claims: { exp: 1, cnf: {} } }],
    ["a large integer", "no verifier accepts", "alice", { claims: { big: 2 ** 53 } }],
    ["too much", "token_malformed", "alice", { claims: { long: "x".repeat(8000) } }],
    ["an unknown option", "no option session", "alice", { session: "s" } as TokenOptions],
  ];

  test.each(never)("that no issuer would sign is not made by accident: %s", async (_, words, ...asked) => {
    await expect(createTokenFactory().token(...asked)).rejects.toThrow(words);
  });
});

describe("a bad token", () => {
  test.each(names)("%s is refused for its own reason", async (name) => {
    for (const clock of [undefined, () => NOW]) {
      const factory = createTokenFactory({ clock });
      for (const leeway of [0, 60]) {
        const verifier = createVerifier({ ...factory.bridgeOptions(), leeway, maximumLifetime: 86_400 });
        await expect(verifier.verify(await factory[name]("alice"))).rejects.toMatchObject({
          name: "InvalidTokenError",
          code: REFUSED[name],
        });
      }
    }
  });

  test("exists for every reason", async () => {
    const codes: Readonly<Record<string, { class: string }>> = specification("errors.json").codes;
    const about = new Set(Object.keys(codes).filter((code) => codes[code]?.class === "InvalidTokenError"));
    about.delete("ticket_invalid"); // no token is one
    expect(new Set(Object.values(REFUSED))).toEqual(about);
    expect(Object.keys(await createTokenFactory().refused("bob"))).toEqual(names);
  });
});

test("a secret that no verifier takes, and an option that does not exist, are refused", () => {
  expect(() => createTokenFactory({ secret: "short" })).toThrow(/at least 32/);
  expect(() => createTokenFactory({ key: "x" } as object)).toThrow(/no option key/);
});

test("the page's block runs as it stands", async () => {
  const page = readFileSync(new URL("../../docs/testing.md", import.meta.url), "utf8");
  const blocks = [...page.matchAll(/^```ts title="testing\.ts"\n(.*?)^```/gms)];
  expect(blocks).toHaveLength(1);
  const [, block = ""] = blocks[0] ?? [];
  const scope = { Hono, createBridge, createTokenFactory };
  const imported = [...block.matchAll(/^import \{ (\w+) \} from "(.*)";$/gm)];
  expect(imported.map(([, name, door]) => `${name} ${door}`)).toEqual([
    "Hono hono",
    "createBridge jwt-auth-bridge/hono",
    "createTokenFactory jwt-auth-bridge/testing",
  ]);
  const body = block.replace(/^import .*$/gm, "").replace("export ", "");
  const { outputText } = ts.transpileModule(body, {
    compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext },
  });
  const run = new Function(...Object.keys(scope), `${outputText}\nreturn statusFor;`);
  const statusFor = run(...Object.values(scope));
  expect([await statusFor("alice"), await statusFor("bob")]).toEqual([200, 403]);
});

describe("the other language", () => {
  const root = fileURLToPath(new URL("../../", import.meta.url));
  const python = `${root}.venv/bin/python`;

  /** Runs a program that prints JSON. */
  function ask(program: string, input: object) {
    expect(existsSync(python), "these tests need the set-up's Python: run npm test once").toBe(true);
    const environment = { PATH: process.env.PATH ?? "", PYTHONPATH: `${root}python/src` };
    const done = spawnSync(python, ["-c", program], {
      input: JSON.stringify(input),
      encoding: "utf8",
      env: environment,
    });
    expect(done.status, done.stderr).toBe(0);
    return JSON.parse(done.stdout);
  }

  test("accepts the good one and refuses the bad ones for the same reasons", async () => {
    const factory = createTokenFactory();
    const program = `
import json, sys
from jwt_auth_bridge import InvalidTokenError
from jwt_auth_bridge.fastapi import Bridge
asked = json.load(sys.stdin)
verifier = Bridge.from_env(asked["environment"])._verifier
codes = {}
for name, token in asked["refused"].items():
    try:
        verifier.verify(token)
    except InvalidTokenError as error:
        codes[name] = error.code
print(json.dumps({"subject": verifier.verify(asked["token"]).subject, "codes": codes}))`;
    const answer = ask(program, {
      environment: factory.environment(),
      token: await factory.token("bob"),
      refused: await factory.refused("bob"),
    });
    expect(answer).toEqual({ subject: "bob", codes: REFUSED });
  });

  test("makes tokens that are accepted and refused here, under the same names", async () => {
    const program = `
import json
from jwt_auth_bridge.testing import REFUSED, TokenFactory
factory = TokenFactory("http://localhost:3000", "http://localhost:8000")
print(json.dumps({
    "environment": factory.environ(), "token": factory.token("bob"), "codes": REFUSED, "refused": factory.refused("bob"),
}))`;
    const { environment, token, codes, refused } = ask(program, {});
    const camel = (name: string) => name.replace(/_(.)/g, (_, letter) => letter.toUpperCase());
    const spelled = Object.entries(codes).map(([name, code]) => [camel(name), code]);
    expect(spelled).toEqual(Object.entries(REFUSED));
    expect(Object.keys(createTokenFactory().environment()).sort()).toEqual(Object.keys(environment).sort());
    const verifier = createVerifier(fromEnvironment(environment));
    expect((await verifier.verify(token)).subject).toBe("bob");
    for (const [name, bad] of Object.entries<string>(refused)) {
      await expect(verifier.verify(bad), name).rejects.toMatchObject({ code: codes[name] });
    }
  });
});
