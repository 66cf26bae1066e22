/** Better Auth's endpoints, `/api/auth/token` among them. */
import { toNextJsHandler } from "better-auth/next-js";
import { auth } from "../../../../lib/auth";
import { answerOutage } from "../../../../lib/outage";

export const { GET, POST } = toNextJsHandler((request: Request) => answerOutage(auth.handler(request)));
