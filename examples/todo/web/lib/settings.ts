/**
 * What this app reads from its environment besides the secrets, the base URL and the audience, which
 * `assertBridge()` judges: the database, the API's address, and the way there.
 */

/** Prints the name of a wrong variable and the cure, and ends the process. *Does not* print values. */
export function assertSettings(env: NodeJS.ProcessEnv = process.env): void {
  const fault = databaseFault(env.DATABASE_URL) ?? apiFault(env.API_URL) ?? accessFault(env.TODO_API_ACCESS);
  if (fault === undefined) return;
  console.error(`todo-web cannot start: ${fault}`);
  process.exit(1);
}

function databaseFault(value: string | undefined): string | undefined {
  if (!value)
    return "DATABASE_URL is not set; set it to postgresql://<owner>:<password>@<host>:<port>/<database>.";
  const url = URL.canParse(value) ? new URL(value) : undefined;
  if (url !== undefined && /^postgres(ql)?:$/.test(url.protocol) && url.pathname.length > 1) return undefined;
  return "DATABASE_URL is no PostgreSQL URL; write it as postgresql://<owner>:<password>@<host>:<port>/<database>.";
}

function apiFault(value: string | undefined): string | undefined {
  if (!value)
    return "API_URL is not set; set it to the API's public address, for example http://localhost:8000.";
  const url = URL.canParse(value) ? new URL(value) : undefined;
  if (url && /^https?:$/.test(url.protocol) && !url.username && !url.password && !url.search && !url.hash)
    return undefined;
  return "API_URL is no plain http or https address; write it like http://localhost:8000, without user and query.";
}

function accessFault(value: string | undefined): string | undefined {
  if (!value || value === "direct" || value === "proxy") return undefined;
  return "TODO_API_ACCESS is neither direct nor proxy; write one of them, or leave it out for direct.";
}
