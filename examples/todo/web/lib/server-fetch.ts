/** The API as this app's server calls it, for whoever the request at hand is from; the same for both ways of access. */
import { createServerFetch } from "jwt-auth-bridge/next";
import { auth } from "./auth";

export const serverFetch = createServerFetch({ auth, baseURL: process.env.API_URL });
