import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { answer, authorizationValues, parseAuthorization, toResponse } from "../src/bearer.js";
import * as errors from "../src/errors.js";
import { PLACEHOLDERS } from "../src/profile.js";
import { createVerifier } from "../src/verifier.js";
import { AUDIENCE, ISSUER, NOW, SECRET, sign } from "./tokens.js";

const specification = (name: string) =>
  JSON.parse(readFileSync(new URL(`../../specs/001-jwt-auth-bridge/${name}`, import.meta.url), "utf8"));

describe("the registry", () => {
  const { codes, answers } = specification("errors.json");

  test("codes and hints are errors.json's", () => {
    const hints = Object.entries(codes).map(([code, entry]) => [code, (entry as { hint: string }).hint]);
    expect(errors.HINTS).toEqual(Object.fromEntries(hints));
  });

  test.each(Object.keys(answers))("the answer for %s is errors.json's, byte for byte", (name) => {
    const Class = (errors as unknown as Record<string, new (code: string) => errors.BridgeError>)[name];
    const code = Object.keys(codes).find((each) => codes[each].class === name) ?? "";
    if (Class === undefined) throw new Error(`no class ${name}`);
    const error = new Class(code);
    expect(answer(error)).toEqual(answers[name]);
    expect(error).toMatchObject({ name, code, status: answers[name].status, hint: codes[code].hint });
  });

  test("a ConfigurationError has no answer", () => {
    expect(() => answer(new errors.ConfigurationError("x"))).toThrow(errors.ConfigurationError);
  });

  test("the placeholders are placeholders.json's", () => {
    expect([...PLACEHOLDERS]).toEqual(specification("placeholders.json"));
  });
});

const OPAQUE = "a".repeat(32);

describe("the Authorization header", () => {
  test.each([
    [["Bearer a.b.c"], "a.b.c"],
    [["bEARER   a.b.c"], "a.b.c"],
    [["Bearer AZaz09-._~+/=="], "AZaz09-._~+/=="],
    [[`Bearer ${OPAQUE}.${"a".repeat(40)}%3D`], `${OPAQUE}.${"a".repeat(40)}%3D`],
  ])("%j holds a token", (values, token) => {
    expect(parseAuthorization(values)).toBe(token);
  });

  test.each([
    [[]],
    [[""]],
    [["Basic Zm9v"]],
    [["BearerX a"]],
    [["Bearer-a b"]],
    [[" Bearer a"]],
    [["Basic a, BearerX b"]],
  ])("%j holds none", (values: string[]) => {
    expect(() => parseAuthorization(values)).toThrow(errors.MissingTokenError);
  });

  test.each([
    [["Bearer a", "Bearer a"], "authorization_repeated"],
    [["Basic a", "Basic a"], "authorization_repeated"],
    [["Basic a, Bearer b"], "authorization_repeated"],
    [["Basic a,\t bearer"], "authorization_repeated"],
    [["Bearer a, Bearer b"], "authorization_malformed"],
    [["Bearer"], "authorization_malformed"],
    [["Bearer "], "authorization_malformed"],
    [["Bearer a "], "authorization_malformed"],
    [["Bearer a b"], "authorization_malformed"],
    [["Bearer\ta"], "authorization_malformed"],
    [["Bearer:a"], "authorization_malformed"],
    [['Bearer "a"'], "authorization_malformed"],
    [["Bearer a%3D"], "authorization_malformed"],
    [["Bearer ä"], "authorization_malformed"],
    [["Bearer a\n"], "authorization_malformed"],
    [["Bearer =a"], "authorization_malformed"],
  ])("%j is refused: %s", (values, code) => {
    expect(() => parseAuthorization(values)).toThrow(
      expect.objectContaining({ name: "InvalidRequestError", code }),
    );
  });
});

