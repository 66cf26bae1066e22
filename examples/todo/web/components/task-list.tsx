"use client";

import { SessionMissingError } from "jwt-auth-bridge/client";
import { useRouter } from "next/navigation";
import { type FormEvent, useCallback, useEffect, useRef, useState } from "react";
import { apiClient } from "../lib/api-client";
import { authClient } from "../lib/auth-client";
import { ApiError, type Task, type TaskApi } from "../lib/tasks";
import { Heading } from "./heading";
import { TaskItem } from "./task-item";

type Props = {
  readonly apiUrl: string;
  /** What the server knew when it made the page, if it knew. */
  readonly first: readonly Task[] | undefined;
};

/** The person's tasks. Whoever is not signed in is sent to the form; every other failure is said and can be retried. */
export function TaskList({ apiUrl, first }: Props) {
  const router = useRouter();
  const { api, useBridge } = apiClient(apiUrl);
  const bridge = useBridge();
  const list = useRef<HTMLHeadingElement>(null);
  /** How often a call of the person's own has begun or ended. */
  const calls = useRef(0);
  const [tasks, setTasks] = useState(first);
  const [status, setStatus] = useState("");
  const [problem, setProblem] = useState("");

  const say = useCallback(
    (error: unknown) => {
      if (error instanceof SessionMissingError) router.replace("/sign-in");
      else setProblem(explain(error));
    },
    [router],
  );

  /** Runs one call to the API; answers whether it worked. */
  const attempt = useCallback(
    async (work: (api: TaskApi) => Promise<void>): Promise<boolean> => {
      setProblem("");
      setStatus("");
      calls.current += 1;
      try {
        await work(api);
        return true;
      } catch (error) {
        say(error);
        return false;
      } finally {
        calls.current += 1;
      }
    },
    [api, say],
  );

  const load = useCallback(
    () =>
      attempt(async (api) => {
        setTasks(await api.list());
      }),
    [attempt],
  );

  useEffect(() => {
    if (first === undefined) load();
  }, [first, load]);

  // Another tab, or another device: what was said to the person stays.
  useEffect(() => {
    const leaving = new AbortController();
    const { signal } = leaving;
    async function follow() {
      for await (const _change of api.changes(signal)) {
        await latest(api, calls, signal).then(setTasks, (error) => signal.aborted || say(error));
      }
    }
    follow().catch(say);
    return () => leaving.abort();
  }, [api, say]);

  // Signed out in another tab, say.
  useEffect(() => {
    if (bridge.status === "signed-out") router.replace("/sign-in");
  }, [bridge.status, router]);

  const put = (changed: Task) =>
    setTasks((known) => known?.map((task) => (task.id === changed.id ? changed : task)));

  async function add(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = event.currentTarget;
    const title = String(new FormData(form).get("title") ?? "").trim();
    if (title === "") return setProblem("Write what is to be done first.");
    await attempt(async (api) => {
      const task = await api.add(title);
      // The list that follows every change may have brought it already.
      setTasks((known = []) => [...known.filter((other) => other.id !== task.id), task]);
      setStatus(`Added: ${task.title}`);
      form.reset();
    });
  }

  async function signOut() {
    const { error } = await authClient.signOut().catch(() => ({ error: true }));
    if (error)
      return setProblem("You are still signed in: the server cannot be reached. Try again in a moment.");
    router.push("/sign-in");
    router.refresh();
  }

  return (
    <>
      <header>
        <Heading>Your tasks</Heading>
        <p>
          {bridge.user && <span>Signed in as {bridge.user.name}. </span>}
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

/** The list; one that was asked for during the person's own calls may be older than they are, and is asked for again. */
async function latest(
  api: TaskApi,
  calls: { readonly current: number },
  signal: AbortSignal,
): Promise<Task[]> {
  for (;;) {
    const before = calls.current;
    const tasks = await api.list(signal);
    if (before === calls.current) return tasks;
  }
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
