/** What the tests of the command line share: its settings, and a question to the conformance port. */

import { AUDIENCE, ISSUER, NOW, SECRET, sign } from "./tokens.js";

export const POLICY = { issuer: ISSUER, audience: AUDIENCE, secrets: [SECRET] };
export const ENVIRONMENT = {
  BETTER_AUTH_SECRET: SECRET,
  BETTER_AUTH_URL: ISSUER,
  JWT_BRIDGE_AUDIENCE: AUDIENCE,
};

/** One line of the port's input. */
export const question = (changes: object = {}) => ({
  id: "1",
  token: sign(),
  now: NOW,
  policy: POLICY,
  ...changes,
});
