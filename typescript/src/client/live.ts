/**
 * Live connections of the client: server-sent events, and WebSockets opened with a ticket. Apart from the token source
 * and the fetch, so that a page without live connections downloads none of it. It imports nothing from elsewhere.
 */

export { UnexpectedResponseError } from "./errors.js";
export { type EventFetch, type EventOptions, readEvents, type ServerEvent } from "./events.js";
export { openSocket, type SocketOptions } from "./socket.js";
