"""One token in, one principal out, or an error that says which rule failed.

Last room of the core: holds the policy, runs rules V1 to V17 in order, reads the clock once. Law:
RFC 9068 §4, RFC 7515 §5.2, RFC 8725, and ``specs/001-jwt-auth-bridge/access-token.md``.

Deliberately not done: ``jku``, ``x5u``, ``x5c`` and ``jwk`` in a header are never key sources
(RFC 8725 §3.10), and no option switches a rule off.
"""

import hmac
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from .claims import validate_claims
from .compact import parse_compact, parse_header, parse_json_object
from .errors import ConfigurationError, InvalidTokenError
from .keys import derive_keys, issued_header, judge_secret
from .profile import (
    ALGORITHM,
    DEFAULT_LEEWAY,
    DEFAULT_MAXIMUM_LIFETIME,
    MAX_LEEWAY,
    MAX_MAXIMUM_LIFETIME,
    TOKEN_TYPE,
)


@dataclass(frozen=True, slots=True)
class Principal:
    """The user for whom a verified token speaks.

    Attributes:
        subject: the user's ID, a string as Better Auth stores it.
        session_id: the session's ID, or ``None`` where the token names none.
        token_id: the token's ``jti``.
        issued_at: seconds since 1970, as received.
        expires_at: seconds since 1970, as received, without leeway.
        claims: every claim, read-only.

    *Does not* say that the session still exists: a token outlives a sign-out until ``expires_at``.
    """

    subject: str
    session_id: str | None
    token_id: str
    issued_at: float
    expires_at: float
    claims: Mapping[str, Any]


class Verifier:
    """Verifies access tokens of one issuer for one API.

    Args:
        issuer: the only accepted ``iss``, taken literally.
        audience: this API's identifier, one string; the keys depend on it.
        secrets: the shared secrets in force, current first.
        leeway: allowed difference of clocks, 0 to 60 whole seconds.
        maximum_lifetime: longest accepted lifetime of a token, 1 to 86400 whole seconds.
        clock: gives the time in seconds since 1970; read once per verification.

    Raises:
        ConfigurationError: any of these is missing or out of range.

    Example:
        >>> verifier = Verifier(
        ...     issuer="https://app.example.com",
        ...     audience="https://api.example.com",
        ...     secrets=["k3Zq9vT1xW7pL0sD5fG8hJ2nB4mC6rY+uQeAoI/tX1E="],
        ... )
        >>> verifier.key_ids
        ('vrqa5TdV3SOpsaQDoGDZt7cQeMU-zDyJtkjBoBupOLM',)
    """

    def __init__(
        self,
        *,
        issuer: str,
        audience: str,
        secrets: Sequence[str],
        leeway: int = DEFAULT_LEEWAY,
        maximum_lifetime: int = DEFAULT_MAXIMUM_LIFETIME,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.issuer = _identifier(issuer, "issuer")
        self.audience = _identifier(audience, "audience")
        self.leeway = _whole_seconds(leeway, "leeway", 0, MAX_LEEWAY)
        self.maximum_lifetime = _whole_seconds(maximum_lifetime, "maximum_lifetime", 1, MAX_MAXIMUM_LIFETIME)
        if isinstance(secrets, str):
            raise ConfigurationError("secrets is one string; pass a list of secrets, current first")
        self._keys = derive_keys([judge_secret(s, "the shared secret") for s in secrets], self.audience)
        self._issued_headers = {issued_header(kid): key for kid, key in self._keys.items()}
        self._clock = clock

    @property
    def key_ids(self) -> tuple[str, ...]:
        """The ``kid`` of every key in force, current first: safe to print, made to be compared."""
        return tuple(self._keys)

    def verify(self, token: str) -> Principal:
        """Verifies one token, the whole of it.

        Args:
            token: what followed ``Bearer`` in the request.

        Returns:
            The principal; there is no other sign of success.

        Raises:
            InvalidTokenError: with the code of the first rule that fails.

        *Does not* ask whether the session was revoked, and does not authorize anything.
        """
        now = float(self._clock())
        header, signing_input, payload, signature = parse_compact(token)  # [V1] and [V2]
        # The header that our issuer writes is known in advance, and passes [V2] to [V7].
        key = self._issued_headers.get(header) or self._select_key(parse_header(header))  # [V3] and [V4]
        # [V8] RFC 7515 §5.2 step 8, in constant time
        if not hmac.compare_digest(hmac.digest(key, signing_input, "sha256"), signature):
            raise InvalidTokenError("signature_invalid")
        # [V9] RFC 7519 §7.2 step 10
        try:
            claims = parse_json_object(payload)
        except ValueError:
            raise InvalidTokenError("claims_malformed") from None
        validate_claims(  # [V10] to [V17]
            claims,
            issuer=self.issuer,
            audience=self.audience,
            leeway=self.leeway,
            maximum_lifetime=self.maximum_lifetime,
            now=now,
        )
        return Principal(
            subject=claims["sub"],
            session_id=claims.get("sid"),
            token_id=claims["jti"],
            issued_at=claims["iat"],
            expires_at=claims["exp"],
            claims=MappingProxyType(claims),
        )

    def _select_key(self, header: dict[str, Any]) -> bytes:
        # [V5] RFC 8725 §3.1; the list has one algorithm, that of the derived keys
        if header.get("alg") != ALGORITHM:
            raise InvalidTokenError("algorithm_not_allowed")
        # [V6] RFC 9068 §4, RFC 7515 §4.1.9
        if not _is_token_type(header.get("typ")):
            raise InvalidTokenError("token_type_mismatch")
        # [V7] RFC 7515 §4.1.4; a derived key has no other algorithm than ALGORITHM
        kid = header.get("kid")
        key = self._keys.get(kid) if type(kid) is str else None
        if key is None:
            raise InvalidTokenError("key_not_found")
        return key


def _is_token_type(typ: object) -> bool:
    # isascii() first: Unicode's lower() maps the Kelvin sign to k.
    return type(typ) is str and typ.isascii() and typ.lower().removeprefix("application/") == TOKEN_TYPE


def _identifier(value: str, name: str) -> str:
    if not isinstance(value, str) or not value:
        raise ConfigurationError(f"{name} is missing; set it to the same text on both sides")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise ConfigurationError(f"{name} has a lone surrogate; set it to plain text") from None
    return value


def _whole_seconds(value: int, name: str, least: int, most: int) -> int:
    if type(value) is not int or not least <= value <= most:
        raise ConfigurationError(f"{name} is {value!r} and must be a whole number, {least} to {most} seconds")
    return value
