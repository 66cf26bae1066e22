/**
 * The issuer's two errors, which become answers in the plugin: no such token can be issued, or no key can be had.
 *
 * Neither leaves the plugin; a client learns the answer's `code`, the log has the message and the cause.
 */

/** No token, because of what the integrator's claims, the user's row or a key pair hold; the message has the cure. */
export class UnissuableError extends Error {
  override readonly name = "UnissuableError";
}

/** The key pairs can not be read or stored right now; the cause says why. */
export class KeyStoreError extends Error {
  override readonly name = "KeyStoreError";
}
