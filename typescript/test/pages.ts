/** The blocks of the documents, as files that run: what the tests of the pages share. */

import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { createVerifier } from "jwt-auth-bridge/verify";
import { expect, vi } from "vitest";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
export const WEB = "http://localhost:3000";
export const API = "http://localhost:8000";

type Handler = (request: Request) => Promise<Response>;

const folders: string[] = [];

/** After each test. */
export async function removePlaces(): Promise<void> {
  for (const folder of folders.splice(0)) {
    if (existsSync(path.join(folder, "lib/auth.ts"))) {
      await (await importAll(folder, ["lib/auth.ts"])).auth.options.database.end();
    }
    await rm(folder, { recursive: true, force: true });
  }
}

/** The one block of a page that has this title. */
export async function block(page: string, title: string): Promise<string> {
  const text = await readFile(path.join(ROOT, page), "utf8");
  const found = [...text.matchAll(/^```\w+ title="([^"\n]+)"\n(.*?)^```/gms)].filter(
    (match) => match[1] === title,
  );
  expect(found, `${page} needs one block with title="${title}"`).toHaveLength(1);
  return found[0]?.[2] ?? "";
}

/** Puts blocks of a page into a folder, a new one unless it is said, each as the file that its title names. */
export async function place(page: string, titles: readonly string[], into?: string): Promise<string> {
  await mkdir(path.join(ROOT, ".cache"), { recursive: true });
  const folder = into ?? (await mkdtemp(path.join(ROOT, ".cache", "readme-")));
  if (!into) folders.push(folder);
  for (const title of titles) {
    const file = path.join(folder, title);
    await mkdir(path.dirname(file), { recursive: true });
    // "@/" is what Next.js's own tsconfig.json maps to the folder of the app.
    const up = path.relative(path.dirname(file), folder) || ".";
    await writeFile(file, (await block(page, title)).replaceAll('from "@/', `from "${up}/`));
  }
  return folder;
}

// biome-ignore lint/suspicious/noExplicitAny: what a page's blocks export is known to the test alone
export type Exports = Record<string, any>;

export async function importAll(folder: string, files: readonly string[]): Promise<Exports> {
  const modules = [];
  for (const file of files) modules.push(await import(pathToFileURL(path.join(folder, file)).href));
  return Object.assign({}, ...modules);
}

/** What the API says, behind its guard. */
type Answer = (url: URL, subject: string) => Response;

const tasksOf: Answer = (_, subject) => Response.json([`a task of ${subject}`]);

/** A browser with cookies, between a web app and an API that says whom it was called by. */
export function stubNetwork(web: Handler, secret: string, answer: Answer = tasksOf): string[] {
  const jar = new Map<string, string>();
  const calls: string[] = [];
  const verifier = createVerifier({ issuer: WEB, audience: API, secret });
  vi.stubGlobal("fetch", async (input: RequestInfo | URL, init?: RequestInit) => {
    // A browser resolves an address by its page's.
    const request = new Request(typeof input === "string" ? new URL(input, WEB) : input, init);
    const url = new URL(request.url);
    calls.push(`${request.method} ${url.origin}${url.pathname}`);
    if (url.origin === API) {
      const principal = await verifier.verify(
        (request.headers.get("authorization") ?? "").replace(/^Bearer /, ""),
      );
      return answer(url, principal.subject);
    }
    request.headers.set("origin", WEB);
    request.headers.set("sec-fetch-site", "same-origin");
    request.headers.set("sec-fetch-mode", "cors");
    if (jar.size > 0)
      request.headers.set("cookie", [...jar].map(([name, value]) => `${name}=${value}`).join("; "));
    const response = await web(request);
    for (const line of response.headers.getSetCookie()) {
      const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      if (/max-age=0/i.test(line)) jar.delete(name);
      else jar.set(name, value);
    }
    return response;
  });
  return calls;
}

export const person = () => ({
  name: "Alice",
  email: `${randomBytes(6).toString("hex")}@example.com`,
  password: "correct horse battery",
});
