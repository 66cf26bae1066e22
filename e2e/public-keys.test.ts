/**
 * The whole crossing with each of Better Auth's algorithms, and an API that has no secret at all: what the web app's own
 * key pair signs as an access token is accepted, and nothing else is, whatever else that key pair signs.
 */
import { createHmac, createPublicKey, type JsonWebKey } from "node:crypto";
import { betterAuth } from "better-auth";
import { type JwtOptions, jwt, signJWT } from "better-auth/plugins";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { type Account, callApi, newAccount, partOf } from "./account.js";
import { MANY_SIGN_INS, type Stack, startTestStack } from "./stack.js";

type KeyPair = NonNullable<NonNullable<JwtOptions["jwks"]>["keyPairConfig"]>;

let stack: Stack;
let pool: pg.Pool;
let secret: string;

beforeAll(async () => {
  stack = await startTestStack(MANY_SIGN_INS, { algorithm: "EdDSA" });
  secret = stack.secrets.BETTER_AUTH_SECRET ?? "";
  pool = new pg.Pool({ connectionString: stack.databaseUrl, options: "-c search_path=auth" });
});
afterAll(async () => {
  await pool?.end();
  await stack?.stop();
});

/** The API refuses it with 401, and writes why into its log. */
async function expectRefused(credential: string, code: string) {
  const answer = await callApi(stack.apiUrl, credential);
  expect(answer.status).toBe(401);
  expect(answer.headers.get("www-authenticate")).toContain('error="invalid_token"');
  const last = () =>
    stack.api
      .output()
      .split("\n")
      .findLast((line) => line.includes("refused"));
  await vi.waitFor(() => expect(last()).toContain(`: ${code}:`));
}

describe.each(["EdDSA", "ES256", "RS256"] as const)("%s", (alg) => {
  let account: Account;
  let token: string;
  let publicKey: JsonWebKey;

  beforeAll(async () => {
    const changed = stack.web.env().JWT_BRIDGE_ALGORITHM !== alg;
    if (changed) await stack.web.restart({ JWT_BRIDGE_ALGORITHM: alg });
    // The API asks for the keys when it starts, or else half a minute after it asked last: before the first token.
    if (changed) await stack.api.restart();
    account = await newAccount(stack.webUrl);
    token = await account.token();
    const { keys } = (await (await fetch(stack.jwksUrl)).json()) as {
      keys: (JsonWebKey & { kid: string })[];
    };
    publicKey = keys.find(({ kid }) => kid === partOf(token, "header").kid) ?? {};
  });

  test("the token says what every access token says, and names a published key", () => {
    expect(partOf(token, "header")).toEqual({ alg, typ: "at+jwt", kid: expect.stringMatching(/./) });
    expect(publicKey).toMatchObject({ alg });
    expect(publicKey).not.toHaveProperty("d");
    const claims = partOf(token, "claims");
    expect(Object.keys(claims).sort()).toEqual(
      ["aud", "client_id", "exp", "iat", "iss", "jti", "sid", "sub", "user_id"].sort(),
    );
    expect(claims).toMatchObject({ iss: stack.webUrl, aud: stack.apiUrl, sub: account.id });
  });

  test("it opens one's own path and nobody else's", async () => {
    const other = await newAccount(stack.webUrl);
    const status = async (id: string) => (await callApi(stack.apiUrl, token, `/api/${id}/tasks`)).status;
    expect([await status(account.id), await status(other.id)]).toEqual([200, 403]);
  });

  test("the API's process has no secret", () => {
    const environment = stack.api.env();
    expect(Object.keys(environment).filter((name) => /SECRET|JWT_BRIDGE_KEYS/.test(name))).toEqual([]);
    expect(Object.values(environment).join("\n")).not.toContain(secret);
  });

  test("a changed claim is noticed", async () => {
    const [header, , signature] = token.split(".");
    const claims = { ...partOf(token, "claims"), sub: "somebody", user_id: "somebody" };
    await expectRefused(`${header}.${encode(claims)}.${signature}`, "signature_invalid");
  });

  test("the public key is no secret to sign with", async () => {
    const key = createPublicKey({ key: publicKey, format: "jwk" });
    const secrets = [
      JSON.stringify(publicKey),
      key.export({ type: "spki", format: "pem" }),
      key.export({ type: "spki", format: "der" }),
      Buffer.from(String(publicKey.x ?? publicKey.n), "base64url"),
    ];
    for (const forger of secrets) {
      const signed = `${encode({ ...partOf(token, "header"), alg: "HS256" })}.${token.split(".")[1]}`;
      const signature = createHmac("sha256", forger).update(signed).digest("base64url");
      await expectRefused(`${signed}.${signature}`, "algorithm_not_allowed");
    }
  });

  test("what else that key pair signs is no access token", async () => {
    const options: JwtOptions = { jwks: { keyPairConfig: { alg } as KeyPair } };
    const stock = betterAuth({
      baseURL: stack.webUrl,
      secret,
      database: pool,
      plugins: [jwt(options)],
      telemetry: { enabled: false },
    });
    const context = await stock.$context;
    const sign = (change: object, header?: object) =>
      signJWT({ context } as Parameters<typeof signJWT>[0], {
        options,
        payload: { ...partOf(token, "claims"), ...change },
        ...(header && { header }),
      });
    // The stock plugin's own token for the same session; the same claims without and with the right type; and what an
    // OAuth provider hands to a third party, which has another client.
    const { token: own } = await stock.api.getToken({ headers: { cookie: account.cookie() } });
    expect(partOf(own, "header").kid).toBe(partOf(token, "header").kid);
    await expectRefused(own, "token_type_mismatch");
    await expectRefused(await sign({}), "token_type_mismatch");
    const typed = { typ: "at+jwt" };
    expect((await callApi(stack.apiUrl, await sign({}, typed))).status).toBe(200);
    await expectRefused(await sign({ client_id: "third-party" }, typed), "claim_malformed");
    await expectRefused(await sign({ user_id: undefined }, typed), "claim_missing");
    await expectRefused(await sign({ aud: stack.webUrl }, typed), "audience_mismatch");
  });
});

const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
