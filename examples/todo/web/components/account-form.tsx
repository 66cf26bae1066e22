"use client";

import Link from "next/link";
import { useRouter } from "next/navigation";
import { type FormEvent, useRef, useState } from "react";
import { authClient } from "../lib/auth-client";
import { type AuthError, reasonOf } from "../lib/reasons";
import { Heading } from "./heading";

const WORDS = {
  "sign-up": { title: "Sign up", other: "/sign-in", question: "You have an account?", link: "Sign in" },
  "sign-in": { title: "Sign in", other: "/sign-up", question: "You have no account?", link: "Sign up" },
} as const;

/** The form to sign up, or to sign in. What the server refuses is said where a screen reader says it too. */
export function AccountForm({ kind }: { readonly kind: keyof typeof WORDS }) {
  const router = useRouter();
  const email = useRef<HTMLInputElement>(null);
  const password = useRef<HTMLInputElement>(null);
  const [reason, setReason] = useState("");
  const [busy, setBusy] = useState(false);
  const words = WORDS[kind];

  async function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    if (busy) return;
    const form = new FormData(event.currentTarget);
    setBusy(true);
    setReason("");
    const error = await send(kind, form);
    setBusy(false);
    if (error) {
      setReason(reasonOf(error.answer));
      (error.answer?.code?.startsWith("PASSWORD_") ? password : email).current?.focus();
      return;
    }
    router.push("/");
    router.refresh();
  }

  return (
    <>
      <Heading>{words.title}</Heading>
      <form method="post" onSubmit={submit} aria-describedby="reason">
        {kind === "sign-up" && (
          <p>
            <label htmlFor="name">Name</label>
            <input id="name" name="name" autoComplete="name" required maxLength={200} />
          </p>
        )}
        <p>
          <label htmlFor="email">E-mail address</label>
          <input
            ref={email}
            id="email"
            name="email"
            type="email"
            autoComplete="username"
            required
            aria-describedby="reason"
          />
        </p>
        <p>
          <label htmlFor="password">Password</label>
          <input
            ref={password}
            id="password"
            name="password"
            type="password"
            autoComplete={kind === "sign-up" ? "new-password" : "current-password"}
            required
            aria-describedby={kind === "sign-up" ? "password-hint reason" : "reason"}
          />
          {kind === "sign-up" && <small id="password-hint">At least 8 characters.</small>}
        </p>
        <p id="reason" role="alert">
          {reason}
        </p>
        <button type="submit" aria-disabled={busy}>
          {words.title}
        </button>
      </form>
      <p>
        {words.question} <Link href={words.other}>{words.link}</Link>
      </p>
    </>
  );
}

/** Nothing where it worked; else the answer, or no answer where the server was out of reach. */
async function send(
  kind: keyof typeof WORDS,
  form: FormData,
): Promise<{ readonly answer: AuthError | undefined } | undefined> {
  const text = (name: string) => String(form.get(name) ?? "");
  const credentials = { email: text("email"), password: text("password") };
  try {
    const { error } =
      kind === "sign-up"
        ? await authClient.signUp.email({ ...credentials, name: text("name") })
        : await authClient.signIn.email(credentials);
    return error ? { answer: error } : undefined;
  } catch {
    return { answer: undefined };
  }
}
