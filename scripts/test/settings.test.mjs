// What each server gets in its environment, for each algorithm and whoever chose it.

import { expect, onTestFinished, test } from "vitest";
import { ALGORITHMS, algorithmOf, isPublic } from "../algorithm.mjs";
import { settingsOf } from "../settings.mjs";

const FACTS = {
  temporary: true,
  webPort: 3100,
  apiPort: 8100,
  databaseUrl: "postgresql://owner@localhost/todo",
  apiDatabaseUrl: "postgresql://api@localhost/todo",
};
const JWKS_URL = "http://localhost:3100/api/auth/jwks";

/** As a person's shell has it. */
function inEnvironment(values) {
  for (const [name, value] of Object.entries(values)) {
    const before = process.env[name];
    process.env[name] = value;
    onTestFinished(() => {
      if (before === undefined) delete process.env[name];
      else process.env[name] = before;
    });
  }
}

test("the algorithm of the arguments, or none", () => {
  expect(algorithmOf([], "npm start")).toBeUndefined();
  for (const algorithm of ALGORITHMS) {
    expect(algorithmOf(["--algorithm", algorithm], "npm start")).toBe(algorithm);
    expect(algorithmOf([`--algorithm=${algorithm}`], "npm start")).toBe(algorithm);
  }
  for (const args of [
    ["--algorithm"],
    ["--algorithm="],
    ["--algorithm", "eddsa"],
    ["--algorithm", "EdDSA", "--algorithm", "EdDSA"],
    ["--algorithm", "EdDSA", "now"],
    ["--algorithms", "EdDSA"],
  ]) {
    expect(() => algorithmOf(args, "npm start"), args.join(" ")).toThrow(
      expect.objectContaining({ name: "Stop", exitCode: 2 }),
    );
  }
});

test("HS256: both sides have the secret, and the API no address of keys", () => {
  for (const algorithm of [undefined, "HS256"]) {
    const { web, api, secrets, ...rest } = settingsOf({ ...FACTS, algorithm });
    expect(rest.algorithm).toBe("HS256");
    expect(web.JWT_BRIDGE_ALGORITHM).toBe(algorithm ?? "");
    expect(secrets.BETTER_AUTH_SECRET).toMatch(/^[\w-]{43}$/);
    for (const side of [web, api]) expect(side.BETTER_AUTH_SECRET).toBe(secrets.BETTER_AUTH_SECRET);
    expect(api).not.toHaveProperty("JWT_BRIDGE_JWKS_URL");
  }
});

test.each(ALGORITHMS.filter(isPublic))(
  "%s: the API has the address of the keys and no secret",
  (algorithm) => {
    const { web, api, secrets } = settingsOf({ ...FACTS, algorithm });
    expect(web).toMatchObject({ JWT_BRIDGE_ALGORITHM: algorithm, ...secrets });
    expect(api.JWT_BRIDGE_JWKS_URL).toBe(JWKS_URL);
    expect(Object.keys(api).filter((name) => name.includes("SECRET"))).toEqual([]);
    expect(Object.values(api)).not.toContain(secrets.BETTER_AUTH_SECRET);
  },
);

test("a person's own environment chooses as well, and loses against the argument", () => {
  inEnvironment({
    BETTER_AUTH_SECRET: "their-own",
    JWT_BRIDGE_ALGORITHM: "ES256",
    JWT_BRIDGE_JWKS_URL: "https://keys.example.com/jwks",
    DATABASE_URL: "postgresql://somebody@localhost/else",
    TODO_API_ACCESS: "proxy",
  });
  const facts = { ...FACTS, temporary: false };
  const chosen = settingsOf(facts);
  expect(chosen.algorithm).toBe("ES256");
  expect(chosen.web).toMatchObject({ BETTER_AUTH_SECRET: "their-own", DATABASE_URL: FACTS.databaseUrl });
  expect(chosen.web.TODO_API_ACCESS).toBe("proxy");
  expect(chosen.api.JWT_BRIDGE_JWKS_URL).toBe("https://keys.example.com/jwks");
  expect(Object.values(chosen.api)).not.toContain("their-own");

  const argued = settingsOf({ ...facts, algorithm: "HS256" });
  expect(argued.web.JWT_BRIDGE_ALGORITHM).toBe("HS256");
  expect(argued.api.BETTER_AUTH_SECRET).toBe("their-own");
  expect(argued.api).not.toHaveProperty("JWT_BRIDGE_JWKS_URL");

  // A stack of a test has none of it.
  const web = { JWT_BRIDGE_ALGORITHM: "", TODO_API_ACCESS: "" };
  expect(settingsOf(FACTS)).toMatchObject({ algorithm: "HS256", web });
  expect(Object.values(settingsOf(FACTS).web)).not.toContain("their-own");
});

test("an API that moves from one to the other has both", () => {
  inEnvironment({ BETTER_AUTH_SECRET: "their-own", JWT_BRIDGE_MIGRATION: "true" });
  for (const algorithm of ["HS256", "EdDSA"]) {
    const { api } = settingsOf({ ...FACTS, temporary: false, algorithm });
    expect(api).toMatchObject({ BETTER_AUTH_SECRET: "their-own", JWT_BRIDGE_JWKS_URL: JWKS_URL });
  }
});

test("neither side holds the other's way into the database, and what a test gives wins", () => {
  const more = { apiEnv: { JWT_BRIDGE_KEYS: "@file", BETTER_AUTH_SECRET: "" }, webEnv: { API_URL: "x" } };
  const { web, api } = settingsOf({ ...FACTS, ...more });
  expect(web).not.toHaveProperty("API_DATABASE_URL");
  expect(api).not.toHaveProperty("DATABASE_URL");
  expect(api).toMatchObject(more.apiEnv);
  expect(web).toMatchObject(more.webEnv);
});
