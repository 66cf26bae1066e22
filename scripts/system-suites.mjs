// The system suites: what needs programs that no registry of npm or Python brings, or older frameworks beside the newest,
// so `npm test` leaves it out. Each is one entry of this list.

import { olderSuites } from "./older-frameworks.mjs";
import { languageSuites } from "./other-languages.mjs";
import { pgbouncerSuite } from "./pgbouncer.mjs";
import { redisSuite } from "./redis.mjs";

/**
 * Every system suite, in the order of running: { name, what, run }. `run({ signal })` sets up what is missing, prints what
 * a person wants to know, and answers { passed, failed }; it throws a Stop where something is missing that it may not
 * install.
 */
export function systemSuites() {
  return [...languageSuites(), pgbouncerSuite(), redisSuite(), ...olderSuites()];
}
