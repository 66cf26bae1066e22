/**
 * What a client may know of a token: whose it is, for which API, and how long it lasts.
 *
 * Its times are the server's: a token is good for `exp - iat` from the moment it was asked for, whatever the local
 * clock says. Law: `access-token.md` "Token". Nothing is verified here, which only who holds the key can.
 */

import { TokenUnavailableError } from "./errors.js";

/** A renewal starts when this part of the lifetime is left, but at most so many milliseconds before its end. */
const MARGIN_PART = 0.2;
const MARGIN_LIMIT = 30_000;

/**
 * A token in hand: its text, the user's ID and the session's ID that it carries, and when it ends, in milliseconds
 * since 1970 by the local clock.
 */
export interface HeldToken {
  readonly value: string;
  readonly subject: string;
  readonly sessionId: string | null;
  readonly endsAt: number;
}

/** A token with its audience and, in milliseconds by the local clock, when it was asked for and is to be renewed. */
export interface IssuedToken extends HeldToken {
  readonly audience: unknown;
  readonly askedAt: number;
  readonly renewAt: number;
}

/**
 * Reads a token.
 *
 * @throws TokenUnavailableError where it is none of the bridge's, or for another API.
 */
export function readToken(value: string, askedAt: number, audience: unknown): IssuedToken {
  let hint = "is not the bridge's; is jwtBridge() among its plugins?";
  try {
    // The whole text, of which a header's error would show what fits in none.
    const [, payload] = value.match(/^[\w-]+\.([\w-]+)\.[\w-]+$/) as unknown as [string, string];
    const bytes = atob(payload.replace(/-/g, "+").replace(/_/g, "/"));
    // UTF-8 decoded in the old way, which React Native has, too; what is no UTF-8 throws.
    const { aud, sub, user_id, sid, iat, exp } = JSON.parse(decodeURIComponent(escape(bytes)));
    const lifetime = (exp - iat) * 1000;
    if (typeof sub === "string" && sub && sub === user_id && lifetime > 0) {
      const endsAt = askedAt + lifetime;
      const renewAt = endsAt - Math.min(lifetime * MARGIN_PART, MARGIN_LIMIT);
      if (aud === (audience ?? aud))
        return { value, subject: sub, sessionId: sid ?? null, audience: aud, askedAt, renewAt, endsAt };
      hint = "is for another API; is this audience among jwtBridge()'s?";
    }
  } catch {
    // Falls through: whatever it is, it is none.
  }
  throw new TokenUnavailableError(`The issuer's token ${hint}`, {});
}
