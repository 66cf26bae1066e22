"""One token in, one principal out, or an error that says which rule failed.

Last room of the core: holds the policy, runs rules V1 to V17 in order, reads the clock once. Law:
RFC 9068 §4, RFC 7515 §5.2, RFC 8725, and ``specs/001-jwt-auth-bridge/access-token.md``.

Deliberately not done: ``jku``, ``x5u``, ``x5c`` and ``jwk`` in a header are never key sources
(RFC 8725 §3.10), and no option switches a rule off.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from ._jwks_remote import RemoteKeySet
from .claims import is_subject, validate_claims
from .compact import parse_compact, parse_header, parse_json_object
from .errors import ConfigurationError, InvalidTokenError
from .jwk import VerificationKey, canonical_algorithm
from .key_source import judge_keys
from .profile import (
    DEFAULT_LEEWAY,
    DEFAULT_MAXIMUM_LIFETIME,
    MAX_LEEWAY,
    MAX_MAXIMUM_LIFETIME,
    MAX_SUBJECT_LENGTH,
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

    @classmethod
    def for_subject(cls, subject: str) -> "Principal":
        """Makes the principal of a user for whom no token speaks: in a job, a script or a test.

        Args:
            subject: the user's ID, as a token would carry it.

        Returns:
            A principal without a session and without an end; its only claim is ``sub``.

        Raises:
            ConfigurationError: no text, empty, too long, or with a control character.

        *Does not* say that such a user exists: whoever calls it decides for whom the code acts.

        Example:
            >>> Principal.for_subject("alice").session_id is None
            True
        """
        if not is_subject(subject):
            raise ConfigurationError(
                f"subject must be a user's ID, 1 to {MAX_SUBJECT_LENGTH} characters and none of them a"
                " control character; pass the ID as Better Auth stores it, as a string"
            )
        return cls(subject, None, "", 0, math.inf, MappingProxyType({"sub": subject}))


class Verifier:
    """Verifies access tokens of one issuer for one API.

    Args:
        issuer: the only accepted ``iss``, taken literally.
        audience: this API's identifier, one string; the keys depend on it.
        secrets: the shared secrets in force, current first; this, ``keys`` or ``jwks_uri``.
        keys: a JWK Set (RFC 7517 §5) in place of the secrets: derived keys or public keys, never both.
        jwks_uri: the URL of the issuer's JWK Set of public keys; fetched when the first token needs it.
        internal_hosts: hosts that ``jwks_uri`` may name with ``http``, beside this machine itself.
        migration: while tokens move from a shared secret to public keys: then a source of each kind is given.
        algorithms: which ``alg`` may be used; by default those of the usable keys, or EdDSA, ES256 and RS256
            where they are fetched. In a migration it speaks of the public keys.
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
        jwks_uri: str | None = None,
        internal_hosts: Sequence[str] = (),
        migration: bool = False,
        algorithms: Sequence[str] | None = None,
        leeway: int = DEFAULT_LEEWAY,
        maximum_lifetime: int = DEFAULT_MAXIMUM_LIFETIME,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.issuer = judge_identifier(issuer, "issuer")
        self.audience = judge_identifier(audience, "audience")
        self.leeway = _whole_seconds(leeway, "leeway", 0, MAX_LEEWAY)
        self.maximum_lifetime = _whole_seconds(maximum_lifetime, "maximum_lifetime", 1, MAX_MAXIMUM_LIFETIME)
        self._keys = judge_keys(
            self.audience,
            secrets=secrets,
            keys=keys,
            jwks_uri=jwks_uri,
            internal_hosts=internal_hosts,
            migration=migration,
            algorithms=algorithms,
        )
        self._issued_headers = self._keys.issued_headers
        self._clock = clock

    @property
    def key_ids(self) -> tuple[str, ...]:
        """The ``kid`` of every key in force, current first: safe to print, made to be compared.

        Of fetched keys, those that are in hand now.
        """
        return self._keys.key_ids

    @property
    def jwks_uri(self) -> str | None:
        """Where keys are fetched from; ``None`` where none are."""
        return self._keys.remote.url if self._keys.remote else None

    async def prefetch(self) -> None:
        """Fetches the keys now where they are fetched at all and none is in hand.

        The first request then need not wait for them.

        Raises:
            KeySetUnavailableError: none could be had. Whether to start without is the caller's decision: the
                next token has them asked for again.
        """
        if self._keys.remote:
            await self._keys.remote.prefetch()

    def verify(self, token: str) -> Principal:
        """Verifies one token, the whole of it.

        Args:
            token: what followed ``Bearer`` in the request.

        Returns:
            The principal; there is no other sign of success.

        Raises:
            InvalidTokenError: with the code of the first rule that fails.
            KeySetUnavailableError: the keys are fetched, and the token's can not be had.

        *Does not* ask whether the session was revoked, and does not authorize anything. Where keys are
        fetched, it waits for them, for 6 seconds at most: on an event loop use ``verify_async``.
        """
        now = float(self._clock())
        try:
            return self._verify(token, now)
        except _KeyNotInHandError as missing:
            remote = missing.remote
        remote.renew()
        return self._verify_again(token, now, remote)

    async def verify_async(self, token: str) -> Principal:
        """Does what ``verify`` does, and never blocks the event loop, wherever the keys come from.

        Example:
            >>> import asyncio
            >>> verifier = Verifier(
            ...     issuer="https://app.example.com",
            ...     audience="https://api.example.com",
            ...     secrets=["k3Zq9vT1xW7pL0sD5fG8hJ2nB4mC6rY+uQeAoI/tX1E="],
            ... )
            >>> asyncio.run(verifier.verify_async("no token"))  # doctest: +ELLIPSIS
            Traceback (most recent call last):
            jwt_auth_bridge.errors.InvalidTokenError: token_malformed: ...
        """
        now = float(self._clock())
        try:
            return self._verify(token, now)
        except _KeyNotInHandError as missing:
            remote = missing.remote
        await remote.renew_async()
        return self._verify_again(token, now, remote)

    def _verify_again(self, token: str, now: float, remote: RemoteKeySet) -> Principal:
        try:
            return self._verify(token, now)
        except _KeyNotInHandError:
            pass
        remote.refuse_if_failed()
        raise InvalidTokenError("key_not_found")

    def _verify(self, token: str, now: float) -> Principal:
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
        return self._accept(claims, now)

    def _accept(self, claims: dict[str, Any], now: float) -> Principal:
        """Holds claims against the policy; also those that a ticket stands for."""
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
        kid = header.get("kid")
        policy = self._keys.policy_of(kid)
        # [V5] RFC 8725 §3.1
        algorithm = canonical_algorithm(header.get("alg"))
        if not isinstance(algorithm, str) or algorithm not in policy.algorithms:
            raise InvalidTokenError("algorithm_not_allowed")
        # [V6] RFC 9068 §4, RFC 7515 §4.1.9
        if not _is_token_type(header.get("typ")):
            raise InvalidTokenError("token_type_mismatch")
        # [V7] RFC 7515 §4.1.4, RFC 8725 §3.1: the key decides the algorithm
        if not isinstance(kid, str) or not kid:
            raise InvalidTokenError("key_not_found")
        key = policy.find(kid)
        if key is None:
            # A kid on the closed list is always found: what is not may be among those that are fetched.
            if self._keys.remote:
                raise _KeyNotInHandError(self._keys.remote)
            raise InvalidTokenError("key_not_found")
        if key.algorithm != algorithm:
            raise InvalidTokenError("algorithm_not_allowed")
        return key


class _KeyNotInHandError(Exception):
    """The token's key may be among those that are fetched."""

    def __init__(self, remote: RemoteKeySet) -> None:
        self.remote = remote


def _is_token_type(typ: object) -> bool:
    # isascii() first: Unicode's lower() maps the Kelvin sign to k.
    return type(typ) is str and typ.isascii() and typ.lower().removeprefix("application/") == TOKEN_TYPE


def judge_identifier(value: str, name: str) -> str:
    """Refuses an issuer or an audience that is no text.

    Raises:
        ConfigurationError: with its name.
    """
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
