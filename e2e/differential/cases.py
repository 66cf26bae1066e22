"""One question in its parts, so that it can be mutated, shrunk and signed again. Standard library only."""

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass, replace
from typing import Any

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
    """

    header: bytes = dump(HEADER)
    payload: bytes = dump(CLAIMS)
    token: bytes | None = None
    now: float = NOW
    policy: str = json.dumps(POLICY)

    def signed(self) -> bytes:
        """The token as it was signed."""
        signing_input = f"{base64url(self.header)}.{base64url(self.payload)}"
        return f"{signing_input}.{base64url(hmac.digest(KEY, signing_input.encode(), 'sha256'))}".encode()

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
            for name in ("token", "policy", "now", "header", "payload")
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
