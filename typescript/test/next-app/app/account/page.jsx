/** Server actions: what the API sees before and after signing up and out, within one request. */
import { headers } from "next/headers";
import { auth } from "../../lib/auth";
import { ask } from "../../lib/who";

globalThis.notes ??= [];
const note = async (path) => void globalThis.notes.push(await ask(path));

async function signUp(form) {
  "use server";
  await note("/{user_id}/before");
  await auth.api.signUpEmail({
    body: { email: form.get("email"), password: "correct horse", name: "A" },
    headers: await headers(),
  });
  await note("/{user_id}/after");
  await note("/{user_id}/again");
}

async function signOut() {
  "use server";
  await note("/{user_id}/before");
  await note("/{user_id}/again");
  await auth.api.signOut({ headers: await headers() });
  await note("/{user_id}/after");
}

export default function Page() {
  return (
    <>
      <form action={signUp} />
      <form action={signOut} />
      <p>notes:{globalThis.notes.splice(0).join(",")};</p>
    </>
  );
}
