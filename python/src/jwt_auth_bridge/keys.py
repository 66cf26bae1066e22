"""Shared secrets in, verification keys out.

Fifth room: judges the secrets, derives one key per secret and audience, and names it. The shared secret
itself never signs: Better Auth signs cookies and e-mail links with it, and what it signs must not cross
over. Law: RFC 5869 (HKDF), RFC 7638 (thumbprint), ``access-token.md`` "Keys".
"""

import hashlib
import hmac
import math
import re
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from typing import Final

from .errors import ConfigurationError
from .profile import (
    ALGORITHM,
    KEY_INFO_PREFIX,
    MIN_SECRET_BITS,
    MIN_SECRET_DISTINCT,
    MIN_SECRET_LENGTH,
    PLACEHOLDERS,
    TOKEN_TYPE,
)

_ALLOWED: Final = re.compile(r"""[!-~]*""")
_REWRITTEN: Final = re.compile(r"""[$#\\'"`,]""")
_CURE: Final = "generate one with: openssl rand -base64 32"
TRIM: Final = " \t\r\n"
"""What is taken off the entries of a list in a variable."""


def judge_secret(secret: str, name: str) -> str:
    """Refuses a shared secret that is missing, published, short, simple, or that a .env loader would alter.

    Args:
        secret: the value exactly as Better Auth holds it.
        name: the variable to name in the message, for instance ``BETTER_AUTH_SECRET``.

    Returns:
        The secret, unchanged.

    Raises:
        ConfigurationError: with the variable's name and the cure, never its value.

    Example:
        >>> judge_secret("k3Zq9vT1xW7pL0sD5fG8hJ2nB4mC6rY+uQeAoI/tX1E=", "BETTER_AUTH_SECRET")[:4]
        'k3Zq'
    """
    if not isinstance(secret, str) or not secret:
        raise ConfigurationError(f"{name} is not set; {_CURE}, or take the other side's: both need the same")
    if not _ALLOWED.fullmatch(secret):
        raise ConfigurationError(
            f"{name} has a space, a control character or one outside ASCII, "
            f"which .env loaders rewrite; {_CURE}"
        )
    if _REWRITTEN.search(secret):
        raise ConfigurationError(f"{name} has one of $ # \\ ' \" ` , which .env loaders rewrite; {_CURE}")
    if secret in PLACEHOLDERS:
        raise ConfigurationError(f"{name} is a published placeholder, not a secret; {_CURE}")
    if len(secret) < MIN_SECRET_LENGTH:
        raise ConfigurationError(
            f"{name} has {len(secret)} characters and needs at least {MIN_SECRET_LENGTH}; {_CURE}"
        )
    distinct = len(set(secret))
    if distinct < MIN_SECRET_DISTINCT or len(secret) * math.log2(distinct) < MIN_SECRET_BITS:
        raise ConfigurationError(f"{name} repeats too few characters and can be guessed; {_CURE}")
    return secret


