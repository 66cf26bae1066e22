import { Who } from "../../lib/who";

/** What says nothing about caching would be kept. */
export const fetchCache = "default-cache";

export default function Page() {
  return <Who path="/{user_id}/data-cache" />;
}
