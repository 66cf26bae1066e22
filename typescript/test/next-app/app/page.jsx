import { Suspense } from "react";
import { Status } from "../lib/status";
import { ask, Who } from "../lib/who";

export async function generateMetadata() {
  return { title: `seen:${await ask("/{user_id}/metadata")};` };
}

export default function Page() {
  return (
    <>
      <Status />
      <Who path="/{user_id}/page" />
      <Suspense fallback="…">
        <Who path="/{user_id}/streamed" />
      </Suspense>
    </>
  );
}
