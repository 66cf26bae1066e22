/** Types of postgres.mjs, for the tests that are written in TypeScript. */
export type Postgres = {
  /** The superuser's address, database `postgres`. */
  readonly url: string;
  readonly port: number;
  readonly log: string;
  pid(): number | undefined;
  /** Starts it again on the same data and port; nothing happens while it runs. */
  start(): Promise<void>;
  stop(): Promise<void>;
  /** SIGKILL, as a power cut would. */
  kill(): Promise<void>;
  /** Stops it, and removes temporary data. */
  dispose(): Promise<void>;
};
export function startPostgres(options?: {
  dataDir?: string;
  temporary?: boolean;
  port?: number;
  notice?: (sentence: string) => void;
}): Promise<Postgres>;
