/** The TypeScript of docs/client.md, executed as it stands; what is React's, in client-page-react.test.ts. */

import { describe, expect, it, vi } from "vitest";
import { page, runBlocks, signUp } from "./client-pages.js";
import { API, person, WEB } from "./pages.js";

/** The request that Next.js's server answers. */
let asked = new Headers();
vi.mock("next/headers.js", () => ({
  headers: async () => asked,
  cookies: async () => ({ getAll: () => [] }),
}));

runBlocks();

describe("in the browser", () => {
  it("calls as the user, and says when the session ends", async () => {
    const app = await page(["lib/api.ts", "lib/tasks.ts", "lib/sign-out.ts"]);
    const id = await signUp(app);
    expect(await app.listTasks()).toEqual([`a task of ${id}`]);
    expect(app.calls.at(-1)).toBe(`GET ${API}/api/${id}/tasks`);
    const reason = new Promise((resolve) => app.onSignOut(resolve));
    await app.authClient.signOut();
    expect(await reason).toBe("signed-out");
    expect(await app.listTasks()).toBe("signed-out");
  });

  it("says that the web app is away", async () => {
    const app = await page(["lib/api.ts", "lib/tasks.ts"]);
    vi.spyOn(app.auth, "handler").mockResolvedValue(new Response(null, { status: 503 }));
    expect(await app.listTasks()).toBe("away");
  });
});

describe("where a fetch is expected", () => {
  it.each(["lib/typed.ts", "lib/ky.ts"])("%s", async (file) => {
    const app = await page(["lib/api.ts", file]);
    await expect(app.listTasks()).rejects.toMatchObject({ name: "SessionMissingError" });
    const id = await signUp(app);
    expect(await app.listTasks()).toEqual([`a task of ${id}`]);
  });

  it("TanStack Query, whose cache goes with the session", async () => {
    const app = await page(["lib/api.ts", "lib/query.ts"]);
    const id = await signUp(app);
    expect(await app.queryClient.fetchQuery(app.tasks)).toEqual([`a task of ${id}`]);
    await app.authClient.signOut();
    await vi.waitFor(() => expect(app.queryClient.getQueryData(["tasks"])).toBeUndefined());
    await expect(app.queryClient.fetchQuery(app.tasks)).rejects.toMatchObject({
      name: "SessionMissingError",
    });
  });
});

describe("on Next.js's server", () => {
  it("calls as the user whose request is answered", async () => {
    const app = await page(["lib/server-api.ts", "app/page.tsx"]);
    const { renderToStaticMarkup } = await import("react-dom/server");
    const { headers, response } = await app.auth.api.signUpEmail({ body: person(), returnHeaders: true });
    const cookie = headers.getSetCookie().map((line: string) => line.split(";")[0]);
    asked = new Headers({ host: "localhost:3000" });
    expect(renderToStaticMarkup(await app.default())).toContain("Sign in");
    asked = new Headers({ cookie: cookie.join("; ") });
    expect(renderToStaticMarkup(await app.default())).toContain(`a task of ${response.user.id}`);
  });

  it("the proxy adds the token, and knows whose page it is", async () => {
    vi.stubGlobal("location", new URL(WEB));
    const app = await page(
      ["lib/own-origin.ts", "app/backend/[...path]/route.ts"],
      undefined,
      "app/backend/[...path]/route.ts",
    );
    const list = () => app.api("/api/{user_id}/tasks");
    await expect(list()).rejects.toMatchObject({ name: "SessionMissingError" });
    const id = await signUp(app);
    // Better Auth tells of it 10 ms later.
    await vi.waitFor(() => expect(app.api.tokenSource.state().subject).toBe(id));
    expect(await (await list()).json()).toEqual([`a task of ${id}`]);
    expect(app.calls.at(-1)).toBe(`GET ${API}/api/${id}/tasks`);
    // Somebody else in another tab, of whom this page's client does not hear.
    const body = JSON.stringify(person());
    const headers = { "content-type": "application/json" };
    await fetch(`${WEB}/api/auth/sign-up/email`, { method: "POST", headers, body });
    await expect(list()).rejects.toThrow("Another user has signed in");
    expect(typeof app.useBridge).toBe("function");
  });
});

it("without Better Auth's client", async () => {
  const { auth } = await page([]);
  const { headers, response } = await auth.api.signUpEmail({ body: person(), returnHeaders: true });
  const cookie = headers.getSetCookie().map((line: string) => line.split(";")[0]);
  vi.stubEnv("SESSION_COOKIE", cookie.join("; "));
  const app = await page(["worker.ts"]);
  expect(await (await app.api("/api/{user_id}/tasks")).json()).toEqual([`a task of ${response.user.id}`]);
});

describe("live connections", () => {
  it("server-sent events", async () => {
    const app = await page(["lib/api.ts", "lib/follow.ts"], (_, subject) => {
      const headers = { "content-type": "text/event-stream" };
      return new Response(`data: a task of ${subject}\n\n`, { headers });
    });
    const id = await signUp(app);
    const leaving = new AbortController();
    const shown: string[] = [];
    await app.follow((data: string) => {
      shown.push(data);
      leaving.abort();
    }, leaving.signal);
    expect(shown).toEqual([`a task of ${id}`]);
  });

  it("a WebSocket, opened with a ticket", async () => {
    const opened: string[] = [];
    class Socket extends EventTarget {
      readonly readyState = 1;
      constructor(url: string | URL) {
        super();
        opened.push(String(url));
      }
      close() {
        this.dispatchEvent(new Event("close"));
      }
    }
    const app = await page(["lib/api.ts", "lib/live.ts"], () =>
      Response.json({ ticket: "one-time", expires_in: 30 }, { status: 201 }),
    );
    const id = await signUp(app);
    vi.stubGlobal("WebSocket", Socket);
    const shown: string[] = [];
    const socket = await app.live((data: string) => shown.push(data));
    expect(opened).toEqual([`ws://localhost:8000/api/${id}/tasks/live?ticket=one-time`]);
    expect(app.calls.at(-1)).toBe(`POST ${API}/api/tickets`);
    socket.dispatchEvent(new MessageEvent("message", { data: "changed" }));
    expect(shown).toEqual(["changed"]);
    socket.close();
  });
});
