"""One question in its parts, so that it can be mutated, shrunk and signed again."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

SECRET = "k3Zq9vT1xW7pL0sD5fG8hJ2nB4mC6rY+uQeAoI/tX1E="
ISSUER = "https://app.example.com"
AUDIENCE = "https://api.example.com"
NOW = 1_800_000_000


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _derive() -> bytes:
    pseudorandom = hmac.digest(bytes(32), SECRET.encode(), "sha256")
    return hmac.digest(pseudorandom, b"jwt-auth-bridge/v1/HS256/" + AUDIENCE.encode() + b"\x01", "sha256")


KEY = _derive()
KID = base64url(hashlib.sha256(b'{"k":"%s","kty":"oct"}' % base64url(KEY).encode()).digest())
POLICY: dict[str, Any] = {"issuer": ISSUER, "audience": AUDIENCE, "secrets": [SECRET]}
HEADER: dict[str, Any] = {"alg": "HS256", "typ": "at+jwt", "kid": KID}
CLAIMS: dict[str, Any] = {
    "iss": ISSUER,
    "aud": AUDIENCE,
    "sub": "alice",
    "user_id": "alice",
    "client_id": ISSUER,
    "sid": "s9Tq0Lr2",
    "jti": "AAECAwQFBgcICQoLDA0ODw",
    "iat": NOW,
    "exp": NOW + 300,
}


def _published_pairs() -> dict[str, dict[str, str]]:
    """The published test keys of the vectors, `kid` to JWK with its private part."""
    file = Path(__file__).parents[2] / "specs" / "001-jwt-auth-bridge" / "vectors" / "keys.json"
    return {jwk["kid"]: jwk for jwk in json.loads(file.read_text("utf-8"))["keyPairs"]}


PAIRS = _published_pairs()
ALL_KEYS = [{name: value for name, value in jwk.items() if name != "d"} for jwk in PAIRS.values()]
PUBLIC_KEYS = [jwk for jwk in ALL_KEYS if not jwk["kid"].endswith("-2")]
PUBLIC_POLICY: dict[str, Any] = {"issuer": ISSUER, "audience": AUDIENCE, "keys": {"keys": PUBLIC_KEYS}}


def _integer(jwk: dict[str, str], name: str) -> int:
    return int.from_bytes(decode(jwk[name]))


def decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _rsa_numbers(jwk: dict[str, str]) -> rsa.RSAPrivateNumbers:
    n, e, d = (_integer(jwk, name) for name in "ned")
    p, q = rsa.rsa_recover_prime_factors(n, e, d)
    parts = (rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q), rsa.rsa_crt_iqmp(p, q))
    return rsa.RSAPrivateNumbers(p, q, d, *parts, rsa.RSAPublicNumbers(e, n))


RSA = _rsa_numbers(PAIRS["rsa"])
Sign = Callable[[bytes], bytes]


def _signer(jwk: dict[str, str]) -> tuple[Sign, Any]:
    """How a key pair signs, and its public key."""
    if jwk["kty"] == "OKP":
        edwards = ed25519.Ed25519PrivateKey.from_private_bytes(decode(jwk["d"]))
        return edwards.sign, edwards.public_key()
    if jwk["kty"] == "EC":
        curve = ec.derive_private_key(_integer(jwk, "d"), ec.SECP256R1())

        def es256(data: bytes) -> bytes:
            r, s = decode_dss_signature(curve.sign(data, ec.ECDSA(SHA256(), deterministic_signing=True)))
            return r.to_bytes(32) + s.to_bytes(32)

        return es256, curve.public_key()
    key = _rsa_numbers(jwk).private_key(unsafe_skip_rsa_key_validation=True)
    return lambda data: key.sign(data, padding.PKCS1v15(), SHA256()), key.public_key()


def _hmac(key: bytes) -> Sign:
    return lambda data: hmac.digest(key, data, "sha256")


def _signers() -> Iterator[tuple[str, Sign]]:
    yield "oct", _hmac(KEY)
    for kid, jwk in PAIRS.items():
        sign, public = _signer(jwk)
        yield kid, sign
        # The classic confusion: the public key, in every spelling, as an HMAC's secret.
        material = jwk.get("x", jwk.get("n", ""))
        yield f"hmac-{kid}", _hmac(decode(material))
        yield f"hmac-{kid}-text", _hmac(material.encode())
        yield f"hmac-{kid}-spki", _hmac(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
        yield f"hmac-{kid}-pem", _hmac(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


SIGNERS: dict[str, Sign] = dict(_signers())


def dump(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


@dataclass(frozen=True)
class Case:
    """A token before it is signed, what happens to it afterwards, and the question around it.

    Attributes:
        header: the bytes of the protected header.
        payload: the bytes of the payload.
        token: where not None, the token itself, damaged after signing.
        now: seconds.
        policy: as the conformance port takes it.
        signer: whose key signs: a name in `SIGNERS`.
    """

    header: bytes = dump(HEADER)
    payload: bytes = dump(CLAIMS)
    token: bytes | None = None
    now: float = NOW
    policy: str = json.dumps(POLICY)
    signer: str = "oct"

    def signed(self) -> bytes:
        """The token as it was signed."""
        signing_input = f"{base64url(self.header)}.{base64url(self.payload)}"
        return f"{signing_input}.{base64url(SIGNERS[self.signer](signing_input.encode()))}".encode()

    def question(self, identifier: str) -> bytes:
        """The line for the port."""
        token = self.signed() if self.token is None else self.token
        question = {
            "id": identifier,
            "token_b64": base64url(token),
            "now": self.now,
            "policy": json.loads(self.policy),
        }
        return json.dumps(question).encode() + b"\n"

    def simpler(self) -> "list[Case]":
        """Simpler neighbours, the boldest first: what a shrinker tries."""
        plain = Case()
        neighbours = [
            replace(self, **{name: getattr(plain, name)})
            for name in ("token", "policy", "now", "header", "payload", "signer")
            if getattr(self, name) != getattr(plain, name)
        ]
        for name in ("token", "header", "payload"):
            data = getattr(self, name)
            size = len(data) if data is not None else 0
            step = size // 2
            while step:
                for start in range(0, size, step):
                    shorter = data[:start] + data[start + step :]
                    neighbours.append(replace(self, **{name: shorter}))
                step //= 2
        return neighbours
