import { Who } from "../../lib/who";

/** Everything would be kept, whatever it says. */
export const fetchCache = "force-cache";

export default function Page() {
  return <Who path="/{user_id}/forced" />;
}
