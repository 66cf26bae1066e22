// What a request pays in Hono, in process: a bare route, ours, and what people write with jose. Prints JSON.

import { Hono } from "hono";
import { jwtVerify } from "jose";
import { createBridge } from "jwt-auth-bridge/hono";
import { compare } from "./measure.mjs";
import { AUDIENCE, deriveKey, ISSUER, LEEWAY, REQUIRED, SECRET, token, USER } from "./tokens.mjs";

const bridge = createBridge({ issuer: ISSUER, audience: AUDIENCE, secret: SECRET, leeway: LEEWAY });
const algorithm = { name: "HMAC", hash: "SHA-256" };
const key = await crypto.subtle.importKey("raw", deriveKey(), algorithm, false, ["verify"]);
const options = {
  algorithms: ["HS256"],
  issuer: ISSUER,
  audience: AUDIENCE,
  clockTolerance: LEEWAY,
  requiredClaims: REQUIRED,
  typ: "at+jwt",
};

const app = new Hono();
app.use("/ours/:user_id", bridge.pathUser);
app.use("/jose/:user_id", async (context, next) => {
  const [scheme, text] = (context.req.header("authorization") ?? "").split(" ");
  if (scheme !== "Bearer" || !text) return context.body(null, 401);
  try {
    const { payload } = await jwtVerify(text, key, options);
    if (payload.user_id !== context.req.param("user_id")) return context.body(null, 403);
  } catch {
    return context.body(null, 401);
  }
  await next();
});
for (const name of ["bare", "ours", "jose"]) {
  app.get(`/${name}/:user_id`, (context) => context.json({ id: context.req.param("user_id") }));
}

const headers = { authorization: `Bearer ${token()}` };
const call = (name) => async () => {
  const answer = await app.fetch(new Request(`http://localhost/${name}/${USER}`, { headers }));
  if (answer.status !== 200) throw new Error(`${name} answered ${answer.status}`);
  return answer.json();
};

const times = await compare({
  "bare route": call("bare"),
  "bridge.pathUser": call("ours"),
  "middleware with jose": call("jose"),
});
process.stdout.write(JSON.stringify(times));
