import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { answer, parseAuthorization } from "../src/bearer.js";
import * as errors from "../src/errors.js";
import { PLACEHOLDERS } from "../src/profile.js";

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
