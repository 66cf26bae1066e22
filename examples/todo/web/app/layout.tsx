import type { Metadata } from "next";
import { connection } from "next/server";
import type { ReactNode } from "react";
import "./globals.css";

export const metadata: Metadata = { title: { default: "Todo", template: "%s · Todo" } };

export default async function Layout({ children }: { readonly children: ReactNode }) {
  // No page is made at build time: each carries the nonce of its own request, see proxy.ts.
  await connection();
  return (
    <html lang="en">
      <body>
        <main>{children}</main>
      </body>
    </html>
  );
}
