import { getSessionCookie } from "better-auth/cookies";
import type { Metadata } from "next";
import { headers } from "next/headers";
import { redirect } from "next/navigation";
import { connection } from "next/server";
import { TaskList } from "../components/task-list";

export const metadata: Metadata = { title: { absolute: "Your tasks · Todo" } };

export default async function Page() {
  await connection();
  // A cookie's presence proves nothing. It saves a person who is signed out a detour; the API decides.
  if (getSessionCookie(await headers()) === null) redirect("/sign-in");
  // Read when the page is asked for: one build serves every deployment.
  return <TaskList apiUrl={process.env.API_URL ?? ""} />;
}
