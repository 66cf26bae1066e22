import type { Postgres } from "./postgres.mjs";

/** Types of stack.mjs, for the tests that are written in TypeScript. */
export type Server = {
  /** http://localhost:… */
  readonly url: string;
  start(): Promise<void>;
  stop(): Promise<void>;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** Stops it and starts it with these variables changed. */
  restart(env?: Record<string, string>): Promise<void>;
  /** The environment that it was started with, or will be. */
  env(): Record<string, string>;
  /** Its last lines of output. */
  output(): string;
  exited(): Promise<string>;
};

export type Stack = {
  /** http://localhost:… */
  readonly webUrl: string;
  readonly apiUrl: string;
  /** Where the web app publishes its public keys. */
  readonly jwksUrl: string;
  /** How the web app was told to sign tokens. */
  readonly algorithm: string;
  /** The owner's. */
  readonly databaseUrl: string;
  /** The API's role's. */
  readonly apiDatabaseUrl: string;
  readonly secrets: Record<string, string>;
  /** Undefined where `databaseUrl` was given. */
  readonly postgres: Postgres | undefined;
  readonly web: Server;
  readonly api: Server;
  /** One more process of the API on a port of its own, with the settings of `api` and these; ends with the stack. */
  startApi(env?: Record<string, string>): Promise<Server>;
  stop(): Promise<void>;
};

export type StackOptions = {
  webPort?: number;
  apiPort?: number;
  pgPort?: number;
  databaseUrl?: string;
  apiDatabaseUrl?: string;
  migrated?: boolean;
  temporary?: boolean;
  secrets?: Record<string, string>;
  algorithm?: string;
  webEnv?: Record<string, string>;
  apiEnv?: Record<string, string>;
  webFolder?: string;
  quiet?: boolean;
  signal?: AbortSignal;
  notice?: (sentence: string) => void;
};

export function startStack(options?: StackOptions): Promise<Stack>;

export function startDatabase(
  options: Pick<StackOptions, "databaseUrl" | "temporary" | "pgPort" | "apiDatabaseUrl" | "notice">,
): Promise<Pick<Stack, "databaseUrl" | "apiDatabaseUrl" | "postgres">>;

export function migrate(
  options: Pick<Stack, "databaseUrl" | "apiDatabaseUrl"> & Pick<StackOptions, "webFolder" | "signal">,
): Promise<void>;
