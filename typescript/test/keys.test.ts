import { describe, expect, test } from "vitest";
import { fromEnvironment } from "../src/environment.js";
import {
  deriveKey,
  deriveKeys,
  judgeSecret,
  judgeSecrets,
  keyId,
  parseVersionedSecrets,
  reduceIssuer,
  secretsInForce,
} from "../src/keys.js";
import { createVerifier } from "../src/verifier.js";
import * as independent from "./tokens.js";
import { AUDIENCE, OTHER_SECRET, SECRET } from "./tokens.js";

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

describe("derived keys", () => {
  test("the contract's known answer", async () => {
    const key = await deriveKey(SECRET, AUDIENCE);
    expect(hex(key)).toBe("ca862b5e685d08ae50988596632ba4e9636432edb22d29ae54a9baca706ea565");
    expect(await keyId(key)).toBe("vrqa5TdV3SOpsaQDoGDZt7cQeMU-zDyJtkjBoBupOLM");
  });

  test.each([["a"], ["https://api.example.com/ü/𝄞"], ["x".repeat(900)]])(
    "equal HKDF's: %s",
    async (audience) => {
      expect(hex(await deriveKey(OTHER_SECRET, audience))).toBe(
        hex(independent.deriveKey(OTHER_SECRET, audience)),
      );
    },
  );

  test("an audience beyond the 1024 bytes that Node's HKDF takes", async () => {
    expect(hex(await deriveKey(SECRET, "a".repeat(2000)))).not.toBe(
      hex(await deriveKey(SECRET, "a".repeat(2001))),
    );
  });

  test("are in order, current first", async () => {
    const ids = [...(await deriveKeys([OTHER_SECRET, SECRET], AUDIENCE)).keys()];
    expect(ids).toEqual(
      [OTHER_SECRET, SECRET].map((secret) => independent.keyId(independent.deriveKey(secret, AUDIENCE))),
    );
  });
});

const refusal = (act: () => unknown): string => {
  try {
    act();
  } catch (error) {
    expect(error).toMatchObject({ name: "ConfigurationError", code: "configuration_invalid" });
    return (error as Error).message;
  }
  throw new Error("it was accepted");
};

describe("secrets", () => {
  const MIXED = "0123456789abcdefghijklmnopqrstu"; // 31 characters, all different
  const rewritten = [..."$#\\'\"`,"].map((sign): [string, string, string] => [
    `the character ${sign}`,
    `${MIXED}${sign}v`,
    "loaders",
  ]);
  test.each<[string, string | undefined, string]>([
    ["unset", undefined, "not set"],
    ["empty", "", "not set"],
    ["Better Auth's public default", "better-auth-secret-12345678901234567890", "placeholder"],
    ["a placeholder", "change-me-change-me-change-me-change-me", "placeholder"],
    ["31 characters", MIXED, "31 characters"],
    ["a space", `${MIXED} v`, "space"],
    ["a tab", `${MIXED}\tv`, "control"],
    ["DEL", `${MIXED}\u007fv`, "control"],
    ["non-ASCII", `${MIXED}üv`, "outside ASCII"],
    ...rewritten,
    ["7 distinct characters", "abcdefg".repeat(20), "guessed"],
    ["8 distinct in 31", "abcdefgh".repeat(4).slice(1), "31 characters"],
  ])("%s: refused", (_, secret, words) => {
    const message = refusal(() => judgeSecret(secret, "THE_NAME"));
    expect(message).toContain("THE_NAME");
    expect(message).toContain(words);
    expect(message).toContain("openssl rand -base64 32");
    if (secret) expect(message).not.toContain(secret.slice(0, 8));
  });

  test.each([
    ["32 characters", `${MIXED}v`],
    ["8 distinct in 32: exactly 96 bits", "abcdefgh".repeat(4)],
    ["base64", SECRET],
    ["every allowed sign", "!%&()*+-./:;<=>?@[]^_{|}~ABCDEFGHIJ"],
  ])("%s: accepted, unchanged", (_, secret) => {
    expect(judgeSecret(secret, "X")).toBe(secret);
  });

  test("of the environment: BETTER_AUTH_SECRETS where it is not empty, else BETTER_AUTH_SECRET", () => {
    expect(secretsInForce({ BETTER_AUTH_SECRET: SECRET, BETTER_AUTH_SECRETS: "" })).toEqual([SECRET]);
    expect(secretsInForce({ BETTER_AUTH_SECRET: "bad", BETTER_AUTH_SECRETS: `1:${OTHER_SECRET}` })).toEqual([
      OTHER_SECRET,
    ]);
    expect(refusal(() => secretsInForce({}))).toContain("BETTER_AUTH_SECRET is not set");
  });

  test.each([
    ["two", `2:${OTHER_SECRET},1:${SECRET}`],
    ["blanks around", ` \t2: ${OTHER_SECRET}\r\n,\n1:${SECRET} `],
    ["leading zeros", `0002:${OTHER_SECRET},0:${SECRET}`],
  ])("versioned, %s", (_, value) => {
    expect(parseVersionedSecrets(value)).toEqual([OTHER_SECRET, SECRET]);
  });

  test("versioned, a colon in the secret", () => {
    expect(parseVersionedSecrets(`1:${SECRET}:x`)).toEqual([`${SECRET}:x`]);
  });

  test.each([
    ["no colon", SECRET, 1],
    ["a trailing comma", `1:${SECRET},`, 2],
    ["letters in the version", `1abc:${SECRET}`, 1],
    ["a sign", `+1:${SECRET}`, 1],
    ["a fraction", `1.0:${SECRET}`, 1],
    ["other digits", `١:${SECRET}`, 1],
    ["no version", `:${SECRET}`, 1],
    ["no secret", `2:${SECRET},1:`, 2],
    ["one version twice", `2:${SECRET},2:${OTHER_SECRET}`, 2],
    ["one version in two spellings", `1:${SECRET},01:${OTHER_SECRET}`, 2],
    ["zero in two spellings", `0:${SECRET},00:${OTHER_SECRET}`, 2],
    ["a weak secret", `2:${SECRET},1:short`, 2],
    ["a no-break space", `1:\u00a0${SECRET}`, 1],
  ])("versioned, %s: refused by place, never by value", (_, value, place) => {
    const message = refusal(() => parseVersionedSecrets(value));
    expect(message).toContain(`BETTER_AUTH_SECRETS, entry ${place},`);
    expect(message).not.toContain(SECRET.slice(0, 8));
    expect(message).not.toContain("short");
  });

  test("none, and one twice", () => {
    refusal(() => judgeSecrets([], "secrets"));
    expect(refusal(() => judgeSecrets([SECRET, SECRET], "secrets"))).toContain("twice");
  });
});

