/**
 * The package's client in a page, without an app around it: what is built, bundled, and put into the page where a
 * test may ask it. The page's own policy stays as it is.
 */
import { fileURLToPath } from "node:url";
import type * as Client from "jwt-auth-bridge/client";
import type * as Live from "jwt-auth-bridge/live";
import type { Page } from "playwright-core";
import { build } from "vite";

const entry = fileURLToPath(new URL("client-doors.mjs", import.meta.url));

declare global {
  /** In a page: the client, a token source of Better Auth's endpoint, and the fetch to the API. */
  var bridge: typeof Client &
    typeof Live & {
      source: Client.TokenSource;
      api: Client.BridgeFetch;
      newSource(): Client.TokenSource;
    };
}

let bundled: Promise<string> | undefined;

/** Puts it there; again after each navigation. */
export async function installClient(page: Page, apiUrl: string): Promise<void> {
  bundled ??= bundle();
  await page.evaluate(`${await bundled}; globalThis.bridge = { ...client };`);
  await page.evaluate((baseURL) => {
    const { bridge } = globalThis;
    bridge.newSource = () =>
      bridge.createTokenSource({
        getToken: async (_, options) => {
          const background = options?.background === true;
          const answer = await fetch(`/api/auth/token?disableRefresh=${background}`);
          if (answer.status === 401) return null;
          if (!answer.ok) throw new Error(`/token answered ${answer.status}`);
          return ((await answer.json()) as { token: string }).token;
        },
      });
    bridge.source = bridge.newSource();
    bridge.api = bridge.createBridgeFetch({ baseURL, tokenSource: bridge.source });
  }, apiUrl);
}

/** The status of a call through it, or the name of what it threw. */
export function callThrough(page: Page, path = "/api/{user_id}/tasks"): Promise<number | string> {
  return page.evaluate(async (path) => {
    try {
      return (await globalThis.bridge.api(path)).status;
    } catch (error) {
      return (error as Error).name;
    }
  }, path);
}

async function bundle(): Promise<string> {
  const result = await build({
    configFile: false,
    logLevel: "silent",
    build: { write: false, lib: { entry, formats: ["iife"], name: "client" } },
  });
  const [output] = Array.isArray(result) ? result : [result];
  if (!output || !("output" in output)) throw new Error("The client could not be bundled");
  return output.output[0].code;
}
