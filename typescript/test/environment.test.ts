/** What the environment may say: each refusal names its variable and the cure, and never a value. */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { AT_ONCE } from "#primitives";
import { fromEnvironment } from "../src/environment.js";
import { createVerifier } from "../src/verifier.js";
import { keyPair } from "./key-set-server.js";
import { AUDIENCE, HEADER, ISSUER, KEY, NOW, OTHER_SECRET, SECRET, sign } from "./tokens.js";

const folder = mkdtempSync(path.join(tmpdir(), "environment-"));
afterAll(() => rmSync(folder, { recursive: true }));

const pair = keyPair("EdDSA", "ed");
const OCT = { kty: "oct", k: KEY.toString("base64url"), kid: HEADER.kid, alg: "HS256", use: "sig" };
const DERIVED = JSON.stringify({ keys: [OCT] });
const PUBLIC = JSON.stringify({ keys: [pair.jwk] });
const URL = "https://app.example.com/api/auth/jwks";
const COMMON = { JWT_BRIDGE_ISSUER: ISSUER, JWT_BRIDGE_AUDIENCE: AUDIENCE };
const SECRET_SET = { BETTER_AUTH_SECRET: SECRET };

const read = (variables: object) => fromEnvironment({ ...COMMON, ...variables });
const start = async (variables: object) => createVerifier({ ...read(variables), clock: () => NOW });

describe("gives", () => {
  test.each<[string, object, object]>([
    ["a secret", SECRET_SET, { secrets: [SECRET] }],
    ["derived keys", { JWT_BRIDGE_KEYS: DERIVED }, { keys: { keys: [OCT] } }],
    ["public keys", { JWT_BRIDGE_KEYS: PUBLIC }, { keys: { keys: [pair.jwk] } }],
    ["a URL", { JWT_BRIDGE_JWKS_URL: URL }, { jwksUri: URL }],
    [
      "a URL of a container",
      { JWT_BRIDGE_JWKS_URL: "http://web:3000/jwks", JWT_BRIDGE_JWKS_INTERNAL_HOSTS: "web, auth" },
      { jwksUri: "http://web:3000/jwks", internalHosts: ["web", "auth"] },
    ],
    [
      "two sources in a migration",
      { ...SECRET_SET, JWT_BRIDGE_JWKS_URL: URL, JWT_BRIDGE_MIGRATION: "true" },
      { secrets: [SECRET], jwksUri: URL, migration: true },
    ],
    [
      "empty variables as unset ones",
      { ...SECRET_SET, JWT_BRIDGE_KEYS: "", JWT_BRIDGE_JWKS_URL: "", JWT_BRIDGE_MIGRATION: "" },
      { secrets: [SECRET] },
    ],
  ])("%s", async (_, variables, source) => {
    expect(read(variables)).toEqual({ issuer: ISSUER, audience: AUDIENCE, ...source });
    await start(variables);
  });

  test("verifiers that verify, without the secret", async () => {
    expect((await (await start({ JWT_BRIDGE_KEYS: DERIVED })).verify(sign())).subject).toBe("u1");
    expect((await (await start({ JWT_BRIDGE_KEYS: PUBLIC })).verify(pair.token())).subject).toBe("u1");
    const moving = await start({ ...SECRET_SET, JWT_BRIDGE_KEYS: PUBLIC, JWT_BRIDGE_MIGRATION: "true" });
    for (const token of [sign(), pair.token()]) expect((await moving.verify(token)).subject).toBe("u1");
  });

  test("the secrets, where given keys agree with them", async () => {
    const variables = { ...SECRET_SET, JWT_BRIDGE_KEYS: JSON.stringify({ keys: [{ ...OCT, kid: "api" }] }) };
    expect(await (await start(variables)).keyIds).toEqual([HEADER.kid]);
  });
});

