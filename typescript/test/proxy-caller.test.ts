/** Who may call the proxy: scripts of this app's own pages; every other way a browser has of asking is refused. */

import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { SAME_ORIGIN, startAll, stopServers } from "./proxy-kit.js";
import { ORIGIN } from "./real-auth.js";

let all: Awaited<ReturnType<typeof startAll>>;
beforeAll(async () => {
  all = await startAll();
});
afterAll(stopServers);
beforeEach(() => {
  all.api.received.length = 0;
  all.notices.length = 0;
});

/** With the session's cookie, and only these fields. */
async function ask(method: string, fields: Record<string, string>) {
  const headers = { cookie: all.browser.headers.get("cookie") ?? "", ...fields };
  const handler = all.proxy[method as "GET"];
  return handler(new Request("http://localhost:1/backend/tasks", { method, headers }));
}

const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];
const { origin: _, ...METADATA } = SAME_ORIGIN;

describe("a script of this app", () => {
  test.each(METHODS)("%s passes", async (method) => {
    expect((await ask(method, SAME_ORIGIN)).status).toBe(200);
    expect(all.api.received).toHaveLength(1);
  });

  test.each([
    ["fetch of a GET, which has no Origin", "GET", METADATA],
    ["fetch with mode same-origin", "POST", { ...SAME_ORIGIN, "sec-fetch-mode": "same-origin" }],
    ["sendBeacon", "POST", { ...SAME_ORIGIN, "sec-fetch-mode": "no-cors" }],
    ["a browser that knows no Sec-Fetch-Site", "POST", { origin: ORIGIN }],
    ["plain http: a GET without any of it", "GET", {}],
    ["Origin left out, vouched for by Sec-Fetch-Site", "DELETE", METADATA],
  ])("%s passes", async (_name, method, fields) => {
    expect((await ask(method, fields)).status).toBe(200);
  });
});

const CROSS: [string, Record<string, string>][] = [
  [
    "another site",
    { origin: "https://evil.example", "sec-fetch-site": "cross-site", "sec-fetch-mode": "cors" },
  ],
  ["another site, simple request", { origin: "https://evil.example", "sec-fetch-mode": "no-cors" }],
  ["a sibling host", { origin: "http://blog.localhost:3000", "sec-fetch-site": "same-site" }],
  ["a sibling host, without Origin", { ...METADATA, "sec-fetch-site": "same-site" }],
  ["another port", { origin: "http://localhost:3001" }],
  ["another scheme", { origin: "https://localhost:3000" }],
  ["Origin: null (sandbox, redirect, data:)", { ...SAME_ORIGIN, origin: "null" }],
  ["Origin: null, no metadata", { origin: "null" }],
  ["an empty Origin", { origin: "" }],
  ["two origins", { ...SAME_ORIGIN, origin: `${ORIGIN}, https://evil.example` }],
  ["a longer host", { origin: `${ORIGIN}.evil.example` }],
  ["a user in the origin", { origin: "http://localhost:3000@evil.example" }],
  ["a path in the origin", { origin: `${ORIGIN}/` }],
  ["upper case", { origin: ORIGIN.toUpperCase() }],
  [
    "the origin that Host says (rebinding)",
    { host: "evil.example:3000", origin: "http://evil.example:3000", "sec-fetch-site": "same-origin" },
  ],
  [
    "the origin that X-Forwarded-Host says",
    { "x-forwarded-host": "evil.example", origin: "http://evil.example" },
  ],
  ["cross-site with this origin", { ...SAME_ORIGIN, "sec-fetch-site": "cross-site" }],
  ["no site: the address bar, a bookmark, an extension", { ...METADATA, "sec-fetch-site": "none" }],
  ["two sites", { ...SAME_ORIGIN, "sec-fetch-site": "same-origin, cross-site" }],
  ["an unknown site", { ...SAME_ORIGIN, "sec-fetch-site": "same-party" }],
  ["an empty site", { ...SAME_ORIGIN, "sec-fetch-site": "" }],
];

