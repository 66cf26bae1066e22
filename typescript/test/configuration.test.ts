/** The plugin's configuration: judged in `init`, with the cure, and without a secret in any message. */

import { betterAuth } from "better-auth";
import { memoryAdapter } from "better-auth/adapters/memory";
import { jwt } from "better-auth/plugins";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { assertBridge, type JwtBridgeOptions, jwtBridge } from "../src/better-auth/index.js";
import { deriveKey, keyId } from "../src/keys.js";
import { AUDIENCE, ORIGIN, OTHER_SECRET, SECRET } from "./real-auth.js";

const VARIABLES = [
  "BETTER_AUTH_SECRET",
  "BETTER_AUTH_SECRETS",
  "AUTH_SECRET",
  "BETTER_AUTH_URL",
  "JWT_BRIDGE_ISSUER",
];

beforeEach(() => {
  for (const name of VARIABLES) vi.stubEnv(name, undefined);
});

afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

type Options = Record<string, unknown>;

function start(bridge: Options = {}, options: Options = {}) {
  return betterAuth({
    database: memoryAdapter({ user: [], session: [], account: [], verification: [], jwks: [] }),
    secret: SECRET,
    baseURL: ORIGIN,
    telemetry: { enabled: false },
    logger: { disabled: true },
    plugins: [jwtBridge({ audience: AUDIENCE, ...bridge } as JwtBridgeOptions)],
    ...options,
  });
}

async function refusal(bridge: Options, options: Options = {}): Promise<string> {
  const error = await start(bridge, options).$context.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toMatchObject({ name: "ConfigurationError", code: "configuration_invalid" });
  return (error as Error).message;
}

describe("options", () => {
  test.each<[string, Options, string]>([
    ["no audience", { audience: undefined }, "JWT_BRIDGE_AUDIENCE"],
    ["an empty audience", { audience: "" }, "audience"],
    ["an empty list of audiences", { audience: [] }, "empty list"],
    ["an audience twice", { audience: [AUDIENCE, "x", AUDIENCE] }, "twice"],
    ["an empty audience in a list", { audience: [AUDIENCE, ""] }, "entry 2, is missing"],
    ["an unset variable in a list", { audience: [undefined] }, "entry 1, is missing"],
    ["a hole in a list", { audience: new Array(1) }, "entry 1, is missing"],
    ["an audience that is no text", { audience: { a: 1 } }, "audience"],
    ["the plural", { audiences: [AUDIENCE] }, "takes a list"],
    ["an empty issuer", { issuer: "" }, "issuer"],
    ["a lifetime of 0", { lifetime: 0 }, "1 to 3600"],
    ["a lifetime of 3601", { lifetime: 3601 }, "1 to 3600"],
    ["a lifetime in words", { lifetime: "5m" }, "whole number"],
    ["a stock option", { jwt: { expirationTime: "1h" } }, "lifetime"],
    ["another stock option", { jwks: {} }, "jwks"],
    ["an algorithm", { algorithm: "HS512" }, "HS256"],
    ["Better Auth's other algorithms", { algorithm: "ES512" }, "one of HS256, EdDSA, ES256, RS256"],
    ["no algorithm", { algorithm: "none" }, "one of HS256"],
    ["an algorithm null", { algorithm: null }, "one of HS256"],
    ["rotation of derived keys", { rotationInterval: 86_400 }, "BETTER_AUTH_SECRETS"],
    ["a grace period of derived keys", { algorithm: "HS256", gracePeriod: 86_400 }, "BETTER_AUTH_SECRETS"],
    ["a grace period alone", { algorithm: "EdDSA", gracePeriod: 86_400 }, "needs rotationInterval"],
    ["rotation in words", { algorithm: "EdDSA", rotationInterval: "30d" }, "whole number"],
    ["rotation within the hour", { algorithm: "EdDSA", rotationInterval: 3599 }, "3600 to"],
    [
      "a grace period that ends before a token",
      { algorithm: "EdDSA", rotationInterval: 86_400, gracePeriod: 3659, lifetime: 3600 },
      "3660 to",
    ],
    [
      "so many keys that no verifier takes the set",
      { algorithm: "EdDSA", rotationInterval: 86_400 },
      "32 keys at once, which makes the key set too large; set gracePeriod to at most 1209600",
    ],
    ["a misspelt option", { lifeTime: 60 }, "lifeTime"],
    ["claims in a list", { claims: ["email"] }, "claims must be an object"],
    ["claims null", { claims: null }, "claims must be an object"],
    ["claims by prototype", { claims: { __proto__: { org: () => 1 } } }, "claims must be an object"],
    ["a claim that is no function", { claims: { org: "x" } }, "claims.org must be a function"],
    ["a claim without a name", { claims: { "": () => 1 } }, "empty"],
    ["a claim whose name is no text", { claims: { "\ud800": () => 1 } }, "no text"],
    ...["iss", "aud", "sub", "user_id", "client_id", "sid", "jti", "iat", "exp", "nbf", "act", "cnf"].map(
      (name): [string, Options, string] => [`the claim ${name}`, { claims: { [name]: () => 1 } }, "reserved"],
    ),
  ])("%s is refused", async (_, bridge, words) => {
    expect(await refusal(bridge)).toContain(words);
  });

  test("jwt() beside jwtBridge() is refused", async () => {
    const plugins = [jwt(), jwtBridge({ audience: AUDIENCE })];
    expect(await refusal({}, { plugins })).toContain("keep jwtBridge() alone");
  });

  test("the limits pass", async () => {
    await start({ lifetime: 1 }).$context;
    await start({ lifetime: 3600, claims: { org: () => 1 }, issuer: "any text" }).$context;
    await start({ algorithm: "HS256", audience: [AUDIENCE] }).$context;
    await start({ algorithm: "RS256", audience: Array.from({ length: 9 }, (_, i) => `urn:api:${i}`) })
      .$context;
    await start({ algorithm: "EdDSA", rotationInterval: 3600, gracePeriod: 360 }).$context;
    await start({ algorithm: "ES256", rotationInterval: 86_400, gracePeriod: 1_209_600 }).$context;
  });
});

