/** The server's fetch in a real Next.js, built and started: the app of ./next-app, asked by many people at once. */

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { version } from "react";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createVerifier } from "../src/verifier.js";
import { buildPackage } from "./package.js";
import { AUDIENCE, createBrowser, ORIGIN, SECRET } from "./real-auth.js";

const NEXT = fileURLToPath(new URL("../../node_modules/next/dist/bin/next", import.meta.url));
const built = buildPackage();
const folder = path.join(built.folder, "web");
const verifier = createVerifier({ issuer: ORIGIN, audience: AUDIENCE, secret: SECRET });

/** The API: answers `subject/token ID`, some sooner than others, so that requests overtake each other. */
const seen: { path: string; subject: string; tokenId: string; sessionId: string | null }[] = [];
const api = createServer(async (request, response) => {
  const token = (request.headers.authorization ?? "").replace("Bearer ", "");
  const { subject, tokenId, sessionId } = await verifier.verify(token);
  seen.push({ path: request.url ?? "", subject, tokenId, sessionId });
  response.setHeader("cache-control", "public, max-age=3600"); // the API's own word does not make it kept
  setTimeout(() => response.end(`${subject}/${tokenId}`), (seen.length * 7) % 11);
});

const environment = {
  PATH: process.env.PATH,
  NODE_ENV: "production" as const,
  NEXT_TELEMETRY_DISABLED: "1",
  BETTER_AUTH_SECRET: SECRET,
  BETTER_AUTH_URL: ORIGIN,
  JWT_BRIDGE_AUDIENCE: AUDIENCE,
};
let web: ChildProcess | undefined;
let origin = "";