describe.each(METHODS)("%s", (method) => {
  test.each(CROSS)("from %s is refused", async (_name, fields) => {
    const response = await ask(method, fields);
    expect(response.status).toBe(403);
    expect(await response.json()).toMatchObject({ error: "cross_site_request" });
    expect(response.headers.get("access-control-allow-origin")).toBeNull();
    expect(response.headers.getSetCookie()).toEqual([]);
    expect(all.api.received).toEqual([]);
  });
});

test.each(["POST", "PUT", "PATCH", "DELETE"])(
  "%s that says nothing of where it comes from is refused",
  async (method) => {
    expect((await ask(method, {})).status).toBe(403);
    expect((await ask(method, { referer: `${ORIGIN}/` })).status).toBe(403);
    expect((await ask(method, { "sec-fetch-mode": "cors", "sec-fetch-dest": "empty" })).status).toBe(403);
    expect(all.api.received).toEqual([]);
  },
);

describe("what would make the API's bytes act as this app", () => {
  const as = (mode: string, destination: string) => ({
    "sec-fetch-site": "same-origin",
    "sec-fetch-mode": mode,
    "sec-fetch-dest": destination,
  });
  const ACTING: [string, Record<string, string>][] = [
    ["a page", { ...as("navigate", "document"), "sec-fetch-user": "?1" }],
    ["a page in a frame", as("navigate", "iframe")],
    ["an old frame", as("navigate", "frame")],
    ["a nested page", as("nested-navigate", "nested-document")],
    ["an embed", as("navigate", "embed")],
    ["an object", as("no-cors", "object")],
    ["a download by link", as("navigate", "empty")],
    ["a prerendered page", { ...as("navigate", "document"), "sec-purpose": "prefetch;prerender" }],
    ["a script", as("no-cors", "script")],
    ["a module", as("cors", "script")],
    ["a JSON module", as("cors", "json")],
    ["a style", as("no-cors", "style")],
    ["a worker", as("same-origin", "worker")],
    ["a shared worker", as("same-origin", "sharedworker")],
    ["a service worker", as("same-origin", "serviceworker")],
    ["an audio worklet", as("cors", "audioworklet")],
    ["a paint worklet", as("cors", "paintworklet")],
    ["a stylesheet of XSLT", as("same-origin", "xslt")],
    ["a manifest", as("cors", "manifest")],
    ["an image", as("no-cors", "image")],
    ["a video", as("no-cors", "video")],
    ["a font", as("cors", "font")],
    ["a track", as("same-origin", "track")],
    ["a report", as("no-cors", "report")],
    ["a payment handler, a FedCM call", as("cors", "webidentity")],
    ["speculation rules", as("cors", "speculationrules")],
    ["a dictionary", as("cors", "dictionary")],
    ["a WebSocket", as("websocket", "websocket")],
    ["an unknown mode", as("webtransport", "empty")],
    ["no mode at all", as("", "empty")],
    ["two destinations", as("cors", "empty, document")],
    ["a page in a browser without metadata", { "upgrade-insecure-requests": "1", accept: "text/html,*/*" }],
    ["a service worker in a browser without metadata", { "service-worker": "script" }],
  ];
  test.each(ACTING)("%s is refused", async (_name, fields) => {
    for (const method of ["GET", "POST"]) {
      const response = await ask(method, method === "GET" ? fields : { origin: ORIGIN, ...fields });
      expect(response.status).toBe(403);
      expect(await response.json()).toMatchObject({ error: "navigation_refused" });
      expect(response.headers.get("content-security-policy")).toContain("sandbox");
    }
    expect(all.api.received).toEqual([]);
  });
});

test("a refusal is logged without a word of the caller's", async () => {
  await ask("POST", { origin: "https://evil.example" });
  expect(all.notices).toEqual([
    [
      `refused POST /backend: 403 cross_site_request: Only this app's own pages may call this address: Origin is not ${ORIGIN}, Better Auth's base URL`,
      { level: "info", status: 403, code: "cross_site_request" },
    ],
  ]);
});

test("it is decided before the session is asked for", async () => {
  const { session } = all.store;
  all.store.session = undefined as never;
  try {
    expect((await ask("POST", { origin: "https://evil.example" })).status).toBe(403);
  } finally {
    all.store.session = session as never;
  }
});
