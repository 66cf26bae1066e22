/**
 * A third party's OAuth access tokens, made by Better Auth's real oauth-provider plugin: signed by the same key
 * pairs, with the same `typ`, issuer and audience, and yet no user's own.
 *
 * They are refused by V10, since they lack `user_id`, and, where the integrator adds that claim, by V14, since
 * `client_id` is the third party. Each test then gives the same claims, signed by the same key, what the rule asked
 * for: and they pass, which proves that nothing else refused them.
 */

import { createHash, randomBytes } from "node:crypto";
import { oauthProvider } from "@better-auth/oauth-provider";
import type { BetterAuthPlugin } from "better-auth";
import { signJWT } from "better-auth/plugins";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type Postgres, startPostgres } from "../../scripts/postgres.mjs";
import { jwtBridge } from "../src/better-auth/index.js";
import { KEY_PAIR_ALGORITHMS, verifierOf } from "./key-sets.js";
import {
  AUDIENCE,
  createAuth,
  createBrowser,
  migrate,
  ORIGIN,
  openPool,
  readClaims,
  readHeader,
} from "./real-auth.js";

/** What the plugin writes as `iss`; ours is set to the same, or V12 alone would refuse. */
const ISSUER = `${ORIGIN}/api/auth`;
const REDIRECT = "https://third-party.example.com/callback";

interface Client {
  readonly client_id: string;
  readonly client_secret?: string;
}

type Claims = Record<string, unknown>;
type Algorithm = (typeof KEY_PAIR_ALGORITHMS)[number];

let postgres: Postgres;
let database: ReturnType<typeof openPool>;

function start(algorithm: Algorithm, claims: (user: string | undefined) => Claims = () => ({})) {
  const provider = oauthProvider({
    loginPage: "/sign-in",
    consentPage: "/consent",
    scopes: ["openid", "profile", "tasks"],
    resources: [AUDIENCE],
    customAccessTokenClaims: ({ user }) => claims(user?.id),
    enforcePerClientResources: false,
    clientPrivileges: () => true,
    silenceWarnings: { oauthAuthServerConfig: true, openidConfig: true },
  });
  return createAuth(database.pool, {
    // Its types were made for another patch version of Better Auth.
    plugins: [
      jwtBridge({ audience: AUDIENCE, issuer: ISSUER, algorithm }),
      provider as unknown as BetterAuthPlugin,
    ],
  });
}

beforeAll(async () => {
  postgres = await startPostgres({ temporary: true });
  database = openPool(postgres);
  await migrate(start("EdDSA").options);
});

afterAll(async () => {
  await database?.end();
  await postgres?.dispose();
});

/** Or Better Auth's own `signJWT` would go on with the pair of the algorithm before. */
beforeEach(async () => {
  await database.pool.query("truncate jwks");
});

let users = 0;

/** A signed-in user of the app, and a third party that is registered with it. */
async function register(auth: ReturnType<typeof start>) {
  const browser = createBrowser(auth);
  const user = await browser.signUp(`third${++users}@example.com`);
  const api = auth.api as unknown as { adminCreateOAuthClient(input: object): Promise<Client> };
  const client = await api.adminCreateOAuthClient({
    headers: browser.headers,
    body: {
      redirect_uris: [REDIRECT],
      grant_types: ["authorization_code", "client_credentials"],
      client_credentials_scopes: ["tasks"],
      skip_consent: true,
      token_endpoint_auth_method: "client_secret_post",
      scope: "openid profile tasks",
    },
  });
  return { browser, user, id: client.client_id, secret: client.client_secret ?? "" };
}

async function exchange(auth: ReturnType<typeof start>, fields: Record<string, string>): Promise<string> {
  const body = new URLSearchParams({ ...fields, resource: AUDIENCE });
  const request = new Request(`${ORIGIN}/api/auth/oauth2/token`, { method: "POST", body });
  const response = await auth.handler(request);
  const answer = await response.text();
  expect(response.status, answer).toBe(200);
  return (JSON.parse(answer) as { access_token: string }).access_token;
}

