/** The stack as a person gets it: without what Vitest puts into the environment of the processes it starts. */
import { type Stack, type StackOptions, startStack } from "../scripts/stack.mjs";

export type { Stack };

/** `TEST` switches Better Auth's check of origins off, and `BASE_URL` stands in for a base URL that is not set. */
const OUTSIDE_VITEST = { TEST: "", VITEST: "", BASE_URL: "" };

/** So many people sign up and in from one address that Better Auth's limit would stop them. */
export const MANY_SIGN_INS = { TODO_TEST_SIGN_INS: "1000" };

/** Starts a stack of its own: free ports, new data, a new secret. `webEnv`: more settings of the web app. */
export function startTestStack(
  webEnv: Record<string, string> = {},
  options: Omit<StackOptions, "temporary" | "webEnv"> = {},
): Promise<Stack> {
  return startStack({
    ...options,
    temporary: true,
    webEnv: { ...OUTSIDE_VITEST, ...webEnv },
    apiEnv: { TEST: "", ...options.apiEnv },
  });
}
