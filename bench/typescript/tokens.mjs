// The token that everybody verifies, made without the package: HKDF and HMAC of node:crypto.

import { createHash, createHmac, hkdfSync } from "node:crypto";

export const SECRET = "k3Zq9vT1xW7pL0sD5fG8hJ2nB4mC6rY+uQeAoI/tX1E=";
export const ISSUER = "https://app.example.com";
export const AUDIENCE = "https://api.example.com";
export const USER = "q7Zt2LmX9vB4nC6kR1sW8yD3fG5hJ0pA";
export const REQUIRED = ["iss", "aud", "sub", "user_id", "client_id", "iat", "exp", "jti"];
export const LEEWAY = 10;

export const deriveKey = (secret = SECRET) =>
  Buffer.from(hkdfSync("sha256", secret, "", `jwt-auth-bridge/v1/HS256/${AUDIENCE}`, 32));

const encode = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");

/** The claims of a good token, unless `more` says otherwise. */
export function claims(more = {}) {
  const now = Math.floor(Date.now() / 1000);
  return {
    iss: ISSUER,
    aud: AUDIENCE,
    sub: USER,
    user_id: USER,
    client_id: ISSUER,
    sid: [...USER].reverse().join(""),
    jti: "AAECAwQFBgcICQoLDA0ODw",
    iat: now,
    exp: now + 3600,
    ...more,
  };
}

/** A compact JWS; `sign` takes the signing input and gives a Buffer. */
export function compact(header, body, sign) {
  const signingInput = `${encode(header)}.${encode(body)}`;
  return `${signingInput}.${sign(signingInput).toString("base64url")}`;
}

/** A good token, unless `more` says otherwise. */
export function token(more = {}, secret = SECRET) {
  const key = deriveKey(secret);
  const thumbprint = `{"k":"${key.toString("base64url")}","kty":"oct"}`;
  const kid = createHash("sha256").update(thumbprint).digest("base64url");
  const sign = (signingInput) => createHmac("sha256", key).update(signingInput).digest();
  return compact({ alg: "HS256", typ: "at+jwt", kid }, claims(more), sign);
}
