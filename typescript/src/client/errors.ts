/**
 * The client's errors: nobody is signed in; the token can not be had right now; an answer that is of no use.
 *
 * They are not the core's, because this door imports nothing that a page would have to download.
 */

/** Nobody is signed in: the issuer answered 401, or the session ended while a token was on its way. */
export class SessionMissingError extends Error {
  override readonly name = "SessionMissingError";
  readonly code = "session_missing";
}

/**
 * No token, for another reason than a missing session: the issuer is out of reach, busy, or gives tokens that are
 * not the bridge's. `status` is its answer's, where there was one; `retryAfter`, in seconds, what that answer said.
 */
export class TokenUnavailableError extends Error {
  override readonly name = "TokenUnavailableError";
  readonly code = "token_unavailable";
  // Declared only: without a field each that the page would have to download, too.
  declare readonly status: number | undefined;
  declare readonly retryAfter: number | undefined;

  constructor(
    message: string,
    options: {
      readonly status?: number | undefined;
      readonly retryAfter?: number | undefined;
      readonly cause?: unknown;
    },
  ) {
    super(message, options);
    this.status = options.status;
    this.retryAfter = options.retryAfter;
  }
}

/**
 * The API answered, and not with the event stream or the ticket that was asked for. Only `readEvents()` and
 * `openSocket()` throw it: to who calls the bridge's fetch, every answer is an answer. `response` has not been read;
 * `retryAfter`, in seconds, is what it said.
 */
export class UnexpectedResponseError extends Error {
  override readonly name = "UnexpectedResponseError";
  readonly code = "unexpected_response";
  readonly status: number;
  readonly retryAfter: number | undefined;
  readonly response: Response;

  constructor(response: Response) {
    super(`The API answered ${response.status}`);
    this.status = response.status;
    this.retryAfter = Number(response.headers.get("retry-after")) || undefined;
    this.response = response;
  }
}
