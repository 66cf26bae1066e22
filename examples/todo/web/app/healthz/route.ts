/** Whether the process answers. *Does not* ask the database: a restart would not bring it back. */
export const dynamic = "force-dynamic";

export function GET(): Response {
  return new Response("ok", { headers: { "cache-control": "no-store" } });
}