beforeAll(async () => {
  cpSync(new URL("next-app/", import.meta.url), folder, { recursive: true });
  const own = path.join(folder, "node_modules/jwt-auth-bridge");
  mkdirSync(own, { recursive: true });
  for (const name of ["package.json", "dist"]) {
    cpSync(path.join(built.folder, name), path.join(own, name), { recursive: true });
  }
  // Without API_URL: one build serves every deployment.
  const { status, stdout, stderr } = spawnSync(process.execPath, [NEXT, "build"], {
    cwd: folder,
    env: environment,
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(stdout + stderr);
  await new Promise<void>((resolve) => api.listen(0, "127.0.0.1", resolve));
  const env = { ...environment, API_URL: `http://127.0.0.1:${(api.address() as AddressInfo).port}` };
  origin = await new Promise((resolve, reject) => {
    web = spawn(process.execPath, [NEXT, "start", "-H", "127.0.0.1", "-p", "0"], { cwd: folder, env });
    let said = "";
    const listen = (chunk: Buffer) => {
      said += chunk;
      const [address] = /http:\/\/127\.0\.0\.1:[1-9]\d*/.exec(said) ?? [];
      if (address && said.includes("Ready")) resolve(address);
    };
    web.stdout?.on("data", listen);
    web.stderr?.on("data", listen);
    web.on("exit", () => reject(new Error(said)));
  });
}, 300_000);

afterAll(async () => {
  if (web?.exitCode === null) {
    const ended = new Promise((resolve) => web?.on("exit", resolve));
    web.kill();
    await ended;
  }
  api.closeAllConnections();
  await new Promise((resolve) => api.close(resolve));
  built.remove();
});

beforeEach(() => {
  seen.length = 0;
});

/** Better Auth behind Next.js, for `createBrowser()`, which speaks to it as to the public address. */
const handler = (request: Request) => fetch(request.url.replace(ORIGIN, origin), request);

async function signIn() {
  const browser = createBrowser({ handler });
  const { id } = await browser.signUp(`${crypto.randomUUID()}@example.com`);
  return { browser, id };
}

type Browser = Pick<ReturnType<typeof createBrowser>, "headers">;
const NOBODY: Browser = { headers: new Headers() };

async function get(browser: Browser, where: string): Promise<string> {
  const response = await fetch(origin + where, { headers: browser.headers });
  const text = await response.text();
  if (response.status !== 200) throw new Error(`${where} answered ${response.status}: ${text}`);
  return text;
}

/** What the API saw, from a page's text; React puts a comment between two texts. */
function seenIn(html: string): string[] {
  const shown = html.replace(/<script.*?<\/script>/gs, "").replace(/<!-- -->/g, "");
  return [...shown.matchAll(/seen:(.*?);/g)].map(([, text = ""]) => text);
}

describe("in next start", () => {
  test("a page, its layout, its metadata and what it streams share one token; the next request has its own", async () => {
    const { browser, id } = await signIn();
    const first = seenIn(await get(browser, "/"));
    const second = seenIn(await get(browser, "/"));
    expect(first).toHaveLength(4);
    expect(new Set(first).size).toBe(1);
    expect(new Set([...first, ...second]).size).toBe(2);
    expect(first[0]).toMatch(new RegExp(`^${id}/`));
    expect(seen.map((call) => call.path).sort()).toEqual(
      ["layout", "layout", "metadata", "metadata", "page", "page", "streamed", "streamed"].map(
        (name) => `/${id}/${name}`,
      ),
    );
  });

  test("a route handler's calls share one too, where React's cache keeps nothing", async () => {
    const { browser, id } = await signIn();
    const answers: string[] = JSON.parse(await get(browser, "/handler"));
    expect(answers).toHaveLength(3);
    expect(new Set(answers).size).toBe(1);
    expect(answers[0]).toMatch(new RegExp(`^${id}/`));
  });

  test("300 requests at once, of ten people and of nobody: each sees its own user and no other", async () => {
    const people = await Promise.all(Array.from({ length: 10 }, signIn));
    const tokens = await Promise.all(
      Array.from({ length: 300 }, async (_, index) => {
        const person = people[index % 11]; // the eleventh is nobody
        const isPage = index % 2 === 0;
        const text = await get(person?.browser ?? NOBODY, isPage ? "/" : "/handler");
        const shown: string[] = isPage ? seenIn(text) : JSON.parse(text);
        expect(shown).toHaveLength(isPage ? 4 : 3);
        const [one = "", ...others] = [...new Set(shown)];
        expect(others).toEqual([]);
        expect(one.split("/")[0]).toBe(person?.id ?? "session_missing");
        return person ? one : undefined;
      }),
    );
    const given = tokens.filter((token) => token !== undefined);
    expect(new Set(given).size).toBe(given.length);
    for (const call of seen) expect(call.path.split("/")[1]).toBe(call.subject);
  });

  const kept = () => {
    const names = readdirSync(path.join(folder, ".next/cache"), { recursive: true, encoding: "utf8" });
    return names.filter((name) => name.startsWith("fetch-cache/")).length;
  };

  // The second keeps what says "no-store", too; the token is part of what Next.js finds an answer by.
  test.each([
    ["a page that keeps what says nothing", "/data-cache", 0],
    ["a page that keeps everything", "/forced", 6],
  ])("%s: nothing of one user's is shown again, or to another", async (_, where, entries) => {
    const [one, other] = [await signIn(), await signIn()];
    const shown: string[] = [];
    for (const { browser } of [one, other, one]) shown.push(...seenIn(await get(browser, where)));
    const expected = [one, one, other, other, one, one].map(({ id }) => id);
    expect(shown.map((text) => text.split("/")[0])).toEqual(expected);
    expect(new Set(shown).size).toBe(3);
    expect(seen.filter((call) => call.path.endsWith(where))).toHaveLength(3);
    expect(kept()).toBe(entries);
  });

  test("unstable_cache() is refused: what it keeps is everybody's", async () => {
    const { browser } = await signIn();
    expect(await get(browser, "/kept")).toMatch(/unstable_cache/);
    expect(seen.filter((call) => call.path.endsWith("/kept"))).toEqual([]);
  });
});

describe("a server action", () => {
  /** Sends a page's form, as a browser without JavaScript does; answers what the action noted. */
  async function act(browser: Browser, form: number, fields: Record<string, string>) {
    const page = await get(browser, "/account");
    const names = [...page.matchAll(/name="(\$ACTION_ID_[^"]+)"/g)].map(([, name = ""]) => name);
    const body = new FormData();
    for (const [name, value] of Object.entries({ [names[form] ?? ""]: "", ...fields })) body.set(name, value);
    const headers = new Headers(browser.headers);
    headers.set("origin", origin);
    const response = await fetch(`${origin}/account`, { method: "POST", headers, body });
    const html = (await response.text()).replace(/<!-- -->/g, "");
    expect(response.status).toBe(200);
    const notes = (/notes:(.*?);/.exec(html)?.[1] ?? "").split(",");
    const cookie = response.headers
      .getSetCookie()
      .map((line) => line.split(";")[0])
      .join("; ");
    return { notes, layout: seenIn(html), browser: { headers: new Headers({ cookie }) } };
  }

  test("calls as the one who has signed up in it, with one token for it and the page behind it", async () => {
    const { notes, layout, browser } = await act(NOBODY, 0, { email: `${crypto.randomUUID()}@example.com` });
    expect(notes).toEqual(["session_missing", layout[0], layout[0]]);
    expect(layout[0]).toMatch(/^[^/]+\/[^/]+$/);
    expect(seenIn(await get(browser, "/"))[0]?.split("/")[0]).toBe(layout[0]?.split("/")[0]);
  });

  test("calls as nobody once it has signed out", async () => {
    const { browser, id } = await signIn();
    const { notes, layout } = await act(browser, 1, {});
    expect(notes).toEqual([expect.stringContaining(`${id}/`), notes[0], "session_missing"]);
    expect(layout).toEqual(["session_missing"]);
  });
});

test("useBridge() says pending in the server's page, whoever asks", async () => {
  const { browser } = await signIn();
  for (const each of [browser, NOBODY]) {
    expect((await get(each, "/")).replace(/<!-- -->/g, "")).toContain("status:pending;");
  }
});

test("in the pages router, too, on the React that is installed", async () => {
  const { browser } = await signIn();
  for (const each of [browser, NOBODY]) {
    const html = (await get(each, "/older")).replace(/<!-- -->/g, "");
    expect(html).toContain("status:pending;");
    expect(html).toContain(`react:${version};`);
  }
});

test("what the browser is sent holds the client, and neither server code nor the secret", () => {
  const files = readdirSync(path.join(folder, ".next/static"), { recursive: true, encoding: "utf8" });
  const scripts = files.filter((name) => name.endsWith(".js"));
  const all = scripts.map((name) => readFileSync(path.join(folder, ".next/static", name), "utf8")).join("\n");
  const found = (texts: string[]) => texts.filter((text) => all.includes(text));
  expect(found(["session_missing"])).toHaveLength(1);
  expect(found([SECRET, "has no baseURL", "jwt-auth-bridge/v1"])).toEqual([]);
});
