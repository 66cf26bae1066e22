// One verification in TypeScript: ours, its peers under the same strictness, and the floor. Prints JSON.

import { createHmac, randomBytes } from "node:crypto";
import { createVerifier as createFastVerifier } from "fast-jwt";
import { jwtVerify } from "jose";
import { createVerifier } from "jwt-auth-bridge/verify";
import { compare } from "./measure.mjs";
import { AUDIENCE, deriveKey, ISSUER, LEEWAY, REQUIRED, SECRET, token } from "./tokens.mjs";

const good = token();
const key = deriveKey();
const policy = { issuer: ISSUER, audience: AUDIENCE, leeway: LEEWAY };
const verifier = createVerifier({ ...policy, secret: SECRET });

// As jose's documentation has it, and with the import done once, which is the best that it can do.
const algorithm = { name: "HMAC", hash: "SHA-256" };
const imported = await crypto.subtle.importKey("raw", key, algorithm, false, ["verify"]);
const joseOptions = {
  algorithms: ["HS256"],
  issuer: ISSUER,
  audience: AUDIENCE,
  clockTolerance: LEEWAY,
  requiredClaims: REQUIRED,
  typ: "at+jwt",
};
const fast = createFastVerifier({
  key,
  algorithms: ["HS256"],
  allowedIss: ISSUER,
  allowedAud: AUDIENCE,
  clockTolerance: LEEWAY * 1000,
  requiredClaims: REQUIRED,
  checkTyp: "at+jwt",
  cache: false,
});

/** One HMAC over the signing input and one JSON parse: less is no verification. */
function floor(text = good) {
  const end = text.lastIndexOf(".");
  createHmac("sha256", key).update(text.slice(0, end)).digest();
  return JSON.parse(Buffer.from(text.slice(text.indexOf(".") + 1, end), "base64url").toString());
}

/** Both ends of the promise are taken, so that a good token pays for the same. */
const same = (outcome) => outcome;
const judging = (text) => () => verifier.verify(text).then(same, same);
const [head, body, signature] = good.split(".");
const flipped = `${signature.startsWith("A") ? "B" : "A"}${signature.slice(1)}`;
const bad = {
  "a wrong signature": `${head}.${body}.${flipped}`,
  "another secret": token({}, "Wp4cV7bN1mQ9wE2rT5yU8iO3aS6dF0gHjKlZxCv-new"),
  "an expired one": token({ exp: Math.floor(Date.now() / 1000) - 60 }),
  "another issuer": token({ iss: "https://evil.example", client_id: "https://evil.example" }),
  "an opaque session token": "q7Zt2LmX9vB4nC6kR1sW8yD3fG5hJ0pA",
  "8 KiB of nothing": "A".repeat(8192),
  "8 KiB of dots": ".".repeat(8192),
  "8 KiB with a wrong signature": `${token({ filler: "x".repeat(5700) }).slice(0, -4)}AAAA`,
};

const many = Array.from({ length: 10 }, () => randomBytes(32).toString("base64"));
const byKeys = [1, 2, 10].map((count) => [
  String(count),
  createVerifier({ ...policy, secrets: [...many.slice(1, count), SECRET] }),
]);
const texts = [0, 400, 1900, 5700].map((size) => token({ filler: "x".repeat(size) }));

const run = async () => ({
  verify: await compare({
    ours: () => verifier.verify(good),
    "jose, secret as bytes": () => jwtVerify(good, key, joseOptions),
    "jose, imported CryptoKey": () => jwtVerify(good, imported, joseOptions),
    "fast-jwt": () => fast(good),
    floor,
  }),
  refuse: await compare({
    ...Object.fromEntries(
      Object.entries({ "a good token": good, ...bad }).map(([name, text]) => [name, judging(text)]),
    ),
  }),
  growth: {
    "keys in force": await compare(
      Object.fromEntries(byKeys.map(([name, one]) => [name, () => one.verify(good)])),
    ),
    characters: await compare(
      Object.fromEntries(
        texts.flatMap((text) => [
          [String(text.length), () => verifier.verify(text)],
          [`floor ${text.length}`, () => floor(text)],
        ]),
      ),
    ),
  },
});
process.stdout.write(JSON.stringify(await run()));