test("keys and secrets that disagree are refused, on Node at once", async () => {
  const variables = { BETTER_AUTH_SECRET: OTHER_SECRET, JWT_BRIDGE_KEYS: DERIVED };
  const refusal = {
    name: "ConfigurationError",
    message:
      "JWT_BRIDGE_KEYS and BETTER_AUTH_SECRET are both set and do not agree: the keys are not those that the " +
      "secret gives for this audience; remove one of them",
  };
  const create = () => createVerifier(read(variables));
  if (AT_ONCE) expect(create).toThrow(expect.objectContaining(refusal));
  else await expect(create().verify(sign())).rejects.toMatchObject(refusal);
  const two = { JWT_BRIDGE_KEYS: DERIVED, BETTER_AUTH_SECRETS: `2:${OTHER_SECRET},1:${SECRET}` };
  await expect((async () => createVerifier(read(two)).keyIds)()).rejects.toThrow("BETTER_AUTH_SECRETS");
});

describe("@file", () => {
  const file = path.join(folder, "keys.json");
  const name = `@${file}`;

  if (AT_ONCE) {
    test("is read", async () => {
      writeFileSync(file, `${DERIVED}\n`);
      expect(await (await start({ JWT_BRIDGE_KEYS: name })).keyIds).toEqual([HEADER.kid]);
    });

    test.each([
      ["nothing there", `@${folder}/absent`, "ENOENT"],
      ["a folder", `@${folder}`, "EISDIR"],
      ["no name", "@", "ENOENT"],
      ["a name that is none", "@a\0b", "ERR_INVALID_ARG_VALUE"],
    ])("%s", (_, value, code) => {
      const refusal = `JWT_BRIDGE_KEYS names a file that can not be read (${code})`;
      expect(() => read({ JWT_BRIDGE_KEYS: value })).toThrow(refusal);
      expect(() => read({ JWT_BRIDGE_KEYS: value })).not.toThrow(folder);
    });

    test.each([
      ["empty", ""],
      ["no JSON", "s3cret"],
      ["a BOM", `\ufeff${DERIVED}`],
      ["no UTF-8", Buffer.from([0xff])],
      ["UTF-16", Buffer.from(DERIVED, "utf16le")],
    ])("%s", (_, content) => {
      writeFileSync(file, content);
      expect(() => read({ JWT_BRIDGE_KEYS: name })).toThrow("JWT_BRIDGE_KEYS is not one strict JSON object");
      expect(() => read({ JWT_BRIDGE_KEYS: name })).not.toThrow("s3cret");
    });
  } else {
    test("is refused where there are no files", () => {
      expect(() => read({ JWT_BRIDGE_KEYS: name })).toThrow(
        "JWT_BRIDGE_KEYS names a file that can not be read (ENOSYS); correct what follows the @, or set the " +
          "variable to the JSON itself",
      );
    });
  }
});

