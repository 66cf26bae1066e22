import type { Postgres } from "./postgres.mjs";

/** Types of stack.mjs, for the tests that are written in TypeScript. */
export type Server = {
  start(): Promise<void>;
  stop(): Promise<void>;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** Stops it and starts it with these variables changed. */
  restart(env?: Record<string, string>): Promise<void>;
  /** Its last lines of output. */
  output(): string;
  exited(): Promise<string>;
};

export type Stack = {
  /** http://localhost:… */
  readonly webUrl: string;
  readonly apiUrl: string;
  /** The owner's. */
  readonly databaseUrl: string;
  /** The API's role's. */
  readonly apiDatabaseUrl: string;
  readonly secrets: Record<string, string>;
  /** Undefined where `databaseUrl` was given. */
  readonly postgres: Postgres | undefined;
  readonly web: Server;
  readonly api: Server;
  stop(): Promise<void>;
};

export function startStack(options?: {
  webPort?: number;
  apiPort?: number;
  pgPort?: number;
  databaseUrl?: string;
  apiDatabaseUrl?: string;
  temporary?: boolean;
  secrets?: Record<string, string>;
  webEnv?: Record<string, string>;
  apiEnv?: Record<string, string>;
  quiet?: boolean;
  signal?: AbortSignal;
  notice?: (sentence: string) => void;
}): Promise<Stack>;