/** The authorization-code flow with PKCE (RFC 6749 §4.1, RFC 7636), as a third party's backend runs it. */
async function authorize(auth: ReturnType<typeof start>) {
  const { browser, user, id, secret } = await register(auth);
  const verifier = randomBytes(32).toString("base64url");
  const query = new URLSearchParams({
    response_type: "code",
    client_id: id,
    redirect_uri: REDIRECT,
    scope: "openid profile tasks",
    state: "s",
    resource: AUDIENCE,
    code_challenge: createHash("sha256").update(verifier).digest("base64url"),
    code_challenge_method: "S256",
  });
  const response = await browser.request(`/oauth2/authorize?${query}`);
  const location = response.headers.get("location") ?? ((await response.json()) as { url: string }).url;
  const code = new URL(location, ORIGIN).searchParams.get("code") ?? "";
  const token = await exchange(auth, {
    grant_type: "authorization_code",
    code,
    redirect_uri: REDIRECT,
    client_id: id,
    client_secret: secret,
    code_verifier: verifier,
  });
  return { token, user, id, browser };
}

/** The token again, with other claims, by the same key: Better Auth's own signature. */
async function resign(auth: ReturnType<typeof start>, token: string, changes: Claims): Promise<string> {
  const context = await auth.$context;
  const options = { jwks: { keyPairConfig: { alg: readHeader(token).alg as Algorithm } } };
  const again = await signJWT({ context } as Parameters<typeof signJWT>[0], {
    options,
    header: { typ: "at+jwt" },
    payload: { ...readClaims(token), ...changes },
  });
  expect(readHeader(again)).toEqual(readHeader(token));
  return again;
}

describe.each(KEY_PAIR_ALGORITHMS)("an OAuth access token signed with %s", (algorithm) => {
  const policy = { issuer: ISSUER, audience: AUDIENCE };
  const refused = (code: string) => ({ name: "InvalidTokenError", code });

  test("has all that the bridge's has, but user_id: refused by V10", async () => {
    const auth = start(algorithm);
    const { token, user, id, browser } = await authorize(auth);
    const claims = readClaims(token);
    expect(claims).toMatchObject({ iss: ISSUER, sub: user.id, client_id: id, jti: expect.any(String) });
    expect([claims.aud].flat()).toContain(AUDIENCE);
    const own = ((await (await browser.request("/token")).json()) as { token: string }).token;
    expect(readHeader(token)).toEqual(readHeader(own));
    const api = await verifierOf(auth, policy);
    expect((await api.verify(own)).subject).toBe(user.id);
    await expect(api.verify(token)).rejects.toMatchObject(refused("claim_missing"));
    // With user_id, V14 is the next to refuse; with its own client_id too, nothing does.
    const named = await resign(auth, token, { user_id: user.id });
    await expect(api.verify(named)).rejects.toMatchObject(refused("claim_malformed"));
    const complete = await resign(auth, token, { user_id: user.id, client_id: ISSUER });
    expect((await api.verify(complete)).subject).toBe(user.id);
    const without = await resign(auth, token, { client_id: ISSUER });
    await expect(api.verify(without)).rejects.toMatchObject(refused("claim_missing"));
  });

  test("has user_id too, where the integrator adds it: refused by V14", async () => {
    const auth = start(algorithm, (user) => ({ user_id: user }));
    const { token, user, id } = await authorize(auth);
    expect(readClaims(token)).toMatchObject({ user_id: user.id, sub: user.id, client_id: id });
    const api = await verifierOf(auth, policy);
    await expect(api.verify(token)).rejects.toMatchObject(refused("claim_malformed"));
    const complete = await resign(auth, token, { client_id: ISSUER });
    expect((await api.verify(complete)).subject).toBe(user.id);
  });

  test("can not be given the bridge's client_id by the integrator's claims", async () => {
    const auth = start(algorithm, (user) => ({ user_id: user, client_id: ISSUER }));
    const { token, id } = await authorize(auth);
    expect(readClaims(token).client_id).toBe(id);
    const api = await verifierOf(auth, policy);
    await expect(api.verify(token)).rejects.toMatchObject(refused("claim_malformed"));
  });

  test("of the client itself (client_credentials), whose sub is no user: refused", async () => {
    const plain = start(algorithm);
    const { id, secret } = await register(plain);
    const fields = { grant_type: "client_credentials", client_id: id, client_secret: secret, scope: "tasks" };
    const token = await exchange(plain, fields);
    expect(readClaims(token)).toMatchObject({ iss: ISSUER, sub: id, client_id: id });
    const api = await verifierOf(plain, policy);
    await expect(api.verify(token)).rejects.toMatchObject(refused("claim_missing"));
    const named = await exchange(
      start(algorithm, () => ({ user_id: id })),
      fields,
    );
    await expect(api.verify(named)).rejects.toMatchObject(refused("claim_malformed"));
  });
});
