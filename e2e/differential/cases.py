"""One question in its parts, so that it can be mutated, shrunk and signed again."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

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
PUBLIC_KEYS = [{name: value for name, value in jwk.items() if name != "d"} for jwk in PAIRS.values()]
PUBLIC_POLICY: dict[str, Any] = {"issuer": ISSUER, "audience": AUDIENCE, "keys": {"keys": PUBLIC_KEYS}}


def _integer(jwk: dict[str, str], name: str) -> int:
    return int.from_bytes(_decode(jwk[name]))


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


ED_KEY = ed25519.Ed25519PrivateKey.from_private_bytes(_decode(PAIRS["ed"]["d"]))
EC_KEY = ec.derive_private_key(_integer(PAIRS["ec"], "d"), ec.SECP256R1())


def _es256(data: bytes) -> bytes:
    r, s = decode_dss_signature(EC_KEY.sign(data, ec.ECDSA(SHA256(), deterministic_signing=True)))
    return r.to_bytes(32) + s.to_bytes(32)


def _rs256(data: bytes) -> bytes:
    n, d = _integer(PAIRS["rsa"], "n"), _integer(PAIRS["rsa"], "d")
    info = bytes.fromhex("3031300d060960864801650304020105000420") + hashlib.sha256(data).digest()
    block = b"\x00\x01" + b"\xff" * (256 - len(info) - 3) + b"\x00" + info
    return pow(int.from_bytes(block), d, n).to_bytes(256)


SIGNERS: dict[str, Callable[[bytes], bytes]] = {
    "oct": lambda data: hmac.digest(KEY, data, "sha256"),
    "ed": ED_KEY.sign,
    "ec": _es256,
    "rsa": _rs256,
}


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
        signer: whose key signs: `oct`, `ed`, `ec` or `rsa`.
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
