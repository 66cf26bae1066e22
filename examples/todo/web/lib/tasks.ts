/**
 * The API's tasks, as the browser calls them: through the bridge's fetch, which attaches the token, renews it and
 * fills `{user_id}` with the token's own user.
 */
import { createBridgeFetch } from "jwt-auth-bridge/client";
import { tokenSource } from "./auth-client";

export type Task = {
  readonly id: string;
  readonly title: string;
  readonly completed: boolean;
};

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

/** Functions on the signed-in user's tasks. Each throws ApiError, or what the bridge's fetch throws. */
export type TaskApi = {
  list(): Promise<Task[]>;
  add(title: string): Promise<Task>;
  rename(id: string, title: string): Promise<Task>;
  complete(id: string, completed: boolean): Promise<Task>;
  remove(id: string): Promise<void>;
};

export function createTaskApi(apiUrl: string): TaskApi {
  const api = createBridgeFetch({ baseURL: apiUrl, tokenSource });

  async function call(method: string, path: string, body?: object): Promise<Response> {
    const response = await api(`/api/{user_id}/tasks${path}`, {
      method,
      ...(body && { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
    });
    if (!response.ok) throw new ApiError(response);
    return response;
  }

  return {
    list: async () => (await call("GET", "")).json(),
    add: async (title) => (await call("POST", "", { title })).json(),
    rename: async (id, title) => (await call("PATCH", `/${id}`, { title })).json(),
    complete: async (id, completed) => (await call("PATCH", `/${id}/complete`, { completed })).json(),
    remove: async (id) => {
      await call("DELETE", `/${id}`);
    },
  };
}
