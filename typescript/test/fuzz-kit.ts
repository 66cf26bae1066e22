/** What the tests of inputs that nobody thought of share: one verifier, and what may come out of it. */

import { BridgeError, InvalidTokenError } from "../src/errors.js";
import { createVerifier } from "../src/verifier.js";
import { AUDIENCE, ISSUER, NOW, SECRET } from "./tokens.js";

export const options = { issuer: ISSUER, audience: AUDIENCE, secret: SECRET, clock: () => NOW };
const verifier = createVerifier(options);

/** The subject, or the code; anything else is a fault. */
export async function verdict(token: unknown): Promise<string> {
  try {
    return (await verifier.verify(token as string)).subject;
  } catch (error) {
    if (error instanceof InvalidTokenError) return error.code;
    throw error;
  }
}

/** What it gives, or `undefined` where this package refuses it. */
export function attempt<Value>(act: () => Value): Value | undefined {
  try {
    return act();
  } catch (error) {
    if (error instanceof BridgeError) return undefined;
    throw error;
  }
}
