// Issuing: /api/auth/token of jwtBridge() against Better Auth's stock jwt(), on PostgreSQL. Time and SQL statements.
// Prints JSON. Run by `npm run bench`, which gives DATABASE_URL of an empty database.

import { betterAuth } from "better-auth";
import { getMigrations } from "better-auth/db/migration";
import { jwt } from "better-auth/plugins";
import { jwtBridge } from "jwt-auth-bridge/better-auth";
import pg from "pg";
import { compare } from "./measure.mjs";
import { AUDIENCE, ISSUER, SECRET } from "./tokens.mjs";

let statements = 0;
const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 2 });
pool.on("error", ({ message }) => console.error(message));
pool.on("connect", (client) => {
  const query = client.query.bind(client);
  client.query = (...args) => {
    statements += 1;
    return query(...args);
  };
});

const make = (plugin) =>
  betterAuth({
    database: pool,
    baseURL: ISSUER,
    secret: SECRET,
    emailAndPassword: { enabled: true },
    advanced: { database: { joins: true } },
    rateLimit: { enabled: false },
    telemetry: { enabled: false },
    plugins: [plugin],
  });

const contenders = { ours: make(jwtBridge({ audience: AUDIENCE })), "stock jwt()": make(jwt()) };
const { runMigrations } = await getMigrations(contenders["stock jwt()"].options);
await runMigrations();

const person = { name: "a", email: "a@example.com", password: "correct horse battery" };
const made = await contenders.ours.api.signUpEmail({ body: person, asResponse: true });
const cookie = made.headers
  .getSetCookie()
  .map((line) => line.split(";")[0])
  .join("; ");
const ask = async (auth) => {
  const answer = await auth.handler(new Request(`${ISSUER}/api/auth/token`, { headers: { cookie } }));
  if (answer.status !== 200) throw new Error(`the token endpoint answered ${answer.status}`);
  return answer.json();
};

const counts = {};
for (const [name, auth] of Object.entries(contenders)) {
  await ask(auth);
  statements = 0;
  await ask(auth);
  counts[name] = statements;
}
const times = await compare(
  Object.fromEntries(Object.entries(contenders).map(([name, auth]) => [name, () => ask(auth)])),
  { rounds: 21, milliseconds: 60 },
);
await pool.end();
process.stdout.write(JSON.stringify({ issue: times, statements: counts }));