describe("the base URL", () => {
  test.each([
    [undefined, "BETTER_AUTH_URL is not set"],
    ["https://user:pass@app.example.com", "no user"],
    ["https://app.example.com?x=1", "query"],
  ])("%s is refused", async (baseURL, words) => {
    expect(await refusal({}, { baseURL })).toContain(words);
  });

  test("one that follows the request is refused, unless the issuer is given", async () => {
    const baseURL = { allowedHosts: ["a.example.com", "b.example.com"] };
    expect(await refusal({}, { baseURL })).toContain("BETTER_AUTH_URL is not set");
    await start({ issuer: "https://a.example.com" }, { baseURL }).$context;
  });

  test("JWT_BRIDGE_ISSUER stands for the option", async () => {
    vi.stubEnv("JWT_BRIDGE_ISSUER", "urn:the:issuer");
    const info = vi.spyOn(console, "info").mockImplementation(() => {});
    await assertBridge(start());
    expect(info.mock.calls.join()).toContain("issuer urn:the:issuer,");
  });
});

describe("secrets", () => {
  const weak = "abcdefg".repeat(10);

  test.each<[string, Options, string]>([
    ["none", { secret: undefined }, "BETTER_AUTH_SECRET"],
    ["a short one", { secret: SECRET.slice(0, 31) }, "option secret"],
    ["a weak one", { secret: weak }, "guessed"],
    ["a placeholder", { secret: "your-secret-key-at-least-32-characters" }, "placeholder"],
    [
      "a weak old one",
      {
        secrets: [
          { version: 2, value: SECRET },
          { version: 1, value: weak },
        ],
      },
      "secrets, entry 2,",
    ],
    [
      "one twice",
      {
        secrets: [
          { version: 2, value: SECRET },
          { version: 1, value: SECRET },
        ],
      },
      "twice",
    ],
  ])("%s: refused", async (_, options, words) => {
    const message = await refusal({}, options);
    expect(message).toContain(words);
    expect(message).not.toContain(weak.slice(0, 8));
    expect(message).not.toContain(SECRET.slice(0, 8));
  });

  test("the message names the variable that the secret came from", async () => {
    vi.stubEnv("AUTH_SECRET", weak);
    expect(await refusal({}, { secret: undefined })).toContain("AUTH_SECRET ");
    vi.stubEnv("BETTER_AUTH_SECRET", weak);
    expect(await refusal({}, { secret: undefined })).toContain("BETTER_AUTH_SECRET ");
  });

  test.each([
    ["no version", OTHER_SECRET],
    ["a bad version", `1abc:${OTHER_SECRET}`],
    ["a trailing comma", `1:${OTHER_SECRET},`],
    ["a weak secret", `2:${OTHER_SECRET},1:${weak}`],
  ])("BETTER_AUTH_SECRETS with %s: refused before Better Auth prints it", async (_, value) => {
    vi.stubEnv("BETTER_AUTH_SECRETS", value);
    const printed = (["log", "info", "warn", "error"] as const).map((level) =>
      vi.spyOn(console, level).mockImplementation(() => {}),
    );
    const message = await refusal({}, { secret: undefined, logger: { disabled: false, level: "debug" } });
    const said = message + JSON.stringify(printed.map((spy) => spy.mock.calls));
    expect(message).toMatch(/BETTER_AUTH_SECRETS, entry [12],/);
    expect(said).not.toContain(OTHER_SECRET.slice(0, 8));
    expect(said).not.toContain(weak.slice(0, 8));
  });

  test("BETTER_AUTH_SECRETS wins over a weak BETTER_AUTH_SECRET", async () => {
    vi.stubEnv("BETTER_AUTH_SECRET", weak);
    vi.stubEnv("BETTER_AUTH_SECRETS", ` 2:${OTHER_SECRET} ,\n1:${SECRET}`);
    await start({}, { secret: undefined }).$context;
  });

  test("constructing the plugin judges nothing", () => {
    vi.stubEnv("BETTER_AUTH_SECRETS", OTHER_SECRET);
    const plugin = jwtBridge({ audience: undefined, nonsense: 1 } as JwtBridgeOptions);
    expect(plugin.id).toBe("jwt");
  });
});

