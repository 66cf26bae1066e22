"""One token in, one principal out, or an error that says which rule failed.

Last room of the core: holds the policy, runs rules V1 to V17 in order, reads the clock once. Law:
RFC 9068 §4, RFC 7515 §5.2, RFC 8725, and ``specs/001-jwt-auth-bridge/access-token.md``.

Deliberately not done: ``jku``, ``x5u``, ``x5c`` and ``jwk`` in a header are never key sources
(RFC 8725 §3.10), and no option switches a rule off.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from .claims import validate_claims
from .compact import parse_compact, parse_header, parse_json_object
from .errors import ConfigurationError, InvalidTokenError
from .jwk import (
    PUBLIC_KEY_ALGORITHMS,
    KeySet,
    VerificationKey,
    canonical_algorithm,
    symmetric_key,
    usable_keys,
)
from .keys import PLAIN_KEY_ID, derive_keys, issued_header, judge_secret
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
        secrets: the shared secrets in force, current first; this or ``keys``.
        keys: a JWK Set (RFC 7517 §5) in place of the secrets: derived keys or public keys, never both.
        algorithms: which ``alg`` may be used; by default those of the usable keys.
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
        secrets: Sequence[str] | None = None,
        keys: Mapping[str, Any] | None = None,
        algorithms: Sequence[str] | None = None,
        leeway: int = DEFAULT_LEEWAY,
        maximum_lifetime: int = DEFAULT_MAXIMUM_LIFETIME,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.issuer = _identifier(issuer, "issuer")
        self.audience = _identifier(audience, "audience")
        self.leeway = _whole_seconds(leeway, "leeway", 0, MAX_LEEWAY)
        self.maximum_lifetime = _whole_seconds(maximum_lifetime, "maximum_lifetime", 1, MAX_MAXIMUM_LIFETIME)
        self._keys, of_keys = _verification_keys(secrets, keys, self.audience)
        self._algorithms = _allow_list(algorithms, of_keys)
        # The header that our issuer writes for a derived key is known in advance.
        self._issued_headers = {
            issued_header(kid): key
            for kid, key in self._keys.items()
            if ALGORITHM in self._algorithms and PLAIN_KEY_ID.fullmatch(kid)
        }
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
        # A header known in advance passes [V2] to [V7]; any other is parsed by [V3] and [V4].
        key = self._issued_headers.get(header) or self._select_key(parse_header(header))
        # [V8] RFC 7515 §5.2 step 8, in constant time where the key is symmetric
        if not key.verify(signing_input, signature):
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

    def _select_key(self, header: dict[str, Any]) -> VerificationKey:
        # [V5] RFC 8725 §3.1
        algorithm = canonical_algorithm(header.get("alg"))
        if not isinstance(algorithm, str) or algorithm not in self._algorithms:
            raise InvalidTokenError("algorithm_not_allowed")
        # [V6] RFC 9068 §4, RFC 7515 §4.1.9
        if not _is_token_type(header.get("typ")):
            raise InvalidTokenError("token_type_mismatch")
        # [V7] RFC 7515 §4.1.4, RFC 8725 §3.1: the key decides the algorithm
        kid = header.get("kid")
        key = self._keys.get(kid) if isinstance(kid, str) else None
        if key is None:
            raise InvalidTokenError("key_not_found")
        if key.algorithm != algorithm:
            raise InvalidTokenError("algorithm_not_allowed")
        return key


def _verification_keys(
    secrets: Sequence[str] | None, keys: Mapping[str, Any] | None, audience: str
) -> KeySet:
    if (secrets is None) == (keys is None):
        raise ConfigurationError("give the verifier either secrets or keys, one of the two")
    if secrets is not None:
        if isinstance(secrets, str) or not isinstance(secrets, Sequence):
            raise ConfigurationError("secrets must be a list of secrets, current first")
        derived = derive_keys([judge_secret(secret, "the shared secret") for secret in secrets], audience)
        return KeySet({kid: symmetric_key(kid, key) for kid, key in derived.items()}, frozenset((ALGORITHM,)))
    usable = usable_keys(keys)
    if not usable.algorithms:
        raise ConfigurationError(
            "the key set has no usable key; each needs kid, kty and strong public material"
        )
    if len({algorithm == ALGORITHM for algorithm in usable.algorithms}) != 1:
        raise ConfigurationError(
            "the key set mixes oct keys with public keys; give each kind its own verifier"
        )
    return usable


def _allow_list(algorithms: Sequence[str] | None, of_keys: frozenset[str]) -> frozenset[str]:
    if algorithms is None:
        return of_keys
    if (
        isinstance(algorithms, str)
        or not isinstance(algorithms, Sequence)
        or not all(isinstance(name, str) for name in algorithms)
    ):
        raise ConfigurationError("algorithms must be a list of names")
    allowed = frozenset(canonical_algorithm(name) for name in algorithms)
    # An algorithm of the other kind could never be used, and is how algorithm confusion is configured.
    possible = {ALGORITHM} if ALGORITHM in of_keys else PUBLIC_KEY_ALGORITHMS
    if not allowed or not allowed <= possible:
        raise ConfigurationError(
            f"algorithms must name some of {', '.join(sorted(possible))}, and nothing else"
        )
    return allowed


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
