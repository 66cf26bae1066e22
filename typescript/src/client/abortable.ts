/** One caller's wait for what many wait for: a signal ends the one and not the others. */

/** Why a signal was aborted, also where it does not say, as in React Native. */
export function reasonOf(signal: AbortSignal): unknown {
  return signal.reason ?? new Error("Aborted");
}

export function abortable<T>(promise: Promise<T>, signal: AbortSignal | null | undefined): Promise<T> {
  if (!signal) return promise;
  return new Promise((resolve, reject) => {
    const abort = () => reject(reasonOf(signal));
    signal.addEventListener("abort", abort);
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}
