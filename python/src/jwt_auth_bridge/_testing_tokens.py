"""Tokens for tests: good ones for anybody, and for each rule one that a verifier must refuse.

Private half of the annex ``testing``. The factory plays the issuer, with the issuer's own derivation and
header, and holds its good tokens against the verifier before it gives them away. Law: ``access-token.md``,
"Keys" and "Token".

Longer than other files, because there is one method for each rule, so that an editor lists them.
"""

import hashlib
import hmac
import json
import os
import secrets
import string
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from typing import Any, Final

from .errors import ConfigurationError, InvalidTokenError
from .keys import derive_key, issued_header, judge_secret, key_id, reduce_issuer, secrets_in_force
from .profile import DEFAULT_LIFETIME, MAX_MAXIMUM_LIFETIME, RESERVED_CLAIMS, TOKEN_TYPE
from .verifier import Verifier

ISSUER: Final = "https://app.example.com"
AUDIENCE: Final = "https://api.example.com"
SESSION: Final = "test-session"
SOMEBODY_ELSE: Final = "somebody-else"
AN_HOUR: Final = 3600
"""Seconds; more than any leeway."""

REFUSED: Final[Mapping[str, str]] = {
    "unsigned": "token_malformed",
    "opaque": "token_opaque",
    "critical_header": "critical_header_unsupported",
    "wrong_algorithm": "algorithm_not_allowed",
    "wrong_type": "token_type_mismatch",
    "wrong_key": "key_not_found",
    "wrong_signature": "signature_invalid",
    "tampered": "signature_invalid",
    "wrong_payload": "claims_malformed",
    "missing_claim": "claim_missing",
    "other_user_id": "claim_malformed",
    "wrong_issuer": "issuer_mismatch",
    "wrong_audience": "audience_mismatch",
    "expired": "token_expired",
    "not_yet_valid": "token_not_yet_valid",
    "long_lived": "lifetime_out_of_range",
}
"""The factory's refused tokens, in the order of the rules: name of the method to code of the refusal."""

_EMPTY: Final = (
    "BETTER_AUTH_SECRETS",
    "JWT_BRIDGE_KEYS",
    "JWT_BRIDGE_JWKS_URL",
    "JWT_BRIDGE_JWKS_INTERNAL_HOSTS",
    "JWT_BRIDGE_MIGRATION",
)


