# ruff: noqa: PLC0415 - `cryptography` is an extra, imported only where a set has public keys
"""A JWK Set in, usable verification keys out.

Sixth room: decides which entries of a set are keys at all. An unusable entry does not exist for V7; a ``kid``
that two entries share names no key. Primitives come from the standard library and ``cryptography``. Law:
RFC 7517 §4 and §5, RFC 7518 §6, RFC 8037 §2, RFC 8725 §3.5.
"""

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from .compact import decode_base64url
from .errors import ConfigurationError
from .profile import ALGORITHM, KEY_LENGTH

Verify = Callable[[bytes, bytes], bool]
"""Signing input and signature to a verdict."""

MIN_RSA_BITS: Final = 2048
MAX_RSA_BITS: Final = 8192
MIN_RSA_EXPONENT: Final = 65537

_P256_PRIME: Final = 2**256 - 2**224 + 2**192 + 2**96 - 1

_PRIVATE: Final = frozenset(("d", "p", "q", "dp", "dq", "qi", "oth"))
_EXTRA: Final = "public-key verification needs the extra: pip install 'jwt-auth-bridge[jwks]'"


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """One usable key: its name, its only algorithm, and how it verifies."""

    key_id: str
    algorithm: str
    verify: Verify


PUBLIC_KEY_ALGORITHMS: Final = frozenset(("EdDSA", "ES256", "RS256"))


def canonical_algorithm(name: Any) -> Any:
    """Gives ``EdDSA`` for ``Ed25519``, which is the same algorithm by a newer name (RFC 9864 §2.2)."""
    return "EdDSA" if name == "Ed25519" else name


class KeySet(NamedTuple):
    """The usable keys of a set.

    Attributes:
        keys: ``kid`` to key, in the set's order, without the ``kid``s that several entries share.
        algorithms: the algorithms of all usable keys, those of a shared ``kid`` included.
    """

    keys: dict[str, VerificationKey]
    algorithms: frozenset[str]


def usable_keys(document: object, name: str = "the key set") -> KeySet:
    """Reads the usable keys of a JWK Set.

    Args:
        document: the parsed JSON of the set.
        name: what to call it in the message.

    Raises:
        ConfigurationError: this is no JWK Set (RFC 7517 §5), or ``cryptography`` is missing.

    Example:
        >>> key = {"kty": "oct", "kid": "x", "k": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"}
        >>> usable_keys({"keys": [key]}).keys["x"].algorithm
        'HS256'
    """
    entries = document.get("keys") if isinstance(document, Mapping) else None
    if not isinstance(entries, list):
        raise ConfigurationError(f'{name} is no JWK Set; it looks like {{"keys": [...]}}')
    keys: dict[str, VerificationKey] = {}
    algorithms: set[str] = set()
    named: set[str] = set()
    for entry in entries:
        kid = entry.get("kid") if isinstance(entry, Mapping) else None
        if not isinstance(kid, str) or not kid:
            continue
        key = _usable_key(entry, kid)
        if key:
            algorithms.add(key.algorithm)
            keys[kid] = key
        if kid in named:
            keys.pop(kid, None)
        named.add(kid)
    return KeySet(keys, frozenset(algorithms))


def require_public_keys() -> None:
    """Refuses to wait for public keys that could not be used.

    Raises:
        ConfigurationError: ``cryptography`` is missing.
    """
    try:
        from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa  # noqa: F401
    except ImportError:
        raise ConfigurationError(_EXTRA) from None


def symmetric_key(kid: str, key: bytes) -> VerificationKey:
    """Makes the HS256 key of these bytes."""

    def verify(signing_input: bytes, signature: bytes) -> bool:
        return hmac.compare_digest(hmac.digest(key, signing_input, "sha256"), signature)

    return VerificationKey(kid, ALGORITHM, verify)


def _usable_key(jwk: Mapping[str, Any], kid: str) -> VerificationKey | None:
    kind = (jwk.get("kty"), jwk["crv"]) if "crv" in jwk else (jwk.get("kty"),)
    maker = _MAKERS.get(kind) if all(isinstance(part, str) for part in kind) else None
    if maker is None:
        return None
    algorithm, make = maker
    operations = jwk.get("key_ops", ["verify"])
    if (
        canonical_algorithm(jwk.get("alg", algorithm)) != algorithm
        or jwk.get("use", "sig") != "sig"
        or not (isinstance(operations, list) and "verify" in operations)
        or not _PRIVATE.isdisjoint(jwk)
        or (algorithm != ALGORITHM and "k" in jwk)
    ):
        return None
    try:
        return make(jwk, kid)
    except ValueError:
        return None