describe("where the fields of a request are", () => {
  const fields = (...values: string[]) =>
    new Headers(values.map((value) => ["Authorization", value] as [string, string]));
  const url = "https://api.example.com";
  test.each<[string, Parameters<typeof authorizationValues>[0], string[]]>([
    ["Headers", fields("Bearer a"), ["Bearer a"]],
    ["no field", new Headers(), []],
    ["Headers, repeated", fields("Bearer a", "Bearer b"), ["Bearer a, Bearer b"]],
    ["a Request", new Request(url, { headers: fields("Bearer a") }), ["Bearer a"]],
    ["an object with Headers", { headers: fields("Bearer a") }, ["Bearer a"]],
    ["an object by name", { headers: { Authorization: "Bearer a", host: "x" } }, ["Bearer a"]],
    ["both cases", { headers: { Authorization: "Bearer a", authorization: "b" } }, ["Bearer a", "b"]],
    ["several values", { headers: { authorization: ["Bearer a", "b"] } }, ["Bearer a", "b"]],
    ["no value", { headers: { authorization: undefined } }, []],
  ])("%s", (_, request, values) => {
    expect(authorizationValues(request)).toEqual(values);
  });

  test("Node's raw fields come first: headers keep one of two", () => {
    const node = {
      headers: { authorization: "Bearer a" },
      rawHeaders: [
        "Host",
        "x",
        "Authorization",
        "Bearer a",
        "AUTHORIZATION",
        "Bearer b",
        "X",
        "Authorization",
      ],
    };
    expect(authorizationValues(node)).toEqual(["Bearer a", "Bearer b"]);
    expect(authorizationValues({ headers: node.headers, raw: node } as object as typeof node)).toEqual([
      "Bearer a",
      "Bearer b",
    ]);
  });

  test.each([undefined, null, 1, "Bearer a", {}, { headers: null }, { headers: "x" }])(
    "not in %j",
    (request) => {
      expect(() => authorizationValues(request as never)).toThrow(errors.ConfigurationError);
    },
  );
});

describe("authenticate and toResponse", () => {
  const verifier = createVerifier({ issuer: ISSUER, audience: AUDIENCE, secret: SECRET, clock: () => NOW });
  const { answers } = specification("errors.json");
  const request = (value?: string) =>
    new Request("https://api.example.com", value === undefined ? {} : { headers: { authorization: value } });

  test("a good token is its user", async () => {
    expect((await verifier.authenticate(request(`Bearer ${sign()}`))).subject).toBe("u1");
    expect((await verifier.authenticate(request(`Bearer ${sign()}`).headers)).subject).toBe("u1");
  });

  test.each([
    [undefined, "MissingTokenError"],
    ["Basic x", "MissingTokenError"],
    ["Bearer a, Bearer b", "InvalidRequestError"],
    ["Bearer a", "InvalidTokenError"],
  ])("%j is answered as %s", async (value, name) => {
    const error = await verifier.authenticate(request(value)).catch((thrown: unknown) => thrown);
    const response = toResponse(error);
    expect([response.status, await response.text()]).toEqual([answers[name].status, answers[name].body]);
    const headers = { ...answers[name].headers, "content-type": "application/json" };
    expect(Object.fromEntries(response.headers)).toEqual(headers);
  });

  test("whatever is no refusal is thrown again", async () => {
    for (const error of [new TypeError("x"), new errors.ConfigurationError("x"), undefined]) {
      expect(() => toResponse(error)).toThrow(error);
    }
    await expect(verifier.authenticate(undefined as never)).rejects.toThrow(errors.ConfigurationError);
  });
});

test("a refusal is an Error without a trace; a ConfigurationError has one", () => {
  const refusal = new errors.InvalidTokenError("token_expired");
  expect(refusal).toBeInstanceOf(Error);
  expect(refusal).toBeInstanceOf(errors.BridgeError);
  expect(refusal.stack).toBe(`InvalidTokenError: ${refusal.message}`);
  expect(String(refusal)).toBe(refusal.stack);
  expect(new errors.ConfigurationError("x").stack).toContain("bearer.test");
});
