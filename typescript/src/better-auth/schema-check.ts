/**
 * Better Auth's look at the database schema, made patient with a database that is away.
 *
 * From 1.7 on every request first waits for that look, until it has succeeded once. A database that is away when
 * the process starts so ends each request in a bare exception, before `/token` could answer 503. Here the look
 * fails on a wrong schema only; that the database is away is left to the endpoint to say.
 */

type Check = () => PromiseLike<unknown> | undefined;

/**
 * Watches for the check that Better Auth sets on its context after the plugins' `init`.
 *
 * *Does not* change a context that never gets one, as in 1.6 or with `validateSchema: false`.
 */
export function tolerateAbsence(context: object): void {
  let check: unknown;
  Object.defineProperty(context, "checkSchema", {
    configurable: true,
    enumerable: true,
    get: () => check,
    set(value: unknown) {
      check = typeof value === "function" ? Object.assign(withoutAbsence(value as Check), value) : value;
    },
  });
}

function withoutAbsence(check: Check): Check {
  return () =>
    check()?.then(undefined, (error: unknown) => {
      if ((error as { code?: unknown } | null)?.code === "SCHEMA_MISMATCH") throw error;
    });
}