describe("refuses, with the variable's name and the cure", () => {
  const weak = "s3cret".repeat(8);
  const hostile = "https://s3cret:s3cret@app.example.com/jwks";
  test.each<[object, string]>([
    [{}, "BETTER_AUTH_SECRET is not set; generate one"],
    [{ BETTER_AUTH_SECRET: weak }, "BETTER_AUTH_SECRET repeats too few"],
    [{ BETTER_AUTH_SECRETS: weak }, "BETTER_AUTH_SECRETS, entry 1,"],
    [{ ...SECRET_SET, JWT_BRIDGE_AUDIENCE: "" }, "JWT_BRIDGE_AUDIENCE is not set; set it"],
    [{ ...SECRET_SET, JWT_BRIDGE_ISSUER: "" }, "BETTER_AUTH_URL is not set; set it"],
    [{ JWT_BRIDGE_KEYS: "s3cret" }, "JWT_BRIDGE_KEYS is not one strict JSON object; set it to"],
    [{ JWT_BRIDGE_KEYS: '{"keys":[],"keys":["s3cret"]}' }, "JWT_BRIDGE_KEYS is not one strict JSON object"],
    [{ JWT_BRIDGE_KEYS: '{"keys":"s3cret"}' }, "JWT_BRIDGE_KEYS is no JWK Set; it looks like"],
    [{ JWT_BRIDGE_KEYS: JSON.stringify(OCT) }, "JWT_BRIDGE_KEYS is no JWK Set; it looks like"],
    [{ JWT_BRIDGE_KEYS: '{"keys":[{"kid":"s3cret"}]}' }, "JWT_BRIDGE_KEYS has no usable key; each needs"],
    [
      { JWT_BRIDGE_KEYS: JSON.stringify({ keys: [OCT, pair.jwk] }) },
      "JWT_BRIDGE_KEYS mixes oct keys with public keys; give each",
    ],
    [{ JWT_BRIDGE_JWKS_URL: "s3cret" }, "JWT_BRIDGE_JWKS_URL must be the issuer's key-set URL, like"],
    [{ JWT_BRIDGE_JWKS_URL: hostile }, "JWT_BRIDGE_JWKS_URL must be the issuer's key-set URL, like"],
    [
      { JWT_BRIDGE_JWKS_URL: "http://s3cret.example.com/jwks" },
      "JWT_BRIDGE_JWKS_URL is fetched in the clear, where whoever is on the way can put in keys of their own; " +
        "use https, or name its host in JWT_BRIDGE_JWKS_INTERNAL_HOSTS",
    ],
    [
      { JWT_BRIDGE_JWKS_URL: URL, JWT_BRIDGE_JWKS_INTERNAL_HOSTS: "http://s3cret" },
      "JWT_BRIDGE_JWKS_INTERNAL_HOSTS must list host names without scheme",
    ],
    [
      { ...SECRET_SET, JWT_BRIDGE_JWKS_INTERNAL_HOSTS: "s3cret" },
      "JWT_BRIDGE_JWKS_INTERNAL_HOSTS is set without JWT_BRIDGE_JWKS_URL; remove it",
    ],
    [
      { ...SECRET_SET, JWT_BRIDGE_JWKS_URL: URL },
      "BETTER_AUTH_SECRET and JWT_BRIDGE_JWKS_URL are both set; remove one of them, or set JWT_BRIDGE_MIGRATION=true",
    ],
    [
      { BETTER_AUTH_SECRETS: `1:${SECRET}`, JWT_BRIDGE_JWKS_URL: URL },
      "BETTER_AUTH_SECRETS and JWT_BRIDGE_JWKS_URL are both set",
    ],
    [
      { ...SECRET_SET, JWT_BRIDGE_KEYS: PUBLIC },
      "BETTER_AUTH_SECRET and JWT_BRIDGE_KEYS are both set; remove one of them",
    ],
    [
      { JWT_BRIDGE_KEYS: DERIVED, JWT_BRIDGE_JWKS_URL: URL },
      "JWT_BRIDGE_KEYS and JWT_BRIDGE_JWKS_URL are both set; remove one of them",
    ],
    [
      { JWT_BRIDGE_KEYS: PUBLIC, JWT_BRIDGE_JWKS_URL: URL },
      "JWT_BRIDGE_KEYS and JWT_BRIDGE_JWKS_URL are both set, with public keys; remove one of them",
    ],
    [
      { JWT_BRIDGE_KEYS: PUBLIC, JWT_BRIDGE_JWKS_URL: URL, ...SECRET_SET, JWT_BRIDGE_MIGRATION: "true" },
      "JWT_BRIDGE_KEYS and JWT_BRIDGE_JWKS_URL are both set, with public keys",
    ],
    [{ ...SECRET_SET, JWT_BRIDGE_MIGRATION: "s3cret" }, "JWT_BRIDGE_MIGRATION must be true, or not set"],
    [{ ...SECRET_SET, JWT_BRIDGE_MIGRATION: "TRUE" }, "JWT_BRIDGE_MIGRATION must be true, or not set"],
    [
      { ...SECRET_SET, JWT_BRIDGE_MIGRATION: "true" },
      "only BETTER_AUTH_SECRET is: the migration has ended, remove JWT_BRIDGE_MIGRATION",
    ],
    [
      { JWT_BRIDGE_JWKS_URL: URL, JWT_BRIDGE_MIGRATION: "true" },
      "only JWT_BRIDGE_JWKS_URL is: the migration has ended, remove JWT_BRIDGE_MIGRATION",
    ],
    [
      { JWT_BRIDGE_KEYS: PUBLIC, JWT_BRIDGE_MIGRATION: "true" },
      "only JWT_BRIDGE_KEYS is: the migration has ended, remove JWT_BRIDGE_MIGRATION",
    ],
  ])("%j", (variables, words) => {
    expect(() => read(variables)).toThrow(expect.objectContaining({ name: "ConfigurationError" }));
    expect(() => read(variables)).toThrow(words);
    for (const hidden of ["s3cret", SECRET, OCT.k]) expect(() => read(variables)).not.toThrow(hidden);
  });
});
