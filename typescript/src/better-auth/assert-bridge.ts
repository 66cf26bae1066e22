/**
 * The check at start: a wrong configuration ends the process, before anybody is served.
 *
 * Next.js needs it. A plugin's `init` that throws rejects a promise that nobody waits for, and a module that
 * throws while `instrumentation.ts` imports it only makes Next.js log and answer 500: the server stays up.
 */

import type { Issuer } from "./issuer.js";
import { judgeVersionedSecrets } from "./options.js";

/** Where the issuer stands in Better Auth's context; one symbol for all copies of this package. */
export const BRIDGE: unique symbol = Symbol.for("jwt-auth-bridge.issuer");

/** What `betterAuth()` returns, as far as it is needed here. */
export interface BridgedAuth {
  readonly $context: Promise<object>;
}

/**
 * Waits until Better Auth has started with `jwtBridge()`, or prints the cure and ends the process with 1.
 *
 * On success it prints issuer, audience and key IDs, to be compared with what the API prints: a line for each
 * audience. With key pairs it prints the algorithm and the address of the key set instead of key IDs.
 *
 * @param auth what `betterAuth()` returned, or a promise of the module that exports it as `auth`: then a throw
 *   while that module is evaluated ends the process too.
 *
 * *Does not* ask whether the database can be reached.
 *
 * @example
 * ```ts
 * // instrumentation.ts
 * export async function register() {
 *   if (process.env.NEXT_RUNTIME === "nodejs") {
 *     const { assertBridge } = await import("jwt-auth-bridge/better-auth");
 *     await assertBridge(import("./lib/auth"));
 *   }
 * }
 * ```
 */
export async function assertBridge(
  auth: BridgedAuth | PromiseLike<BridgedAuth | { readonly auth: BridgedAuth }>,
): Promise<void> {
  try {
    const loaded = await auth;
    const context = await ("auth" in loaded ? loaded.auth : loaded).$context;
    if (context === undefined) {
      throw new Error(
        "assertBridge() was given no betterAuth(); pass it, or a promise of the module that exports auth",
      );
    }
    const bridge = bridgeOf(context);
    if (bridge === undefined) {
      throw new Error("jwtBridge() is not among betterAuth()'s plugins; add it in place of jwt()");
    }
    for (const audience of bridge.audiences) {
      const keys = await bridge.describeKeys(audience);
      console.info(`jwt-auth-bridge: issuer ${bridge.issuer}, audience ${audience}, ${keys}`);
    }
  } catch (error) {
    console.error(`jwt-auth-bridge: ${explain(error)}`);
    process.exit(1);
  }
}

/** An adapter that reads no `schema` lets Better Auth come first, whose message may hold a secret: not this one. */
function explain(error: unknown): string {
  try {
    judgeVersionedSecrets();
    return error instanceof Error ? error.message : String(error);
  } catch (own) {
    return (own as Error).message;
  }
}

/** The issuer that `init` has put into a context. */
export function bridgeOf(context: object): Issuer | undefined {
  return (context as { readonly [BRIDGE]?: Issuer })[BRIDGE];
}
