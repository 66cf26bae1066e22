/**
 * Server-sent events through any fetch, the bridge's for one, which can set the header that EventSource can not.
 *
 * Law: WHATWG HTML §9.2, with the bridge's two differences: an answer of 429 or 5xx is tried again, and every
 * failed attempt doubles the wait.
 */

import type { BridgeRequestInit } from "./bridge-fetch.js";
import { SessionMissingError, UnexpectedResponseError } from "./errors.js";
import { type SessionSource, untilSessionEnds } from "./session-end.js";
import { pause, type Wait } from "./wait.js";

/** One event: its name, `message` where it has none; its data; the last id that the server gave. */
export interface ServerEvent {
  readonly event: string;
  readonly data: string;
  readonly id: string;
}

/**
 * Options of `readEvents()`.
 *
 * - `signal`: ends the reading, quietly.
 * - `lastEventId`: after which event to begin.
 * - `retry`: milliseconds before a reconnection, 3000 by default, until the server says otherwise.
 * - `wait`: waits so many milliseconds, for tests.
 */
export interface EventOptions {
  readonly signal?: AbortSignal | null | undefined;
  readonly lastEventId?: string | undefined;
  readonly retry?: number | undefined;
  readonly wait?: Wait | undefined;
}

/** Any fetch; the bridge's bring the token, and word of who is signed in. */
export type EventFetch = ((input: string | URL, init?: BridgeRequestInit) => Promise<Response>) & {
  readonly tokenSource?: SessionSource;
};

/** Milliseconds up to which the wait doubles from one failed attempt to the next. */
const LONGEST_WAIT = 30_000;

/**
 * Reads server-sent events, and reconnects when the stream ends or breaks: after the time that the server asks for,
 * with the last event's id, and with a token got in the background, so that it keeps no idle session alive.
 *
 * It ends when the signal is aborted or the loop is left, and when the server answers 204.
 *
 * @throws SessionMissingError as soon as nobody is signed in any more, or somebody else; UnexpectedResponseError where the answer is a 4xx
 *   other than 429, or no event stream; TokenUnavailableError where the issuer's answer was such a 4xx.
 *
 * @example
 * ```ts
 * const api = createBridgeFetch({ baseURL: "https://api.example.com", tokenSource });
 * for await (const { event, data } of readEvents(api, "/api/{user_id}/tasks/events")) {
 *   console.log(event, data);
 * }
 * ```
 *
 * *Does not* hear of a sign-out through another fetch than the bridge's two: abort the signal. *Does not* get what was sent between two connections, unless the server sends it again from the id on.
 */
export async function* readEvents(
  fetch: EventFetch,
  input: string | URL,
  { signal, lastEventId = "", retry = 3000, wait = pause }: EventOptions = {},
): AsyncGenerator<ServerEvent, void, undefined> {
  let factor = 1;
  const { stop, release } = untilSessionEnds(fetch, signal);
  const ended = stop.signal;
  try {
    for (let background = false; !ended.aborted; background = true) {
      let body: Pick<ReadableStream, "cancel"> | null = null;
      let least = 0;
      try {
        const headers = new Headers({ accept: "text/event-stream" });
        if (lastEventId) headers.set("last-event-id", latin1(lastEventId));
        const response = await fetch(input, { headers, cache: "no-store", signal: ended, background });
        if (response.status === 204) return;
        body = response.body;
        const isStream = /^text\/event-stream\s*(;|$)/i.test(response.headers.get("content-type") ?? "");
        if (response.status !== 200 || !response.body || !isStream)
          throw new UnexpectedResponseError(response);
        const reader = response.body.getReader();
        body = reader;
        factor = 1;

        // A decoder leaves out one byte order mark, at the start.
        const decoder = new TextDecoder();
        let line = "";
        let isAfterReturn = false;
        let id = lastEventId;
        let event = "";
        let data: string[] = [];
        for (let read = await reader.read(); !read.done; read = await reader.read()) {
          const text = decoder.decode(read.value, { stream: true });
          if (!text) continue;
          // The line feed of a CRLF whose line ended with the chunk before.
          const lines = text.slice(isAfterReturn && text[0] === "\n" ? 1 : 0).split(/\r\n?|\n/);
          isAfterReturn = text.endsWith("\r");
          lines[0] = line + lines[0];
          line = lines.pop() as string;
          for (const each of lines) {
            ended.throwIfAborted();
            const [, field, value = ""] = /^([^:]*):? ?(.*)/s.exec(each) ?? [];
            if (!each) {
              // Finished: from here on, and not from an unfinished event on, the server may continue.
              lastEventId = id;
              if (data.length) yield { event: event || "message", data: data.join("\n"), id };
              event = "";
              data = [];
            } else if (field === "data") data.push(value);
            else if (field === "event") event = value;
            else if (field === "id" && !value.includes("\0")) id = value;
            else if (field === "retry" && /^\d+$/.test(value)) retry = Number(value);
          }
        }
      } catch (error) {
        if (ended.aborted) break;
        const { status = 500, retryAfter = 0 } = error as Partial<UnexpectedResponseError>;
        if (error instanceof SessionMissingError || (status < 500 && status !== 429)) {
          body = null;
          throw error;
        }
        least = retryAfter * 1000;
      } finally {
        body?.cancel().catch(() => {});
      }
      // Doubled, nothing at all stays nothing.
      const delay =
        Math.min(Math.max(retry, 1) * factor, Math.max(retry, LONGEST_WAIT)) * (1 + Math.random() / 2);
      await wait(Math.max(delay, least), ended);
      factor *= 2;
    }
    if (ended.reason instanceof SessionMissingError) throw ended.reason;
  } finally {
    release();
  }
}

/** UTF-8 bytes as the text that a header can hold. */
function latin1(text: string): string {
  return unescape(encodeURIComponent(text));
}
