// A key for each algorithm: as a JWK, how it signs, and what verifying it costs at the least. By node:crypto alone.

import { createHmac, generateKeyPairSync, sign, timingSafeEqual, verify } from "node:crypto";
import { claims, compact, deriveKey } from "./tokens.mjs";

export const ALGORITHMS = ["HS256", "EdDSA", "ES256", "RS256"];

const PAIRS = {
  EdDSA: () => generateKeyPairSync("ed25519"),
  ES256: () => generateKeyPairSync("ec", { namedCurve: "P-256" }),
  RS256: () => generateKeyPairSync("rsa", { modulusLength: 2048 }),
};

/**
 * Makes a key.
 *
 * @returns {{ algorithm: string, jwk: object, token: (more?: object) => string,
 *   check: (signingInput: string, signature: Buffer) => boolean }} check: the primitive alone.
 */
export function makeKey(algorithm, kid = "key-1") {
  const { jwk, signer, check } = algorithm === "HS256" ? shared() : pair(algorithm);
  return {
    algorithm,
    jwk: { kid, alg: algorithm, use: "sig", ...jwk },
    token: (more = {}) => compact({ alg: algorithm, typ: "at+jwt", kid }, claims(more), signer),
    check,
  };
}

function shared() {
  const key = deriveKey();
  const signer = (signingInput) => createHmac("sha256", key).update(signingInput).digest();
  return {
    jwk: { kty: "oct", k: key.toString("base64url") },
    signer,
    check: (signingInput, signature) => timingSafeEqual(signer(signingInput), signature),
  };
}

function pair(algorithm) {
  const { publicKey, privateKey } = PAIRS[algorithm]();
  const hash = algorithm === "EdDSA" ? null : "sha256";
  const asJose = (key) => ({ key, dsaEncoding: "ieee-p1363" });
  return {
    jwk: publicKey.export({ format: "jwk" }),
    signer: (signingInput) => sign(hash, Buffer.from(signingInput), asJose(privateKey)),
    check: (signingInput, signature) => verify(hash, Buffer.from(signingInput), asJose(publicKey), signature),
  };
}
