/** Calls the API and shows whom it saw. */
import { SessionMissingError } from "jwt-auth-bridge/next";
import { serverFetch } from "./auth";

export async function ask(path) {
  try {
    return await (await serverFetch(path)).text();
  } catch (error) {
    if (error instanceof SessionMissingError) return error.code;
    throw error;
  }
}

export async function Who({ path }) {
  return <p>seen:{await ask(path)};</p>;
}
