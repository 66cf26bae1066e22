// `npm run test:system`: what needs programs of the system, such as compilers of other languages. One suite's failure does
// not keep the next from running; what is missing and may not be installed fails, and says what to install.

import { command, Ended } from "../run.mjs";
import { bold, misuse, say, sayFailure } from "../say.mjs";
import { selectSuites } from "../suites.mjs";
import { systemSuites } from "../system-suites.mjs";

const suites = systemSuites();
const HELP = `npm run test:system: the tests that need programs of the system, which npm test does without.

  npm run test:system               all of them
  npm run test:system -- go java    only these

Suites:
${suites.map(({ name, what }) => `  ${name.padEnd(22)} ${what}`).join("\n")}

As root on Debian what is missing is installed; elsewhere the suite fails and says what to install.
`;

await command(async ({ signal }) => {
  const args = process.argv.slice(2);
  if (args.includes("--help") || args.includes("-h")) {
    say(HELP);
    return 0;
  }
  const { unknown, chosen } = selectSuites(args, suites);
  if (unknown.length > 0) {
    throw misuse(`There is no suite "${unknown[0]}": npm run test:system -- --help lists them.`);
  }
  const total = { passed: 0, failed: 0 };
  for (const suite of chosen) {
    say(`\n${bold(suite.name)}: ${suite.what}`);
    const { passed, failed } = await runSuite(suite, signal);
    total.passed += passed;
    total.failed += failed;
  }
  say();
  say(`system tests: ${total.passed} passed, ${total.failed} failed`);
  return total.failed === 0 ? 0 : 1;
});

async function runSuite(suite, signal) {
  try {
    return await suite.run({ signal });
  } catch (error) {
    if (error instanceof Ended || signal.aborted) throw signal.reason ?? error;
    sayFailure(error);
    return { passed: 0, failed: 1 };
  }
}
