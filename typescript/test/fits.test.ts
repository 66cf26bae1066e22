/**
 * The bridge's fetch where a fetch is expected: openapi-fetch, ky, TanStack Query, SWR. Each calls a real local server
 * that refuses the first token, and each is asked who is missing when nobody is signed in.
 */

import type { ServerResponse } from "node:http";
import { QueryClient, QueryObserver } from "@tanstack/react-query";
import { Window } from "happy-dom";
import ky from "ky";
import createClient from "openapi-fetch";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { createBridgeFetch, createTokenSource, SessionMissingError } from "../src/client/index.js";
import { client, closeServers, type Seen, serve, tokenOf } from "./client-kit.js";

afterEach(closeServers);

type Task = { title: string };

/** Refuses t1 as the API does across origins: in the body, the challenge hidden. Else the task that was sent, or one. */
function api(seen: Seen, response: ServerResponse) {
  const json = { "content-type": "application/json" };
  if (tokenOf(seen) === "t1") {
    response.writeHead(401, json).end('{"detail":"The access token is not valid","error":"invalid_token"}');
  } else if (seen.method === "POST") response.writeHead(201, json).end(seen.body);
  else response.writeHead(200, json).end('[{"title":"Buy milk"}]');
}

const lines = (seen: Seen[]) =>
  seen.map((each) => `${tokenOf(each)} ${each.method} ${each.url} ${each.body}`);
const LIST = ["t1 GET /api/u1/tasks ", "t2 GET /api/u1/tasks "];
const ADDED = ['t2 POST /api/u1/tasks {"title":"x"}'];

/** The bridge's fetch of somebody who has signed out. */
const signedOut = (baseURL: string) =>
  createBridgeFetch({ baseURL, tokenSource: createTokenSource({ getToken: async () => null }) });

describe("openapi-fetch", () => {
  type Mine = { path: { user_id: string } };
  interface paths {
    "/api/{user_id}/tasks": {
      get: { parameters: Mine; responses: { 200: { content: { "application/json": Task[] } } } };
      post: {
        parameters: Mine;
        requestBody: { content: { "application/json": Task } };
        responses: { 201: { content: { "application/json": Task } } };
      };
    };
  }
  const params = { path: { user_id: "{user_id}" } };

  test("tries once more, and fills the path", async () => {
    const { seen, url } = await serve(api);
    const tasks = createClient<paths>({ baseUrl: url, fetch: client(url).api });
    const { data } = await tasks.GET("/api/{user_id}/tasks", { params });
    expect(data?.[0]?.title).toBe("Buy milk");
    const added = await tasks.POST("/api/{user_id}/tasks", { params, body: { title: "x" } });
    expect([added.data?.title, added.response.status]).toEqual(["x", 201]);
    expect(lines(seen)).toEqual([...LIST, ...ADDED]);
    expect(seen[2]?.type).toBe("application/json");
  });

  test("tries a POST once more", async () => {
    const { seen, url } = await serve(api);
    const tasks = createClient<paths>({ baseUrl: url, fetch: client(url).api });
    await tasks.POST("/api/{user_id}/tasks", { params, body: { title: "x" } });
    expect(lines(seen)).toEqual([ADDED[0]?.replace("t2", "t1"), ADDED[0]]);
  });

  test("says who is missing", async () => {
    const { seen, url } = await serve(api);
    const tasks = createClient<paths>({ baseUrl: url, fetch: signedOut(url) });
    await expect(tasks.GET("/api/{user_id}/tasks", { params })).rejects.toThrow(SessionMissingError);
    expect(seen).toEqual([]);
  });
});

