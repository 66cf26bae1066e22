/**
 * One stack for all files that only use it: the API, the web app, on free ports and with new data. Files that stop a
 * part of it, or need other settings, start their own. PostgreSQL and Chromium are shared by all of them, data and
 * profiles are not.
 */
import type { TestProject } from "vitest/node";
import { startChromium } from "./browser.js";
import { type Databases, startDatabases } from "./databases.js";
import { MANY_SIGN_INS, startTestStack, webFolder } from "./stack.js";

declare module "vitest" {
  export interface ProvidedContext {
    stack: SharedStack;
    databases: Databases;
    /** Where Chromium can be told what to do. */
    chromium: string;
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
  const undo: (() => Promise<void>)[] = [];
  const stop = async () => {
    for (const work of undo.splice(0).reverse()) await work();
  };
  try {
    const chromium = await startChromium();
    undo.push(() => chromium.close());
    project.provide("chromium", chromium.wsEndpoint());

    const { stop: stopDatabases, ...databases } = await startDatabases(webFolder);
    undo.push(stopDatabases);
    project.provide("databases", databases);

    const stack = await startTestStack(MANY_SIGN_INS, { databases });
    undo.push(stack.stop);
    const { webUrl, apiUrl, databaseUrl, apiDatabaseUrl } = stack;
    const secret = stack.secrets.BETTER_AUTH_SECRET ?? "";
    project.provide("stack", { webUrl, apiUrl, databaseUrl, apiDatabaseUrl, secret });
    return stop;
  } catch (error) {
    await stop();
    throw error;
  }
}