describe("the issuer", () => {
  test.each([
    ["http://localhost:3000", "http://localhost:3000"],
    ["http://localhost:3000/", "http://localhost:3000"],
    ["HTTPS://App.Example.com:443/api/auth", "https://app.example.com"],
    ["http://app.example.com:80", "http://app.example.com"],
    ["https://app.example.com:80", "https://app.example.com:80"],
    ["http://a:0080/x", "http://a"],
    ["http://[::1]:3000/x", "http://[::1]:3000"],
  ])("%s becomes %s", (url, issuer) => {
    expect(reduceIssuer(url)).toBe(issuer);
  });

  test.each([
    [undefined],
    [""],
    ["app.example.com"],
    ["ftp://app.example.com"],
    ["https://user@app.example.com"],
    ["https://app.example.com?x"],
    ["https://app.example.com/#x"],
    ["https://app.example.com/\\x"],
    ["https://äpp.example.com"],
    ["https://app.example.com/ä"],
    ["https://app.example.com:0"],
    ["https://app.example.com:65536"],
    ["https://app.example.com:"],
    [" https://app.example.com"],
    ["https://app.example.com\n"],
    ["https://"],
  ])("%j is refused, with the variable's name", (url) => {
    expect(refusal(() => reduceIssuer(url, "BETTER_AUTH_URL"))).toContain("BETTER_AUTH_URL");
  });
});

describe("the environment", () => {
  const GOOD = {
    BETTER_AUTH_SECRET: SECRET,
    BETTER_AUTH_URL: "HTTPS://App.example.com/api/auth",
    JWT_BRIDGE_AUDIENCE: AUDIENCE,
  };

  test("gives a verifier's options", async () => {
    const issuer = "https://app.example.com";
    expect(fromEnvironment(GOOD)).toEqual({ issuer, audience: AUDIENCE, secrets: [SECRET] });
    const literal = { ...GOOD, JWT_BRIDGE_ISSUER: "urn:x", BETTER_AUTH_URL: "" };
    expect(fromEnvironment(literal).issuer).toBe("urn:x");
    const versioned = { ...GOOD, BETTER_AUTH_SECRETS: `2:${OTHER_SECRET},1:${SECRET}` };
    expect(await createVerifier(fromEnvironment(versioned)).keyIds).toHaveLength(2);
  });

  test.each(Object.keys(GOOD))("%s is missed by its name", (name) => {
    for (const value of [undefined, ""]) {
      expect(refusal(() => fromEnvironment({ ...GOOD, [name]: value }))).toContain(`${name} is not set`);
    }
  });
});
