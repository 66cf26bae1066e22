/** Tokens for the verifier's tests, made with Node's own cryptography: none of the code under test takes part. */

import { createHash, createHmac, hkdfSync } from "node:crypto";

export const SECRET = "k3Zq9vT1xW7pL0sD5fG8hJ2nB4mC6rY+uQeAoI/tX1E=";
export const OTHER_SECRET = "Vb8Xo2Lk5Hn1Tq7Zc4Rw9Fy3Jd6Gs0Pm+aEuIi/yQ2M=";
export const ISSUER = "https://app.example.com";
export const AUDIENCE = "https://api.example.com";
export const NOW = 1_790_000_000;

export function deriveKey(secret: string, audience: string): Buffer {
  return Buffer.from(hkdfSync("sha256", secret, "", `jwt-auth-bridge/v1/HS256/${audience}`, 32));
}

export function keyId(key: Buffer): string {
  const jwk = `{"k":"${key.toString("base64url")}","kty":"oct"}`;
  return createHash("sha256").update(jwk).digest("base64url");
}

export const KEY = deriveKey(SECRET, AUDIENCE);
export const HEADER = { alg: "HS256", typ: "at+jwt", kid: keyId(KEY) };
export const CLAIMS = {
  iss: ISSUER,
  aud: AUDIENCE,
  sub: "u1",
  user_id: "u1",
  client_id: ISSUER,
  sid: "s1",
  jti: "j1",
  iat: NOW,
  exp: NOW + 300,
};

type Part = object | string | Buffer;

function encode(part: Part): string {
  if (Buffer.isBuffer(part)) return part.toString("base64url");
  return Buffer.from(typeof part === "string" ? part : JSON.stringify(part)).toString("base64url");
}

/** Signs whatever it is given: an object, JSON text, or bytes. */
export function sign(payload: Part = CLAIMS, header: Part = HEADER, key = KEY): string {
  const input = `${encode(header)}.${encode(payload)}`;
  return `${input}.${createHmac("sha256", key).update(input).digest("base64url")}`;
}

/** The usual claims with some changed, and those given as undefined left out. */
export function claims(changes: Record<string, unknown>): object {
  return { ...CLAIMS, ...changes };
}
