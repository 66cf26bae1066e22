import { ask } from "../../lib/who";

export async function GET() {
  const both = await Promise.all([ask("/{user_id}/handler"), ask("/{user_id}/handler")]);
  return Response.json([...both, await ask("/{user_id}/handler/later")]);
}
