"""A key for each algorithm: as a JWK, as PyJWT takes it, how it signs, and how it verifies at the least."""

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from tokens import AUDIENCE, SECRET, base64url, claims, compact

from jwt_auth_bridge.keys import derive_key

ALGORITHMS = ("HS256", "EdDSA", "ES256", "RS256")


@dataclass
class Key:
    """One key. ``check`` is the primitive alone, of signing input and signature."""

    algorithm: str
    jwk: dict[str, str]
    public: Any
    sign: Callable[[bytes], bytes]
    check: Callable[[bytes, bytes], object]

    def token(self, **more: Any) -> str:
        header = {"alg": self.algorithm, "typ": "at+jwt", "kid": self.jwk["kid"]}
        return compact(header, claims(**more), self.sign)


def make_key(algorithm: str, kid: str = "key-1") -> Key:
    jwk, public, sign, check = MAKERS[algorithm]()
    return Key(algorithm, {"kid": kid, "alg": algorithm, "use": "sig", **jwk}, public, sign, check)


Parts = tuple[dict[str, str], Any, Callable[[bytes], bytes], Callable[[bytes, bytes], object]]


def _hs256() -> Parts:
    key = derive_key(SECRET, AUDIENCE)

    def sign(data: bytes) -> bytes:
        return hmac.digest(key, data, "sha256")

    return (
        {"kty": "oct", "k": base64url(key)},
        key,
        sign,
        lambda data, code: hmac.compare_digest(sign(data), code),
    )


def _eddsa() -> Parts:
    private = ed25519.Ed25519PrivateKey.generate()
    public = private.public_key()
    x = base64url(public.public_bytes(Encoding.Raw, PublicFormat.Raw))
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": x}
    return jwk, public, private.sign, lambda data, signature: public.verify(signature, data)


def _es256() -> Parts:
    private = ec.generate_private_key(ec.SECP256R1())
    public, scheme = private.public_key(), ec.ECDSA(SHA256())
    numbers = public.public_numbers()
    jwk = {"kty": "EC", "crv": "P-256", "x": _number(numbers.x, 32), "y": _number(numbers.y, 32)}

    def sign(data: bytes) -> bytes:
        return b"".join(part.to_bytes(32) for part in decode_dss_signature(private.sign(data, scheme)))

    def check(data: bytes, signature: bytes) -> None:
        r, s = int.from_bytes(signature[:32]), int.from_bytes(signature[32:])
        public.verify(encode_dss_signature(r, s), data, scheme)

    return jwk, public, sign, check


def _rs256() -> Parts:
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public, scheme, digest = private.public_key(), padding.PKCS1v15(), SHA256()
    numbers = public.public_numbers()
    return (
        {"kty": "RSA", "n": _number(numbers.n, 256), "e": _number(numbers.e, 3)},
        public,
        lambda data: private.sign(data, scheme, digest),
        lambda data, signature: public.verify(signature, data, scheme, digest),
    )


def _number(number: int, length: int) -> str:
    return base64url(number.to_bytes(length))


MAKERS: dict[str, Callable[[], Parts]] = {
    "HS256": _hs256,
    "EdDSA": _eddsa,
    "ES256": _es256,
    "RS256": _rs256,
}