class TokenFactory:
    """Makes access tokens as ``jwtBridge()`` issues them, for tests.

    Args:
        issuer: what the API under test accepts as ``iss``.
        audience: the API's identifier.
        secret: the shared secret; by default a random one that lives as long as this factory.
        clock: gives the time in seconds since 1970; hand it to the bridge as well (``bridge_options`` does).

    Raises:
        ConfigurationError: a secret that no bridge would take.

    *Does not* sign with public-key algorithms: test an app that fetches a key set with ``environ()`` or
    ``bridge_options()`` in place of its own settings.

    Example:
        >>> from jwt_auth_bridge import Verifier
        >>> factory = TokenFactory()
        >>> verifier = Verifier(
        ...     issuer=factory.issuer,
        ...     audience=factory.audience,
        ...     secrets=[factory.bridge_options()["secret"]],
        ... )
        >>> verifier.verify(factory.token("alice")).subject
        'alice'
        >>> try:
        ...     verifier.verify(factory.expired("alice"))
        ... except InvalidTokenError as error:
        ...     error.code
        'token_expired'
    """

    def __init__(
        self,
        issuer: str = ISSUER,
        audience: str = AUDIENCE,
        secret: str | None = None,
        *,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self.issuer = issuer
        self.audience = audience
        self._secret = judge_secret(secrets.token_urlsafe(32) if secret is None else secret, "secret")
        self._given_clock = clock
        self._clock = clock or time.time
        self._key = derive_key(self._secret, audience)
        self._header = {"alg": "HS256", "typ": TOKEN_TYPE, "kid": key_id(self._key)}

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> "TokenFactory":
        """Makes tokens for the API that these variables configure: the same that ``Bridge.from_env`` reads.

        Raises:
            ConfigurationError: as ``Bridge.from_env``.

        *Does not* belong where the variables are a production's: its tokens would be good there.

        Example:
            >>> TokenFactory.from_env(TokenFactory(audience="https://api.test").environ()).audience
            'https://api.test'
        """
        env = os.environ if environ is None else environ
        audience = env.get("JWT_BRIDGE_AUDIENCE")
        if not audience:
            raise ConfigurationError("JWT_BRIDGE_AUDIENCE is not set; set it to the identifier of the API")
        issuer = env.get("JWT_BRIDGE_ISSUER") or reduce_issuer(env.get("BETTER_AUTH_URL", ""))
        return cls(issuer, audience, secrets_in_force(env)[0])

    def environ(self) -> dict[str, str]:
        """The variables with which ``Bridge.from_env`` accepts this factory's tokens.

        An empty one counts as unset: it covers what a developer's own environment may hold.

        Example:
            >>> sorted(name for name, value in TokenFactory().environ().items() if value)
            ['BETTER_AUTH_SECRET', 'BETTER_AUTH_URL', 'JWT_BRIDGE_AUDIENCE', 'JWT_BRIDGE_ISSUER']
        """
        return {
            "BETTER_AUTH_SECRET": self._secret,
            "BETTER_AUTH_URL": self.issuer,
            "JWT_BRIDGE_ISSUER": self.issuer,
            "JWT_BRIDGE_AUDIENCE": self.audience,
            **dict.fromkeys(_EMPTY, ""),
        }

    def bridge_options(self) -> dict[str, Any]:
        """The options with which ``Bridge(**options)`` accepts this factory's tokens.

        Example:
            >>> sorted(TokenFactory().bridge_options())
            ['audience', 'issuer', 'secret']
        """
        options = {"issuer": self.issuer, "audience": self.audience, "secret": self._secret}
        return options if self._given_clock is None else {**options, "clock": self._given_clock}

    def token(
        self,
        subject: str = "alice",
        *,
        session_id: str | None = SESSION,
        claims: Mapping[str, Any] | None = None,
        now: float | None = None,
        lifetime: int = DEFAULT_LIFETIME,
    ) -> str:
        """A good token.

        Args:
            subject: the user's ID.
            session_id: ``sid``; ``None`` leaves it out.
            claims: what the web app adds by name, or ``act`` for an impersonation; no other reserved name.
            now: when it is issued, in seconds since 1970; by default now.
            lifetime: whole seconds.

        Raises:
            ConfigurationError: a token that no verifier would accept; there are methods for these.

        Example:
            >>> TokenFactory().token("alice", claims={"org": "acme"}).count(".")
            2
        """
        extra = dict(claims or {})
        reserved = sorted(extra.keys() & (RESERVED_CLAIMS - {"act"}))
        if reserved:
            raise ConfigurationError(
                f"the issuer sets {', '.join(reserved)} by itself; remove it from claims, and use subject, "
                "session_id, now and lifetime, or one of the factory's refused tokens"
            )
        issued = self.claims(subject, session_id=session_id, now=now, lifetime=lifetime) | extra
        token = self._sign(issued)
        verifier = Verifier(
            issuer=self.issuer,
            audience=self.audience,
            secrets=[self._secret],
            leeway=0,
            maximum_lifetime=MAX_MAXIMUM_LIFETIME,
            clock=lambda: issued["iat"],
        )
        try:
            verifier.verify(token)
        except InvalidTokenError as error:
            raise ConfigurationError(f"no verifier accepts a token like this: {error}") from None
        return token

    def claims(
        self,
        subject: str = "alice",
        *,
        session_id: str | None = SESSION,
        now: float | None = None,
        lifetime: int = DEFAULT_LIFETIME,
    ) -> dict[str, Any]:
        """The claims of a good token, unsigned.

        Example:
            >>> TokenFactory().claims("alice")["user_id"]
            'alice'
        """
        issued_at = int(self._clock() if now is None else now)
        claims = {
            "iss": self.issuer,
            "aud": self.audience,
            "sub": subject,
            "user_id": subject,
            "client_id": self.issuer,
            "jti": secrets.token_urlsafe(16),
            "iat": issued_at,
            "exp": issued_at + lifetime,
        }
        return claims if session_id is None else {**claims, "sid": session_id}

    def authorization(self, subject: str = "alice", **options: Any) -> str:
        """The value of the ``Authorization`` header of a user; options as for ``token``."""
        return f"Bearer {self.token(subject, **options)}"

    def headers(self, subject: str = "alice", **options: Any) -> dict[str, str]:
        """The headers of a request of a user; options as for ``token``.

        Example:
            >>> list(TokenFactory().headers("alice"))
            ['Authorization']
        """
        return {"Authorization": self.authorization(subject, **options)}

    def refused(self, subject: str = "alice") -> dict[str, str]:
        """One of each refused token: name, as in ``REFUSED``, to token.

        Example:
            >>> TokenFactory().refused().keys() == REFUSED.keys()
            True
        """
        return {name: getattr(self, name)(subject) for name in REFUSED}

    def unsigned(self, subject: str = "alice") -> str:
        """``token_malformed`` [V2]: ``alg`` is ``none`` and the signature is empty."""
        return self._sign(self.claims(subject), alg="none").rpartition(".")[0] + "."

    def opaque(self, subject: str = "alice") -> str:
        """``token_opaque`` [V2]: what Better Auth's session token looks like, the usual mistake."""
        return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(32))

    def critical_header(self, subject: str = "alice") -> str:
        """``critical_header_unsupported`` [V4]: the header asks for an extension."""
        return self._sign(self.claims(subject), crit=["exp"])

    def wrong_algorithm(self, subject: str = "alice") -> str:
        """``algorithm_not_allowed`` [V5]: ``EdDSA``, as Better Auth's stock plugin writes it."""
        return self._sign(self.claims(subject), alg="EdDSA")

    def wrong_type(self, subject: str = "alice") -> str:
        """``token_type_mismatch`` [V6]: a JWT that is no access token."""
        return self._sign(self.claims(subject), typ="JWT")

    def wrong_key(self, subject: str = "alice") -> str:
        """``key_not_found`` [V7]: another secret's key, honestly named."""
        return TokenFactory(self.issuer, self.audience, clock=self._clock).token(subject)

    def wrong_signature(self, subject: str = "alice") -> str:
        """``signature_invalid`` [V8]: another secret's key under the name of the right one."""
        return self._sign(self.claims(subject), _key=secrets.token_bytes(32))

    def tampered(self, subject: str = "alice") -> str:
        """``signature_invalid`` [V8]: somebody else's good token, rewritten to the subject's."""
        header, _, signature = self._sign(self.claims(SOMEBODY_ELSE)).split(".")
        return f"{header}.{_base64url(json.dumps(self.claims(subject)).encode())}.{signature}"

    def wrong_payload(self, subject: str = "alice") -> str:
        """``claims_malformed`` [V9]: the payload is an array, signed."""
        return self._sign([self.claims(subject)])

    def missing_claim(self, subject: str = "alice") -> str:
        """``claim_missing`` [V10]: no ``jti``."""
        claims = self.claims(subject)
        del claims["jti"]
        return self._sign(claims)

    def other_user_id(self, subject: str = "alice") -> str:
        """``claim_malformed`` [V14]: ``user_id`` says the subject, ``sub`` says somebody else."""
        return self._sign(self.claims(subject) | {"sub": SOMEBODY_ELSE})

    def wrong_issuer(self, subject: str = "alice") -> str:
        """``issuer_mismatch`` [V12]: another web app with the same key."""
        other = "https://other-issuer.example"
        return self._sign(self.claims(subject) | {"iss": other, "client_id": other})

    def wrong_audience(self, subject: str = "alice") -> str:
        """``audience_mismatch`` [V13]: for another API, although under this one's key.

        What an issuer really gives out for another API fails before that, at its key (``key_not_found``):
        ``TokenFactory(issuer, other_audience, secret).token()``.
        """
        return self._sign(self.claims(subject) | {"aud": "https://other-audience.example"})

    def expired(self, subject: str = "alice") -> str:
        """``token_expired`` [V15]: ended an hour ago."""
        now = self._clock() - AN_HOUR - DEFAULT_LIFETIME
        return self._sign(self.claims(subject, now=now))

    def not_yet_valid(self, subject: str = "alice") -> str:
        """``token_not_yet_valid`` [V16]: begins in an hour."""
        return self._sign(self.claims(subject, now=self._clock() + AN_HOUR))

    def long_lived(self, subject: str = "alice") -> str:
        """``lifetime_out_of_range`` [V17]: lives longer than any verifier can be told to accept."""
        return self._sign(self.claims(subject, lifetime=MAX_MAXIMUM_LIFETIME + 1))

    def _sign(self, payload: object, *, _key: bytes | None = None, **header: Any) -> str:
        """Signs anything; a plain header is the issuer's own, byte for byte."""
        protected = self._header | header
        segment = _base64url(json.dumps(protected).encode()) if header else issued_header(protected["kid"])
        signing_input = f"{segment}.{_base64url(json.dumps(payload).encode())}"
        signature = hmac.digest(_key or self._key, signing_input.encode(), hashlib.sha256)
        return f"{signing_input}.{_base64url(signature)}"


def _base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
