"""The errors: a class says which HTTP answer, a code says why, a hint says what to do.

Every room raises these and nothing else; the annexes turn a class into its answer. One registry for both
languages, ``specs/001-jwt-auth-bridge/errors.json``; a test holds the two together. Law: RFC 6750 §3.
"""

from typing import ClassVar, Final


class BridgeError(Exception):
    """Base of every error of this package.

    Attributes:
        code: why it was refused, one of ``HINTS``; stable, made to be asserted on and logged.
        hint: what to do about it, one sentence, free of token, claim values and keys.
        status: the HTTP status of the answer; 0 where the error never reaches a client.

    *Does not* travel to a client: callers are answered by the class alone, the code and the hint are for
    the log.

    Example:
        >>> InvalidTokenError("token_expired").status
        401
    """

    status: ClassVar[int] = 0

    def __init__(self, code: str, message: str | None = None) -> None:
        self.code = code
        self.hint = HINTS[code]
        super().__init__(message or f"{code}: {self.hint}")


class MissingTokenError(BridgeError):
    """No Bearer credential was sent: 401 with a bare challenge (RFC 6750 §3)."""

    status = 401


class InvalidRequestError(BridgeError):
    """The ``Authorization`` header is repeated or malformed: 400 (RFC 6750 §3.1)."""

    status = 400


class InvalidTokenError(BridgeError):
    """The token fails a rule V1 to V17: 401, one fixed description (RFC 6750 §3.1)."""

    status = 401


class ForbiddenError(BridgeError):
    """The token is good and its user may not do this: 403 (RFC 9110 §15.5.4)."""

    status = 403


class KeySetUnavailableError(BridgeError):
    """The verification keys can not be had right now: 503, never 401 (RFC 9110 §15.6.4)."""

    status = 503


class ConfigurationError(BridgeError):
    """The process must not start like this; the message names the setting and the cure, never a value."""

    def __init__(self, message: str) -> None:
        super().__init__("configuration_invalid", message)


HINTS: Final[dict[str, str]] = {
    "token_missing": (
        "Send the header Authorization: Bearer <token>, with the token that authClient.token() or"
        " auth.api.getToken() returns."
    ),
    "authorization_repeated": (
        "Send one Authorization header; a proxy or a client on the way added a second one or "
        "joined two with a comma."
    ),
    "authorization_malformed": (
        "Write the header as Bearer, one space and the token, with nothing before or after the "
        "token (RFC 6750 section 2.1)."
    ),
    "ticket_repeated": (
        "Send one credential: a ticket once, or the Authorization header with a Bearer token; the "
        "request had two (RFC 6750 section 2)."
    ),
    "token_malformed": (
        "This is no compact JWS; send the token that authClient.token() returns, whole, without "
        "quotes or line breaks."
    ),
    "token_opaque": (
        "This is Better Auth's session token or cookie, not a JWT; send the token that "
        "authClient.token() returns."
    ),
    "critical_header_unsupported": (
        "The header has crit or b64, which bridge access tokens never carry; the token comes from"
        " another issuer."
    ),
    "algorithm_not_allowed": (
        "The token's alg is not one that this verifier's keys allow; an EdDSA token comes from "
        "Better Auth's stock jwt() plugin, use jwtBridge() instead."
    ),
    "token_type_mismatch": (
        "The header's typ is not at+jwt: this is not an access token; use jwtBridge() in place of"
        " Better Auth's stock jwt() plugin."
    ),
    "key_not_found": (
        "No verification key has the token's kid. Compare first the audience of both sides, then "
        "BETTER_AUTH_SECRET, then whether a secret was rotated on one side only; where keys are fetched,"
        " whether the key-set URL is this issuer's. Both sides print their audience and key IDs at start."
    ),
    "signature_invalid": (
        "The signature does not belong to these bytes: the token was altered or cut on its way, or forged."
    ),
    "claims_malformed": "The payload is not one strict JSON object; the token was not issued by jwtBridge().",
    "claim_missing": (
        "A required claim is absent; issue tokens with jwtBridge(), not with a hand-written payload."
    ),
    "claim_malformed": (
        "A claim has the wrong type or value, or user_id differs from sub, or client_id from iss;"
        " issue tokens with jwtBridge(), not with a hand-written payload."
    ),
    "issuer_mismatch": (
        "The token's iss is not this verifier's issuer; set BETTER_AUTH_URL (or "
        "JWT_BRIDGE_ISSUER) to the same public address on both sides, without a path."
    ),
    "audience_mismatch": (
        "The token was issued for another API; set JWT_BRIDGE_AUDIENCE to the same value on both sides."
    ),
    "token_expired": (
        "The token has expired; fetch a fresh one from /api/auth/token, and compare the clocks of"
        " both machines if it is new."
    ),
    "token_not_yet_valid": "The token's iat or nbf lies in the future; compare the clocks of both machines.",
    "lifetime_out_of_range": (
        "exp minus iat is not positive or above the maximum lifetime; lower the issuer's lifetime"
        " or raise the verifier's maximum."
    ),
    "ticket_invalid": (
        "A ticket is good once, for 30 seconds and no longer than its token, and at the path that it "
        "was asked for; ask for a new one for every connection. With several processes, all of them "
        "need one store."
    ),
    "path_user_mismatch": (
        "The user in the path is not the token's user; build the path from the token's own subject."
    ),
    "path_user_missing": (
        "The route is guarded by path_user, but its path has no plain string parameter of that "
        "name; name it in the path, or guard the route with current_user."
    ),
    "path_claim_mismatch": (
        "The value in the path is not that of the token's claim, or one of the two is missing; "
        "build the path from the token's own claim."
    ),
    "subject_type_mismatch": (
        "The token's subject is not written as the type that this route takes from it; compare "
        "the user IDs that Better Auth makes with the type given to path_user_as()."
    ),
    "requirement_failed": (
        "The token is good, but its user does not meet what bridge.require() asks on this route; "
        "the same line of the log has the reason."
    ),
    "renewal_mismatch": (
        "The message that should renew an open WebSocket carried a token of another user or another "
        "session than the one that opened it, or it was opened without a token; open a new connection "
        "with that token."
    ),
    "key_set_unavailable": (
        "The verification keys could not be fetched; check that this service reaches the key-set URL."
    ),
    "ticket_store_unavailable": (
        "The store of tickets did not answer or failed; the line of the log before this one names the "
        "error. Check its address, its rights and its table."
    ),
    "configuration_invalid": (
        "The process must not start with this configuration; the message names the setting and the cure."
    ),
}
"""Code to hint; equal to ``errors.json``."""
