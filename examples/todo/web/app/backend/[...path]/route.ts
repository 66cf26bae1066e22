/** The API under this app's own address, with the token put in here; only where TODO_API_ACCESS is `proxy`. */
import { createProxy } from "jwt-auth-bridge/next";
import { BACKEND, isProxied } from "../../../lib/access";
import { auth } from "../../../lib/auth";

const proxy = createProxy({ auth, target: process.env.API_URL, basePath: BACKEND });

/** Asked at every request: the build, which loads this file too, knows no setting. */
const whereProxied = (method: keyof typeof proxy) => (request: Request) =>
  isProxied() ? proxy[method](request) : new Response(null, { status: 404 });

export const GET = whereProxied("GET");
export const HEAD = whereProxied("HEAD");
export const POST = whereProxied("POST");
export const PUT = whereProxied("PUT");
export const PATCH = whereProxied("PATCH");
export const DELETE = whereProxied("DELETE");
