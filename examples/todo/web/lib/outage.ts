/**
 * The database is away: 503 with `Retry-After`, where Better Auth answers 500.
 *
 * `/token` says so by itself, see jwt-auth-bridge; signing in and up, and `/get-session`, do not. Law: RFC 9110 §15.6.4.
 */
import { pool } from "./auth-options.mjs";

/** Seconds after which a client may ask again. */
const RETRY_AFTER = "5";

/** Passes an answer on, unless it is a 500 or a throw while the database cannot be reached. */
export async function answerOutage(work: Promise<Response>): Promise<Response> {
  try {
    const answer = await work;
    return answer.status === 500 && !(await isReachable()) ? unavailable() : answer;
  } catch (error) {
    if (await isReachable()) throw error;
    return unavailable();
  }
}

async function isReachable(): Promise<boolean> {
  try {
    await pool.query("SELECT 1");
    return true;
  } catch {
    return false;
  }
}

function unavailable(): Response {
  return Response.json(
    { message: "The database is unavailable, try again", code: "DATABASE_UNAVAILABLE" },
    { status: 503, headers: { "retry-after": RETRY_AFTER, "cache-control": "no-store" } },
  );
}
