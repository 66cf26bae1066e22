// One verification per algorithm in TypeScript: ours and jose with the same key, and the floor. Prints JSON.

import { importJWK, jwtVerify } from "jose";
import { createVerifier } from "jwt-auth-bridge/verify";
import { ALGORITHMS, makeKey } from "./key-pairs.mjs";
import { compare } from "./measure.mjs";
import { AUDIENCE, ISSUER, LEEWAY, REQUIRED } from "./tokens.mjs";

async function measure(key) {
  const good = key.token();
  const verifier = createVerifier({
    issuer: ISSUER,
    audience: AUDIENCE,
    leeway: LEEWAY,
    keys: { keys: [key.jwk] },
  });
  // The import done once, which is the best that jose can do; for HS256 as bytes it costs twice as much.
  const imported =
    key.algorithm === "HS256"
      ? await crypto.subtle.importKey(
          "raw",
          Buffer.from(key.jwk.k, "base64url"),
          { name: "HMAC", hash: "SHA-256" },
          false,
          ["verify"],
        )
      : await importJWK(key.jwk, key.algorithm);
  const options = {
    algorithms: [key.algorithm],
    issuer: ISSUER,
    audience: AUDIENCE,
    clockTolerance: LEEWAY,
    requiredClaims: REQUIRED,
    typ: "at+jwt",
  };
  return compare({
    ours: () => verifier.verify(good),
    jose: () => jwtVerify(good, imported, options),
    /** The primitive and one JSON parse: less is no verification. */
    floor: () => {
      const end = good.lastIndexOf(".");
      key.check(good.slice(0, end), Buffer.from(good.slice(end + 1), "base64url"));
      return JSON.parse(Buffer.from(good.slice(good.indexOf(".") + 1, end), "base64url").toString());
    },
  });
}

const figures = {};
for (const algorithm of ALGORITHMS) figures[algorithm] = await measure(makeKey(algorithm));
process.stdout.write(JSON.stringify(figures));
