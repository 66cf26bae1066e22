/** The stack as a person gets it: without what Vitest puts into the environment of the processes it starts. */
import { fileURLToPath } from "node:url";
import { inject } from "vitest";
import { type Stack, type StackOptions, startStack } from "../scripts/stack.mjs";
import { copyOf, type Databases } from "./databases.js";

export type { Stack };

/** `TEST` switches Better Auth's check of origins off, and `BASE_URL` stands in for a base URL that is not set. */
const OUTSIDE_VITEST = { TEST: "", VITEST: "", BASE_URL: "" };

/** So many people sign up and in from one address that Better Auth's limit would stop them. */
export const MANY_SIGN_INS = { TODO_TEST_SIGN_INS: "1000" };

/** The web app that is tested: the repository's, or a copy of it on another Next.js. */
export const webFolder =
  process.env.TEST_WEB_FOLDER || fileURLToPath(new URL("../examples/todo/web", import.meta.url));

type TestStackOptions = Omit<StackOptions, "temporary" | "webEnv"> & {
  /** What its database is a copy in; `null`: a PostgreSQL of its own. */
  databases?: Databases | null;
};

/** Starts a stack of its own: free ports, new data, a new secret. `webEnv`: more settings of the web app. */
export async function startTestStack(
  webEnv: Record<string, string> = {},
  { databases = inject("databases"), ...options }: TestStackOptions = {},
): Promise<Stack> {
  return startStack({
    ...options,
    ...(databases && (await copyOf(databases))),
    temporary: true,
    webFolder,
    webEnv: { ...OUTSIDE_VITEST, ...webEnv },
    apiEnv: { TEST: "", ...options.apiEnv },
  });
}
