// The rows of the mission, one function each: does it on the running stack and tells what was sent and what came back.
// Only public interfaces: HTTP of both servers, the package's client, their environment, the specification's test.

import { spawnSync } from "node:child_process";
import { createHmac, randomBytes } from "node:crypto";
import { isPublic } from "../algorithm.mjs";
import { python } from "../python.mjs";
import { root } from "../repository.mjs";
import { call, person } from "./walk-person.mjs";

const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"];

/** A row fails with the sentence that says what came back instead. */
function expect(holds, otherwise) {
  if (!holds) throw new Error(otherwise);
}

const part = (token, index) => JSON.parse(Buffer.from(token.split(".")[index], "base64url").toString());
const short = (token) => `${token.slice(0, 12)}…${token.slice(-6)}`;

/**
 * All rows, in an order in which each finds what it needs.
 *
 * @returns {Array<{ id: string, what: string, show: () => Promise<[sent: string, cameBack: string]> }>}
 */
export function rows(stack) {
  const alice = person(stack, "alice");
  const bob = person(stack, "bob");
  const found = {};

  return [
    {
      id: "S1",
      what: "sign up and log in",
      show: async () => {
        for (const one of [alice, bob]) {
          const made = await one.web("POST", "/api/auth/sign-up/email", one.account);
          expect(made.status === 200, `sign-up answered ${made.status}`);
          expect((await one.web("POST", "/api/auth/sign-out", {})).status === 200, "sign-out failed");
          const entered = await one.web("POST", "/api/auth/sign-in/email", one.account);
          expect(entered.status === 200, `sign-in answered ${entered.status}`);
          one.id = entered.body.user.id;
        }
        return ["POST /api/auth/sign-up/email, sign-out, sign-in/email", `200, user ${alice.id}`];
      },
    },
    {
      id: "S2",
      what: "a JWT with the user's ID",
      show: async () => {
        const answer = await alice.web("GET", "/api/auth/token");
        expect(answer.status === 200, `the token endpoint answered ${answer.status}`);
        expect(answer.headers.get("cache-control") === "no-store", "the token may be cached");
        found.token = answer.body.token;
        found.header = part(found.token, 0);
        found.claims = part(found.token, 1);
        const { user_id, sub, iat, exp } = found.claims;
        expect(user_id === alice.id && sub === alice.id, `the token speaks for ${user_id}`);
        const { alg, typ } = found.header;
        expect(alg === stack.algorithm && typ === "at+jwt", `the header is ${alg}, ${typ}`);
        return ["GET /api/auth/token", `200, ${typ} ${alg}, user_id ${user_id}, ${exp - iat} s`];
      },
    },
    {
      id: "S3",
      what: "the token is attached",
      show: async () => {
        const answer = await alice.api("GET", "/api/{user_id}/tasks");
        const sent = alice.lastSent();
        expect(answer.status === 200, `the API answered ${answer.status}`);
        expect(/^Bearer [\w-]+\.[\w-]+\.[\w-]+$/.test(sent.authorization ?? ""), "no Bearer token was sent");
        expect(new URL(sent.url).pathname === `/api/${alice.id}/tasks`, `the path was ${sent.url}`);
        return [`GET /api/{user_id}/tasks, Bearer ${short(sent.authorization.slice(7))}`, "200"];
      },
    },
    {
      id: "S4",
      what: "signature and user ID",
      show: async () => {
        const good = await call(stack.apiUrl, "GET", "/api/me", { token: found.token });
        expect(good.status === 200 && good.body.user_id === alice.id, `/api/me answered ${good.status}`);
        const [header, , signature] = found.token.split(".");
        const forged = { ...found.claims, sub: bob.id, user_id: bob.id };
        const payload = Buffer.from(JSON.stringify(forged)).toString("base64url");
        const bad = await call(stack.apiUrl, "GET", "/api/me", {
          token: `${header}.${payload}.${signature}`,
        });
        expect(bad.status === 401, `a forged token got ${bad.status}`);
        return ["GET /api/me, then with the ID changed to bob's", `200 user_id ${alice.id}, then 401`];
      },
    },
    {
      id: "S5",
      what: "no token, no entry",
      show: async () => {
        const operations = await protectedOperations(stack);
        for (const { method, path } of operations) {
          const answer = await call(stack.apiUrl, method, filled(path, alice.id));
          expect(answer.status === 401, `${method} ${path} answered ${answer.status}`);
          expect(answer.headers.get("www-authenticate") === "Bearer", `${method} ${path}: no challenge`);
        }
        return [`${operations.length} operations without a token`, "401, WWW-Authenticate: Bearer, each"];
      },
    },
    {
      id: "S6",
      what: "queries are filtered",
      show: async () => {
        for (const one of [alice, bob]) {
          const made = await one.api("POST", "/api/{user_id}/tasks", { title: `${one.account.name}'s task` });
          expect(made.status === 201, `adding a task answered ${made.status}`);
          one.task = made.body.id;
          const list = await one.api("GET", "/api/{user_id}/tasks");
          expect(list.body.length === 1 && list.body[0].user_id === one.id, "the list is not one's own");
        }
        const foreign = await alice.api("GET", `/api/{user_id}/tasks/${bob.task}`);
        const missing = await alice.api("GET", `/api/{user_id}/tasks/${crypto.randomUUID()}`);
        expect(foreign.status === 404 && missing.status === 404, `bob's task answered ${foreign.status}`);
        expect(JSON.stringify(foreign.body) === JSON.stringify(missing.body), "foreign and missing differ");
        return [
          "alice and bob add a task and list; alice asks for bob's",
          "each sees one; 404 like a missing one",
        ];
      },
    },
    {
      id: "C1",
      what: "the JWT plugin",
      show: async () => {
        const answer = await alice.web("GET", "/api/auth/jwks");
        expect(answer.status === 200 && Array.isArray(answer.body.keys), `/jwks answered ${answer.status}`);
        found.publicKey = answer.body.keys.find(({ kid }) => kid === found.header.kid);
        expect(!isPublic(stack.algorithm) || found.publicKey, "the token's key is not among them");
        const which = found.publicKey ? ", the token's among them" : "";
        return [
          "GET /api/auth/jwks, the plugin's own endpoint",
          `200, ${answer.body.keys.length} public key(s)${which}`,
        ];
      },
    },
    {
      id: "C2",
      what: "stateless",
      show: async () => {
        await stack.web.stop();
        try {
          const answer = await call(stack.apiUrl, "GET", "/api/me", { token: found.token });
          expect(answer.status === 200, `the API answered ${answer.status} without the issuer`);
        } finally {
          await stack.web.start();
        }
        const why = isPublic(stack.algorithm) ? "its keys are in hand" : "nothing is asked but the token";
        return ["GET /api/me while the issuer is stopped", `200: ${why}`];
      },
    },
    isPublic(stack.algorithm) ? withoutSecret(stack, found) : sharedSecret(stack, found),
    {
      id: "C4",
      what: "one dependency",
      show: async () => {
        const operations = await protectedOperations(stack);
        const schemes = new Set(operations.flatMap(({ security }) => security.flatMap(Object.keys)));
        expect(operations.length > 5 && schemes.size === 1, `the schemes are ${[...schemes].join(", ")}`);
        return [
          "GET /openapi.json",
          `${operations.length} operations, one security scheme: ${[...schemes][0]}`,
        ];
      },
    },
    {
      id: "C5",
      what: "the path is checked",
      show: async () => {
        const operations = (await protectedOperations(stack)).filter(({ path }) =>
          path.includes("{user_id}"),
        );
        for (const { method, path } of operations) {
          const url = filled(path, bob.id).replace(MISSING, bob.task);
          const answer = await call(stack.apiUrl, method, url, { token: found.token, body: bodyFor(method) });
          expect(answer.status === 403, `${method} ${path} with alice's token answered ${answer.status}`);
        }
        const left = await bob.api("GET", `/api/{user_id}/tasks/${bob.task}`);
        expect(left.status === 200 && left.body.title === "bob's task", "bob's task was changed");
        return [
          `alice's token on bob's path, ${operations.length} operations`,
          "403 each, bob's task unchanged",
        ];
      },
    },
    {
      id: "C6",
      what: "traceable to tests",
      show: async () => {
        const checked = spawnSync(python, ["-m", "pytest", "-q", "tests/test_requirements.py"], {
          cwd: `${root}/python`,
          encoding: "utf8",
        });
        expect(checked.status === 0, `the traceability test failed: ${checked.stdout.slice(-400)}`);
        return [
          "python/tests/test_requirements.py over specs/001-jwt-auth-bridge",
          checked.stdout.trim().split("\n").at(-1),
        ];
      },
    },
  ];
}