describe("assertBridge", () => {
  function watch() {
    const exit = vi.spyOn(process, "exit").mockImplementation((() => {}) as never);
    const error = vi.spyOn(console, "error").mockImplementation(() => {});
    const info = vi.spyOn(console, "info").mockImplementation(() => {});
    return { exit, error, info };
  }

  test("prints issuer, audience and key IDs", async () => {
    const { exit, info } = watch();
    await assertBridge(start());
    await assertBridge(Promise.resolve({ auth: start() }));
    const line = `jwt-auth-bridge: issuer ${ORIGIN}, audience ${AUDIENCE}, key IDs vrqa5TdV3SOpsaQDoGDZt7cQeMU-zDyJtkjBoBupOLM`;
    expect(info.mock.calls).toEqual([[line], [line]]);
    expect(exit).not.toHaveBeenCalled();
  });

  test("prints a line for each of several audiences", async () => {
    const { exit, info } = watch();
    await assertBridge(start({ audience: [AUDIENCE, "https://b.example.com"] }));
    const line = (audience: string, kid: string) =>
      `jwt-auth-bridge: issuer ${ORIGIN}, audience ${audience}, key IDs ${kid}`;
    expect(info.mock.calls).toEqual([
      [line(AUDIENCE, "vrqa5TdV3SOpsaQDoGDZt7cQeMU-zDyJtkjBoBupOLM")],
      [line("https://b.example.com", await keyId(await deriveKey(SECRET, "https://b.example.com")))],
    ]);
    expect(exit).not.toHaveBeenCalled();
  });

  test.each(["EdDSA", "ES256", "RS256"])("prints %s and where the key set is", async (algorithm) => {
    const { exit, info } = watch();
    await assertBridge(start({ algorithm, audience: [AUDIENCE, "b"] }));
    const line = (audience: string) =>
      `jwt-auth-bridge: issuer ${ORIGIN}, audience ${audience}, algorithm ${algorithm}, key set at ${ORIGIN}/api/auth/jwks`;
    expect(info.mock.calls).toEqual([[line(AUDIENCE)], [line("b")]]);
    expect(exit).not.toHaveBeenCalled();
  });

  const malformed = () => {
    vi.stubEnv("BETTER_AUTH_SECRETS", OTHER_SECRET);
    return start();
  };
  const bare = () => ({ ...start(), $context: Promise.resolve({}) });
  test.each<[string, () => unknown, string]>([
    ["a wrong option", () => start({ lifetime: 0 }), "lifetime"],
    ["a malformed list", malformed, "entry 1,"],
    ["a module that throws", () => Promise.reject(new Error("DATABASE_URL is not set")), "DATABASE_URL"],
    ["no plugin", bare, "not among betterAuth()'s plugins"],
    ["a module without auth", () => Promise.resolve({}), "no betterAuth()"],
  ])("%s: prints the cure and ends the process with 1", async (_, make, words) => {
    const { exit, error } = watch();
    await assertBridge(make() as Parameters<typeof assertBridge>[0]);
    expect(exit).toHaveBeenCalledWith(1);
    expect(error.mock.calls.join()).toContain(words);
    expect(error.mock.calls.join()).not.toContain(OTHER_SECRET.slice(0, 8));
  });
});
