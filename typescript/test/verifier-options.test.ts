/** What `createVerifier()` refuses at once. */

import { describe, expect, test } from "vitest";
import { createVerifier, type VerifierOptions } from "../src/verifier.js";
import { AUDIENCE, ISSUER, NOW, OTHER_SECRET, SECRET } from "./tokens.js";

const options = { issuer: ISSUER, audience: AUDIENCE, secret: SECRET, leeway: 0, clock: () => NOW };

describe("configuration", () => {
  test.each<[string, object]>([
    ["issuer", { issuer: undefined }],
    ["issuer", { issuer: "" }],
    ["audience", { audience: undefined }],
    ["audience", { audience: "" }],
    ["audience", { audience: "\ud800" }],
    ["audience", { audience: ["a"] }],
    ["leeway", { leeway: -1 }],
    ["leeway", { leeway: 61 }],
    ["leeway", { leeway: 1.5 }],
    ["leeway", { leeway: "1" }],
    ["leeway", { leeway: null }],
    ["maximumLifetime", { maximumLifetime: 0 }],
    ["maximumLifetime", { maximumLifetime: 86401 }],
    ["maximumLifetime", { maximumLifetime: Number.NaN }],
    ["secret", { secret: undefined }],
    ["secret", { secret: "short" }],
    ["secret", { secrets: [OTHER_SECRET] }],
    ["secrets", { secret: undefined, secrets: SECRET }],
    ["secret", { secret: undefined, secrets: [] }],
    ["secrets", { secret: undefined, secrets: [SECRET, SECRET] }],
    ["secrets", { secret: undefined, secrets: [SECRET, 1] }],
    ["algorithms", { algorithms: ["none"] }],
    ["maxAge", { maxAge: 1 }],
  ])("%s: %j is refused at once", (name, changes) => {
    expect(() => createVerifier({ ...options, ...changes } as VerifierOptions)).toThrow(
      expect.objectContaining({ name: "ConfigurationError", message: expect.stringContaining(name) }),
    );
  });

  test("the limits pass", async () => {
    const verifier = createVerifier({ ...options, leeway: 60, maximumLifetime: 1 });
    expect(await verifier.keyIds).toEqual(["vrqa5TdV3SOpsaQDoGDZt7cQeMU-zDyJtkjBoBupOLM"]);
  });
});
