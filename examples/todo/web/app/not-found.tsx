import type { Metadata } from "next";
import Link from "next/link";
import { Heading } from "../components/heading";

export const metadata: Metadata = { title: "Not found" };

export default function NotFound() {
  return (
    <>
      <Heading>There is no such page</Heading>
      <p>
        <Link href="/">Go to your tasks</Link>
      </p>
    </>
  );
}
