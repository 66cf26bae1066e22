/** Two people in two profiles: whatever one edits in the URL or in the request, the other's tasks stay theirs. */
import pg from "pg";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { addTask, openBrowser, type Person, signUp, subjectOf, tokenOf } from "./browser.js";

const stack = inject("stack");
let a: Person;
let b: Person;
let idOfA: string;
let idOfB: string;
let taskOfB: string;
let owner: pg.Client;

beforeAll(async () => {
  [a, b] = await Promise.all([openBrowser(stack.webUrl), openBrowser(stack.webUrl)]);
  await signUp(a);
  await signUp(b);
  await addTask(a.page, "A's own");
  await addTask(b.page, "B's secret");
  idOfA = subjectOf(await tokenOf(a.page));
  idOfB = subjectOf(await tokenOf(b.page));
  owner = new pg.Client({ connectionString: stack.databaseUrl });
  await owner.connect();
  await owner.query("SELECT set_config('app.user_id', $1, false)", [idOfB]);
  taskOfB = (await rowsOfB())[0].id;
});
afterAll(async () => {
  await owner?.end();
  await Promise.all([a?.close(), b?.close()]);
});

/** In a session that names B: row-level security is forced upon the tables' owner as well. */
async function rowsOfB() {
  return (await owner.query("SELECT * FROM api.task WHERE user_id = $1 ORDER BY id", [idOfB])).rows;
}

/** Sends a request from A's page, with A's token. */
async function asA(method: string, path: string, body?: object) {
  const token = await tokenOf(a.page);
  return a.page.evaluate(
    async ({ url, method, token, body }) => {
      const answer = await fetch(url, {
        method,
        headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
        ...(body && { body: JSON.stringify(body) }),
      });
      return { status: answer.status, text: await answer.text(), headers: [...answer.headers] };
    },
    { url: stack.apiUrl + path, method, token, body },
  );
}

const CALLS: readonly { readonly method: string; readonly rest: string; readonly body?: object }[] = [
  { method: "GET", rest: "" },
  { method: "POST", rest: "", body: { title: "planted" } },
  { method: "GET", rest: "/events" },
  { method: "GET", rest: "/{id}" },
  { method: "PUT", rest: "/{id}", body: { title: "taken over" } },
  { method: "PATCH", rest: "/{id}", body: { title: "taken over" } },
  { method: "PATCH", rest: "/{id}/complete", body: { completed: true } },
  { method: "DELETE", rest: "/{id}" },
];

test.each(CALLS)(
  "$method of B's path $rest is 403 for A, and nothing changes",
  async ({ method, rest, body }) => {
    const before = await rowsOfB();
    const answer = await asA(method, `/api/${idOfB}/tasks${rest.replace("{id}", taskOfB)}`, body);
    expect(answer.status).toBe(403);
    expect(JSON.parse(answer.text)).toEqual({ detail: "Not allowed", error: "forbidden" });
    expect(await rowsOfB()).toEqual(before);
  },
);

test.each(CALLS.filter(({ rest }) => rest.includes("{id}")))(
  "$method of B's task $rest under A's own path is 404, byte for byte as one that never was",
  async ({ method, rest, body }) => {
    const before = await rowsOfB();
    const path = (id: string) => `/api/${idOfA}/tasks${rest.replace("{id}", id)}`;
    const theirs = await asA(method, path(taskOfB), body);
    const never = await asA(method, path(crypto.randomUUID()), body);
    expect(theirs.status).toBe(404);
    expect(theirs).toEqual(never);
    expect(await rowsOfB()).toEqual(before);
  },
);

test("a body that names B stores A's", async () => {
  const before = await rowsOfB();
  const answer = await asA("POST", `/api/${idOfA}/tasks`, { title: "for whom?", user_id: idOfB });
  expect(answer.status).toBe(201);
  expect(JSON.parse(answer.text).user_id).toBe(idOfA);
  expect(await rowsOfB()).toEqual(before);
});

test("the app's own requests, rewritten on their way to B's path, are refused and said", async () => {
  const before = await rowsOfB();
  await a.page.route(`${stack.apiUrl}/api/**`, (route) =>
    route.continue({ url: route.request().url().replace(idOfA, idOfB) }),
  );
  await a.page.getByLabel("What is to be done?").fill("planted");
  await a.page.getByRole("button", { name: "Add" }).click();
  await a.page.getByRole("alert").filter({ hasText: "This did not work (403)" }).waitFor();
  await a.page.unroute(`${stack.apiUrl}/api/**`);
  expect(await rowsOfB()).toEqual(before);
});

test("B sees what B wrote, and A what A wrote", async () => {
  await b.page.reload();
  await b.page.getByRole("heading", { name: "1 task" }).waitFor();
  await b.page.getByRole("checkbox", { name: "B's secret" }).waitFor();
  await a.page.reload();
  await a.page.getByRole("checkbox", { name: "A's own" }).waitFor();
  expect(await a.page.getByText("B's secret").count()).toBe(0);
});

test("the API's role cannot read Better Auth's tables, nor change its own", async () => {
  const api = new pg.Client({ connectionString: stack.apiDatabaseUrl });
  await api.connect();
  try {
    for (const statement of [
      'SELECT * FROM auth."user"',
      "SELECT * FROM auth.session",
      "SELECT * FROM auth.jwks",
      "SELECT * FROM api.alembic_version",
      "TRUNCATE api.task",
      "DROP TABLE api.task",
      "CREATE TABLE api.mine (id int)",
      "CREATE TABLE public.mine (id int)",
      "CREATE TEMPORARY TABLE mine (task uuid REFERENCES api.task)",
    ]) {
      await expect(api.query(statement), statement).rejects.toMatchObject({ code: "42501" });
    }
    expect((await api.query("SELECT * FROM task")).rows).toEqual([]);
    await api.query("SELECT set_config('app.user_id', $1, false)", [idOfA]);
    const owners = (await api.query("SELECT DISTINCT user_id FROM task")).rows;
    expect(owners).toEqual([{ user_id: idOfA }]);
  } finally {
    await api.end();
  }
});
