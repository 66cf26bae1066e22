/** The blocks of docs/client.md beside the app of docs/start.md: a real Better Auth on a real PostgreSQL. */

import { randomBytes } from "node:crypto";
import { afterAll, afterEach, beforeAll, beforeEach, expect, vi } from "vitest";
import { type Postgres, startPostgres } from "../../scripts/postgres.mjs";
import { API, type Exports, importAll, person, place, removePlaces, stubNetwork, WEB } from "./pages.js";

export const START = "docs/start.md";
const CLIENT = "docs/client.md";

let postgres: Postgres;
let secret: string;

/** Hooks of a file that runs blocks of docs/client.md. */
export function runBlocks(): void {
  beforeAll(async () => {
    postgres = await startPostgres({ temporary: true });
    vi.stubEnv("DATABASE_URL", postgres.url);
    await importAll(await place(START, ["migrate.mjs"]), ["migrate.mjs"]);
  });

  afterAll(async () => {
    await postgres?.dispose();
  });

  beforeEach(() => {
    secret = randomBytes(32).toString("base64url");
    for (const [name, value] of Object.entries({
      DATABASE_URL: postgres.url,
      BETTER_AUTH_SECRET: secret,
      BETTER_AUTH_SECRETS: "",
      BETTER_AUTH_URL: WEB,
      BETTER_AUTH_TELEMETRY: "0",
      JWT_BRIDGE_AUDIENCE: API,
      API_URL: API,
    }))
      vi.stubEnv(name, value);
  });

  afterEach(async () => {
    vi.unstubAllGlobals();
    vi.unstubAllEnvs();
    vi.restoreAllMocks();
    await removePlaces();
  });
}

type Answer = Parameters<typeof stubNetwork>[2];

/** These blocks beside the app of docs/start.md; `answer`: what the API says, `route`: what the app answers first. */
export async function page(files: readonly string[], answer?: Answer, route?: string, from = CLIENT) {
  const folder = await place(START, ["lib/auth.ts"]);
  await place(from, files, folder);
  const { auth } = await importAll(folder, ["lib/auth.ts"]);
  const calls = stubNetwork(
    async (request) => {
      if (!route || !request.url.startsWith(`${WEB}/backend/`)) return auth.handler(request);
      const handlers = await importAll(folder, [route]);
      return handlers[request.method](request);
    },
    secret,
    answer,
  );
  return {
    auth,
    calls,
    ...(await importAll(
      folder,
      files.filter((file) => file !== route),
    )),
  } as Exports;
}

/** Somebody new, signed up through Better Auth's client; their ID. */
export async function signUp({ authClient }: Exports): Promise<string> {
  const { data, error } = await authClient.signUp.email(person());
  expect(error).toBeNull();
  return data.user.id;
}
