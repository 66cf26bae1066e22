/**
 * One stack for all files that only use it: PostgreSQL, the API, the web app, on free ports and with new data.
 * Files that stop a part of it, or need other settings, start their own.
 */
import type { TestProject } from "vitest/node";
import { chromiumPath } from "./browser.js";
import { MANY_SIGN_INS, startTestStack } from "./stack.js";

declare module "vitest" {
  export interface ProvidedContext {
    stack: SharedStack;
  }
}

/** What can be told to another process about the stack. */
export type SharedStack = {
  readonly webUrl: string;
  readonly apiUrl: string;
  readonly databaseUrl: string;
  readonly apiDatabaseUrl: string;
  readonly secret: string;
};

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  chromiumPath();
  const stack = await startTestStack(MANY_SIGN_INS);
  const { webUrl, apiUrl, databaseUrl, apiDatabaseUrl } = stack;
  const secret = stack.secrets.BETTER_AUTH_SECRET ?? "";
  project.provide("stack", { webUrl, apiUrl, databaseUrl, apiDatabaseUrl, secret });
  return stack.stop;
}
