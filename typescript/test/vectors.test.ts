/** Every vector of the contract; the other language's suite runs the same files and prints the same counts. */

import { readFileSync } from "node:fs";
import { afterEach, describe, expect, test, vi } from "vitest";
import { parseAuthorization } from "../src/bearer.js";
import { fromEnvironment } from "../src/environment.js";
import { BridgeError, ConfigurationError, KeySetUnavailableError } from "../src/errors.js";
import { usableKeys } from "../src/jwk.js";
import { cacheAge, judgeKeySetUrl, judgeResponse } from "../src/jwks.js";
import { judgeSecret, parseVersionedSecrets, reduceIssuer } from "../src/keys.js";
import { createVerifier } from "../src/verifier.js";
import { answerOf, bodyOf, type Case, load, type Named, specification } from "./vectors.js";

describe("access-token.json", () => {
  const { policies, tests } = load("access-token.json");
  test.each(named(tests))("%s", async (_, each) => {
    const verdict = await answerOf(createVerifier, policies, each);
    expect(verdict, `${each.rule} (${each.law})`).toEqual(each.expect);
  });
});

describe("bearer.json", () => {
  test.each(named(load("bearer.json").tests))("%s", (_, { values, expect: expected }) => {
    const verdict = attempt<object>(
      () => ({ ok: true, token: parseAuthorization(values) }),
      (error) => ({ ok: false, code: error.code }),
    );
    expect(verdict).toEqual(expected);
  });
});

describe("secrets.json", () => {
  test.each(named(load("secrets.json").tests))("%s", (_, { secret, expect: expected }) => {
    expect(accepted(() => judgeSecret(secret, "BETTER_AUTH_SECRET"))).toEqual(
      expected.ok ? secret : undefined,
    );
  });
});

describe("versioned-secrets.json", () => {
  test.each(named(load("versioned-secrets.json").tests))("%s", (_, { value, expect: expected }) => {
    expect(accepted(() => parseVersionedSecrets(value))).toEqual(expected.secrets);
  });
});

describe("issuers.json", () => {
  test.each(named(load("issuers.json").tests))("%s", (_, { url, expect: expected }) => {
    expect(accepted(() => reduceIssuer(url))).toEqual(expected.issuer);
  });
});

describe("key-sets.json", () => {
  test.each(named(load("key-sets.json").tests))("%s", (_, { jwks, expect: expected }) => {
    expect(accepted(() => [...usableKeys(jwks).keys.keys()])).toEqual(expected.usable);
  });
});

describe("key-set-responses.json", () => {
  test.each(named(load("key-set-responses.json").tests))("%s", (_, each) => {
    const judge = () => [...judgeResponse(each.status, each.content_type, bodyOf(each)).keys.keys()];
    const { kids } = each.expect;
    if (kids !== undefined) expect(judge()).toEqual(kids);
    else expect(judge).toThrow(KeySetUnavailableError);
  });
});

describe("cache-control.json", () => {
  test.each(named(load("cache-control.json").tests))("%s", (_, { value, expect: expected }) => {
    expect(cacheAge(value)).toBe(expected.seconds);
  });
});

describe("key-set-urls.json", () => {
  test.each(named(load("key-set-urls.json").tests))("%s", (_, { url, internal_hosts, expect: expected }) => {
    expect(accepted(() => judgeKeySetUrl(url, internal_hosts))).toBe(expected.ok ? url : undefined);
  });
});

describe.each([
  ["fetched-keys.json", load("fetched-keys.json")],
  ["migration.json", load("migration.json")],
])("%s", (_, { policies, tests }) => {
  afterEach(() => vi.unstubAllGlobals());

  test.each(named(tests))("%s", async (_, each) => {
    vi.stubGlobal("fetch", async () => Response.json(policies[each.policy]?.fetched));
    const verdict = await answerOf(createVerifier, policies, each);
    expect(verdict, `${each.rule} (${each.law})`).toEqual(each.expect);
  });
});

describe.each([
  ["given-keys.json", load("given-keys.json")],
  ["environments.json", load("environments.json")],
])("%s", (_, { tests }) => {
  test.each(named(tests))("%s", async (_, { environment, expect: expected }) => {
    const create = async () => createVerifier(fromEnvironment(environment)).keyIds;
    if (expected.ok) expect(await create()).toEqual(expected.usable);
    else await expect(create()).rejects.toThrow(ConfigurationError);
  });
});

describe("the cases", () => {
  const { tests } = load("access-token.json");
  const failing = tests.filter((each) => !each.expect.ok);

  test("are there for every rule, on its failing side too", () => {
    const rules = Array.from({ length: 17 }, (_, index) => `V${index + 1}`);
    expect(new Set(tests.map((each) => each.rule))).toEqual(new Set(rules));
    expect(new Set(failing.map((each) => each.rule))).toEqual(new Set(rules));
  });

  test("are there for every code", () => {
    const codes = Object.entries<{ class: string }>(specification("errors.json").codes);
    // A ticket is no token: no rule is about it.
    const tokens = codes.filter(([code]) => !code.startsWith("ticket_"));
    const ofClass = (...names: string[]) =>
      new Set(tokens.filter(([, entry]) => names.includes(entry.class)).map(([code]) => code));
    expect(new Set(failing.map((each) => each.expect.code))).toEqual(ofClass("InvalidTokenError"));
    const refused = load("bearer.json").tests.filter((each) => !each.expect.ok);
    const expected = ofClass("MissingTokenError", "InvalidRequestError");
    expect(new Set(refused.map((each) => each.expect.code))).toEqual(expected);
  });
});

test("every file of vectors is run here", () => {
  const text = readFileSync(new URL(import.meta.url), "utf8");
  for (const name of load.names()) expect(text, name).toContain(`load("${name}")`);
});

function named(tests: readonly Case[]): Named[] {
  return tests.map((each) => [each.id, each]);
}

function attempt<Value>(act: () => Value, otherwise: (error: BridgeError) => Value): Value {
  try {
    return act();
  } catch (error) {
    if (error instanceof BridgeError) return otherwise(error);
    throw error;
  }
}

/** What it gives, or `undefined` where it is refused. */
function accepted<Value>(act: () => Value): Value | undefined {
  return attempt<Value | undefined>(act, (error) => {
    expect(error).toBeInstanceOf(ConfigurationError);
    return undefined;
  });
}
