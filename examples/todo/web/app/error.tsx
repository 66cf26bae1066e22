"use client";

import { Heading } from "../components/heading";

export default function PageError({ reset }: { readonly reset: () => void }) {
  return (
    <>
      <Heading>Something is not working</Heading>
      <p>
        <button type="button" onClick={reset}>
          Try again
        </button>
      </p>
    </>
  );
}