/** C3 for HS256. */
function sharedSecret(stack, found) {
  return {
    id: "C3",
    what: "the shared secret",
    show: async () => {
      const me = () => call(stack.apiUrl, "GET", "/api/me", { token: found.token });
      await stack.api.restart({ BETTER_AUTH_SECRET: randomBytes(32).toString("base64") });
      const other = await me();
      await stack.api.restart({ BETTER_AUTH_SECRET: stack.secrets.BETTER_AUTH_SECRET });
      const same = await me();
      expect(other.status === 401, `with another secret the API answered ${other.status}`);
      expect(same.status === 200, `with the shared secret the API answered ${same.status}`);
      return ["GET /api/me; the API with another secret, then the same", "401, then 200"];
    },
  };
}

/** C3 for the others: nothing is shared, and what is public opens nothing. */
function withoutSecret(stack, found) {
  return {
    id: "C3",
    what: "no secret to share",
    show: async () => {
      const environment = Object.values(stack.api.env()).join("\n");
      expect(!environment.includes(stack.secrets.BETTER_AUTH_SECRET), "the API's environment has the secret");
      const me = (token) => call(stack.apiUrl, "GET", "/api/me", { token });
      const good = await me(found.token);
      expect(good.status === 200, `the API answered ${good.status}`);
      const header = Buffer.from(JSON.stringify({ ...found.header, alg: "HS256" })).toString("base64url");
      const signed = `${header}.${found.token.split(".")[1]}`;
      const hmac = createHmac("sha256", JSON.stringify(found.publicKey)).update(signed).digest("base64url");
      const forged = await me(`${signed}.${hmac}`);
      expect(forged.status === 401, `HS256 with the public key as the secret got ${forged.status}`);
      return [
        "GET /api/me by public keys; then HS256 signed with such a key",
        "200 without the secret, then 401",
      ];
    },
  };
}

const MISSING = "00000000-0000-4000-8000-000000000000";
const filled = (path, user) => path.replace("{user_id}", user).replace("{task_id}", MISSING);
const bodyFor = (method) => (method === "GET" || method === "DELETE" ? undefined : { title: "taken over" });

/** What the API itself declares as protected. */
async function protectedOperations({ apiUrl }) {
  const { body } = await call(apiUrl, "GET", "/openapi.json");
  return Object.entries(body.paths).flatMap(([path, item]) =>
    METHODS.filter((method) => item[method.toLowerCase()]?.security).map((method) => ({
      method,
      path,
      security: item[method.toLowerCase()].security,
    })),
  );
}