def secrets_in_force(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Reads the shared secrets of an environment, current first.

    ``BETTER_AUTH_SECRETS`` where it is set and not empty, else ``BETTER_AUTH_SECRET``.

    Raises:
        ConfigurationError: neither is set, or one of them is refused.

    Example:
        >>> secrets_in_force({"BETTER_AUTH_SECRET": "k3Zq9vT1xW7pL0sD5fG8hJ2nB4mC6rY+uQeAoI/tX1E="})[0][:4]
        'k3Zq'
    """
    versioned = environ.get("BETTER_AUTH_SECRETS")
    if versioned:
        return parse_versioned_secrets(versioned)
    return (judge_secret(environ.get("BETTER_AUTH_SECRET", ""), "BETTER_AUTH_SECRET"),)


def parse_versioned_secrets(value: str) -> tuple[str, ...]:
    """Parses Better Auth's ``version:secret,version:secret``, current first.

    Raises:
        ConfigurationError: naming the entry by its place, because the entry itself holds a secret.

    Example:
        >>> len(parse_versioned_secrets("2:k3Zq9vT1xW7pL0sD5fG8hJ2nB4mC6rY+uQeAoI/tX1E="))
        1
    """
    secrets: list[str] = []
    versions: set[str] = set()
    for place, raw in enumerate(value.split(","), start=1):
        name = f"BETTER_AUTH_SECRETS, entry {place},"
        version, colon, secret = raw.strip(TRIM).partition(":")
        if not colon or not re.fullmatch(r"[0-9]+", version):
            raise ConfigurationError(
                f"{name} is not version:secret with a whole number as version; write it like 2:new,1:old"
            )
        # Better Auth reads 01 and 1 as one version.
        version = version.lstrip("0")
        if version in versions:
            raise ConfigurationError(f"{name} repeats a version; give each secret a version of its own")
        versions.add(version)
        secrets.append(judge_secret(secret.strip(TRIM), name))
    return tuple(secrets)


def derive_key(secret: str, audience: str) -> bytes:
    """Derives the HS256 key of one API from a shared secret (HKDF-SHA256, RFC 5869 §2).

    Args:
        secret: the shared secret, judged.
        audience: the API's identifier.

    Returns:
        32 bytes. With an empty salt and 32 bytes of output, HKDF is exactly two HMACs.

    Example:
        >>> derive_key("k3Zq9vT1xW7pL0sD5fG8hJ2nB4mC6rY+uQeAoI/tX1E=", "https://api.example.com").hex()[:8]
        'ca862b5e'
    """
    pseudorandom_key = hmac.digest(bytes(32), secret.encode("utf-8"), "sha256")
    return hmac.digest(pseudorandom_key, f"{KEY_INFO_PREFIX}{audience}".encode() + b"\x01", "sha256")


def key_id(key: bytes) -> str:
    """Names a derived key by its RFC 7638 SHA-256 thumbprint: safe to print and to compare.

    Example:
        >>> key_id(bytes(32))
        '9nnxVaRYos6pwySYZALWRL64fgG5CMX9No3tAqd5urU'
    """
    return _base64url(hashlib.sha256(f'{{"k":"{_base64url(key)}","kty":"oct"}}'.encode()).digest())


def derive_keys(secrets: Sequence[str], audience: str) -> dict[str, bytes]:
    """Derives the keys of one API: ``kid`` to key bytes, current first.

    Raises:
        ConfigurationError: no secret, or one secret twice.
    """
    keys = {key_id(key): key for key in (derive_key(secret, audience) for secret in secrets)}
    if not keys:
        raise ConfigurationError(f"no secret is given; set BETTER_AUTH_SECRET, {_CURE}")
    if len(keys) != len(secrets):
        raise ConfigurationError("BETTER_AUTH_SECRETS holds one secret twice; give each version its own")
    return keys


def key_set_of(keys: Mapping[str, bytes]) -> dict[str, list[dict[str, str]]]:
    """Writes derived keys as a JWK Set (RFC 7517 §5): whoever has it can issue tokens for that API.

    Example:
        >>> key_set_of({"x": bytes(32)})["keys"][0]["kid"]
        'x'
    """
    return {
        "keys": [
            {"kty": "oct", "k": _base64url(key), "kid": kid, "alg": ALGORITHM, "use": "sig"}
            for kid, key in keys.items()
        ]
    }


PLAIN_KEY_ID: Final = re.compile(r"[A-Za-z0-9_-]+")
"""A ``kid`` that JSON writes in one way only, as every thumbprint; a given key's may be any text."""


def issued_header(kid: str) -> str:
    """Gives the encoded protected header that ``jwtBridge()`` writes for a derived key, byte for byte.

    A verifier that knows it in advance need not parse it; any other header is parsed by the rules.
    *Does not* escape: ask only for a ``PLAIN_KEY_ID``.

    Example:
        >>> issued_header("x")
        'eyJhbGciOiJIUzI1NiIsInR5cCI6ImF0K2p3dCIsImtpZCI6IngifQ'
    """
    return _base64url(f'{{"alg":"{ALGORITHM}","typ":"{TOKEN_TYPE}","kid":"{kid}"}}'.encode())


_URL: Final = re.compile(
    r"(https?)://([a-z0-9._-]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?(?:/[!-~]*)?", re.IGNORECASE | re.ASCII
)
_DEFAULT_PORT: Final = {"http": 80, "https": 443}


def reduce_issuer(url: str, name: str = "BETTER_AUTH_URL") -> str:
    """Reduces Better Auth's base URL to the issuer: ``scheme://host[:port]``, lower case, no default port.

    Both languages use this grammar and no URL parser, since parsers disagree on odd input.

    Raises:
        ConfigurationError: unset, not http or https, or with userinfo, query, fragment or non-ASCII.

    Example:
        >>> reduce_issuer("HTTPS://App.Example.com:443/api/auth")
        'https://app.example.com'
    """
    if not isinstance(url, str) or not url:
        raise ConfigurationError(f"{name} is not set; set it to the web app's public address")
    match = _URL.fullmatch(url)
    port = int(match[3]) if match and match[3] else None
    if (
        not match
        or any(character in url for character in "?#\\")
        or (port is not None and not 0 < port < 65536)
    ):
        raise ConfigurationError(
            f"{name} must be the web app's public address, like https://app.example.com:8443: http or https, "
            "an ASCII host, no user, query or fragment"
        )
    scheme, host = match[1].lower(), match[2].lower()
    return f"{scheme}://{host}" + ("" if port in (None, _DEFAULT_PORT[scheme]) else f":{port}")


def _base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
