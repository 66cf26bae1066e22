"""The claim rules V10 to V17, one `if` each, in the contract's order; the first failure decides the code.

Fourth room: takes the parsed payload of a token whose signature is verified. Law: RFC 7519 §4.1,
RFC 9068 §2.2 and §4, and the contract where it is stricter.
"""

import re
from typing import Any, Final

from .errors import InvalidTokenError
from .profile import MAX_NUMERIC_DATE, MAX_SUBJECT_LENGTH, REQUIRED_CLAIMS

_REQUIRED: Final = frozenset(REQUIRED_CLAIMS)
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_SURROGATE: Final = re.compile(r"[\ud800-\udfff]")


def validate_claims(
    claims: dict[str, Any], *, issuer: str, audience: str, leeway: int, maximum_lifetime: int, now: float
) -> None:
    """Validates the claims of one access token.

    Args:
        claims: the parsed payload.
        issuer: the only accepted ``iss``.
        audience: this API's identifier.
        leeway: allowed difference of clocks, in seconds.
        maximum_lifetime: longest accepted ``exp - iat``, in seconds.
        now: the time, in seconds since 1970, read once by the caller.

    Raises:
        InvalidTokenError: with the code of the first rule that fails.

    *Does not* verify a signature: call it with claims of a verified token only.
    """
    # [V10] RFC 9068 §2.2; JSON null counts as present
    if not claims.keys() >= _REQUIRED:
        raise InvalidTokenError("claim_missing")
    # [V11] RFC 7519 §2 (NumericDate, StringOrURI)
    iat, exp, nbf = claims["iat"], claims["exp"], claims.get("nbf", 0)
    iss, sub, aud = claims["iss"], claims["sub"], claims["aud"]
    if not (
        _is_date(iat)
        and _is_date(exp)
        and _is_date(nbf)
        and _is_text(iss)
        and _is_text(sub)
        and _is_text(claims["user_id"])
        and _is_text(claims["client_id"])
        and _is_text(claims["jti"])
        and _is_text(claims.get("sid", "absent"))
        and (_is_text(aud) or (type(aud) is list and aud and all(map(_is_text, aud))))
        and len(sub) <= MAX_SUBJECT_LENGTH
        and not _CONTROL.search(sub)
    ):
        raise InvalidTokenError("claim_malformed")
    # [V12] RFC 9068 §4, code point by code point
    if iss != issuer:
        raise InvalidTokenError("issuer_mismatch")
    # [V13] RFC 7519 §4.1.3
    if aud != audience if type(aud) is str else audience not in aud:
        raise InvalidTokenError("audience_mismatch")
    # [V14] the contract; RFC 7800 §3.1: a key-bound token is no bearer token
    if claims["user_id"] != sub or claims["client_id"] != iss or "cnf" in claims:
        raise InvalidTokenError("claim_malformed")
    # [V15] RFC 7519 §4.1.4
    if not now < exp + leeway:
        raise InvalidTokenError("token_expired")
    # [V16] RFC 7519 §4.1.6 and §4.1.5
    if not (iat <= now + leeway and nbf <= now + leeway):
        raise InvalidTokenError("token_not_yet_valid")
    # [V17] the contract
    if not 0 < exp - iat <= maximum_lifetime:
        raise InvalidTokenError("lifetime_out_of_range")


def is_subject(value: object) -> bool:
    r"""Tells whether a token may carry this as its user [V11].

    Example:
        >>> [is_subject(value) for value in ("alice", "", "a" * 256, "a\x00")]
        [True, False, False, False]
    """
    return (
        isinstance(value, str)
        and 0 < len(value) <= MAX_SUBJECT_LENGTH
        and not _CONTROL.search(value)
        and not _SURROGATE.search(value)
    )


def _is_date(value: object) -> bool:
    # type(), not isinstance(): True is an int in Python and no number in JSON.
    return (type(value) is int or type(value) is float) and 0 <= value <= MAX_NUMERIC_DATE


def _is_text(value: object) -> bool:
    return type(value) is str and value != ""
