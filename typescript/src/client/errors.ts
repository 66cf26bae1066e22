/**
 * The client's two errors: nobody is signed in, or the token can not be had right now.
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
 * not the bridge's. `status` is its answer's, where there was one.
 */
export class TokenUnavailableError extends Error {
  override readonly name = "TokenUnavailableError";
  readonly code = "token_unavailable";
  readonly status: number | undefined;

  constructor(message: string, options: { readonly status?: number | undefined; readonly cause?: unknown }) {
    super(message, { cause: options.cause });
    this.status = options.status;
  }
}
