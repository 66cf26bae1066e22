"use client";

import { SessionMissingError } from "jwt-auth-bridge/client";
import { useRouter } from "next/navigation";
import { type FormEvent, useCallback, useEffect, useMemo, useRef, useState } from "react";
import { authClient, tokenSource } from "../lib/auth-client";
import { ApiError, createTaskApi, type Task, type TaskApi } from "../lib/tasks";
import { Heading } from "./heading";
import { TaskItem } from "./task-item";

/** The person's tasks. Whoever is not signed in is sent to the form; every other failure is said and can be retried. */
export function TaskList({ apiUrl }: { readonly apiUrl: string }) {
  const router = useRouter();
  const api = useMemo(() => createTaskApi(apiUrl), [apiUrl]);
  const session = authClient.useSession();
  const list = useRef<HTMLHeadingElement>(null);
  const [tasks, setTasks] = useState<readonly Task[]>();
  const [status, setStatus] = useState("");
  const [problem, setProblem] = useState("");

  /** Runs one call to the API; answers whether it worked. */
  const attempt = useCallback(
    async (work: (api: TaskApi) => Promise<void>): Promise<boolean> => {
      setProblem("");
      setStatus("");
      try {
        await work(api);
        return true;
      } catch (error) {
        if (error instanceof SessionMissingError) router.replace("/sign-in");
        else setProblem(explain(error));
        return false;
      }
    },
    [api, router],
  );

  const load = useCallback(
    () =>
      attempt(async (api) => {
        setTasks(await api.list());
      }),
    [attempt],
  );

  useEffect(() => {
    load();
  }, [load]);

  const put = (changed: Task) =>
    setTasks((known) => known?.map((task) => (task.id === changed.id ? changed : task)));

  async function add(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = event.currentTarget;
    const title = String(new FormData(form).get("title") ?? "").trim();
    if (title === "") return setProblem("Write what is to be done first.");
    await attempt(async (api) => {
      const task = await api.add(title);
      setTasks((known) => [...(known ?? []), task]);
      setStatus(`Added: ${task.title}`);
      form.reset();
    });
  }

  async function signOut() {
    const { error } = await authClient.signOut().catch(() => ({ error: true }));
    if (error)
      return setProblem("You are still signed in: the server cannot be reached. Try again in a moment.");
    tokenSource.clear();
    router.push("/sign-in");
    router.refresh();
  }

  return (
    <>
      <header>
        <Heading>Your tasks</Heading>
        <p>
          {session.data && <span>Signed in as {session.data.user.name}. </span>}
          <button type="button" onClick={signOut}>
            Sign out
          </button>
        </p>
      </header>

      <form onSubmit={add}>
        <label htmlFor="title">What is to be done?</label>
        <input id="title" name="title" maxLength={200} autoComplete="off" />
        <button type="submit">Add</button>
      </form>

      <p role="status">{status}</p>
      <p role="alert">{problem}</p>
      {problem !== "" && (
        <button type="button" onClick={load}>
          Load again
        </button>
      )}

      <h2 ref={list} tabIndex={-1} id="list">
        {tasks === undefined ? "Loading" : count(tasks)}
      </h2>
      <ul aria-labelledby="list">
        {tasks?.map((task) => (
          <TaskItem
            key={task.id}
            task={task}
            onComplete={(completed) =>
              attempt(async (api) => {
                put(await api.complete(task.id, completed));
                setStatus(`${completed ? "Done" : "Not done"}: ${task.title}`);
              })
            }
            onRename={(title) =>
              attempt(async (api) => {
                put(await api.rename(task.id, title));
                setStatus(`Renamed: ${title}`);
              })
            }
            onDelete={() =>
              attempt(async (api) => {
                await api.remove(task.id);
                setTasks((known) => known?.filter((other) => other.id !== task.id));
                setStatus(`Deleted: ${task.title}`);
                // The button that had the focus is gone.
                list.current?.focus();
              })
            }
          />
        ))}
      </ul>
    </>
  );
}

function count(tasks: readonly Task[]): string {
  if (tasks.length === 0) return "Nothing to do";
  return tasks.length === 1 ? "1 task" : `${tasks.length} tasks`;
}

function explain(error: unknown): string {
  if (!(error instanceof ApiError)) return "The server cannot be reached. Try again in a moment.";
  if (error.retryAfter) return `The service is unavailable. Try again in ${error.retryAfter} seconds.`;
  if (error.status === 404) return "This task is gone. Load the list again.";
  if (error.status === 422) return "This text cannot be stored. Write it differently.";
  return `This did not work (${error.status}). Load the list again.`;
}
