// `npm run walk`: the mission as a table, row by row, on a stack of its own.

import { algorithmOf } from "../algorithm.mjs";
import { command } from "../run.mjs";
import { bold, faint, green, red, say } from "../say.mjs";
import { setUp } from "../setup.mjs";
import { startStack } from "../stack.mjs";

const HELP = `npm run walk: shows that the mission holds, on a running stack.

It sets up what is missing, starts PostgreSQL, FastAPI and Next.js on free ports with new data and new secrets, walks
through the mission's rows S1 to S6 and C1 to C6 over public interfaces only, prints one line for each (what was
sent, what came back) and stops everything. It ends with 0 when every row holds and with 1 otherwise.

  npm run walk -- --algorithm EdDSA
      the same walk with tokens that the app signs with its own key pair, and an API that has no secret: HS256 (the
      default), EdDSA, ES256 or RS256.
`;

const line = (mark, id, what, sent, cameBack) =>
  `${mark} ${bold(id.padEnd(3))} ${what.padEnd(25)} ${sent.padEnd(64)} ${cameBack}`;

await command(async ({ signal, later }) => {
  const args = process.argv.slice(2);
  if (args.includes("--help") || args.includes("-h")) {
    say(HELP);
    return 0;
  }
  const algorithm = algorithmOf(args, "npm run walk");

  await setUp({ signal, secrets: false });
  // Imported here: it uses the built package, which the set-up has just made.
  const { rows } = await import("./walk-rows.mjs");
  say("Starting a stack for the walk …");
  const stack = await startStack({ temporary: true, algorithm, signal });
  later(() => stack.stop());

  say();
  say(faint(line(" ", "row", "what must be true", "sent", "came back")));
  let failed = 0;
  const all = rows(stack);
  for (const { id, what, show } of all) {
    signal.throwIfAborted();
    try {
      say(line(green("✓"), id, what, ...(await show())));
    } catch (error) {
      failed += 1;
      say(line(red("✗"), id, what, "", error.message));
    }
  }
  say();
  say(`${all.length - failed} of ${all.length} rows hold.`);
  return failed === 0 ? 0 : 1;
});
