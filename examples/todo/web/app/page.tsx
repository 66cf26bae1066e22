import { getSessionCookie } from "better-auth/cookies";
import { SessionMissingError } from "jwt-auth-bridge/next";
import type { Metadata } from "next";
import { headers } from "next/headers";
import { redirect } from "next/navigation";
import { connection } from "next/server";
import { TaskList } from "../components/task-list";
import { browserApiUrl } from "../lib/access";
import { serverFetch } from "../lib/server-fetch";
import { createTaskApi, type Task } from "../lib/tasks";

export const metadata: Metadata = { title: { absolute: "Your tasks · Todo" } };

/** How long a page waits for its tasks, in milliseconds; then it comes without, and asks itself. */
const PATIENCE = 3000;

export default async function Page() {
  await connection();
  // A cookie's presence proves nothing. It saves a person who is signed out a detour; the API decides.
  if (getSessionCookie(await headers()) === null) redirect("/sign-in");
  // Read when the page is asked for: one build serves every deployment.
  return <TaskList apiUrl={browserApiUrl()} first={await firstTasks()} />;
}

/** The tasks, so that they are there before any script is; nothing where they cannot be had: the page says why. */
async function firstTasks(): Promise<Task[] | undefined> {
  try {
    const api = createTaskApi(process.env.API_URL ?? "", serverFetch);
    return await api.list(AbortSignal.timeout(PATIENCE));
  } catch (error) {
    if (error instanceof SessionMissingError) redirect("/sign-in");
    return undefined;
  }
}