describe("ky", () => {
  test("tries once more, and fills the path", async () => {
    const { seen, url } = await serve(api);
    const tasks = ky.create({ prefixUrl: url, fetch: client(url).api });
    expect(await tasks.get("api/{user_id}/tasks").json()).toEqual([{ title: "Buy milk" }]);
    expect(await tasks.post("api/{user_id}/tasks", { json: { title: "x" } }).json()).toEqual({ title: "x" });
    expect(lines(seen)).toEqual([...LIST, ...ADDED]);
  });

  test("says who is missing, at once where its own retries are off", async () => {
    const { seen, url } = await serve(api);
    const tasks = ky.create({ prefixUrl: url, fetch: signedOut(url), retry: 0 });
    await expect(tasks.get("api/{user_id}/tasks").json()).rejects.toThrow(SessionMissingError);
    expect(seen).toEqual([]);
  });
});

describe("TanStack Query", () => {
  /** Nobody comes back by being asked again. */
  const retry = (count: number, error: Error) => !(error instanceof SessionMissingError) && count < 3;
  const clients: QueryClient[] = [];
  afterEach(() => {
    for (const each of clients.splice(0)) each.clear();
  });

  function query(fetch: ReturnType<typeof createBridgeFetch>) {
    const queries = new QueryClient({ defaultOptions: { queries: { retry } } });
    clients.push(queries);
    const options = {
      queryKey: ["tasks"],
      queryFn: async ({ signal }: { signal: AbortSignal }): Promise<Task[]> =>
        (await fetch("/api/{user_id}/tasks", { signal })).json(),
    };
    return { queries, options };
  }

  test("tries once more, and fills the path", async () => {
    const { seen, url } = await serve(api);
    const { queries, options } = query(client(url).api);
    expect(await queries.fetchQuery(options)).toEqual([{ title: "Buy milk" }]);
    expect(lines(seen)).toEqual(LIST);
  });

  test("says who is missing, to whoever observes", async () => {
    const { seen, url } = await serve(api);
    const { queries, options } = query(signedOut(url));
    const failed = new Promise<Error | null>((resolve) => {
      new QueryObserver<Task[]>(queries, options).subscribe(({ error }) => error && resolve(error));
    });
    expect(await failed).toBeInstanceOf(SessionMissingError);
    expect(seen).toEqual([]);
  });

  test("cancels", async () => {
    const { url } = await serve(() => void cancelled());
    const { queries, options } = query(client(url).api);
    const cancelled = () => queries.cancelQueries({ queryKey: ["tasks"] });
    await expect(queries.fetchQuery(options)).rejects.toMatchObject({ name: "Error" });
  });
});

describe("SWR", () => {
  const window = new Window();
  beforeAll(() => {
    vi.stubGlobal("window", window);
    vi.stubGlobal("document", window.document);
    vi.stubGlobal("navigator", window.navigator);
    vi.stubGlobal("IS_REACT_ACT_ENVIRONMENT", true);
  });
  afterAll(async () => {
    vi.unstubAllGlobals();
    await window.happyDOM.close();
  });

  /** What a component shows that asks SWR for the tasks. */
  async function shown(fetch: ReturnType<typeof createBridgeFetch>): Promise<string> {
    // Loaded here: React and SWR look for a window when they are loaded.
    const { act, createElement } = await import("react");
    const { createRoot } = await import("react-dom/client");
    const { default: useSWR, SWRConfig } = await import("swr");
    function Tasks() {
      const { data, error } = useSWR<Task[], Error>("/api/{user_id}/tasks", async (path: string) =>
        (await fetch(path)).json(),
      );
      return error?.name ?? data?.[0]?.title;
    }
    const element = window.document.createElement("div");
    const root = createRoot(element as unknown as Element);
    const value = { provider: () => new Map() };
    act(() => root.render(createElement(SWRConfig, { value }, createElement(Tasks))));
    while (!element.textContent) await act(() => new Promise<void>((resolve) => setImmediate(resolve)));
    const text = element.textContent;
    act(() => root.unmount());
    return text;
  }

  test("tries once more, and fills the path", async () => {
    const { seen, url } = await serve(api);
    expect(await shown(client(url).api)).toBe("Buy milk");
    expect(lines(seen)).toEqual(LIST);
  });

  test("says who is missing", async () => {
    const { seen, url } = await serve(api);
    expect(await shown(signedOut(url))).toBe("SessionMissingError");
    expect(seen).toEqual([]);
  });
});
