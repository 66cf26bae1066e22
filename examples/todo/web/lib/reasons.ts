/** Errors as sentences for the person: what happened, and what to do now. */

/** The part of Better Auth's error that is used here. */
export type AuthError = {
  readonly status: number;
  readonly code?: string | undefined;
  readonly message?: string | undefined;
};

const SENTENCES: Readonly<Record<string, string>> = {
  USER_ALREADY_EXISTS: "An account with this e-mail address exists already. Sign in, or use another address.",
  USER_ALREADY_EXISTS_USE_ANOTHER_EMAIL:
    "An account with this e-mail address exists already. Sign in, or use another address.",
  PASSWORD_TOO_SHORT: "This password is too short: use at least 8 characters.",
  PASSWORD_TOO_LONG: "This password is too long: use at most 128 characters.",
  INVALID_EMAIL: "This is no e-mail address: write it like name@example.com.",
  INVALID_EMAIL_OR_PASSWORD: "The e-mail address or the password is wrong.",
};

const AWAY = "The server cannot be reached or cannot answer now. Try again in a moment.";

/** Why signing up or in did not work; `undefined` stands for a request that got no answer. */
export function reasonOf(error: AuthError | undefined): string {
  if (error === undefined || error.status >= 500 || error.status === 0) return AWAY;
  if (error.status === 429) return "Too many attempts. Wait ten seconds and try again.";
  return SENTENCES[error.code ?? ""] ?? error.message ?? "This did not work. Check what you have written.";
}
