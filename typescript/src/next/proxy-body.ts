/**
 * The body on its way up: streamed, counted, and not waited for without end.
 *
 * Next.js cuts a body at 10 MiB, without a word to the handler, where the app has a `proxy.ts` (once `middleware.ts`)
 * and is not told otherwise. A cut body must never pass for a whole one. It also reads it whole before the handler is
 * asked, whoever sends it: nothing here streams or is refused early unless `proxy.ts`'s `matcher` leaves the route out.
 * Law: RFC 9112 §6.
 */

import { Refused } from "./proxy-refused.js";

/** The default limit, in bytes: so far below 10 MiB that what Next.js has cut is always above it. */
export const BODY_LIMIT = 10_000_000;

/**
 * Judges what the header says of the body, before anything is done for it.
 *
 * @param limit in bytes. Without a length a cut can not be seen, so that then the default is the most.
 * @returns `length`, where it is known, and the limit that holds.
 * @throws Refused 400 or 413.
 */
export function judgeLength(headers: Headers, limit: number): { length: number | undefined; limit: number } {
  const text = headers.get("content-length");
  if (text === null) return { length: undefined, limit: Math.min(limit, BODY_LIMIT) };
  // Two framings: two programs may take two of them, and what is behind the shorter one for a request of its own.
  if (headers.has("transfer-encoding") || !/^\d{1,15}$/.test(text))
    throw new Refused(400, "body_refused", "The request says in two ways, or in none, how long its body is");
  const length = Number(text);
  if (length > limit) throw tooLarge(limit);
  return { length, limit };
}

/** How an upload goes; the first to `end` it decides the answer. */
export interface Watch {
  /** Something moved; from now on it is waited for the caller, or for the API. */
  moved(waitingFor: "caller" | "api"): void;
  end(reason: Refused): void;
}

/** Passes a body on as it comes, one piece in hand, and ends the upload where it is not as it was said to be. */
export function watchBody(
  body: ReadableStream<Uint8Array>,
  { length, limit }: { readonly length: number | undefined; readonly limit: number },
  watch: Watch,
): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  let size = 0;
  /** Of a body that broke off, this rejects; fetch would make an unhandled rejection of it, which can end the process. */
  const cancel = (reason: unknown) => reader.cancel(reason).catch(() => {});
  function fail(reason: Refused): never {
    watch.end(reason);
    void cancel(reason);
    throw reason;
  }
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        watch.moved("caller");
        const { done, value } = await reader.read().catch(() => fail(brokenOff()));
        watch.moved("api");
        size += value?.byteLength ?? 0;
        if (size > limit) fail(tooLarge(limit));
        if (length !== undefined && (done ? size !== length : size > length)) fail(brokenOff());
        if (done) controller.close();
        else controller.enqueue(value);
      },
      cancel,
    },
    { highWaterMark: 0 },
  );
}

function tooLarge(limit: number): Refused {
  return new Refused(413, "body_too_large", `The request's body is above ${limit} bytes`);
}

function brokenOff(): Refused {
  const detail =
    "The request's body is not as long as its Content-Length says: it broke off, or was cut on its way";
  return new Refused(400, "body_refused", detail);
}
