// What a page imports: bundled and put into pages by client.ts.
export * from "jwt-auth-bridge/client";
export * from "jwt-auth-bridge/live";
