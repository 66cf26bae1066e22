"""The Authorization header in, the HTTP answer out.

Second room: takes the token out of the request and knows, for each class of error, the exact bytes that a
caller gets (``specs/001-jwt-auth-bridge/errors.json``). Law: RFC 6750 §2.1 and §3, RFC 9110 §11.

Deliberately not read: query strings, cookies and bodies (RFC 6750 §2.2 and §2.3 are not implemented).
"""

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from .errors import (
    BridgeError,
    ForbiddenError,
    InvalidRequestError,
    InvalidTokenError,
    KeySetUnavailableError,
    MissingTokenError,
)
from .profile import OPAQUE_SHAPE

RETRY_AFTER: Final = 5
"""Seconds after which a client may try again when the verification keys are missing."""

_B64TOKEN: Final = r"[A-Za-z0-9\-._~+/]+=*"
# The second alternative lets Better Auth's cookie through to V2, which has a hint for it: `%` is no b64token.
_CREDENTIALS: Final = re.compile(rf"[Bb][Ee][Aa][Rr][Ee][Rr] +({_B64TOKEN}|{OPAQUE_SHAPE})")
_SCHEME: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]*")
_JOINED: Final = re.compile(r",[ \t]*[Bb][Ee][Aa][Rr][Ee][Rr](?![!#$%&'*+\-.^_`|~0-9A-Za-z])")


class Answer(NamedTuple):
    """One HTTP answer: status, header fields (lower-case names) and body bytes."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


def parse_authorization(values: Sequence[bytes]) -> str:
    r"""Takes the token out of the values of all ``Authorization`` header fields of one request.

    Args:
        values: each field's value as received, one entry a field, in order.

    Returns:
        The token, unverified.

    Raises:
        MissingTokenError: no field, or another scheme than Bearer.
        InvalidRequestError: several fields, several credentials in one, or Bearer without exactly one
            ``b64token`` (RFC 6750 §2.1).

    Example:
        >>> parse_authorization([b"Bearer abc.def.ghi"])
        'abc.def.ghi'
    """
    if not values:
        raise MissingTokenError("token_missing")
    if len(values) > 1:
        raise InvalidRequestError("authorization_repeated")
    value = values[0].decode("latin-1")
    credentials = _CREDENTIALS.fullmatch(value)
    if credentials:
        return credentials[1]
    scheme = _SCHEME.match(value)
    if scheme and scheme[0].lower() == "bearer":
        raise InvalidRequestError("authorization_malformed")
    if _JOINED.search(value):
        raise InvalidRequestError("authorization_repeated")
    raise MissingTokenError("token_missing")


def answer(error: BridgeError) -> Answer:
    """Gives the HTTP answer for an error: its class alone decides, so that a caller learns no more.

    Example:
        >>> answer(MissingTokenError("token_missing")).status
        401
    """
    return _ANSWERS[type(error)]


def _answer(error: type[BridgeError], detail: str, word: str, *headers: tuple[str, str]) -> Answer:
    body = f'{{"detail":"{detail}","error":"{word}"}}'.encode("ascii")
    return Answer(error.status, (*headers, ("cache-control", "no-store")), body)


def _challenge(error: str, description: str) -> tuple[str, str]:
    return "www-authenticate", f'Bearer error="{error}", error_description="{description}"'


_ONE_HEADER: Final = "The Authorization header must be sent once, as: Bearer <token>"
_BAD_TOKEN: Final = "The access token is invalid or has expired"

_ANSWERS: Final[dict[type[BridgeError], Answer]] = {
    # RFC 6750 §3: without credentials, the challenge has no error attribute.
    MissingTokenError: _answer(
        MissingTokenError, "Not authenticated", "token_missing", ("www-authenticate", "Bearer")
    ),
    InvalidRequestError: _answer(
        InvalidRequestError, _ONE_HEADER, "invalid_request", _challenge("invalid_request", _ONE_HEADER)
    ),
    InvalidTokenError: _answer(
        InvalidTokenError, _BAD_TOKEN, "invalid_token", _challenge("invalid_token", _BAD_TOKEN)
    ),
    ForbiddenError: _answer(ForbiddenError, "Not allowed", "forbidden"),
    KeySetUnavailableError: _answer(
        KeySetUnavailableError,
        "The verification keys are unavailable, try again",
        "temporarily_unavailable",
        ("retry-after", str(RETRY_AFTER)),
    ),
}