def _bytes(jwk: Mapping[str, Any], name: str) -> bytes:
    value = jwk.get(name)
    if not isinstance(value, str):
        raise ValueError(f"{name} is missing")
    return decode_base64url(value)


def _oct(jwk: Mapping[str, Any], kid: str) -> VerificationKey:
    key = _bytes(jwk, "k")
    if len(key) < KEY_LENGTH:
        raise ValueError("the key is too short")
    return symmetric_key(kid, key)


def _rsa(jwk: Mapping[str, Any], kid: str) -> VerificationKey:
    modulus, exponent = (int.from_bytes(_bytes(jwk, name)) for name in ("n", "e"))
    if not MIN_RSA_BITS <= modulus.bit_length() <= MAX_RSA_BITS or exponent < MIN_RSA_EXPONENT:
        raise ValueError("a weak RSA key")
    try:
        from cryptography.hazmat.primitives.asymmetric import padding, rsa
        from cryptography.hazmat.primitives.hashes import SHA256
    except ImportError:
        raise ConfigurationError(_EXTRA) from None
    public = rsa.RSAPublicNumbers(exponent, modulus).public_key()
    scheme, digest = padding.PKCS1v15(), SHA256()
    return VerificationKey(
        kid, "RS256", _verdict(lambda data, signature: public.verify(signature, data, scheme, digest))
    )


def _p256(jwk: Mapping[str, Any], kid: str) -> VerificationKey:
    x, y = _bytes(jwk, "x"), _bytes(jwk, "y")
    # RFC 7518 §6.2.1.2: full-length coordinates
    if len(x) != 32 or len(y) != 32:
        raise ValueError("coordinates of another length")
    try:
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
        from cryptography.hazmat.primitives.hashes import SHA256
    except ImportError:
        raise ConfigurationError(_EXTRA) from None
    numbers = int.from_bytes(x), int.from_bytes(y)
    # RFC 7518 §6.2.1.2: elements of the field; OpenSSL would reduce larger ones.
    if max(numbers) >= _P256_PRIME:
        raise ValueError("coordinates beyond the field")
    # Refuses a point that is not on the curve.
    public = ec.EllipticCurvePublicNumbers(*numbers, ec.SECP256R1()).public_key()
    scheme = ec.ECDSA(SHA256())

    def verify(data: bytes, signature: bytes) -> None:
        # RFC 7518 §3.4: R and S, 32 bytes each
        if len(signature) != 64:
            raise ValueError("signature of another length")
        r, s = int.from_bytes(signature[:32]), int.from_bytes(signature[32:])
        public.verify(encode_dss_signature(r, s), data, scheme)

    return VerificationKey(kid, "ES256", _verdict(verify))


def _ed25519(jwk: Mapping[str, Any], kid: str) -> VerificationKey:
    x = _bytes(jwk, "x")
    try:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError:
        raise ConfigurationError(_EXTRA) from None
    public = Ed25519PublicKey.from_public_bytes(x)
    return VerificationKey(kid, "EdDSA", _verdict(lambda data, signature: public.verify(signature, data)))


def _verdict(verify: Callable[[bytes, bytes], None]) -> Verify:
    """Turns a primitive that raises into one that answers."""
    from cryptography.exceptions import InvalidSignature

    def answer(signing_input: bytes, signature: bytes) -> bool:
        try:
            verify(signing_input, signature)
        except (InvalidSignature, ValueError):
            return False
        return True

    return answer


_MAKERS: Final[dict[tuple[object, ...], tuple[str, Callable[[Mapping[str, Any], str], VerificationKey]]]] = {
    ("oct",): (ALGORITHM, _oct),
    ("RSA",): ("RS256", _rsa),
    ("EC", "P-256"): ("ES256", _p256),
    ("OKP", "Ed25519"): ("EdDSA", _ed25519),
}
"""Supported ``kty`` and ``crv``, their one algorithm, and how such a key is made."""
