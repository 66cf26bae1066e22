// `npm start`: from a clone to a running stack, and down again without a trace.

import { algorithmOf, isPublic } from "../algorithm.mjs";
import { requireReachable, urlProblem } from "../database-url.mjs";
import { portFrom, requireFree } from "../ports.mjs";
import { inRoot } from "../repository.mjs";
import { command, ended } from "../run.mjs";
import { claim } from "../running.mjs";
import { bold, Stop, say } from "../say.mjs";
import { setUp } from "../setup.mjs";
import { startStack, title } from "../stack.mjs";

const HELP = `npm start: installs what is missing, then runs the reference app until Ctrl-C.

It starts PostgreSQL, brings its tables up to date, and starts the Next.js app (sign-up, sign-in, the task list) and
the API in FastAPI. The first start takes a minute or two, later ones take seconds. The data stays in .data/, the
generated secrets in examples/todo/web/.env and examples/todo/api/.env; git ignores all three.

  npm start -- --algorithm EdDSA
                sign tokens with the app's own key pair instead of a key derived from the shared secret: HS256 (the
                default), EdDSA, ES256 or RS256. But for HS256 the API gets no secret, only the address of the public
                keys. JWT_BRIDGE_ALGORITHM=EdDSA in examples/todo/web/.env does the same for good.

Settings, from the environment:
  WEB_PORT      port of the Next.js app                              (3000)
  API_PORT      port of the API                                      (8000)
  PG_PORT       port of the PostgreSQL that it starts                (55432)
  DATABASE_URL  use this PostgreSQL instead: postgresql://owner:password@host:5432/database.
                The owner makes the schemas auth and api and the role todo_api; where it may not, the SQL is printed.
  TODO_API_ACCESS
                proxy: pages call the app itself, which adds the token on the way; no page has one   (direct)
  PYTHON        the Python to use, 3.11 or newer                     (the newest of python3.13 … python3)
  BETTER_AUTH_SECRET, BETTER_AUTH_SECRETS
                the shared secret of both sides                      (generated)

For instance: WEB_PORT=3100 API_PORT=8100 npm start

Start anew: stop it, then remove .data/ (all users and tasks are gone with it).
Other commands: npm test, npm run walk, npm run check.
`;

await command(async ({ signal, later }) => {
  const args = process.argv.slice(2);
  if (args.includes("--help") || args.includes("-h")) {
    say(HELP);
    return 0;
  }
  const algorithm = algorithmOf(args, "npm start");

  const databaseUrl = process.env.DATABASE_URL || undefined;
  const problem = databaseUrl && urlProblem(databaseUrl);
  if (problem) throw new Stop(problem);
  const ports = { WEB_PORT: portFrom("WEB_PORT", 3000), API_PORT: portFrom("API_PORT", 8000) };
  if (!databaseUrl) {
    ports.PG_PORT = portFrom("PG_PORT", 55432);
    // Before the ports are looked at: those that a first start holds are not another program's.
    const release = claim(inRoot(".data", "start.pid"));
    later(async () => release());
  }
  await requireFree(ports);
  if (databaseUrl) await requireReachable(databaseUrl);

  await setUp({ signal });
  say("Starting …");
  const stack = await startStack({
    webPort: ports.WEB_PORT,
    apiPort: ports.API_PORT,
    pgPort: ports.PG_PORT,
    databaseUrl,
    apiDatabaseUrl: process.env.API_DATABASE_URL || undefined,
    algorithm,
    signal,
    notice: say,
  });
  later(async () => {
    await stack.stop();
    say("Everything is stopped.");
  });

  say();
  say(`  ${bold(stack.webUrl)}   the app (Next.js)`);
  say(`  ${bold(stack.apiUrl)}   the API (FastAPI; its pages are at /docs)`);
  say();
  if (isPublic(stack.algorithm)) {
    say(
      `Tokens are signed with ${stack.algorithm} and a key pair of the app's own; the API asks ${stack.jwksUrl} for its public half.`,
    );
  }
  say(
    "Try it: open the first address, sign up with any e-mail address and a password, and add a task. Ctrl-C stops everything.",
  );

  const died = (name) => stack[name].exited().then((how) => ({ name, how }));
  const first = await Promise.race([ended(signal), died("web"), died("api")]);
  if (signal.aborted) return 0;
  throw new Stop(
    `${title(first.name)} ended (${first.how}), so everything is stopped: its last lines stand above.`,
  );
});
