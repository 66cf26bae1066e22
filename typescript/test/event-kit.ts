/** What the tests of server-sent events share: answers of given chunks, and a fetch that gives them in turn. */

import { type EventOptions, readEvents, type ServerEvent } from "../src/client/live.js";

export const EVENT_STREAM = { "content-type": "text/event-stream" };
export const bytes = (text: string) => new TextEncoder().encode(text);

/** An answer of these chunks; `open`: it does not end. */
export function answer(chunks: (string | Uint8Array)[], { open = false, cancel = () => {} } = {}): Response {
  const body = new ReadableStream({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(typeof chunk === "string" ? bytes(chunk) : chunk);
      if (!open) controller.close();
    },
    cancel,
  });
  return new Response(body, { headers: EVENT_STREAM });
}

type Call = { headers: Headers; init: RequestInit & { background?: boolean } };

/** A fetch that gives these answers in turn, then 204; errors are thrown. */
export function answers(...given: (Response | Error)[]) {
  const calls: Call[] = [];
  const waits: number[] = [];
  const fetch = async (_: unknown, init: RequestInit = {}) => {
    calls.push({ headers: new Headers(init.headers), init });
    const next = given.shift() ?? new Response(null, { status: 204 });
    if (next instanceof Error) throw next;
    return next;
  };
  const wait = async (milliseconds: number) => void waits.push(milliseconds);
  const read = (options: EventOptions = {}) => collect(readEvents(fetch, "/e", { wait, ...options }));
  return { calls, waits, fetch, wait, read };
}

async function collect(events: AsyncIterable<ServerEvent>): Promise<ServerEvent[]> {
  const found: ServerEvent[] = [];
  for await (const event of events) found.push(event);
  return found;
}

export const message = (data: string, event = "message", id = "") => ({ event, data, id });
