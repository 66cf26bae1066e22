/**
 * The API's tasks, for the browser and for this app's server: openapi-fetch over a fetch that comes with the token,
 * with the types that FastAPI gives. A field that Python renames does not compile here.
 */
import { readEvents } from "jwt-auth-bridge/live";
import createClient from "openapi-fetch";
import type { components, paths } from "./api-types";

export type Task = components["schemas"]["TaskOut"];

/** The API answered, and not with what was asked for. `retryAfter`: seconds, where it says when to come back. */
export class ApiError extends Error {
  readonly status: number;
  readonly retryAfter: number | undefined;

  constructor(response: Response) {
    super(`The API answered ${response.status}`);
    this.status = response.status;
    this.retryAfter = Number(response.headers.get("retry-after")) || undefined;
  }
}

export type TaskApi = ReturnType<typeof createTaskApi>;

const EVENTS = "/api/{user_id}/tasks/events" satisfies keyof paths;

/** Whose tasks: `{user_id}` stays as it is until the token is there, whose user it becomes. */
const own = { user_id: "{user_id}" };

/**
 * Functions on the signed-in user's tasks. Each throws ApiError, or what the fetch throws.
 *
 * @param baseUrl the API's address, or what stands for it in this app.
 * @param send who sends the requests: the bridge's fetch, or one that a proxy adds the token to.
 */
export function createTaskApi(baseUrl: string, send: typeof fetch) {
  const api = createClient<paths>({ baseUrl, fetch: send });
  const one = (id: string) => ({ params: { path: { ...own, task_id: id } } });

  return {
    list: async (signal?: AbortSignal) =>
      found(await api.GET("/api/{user_id}/tasks", { params: { path: own }, signal: signal ?? null })),
    add: async (title: string) =>
      found(await api.POST("/api/{user_id}/tasks", { params: { path: own }, body: { title } })),
    rename: async (id: string, title: string) =>
      found(await api.PATCH("/api/{user_id}/tasks/{task_id}", { ...one(id), body: { title } })),
    complete: async (id: string, completed: boolean) =>
      found(await api.PATCH("/api/{user_id}/tasks/{task_id}/complete", { ...one(id), body: { completed } })),
    remove: async (id: string) => {
      found(await api.DELETE("/api/{user_id}/tasks/{task_id}", one(id)));
    },
    /** An event at once and after every change, also by another tab; goes on until `signal` ends it. */
    changes: (signal: AbortSignal) => readEvents(send, baseUrl + EVENTS, { signal }),
  };
}

/** What was asked for. Throws ApiError where the answer is another. */
function found<T>({ data, response }: { readonly data?: T; readonly response: Response }): T {
  if (!response.ok) throw new ApiError(response);
  return data as T;
}
