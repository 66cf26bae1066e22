/**
 * Live connections: a WebSocket, whose handshake can carry no header in a browser, opened with a one-time ticket and
 * kept alive with a newer token before the API closes it.
 *
 * Law: RFC 6455; specs/…/access-token.md, tickets and live connections. The token itself never stands in an address.
 */

import { fill, resolve } from "./address.js";
import type { BridgeFetch } from "./bridge-fetch.js";
import { SessionMissingError, UnexpectedResponseError } from "./errors.js";
import { untilSessionEnds } from "./session-end.js";
import type { HeldToken } from "./token-source.js";
import { pause, type Wait } from "./wait.js";

/**
 * Options of `openSocket()`.
 *
 * - `protocols`: passed on to the WebSocket.
 * - `signal`: ends the opening, and closes the socket later.
 * - `background`: no user is behind this, a reconnection say, so that it keeps no idle session alive.
 * - `WebSocket`: the constructor; the platform's by default.
 * - `clock`, `wait`: local time in milliseconds since 1970, and what waits so many milliseconds, for tests.
 */
export interface SocketOptions {
  readonly protocols?: string | string[] | undefined;
  readonly signal?: AbortSignal | null | undefined;
  readonly background?: boolean | undefined;
  readonly WebSocket?: (new (url: string | URL, protocols?: string | string[]) => WebSocket) | undefined;
  readonly clock?: (() => number) | undefined;
  readonly wait?: Wait | undefined;
}

/**
 * The socket gets a newer token when this part of the time is left, but at most so many milliseconds before its end:
 * a little later than the source renews by itself, so that it does renew.
 */
const MARGIN_PART = 0.15;
const MARGIN_LIMIT = 25_000;
/** Milliseconds between two attempts: from, doubling, and up to. */
const FIRST_WAIT = 1000;
const LONGEST_WAIT = 30_000;

/**
 * Opens a WebSocket to a path below the API's address as the signed-in user, and gives it as the platform made it.
 *
 * `{user_id}` in the path becomes the token's own subject. While the socket lives it is sent a newer token in time,
 * got in the background. It is closed when the session ends in this page, and when the signal is aborted.
 *
 * @throws SessionMissingError, TokenUnavailableError as the bridge's fetch does; UnexpectedResponseError where the API
 *   gives no ticket; TypeError where the path is not the API's; the signal's reason.
 *
 * @example
 * ```ts
 * const api = createBridgeFetch({ baseURL: "https://api.example.com", tokenSource });
 * const socket = await openSocket(api, "/api/{user_id}/tasks/live");
 * socket.addEventListener("message", ({ data }) => console.log(data));
 * ```
 *
 * *Does not* reconnect: listen for `close`, and open another one with `background: true`.
 */
export async function openSocket(
  api: BridgeFetch,
  path: string,
  {
    protocols,
    signal,
    background,
    WebSocket: Socket = WebSocket,
    clock = Date.now,
    wait = pause,
  }: SocketOptions = {},
): Promise<WebSocket> {
  const { tokenSource, baseURL } = api;
  const { stop, release } = untilSessionEnds(api, signal);
  const ended = stop.signal;

  try {
    ended.throwIfAborted();
    const token = await tokenSource.get({ signal: ended, background });
    const base = new URL(baseURL);
    const top = resolve("/", base).href;
    const url = fill(resolve(path, base), token.subject);
    // A ticket at another address would be somebody else's to use.
    if (!url.href.startsWith(top)) throw new TypeError("The path is not below baseURL");
    const response = await api("/api/tickets", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ path: (url.origin + url.pathname).slice(top.length - 1) }),
      signal: ended,
      background,
    });
    if (response.status !== 201) throw new UnexpectedResponseError(response);
    url.searchParams.set("ticket", (await response.json()).ticket);
    ended.throwIfAborted();

    const socket = new Socket(url.href.replace("http", "ws"), protocols);
    ended.addEventListener("abort", () => socket.close());
    socket.addEventListener("close", () => {
      release();
      stop.abort();
    });
    renew(socket, token);
    return socket;
  } catch (error) {
    release();
    throw error;
  }

  async function renew(socket: WebSocket, held: HeldToken): Promise<void> {
    let least = FIRST_WAIT;
    for (;;) {
      const left = held.endsAt - clock();
      await wait(Math.max(left - Math.min(left * MARGIN_PART, MARGIN_LIMIT), least), ended);
      if (ended.aborted) return;
      least = Math.min(least * 2, LONGEST_WAIT);
      try {
        const token = await tokenSource.get({ signal: ended, background: true });
        if (token.value === held.value || socket.readyState !== 1) continue;
        socket.send(JSON.stringify({ type: "jwt-auth-bridge.renew", token: token.value }));
        held = token;
        least = FIRST_WAIT;
      } catch (error) {
        // Any other error: the issuer is away, and how long to wait for it is the API's to decide.
        if (error instanceof SessionMissingError) stop.abort();
      }
    }
  }
}
