import { unstable_cache } from "next/cache";
import { serverFetch } from "../../lib/auth";

export const dynamic = "force-dynamic";

const kept = unstable_cache(async () => (await serverFetch("/{user_id}/kept")).text());

export async function GET() {
  return Response.json(await kept().catch((error) => error.message));
}
