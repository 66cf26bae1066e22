"""What every vector is built from: the published test secrets, a signer, and the shape of a case.

Standard library only and independent of both packages, so that no verifier vouches for itself.
"""

import base64
import hashlib
import hmac
import json
from typing import Any

SECRET = "k3Zq9vT1xW7pL0sD5fG8hJ2nB4mC6rY+uQeAoI/tX1E="
OLD_SECRET = "Yb8nQ2wEr5tY7uI9oP1aS3dF6gH4jK0lZxCvBnM-old"
UNKNOWN_SECRET = "Wp4cV7bN1mQ9wE2rT5yU8iO3aS6dF0gHjKlZxCv-new"
ISSUER = "https://app.example.com"
AUDIENCE = "https://api.example.com"
OTHER_AUDIENCE = "https://billing.example.com"
NOW = 1_800_000_000
LIFETIME = 300

Json = dict[str, Any]
ABSENT = object()


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def derive(secret: str, audience: str = AUDIENCE) -> bytes:
    """HKDF-SHA256 with an empty salt, 32 bytes (RFC 5869)."""
    pseudorandom = hmac.digest(b"\x00" * 32, secret.encode(), "sha256")
    return hmac.digest(pseudorandom, b"jwt-auth-bridge/v1/HS256/" + audience.encode() + b"\x01", "sha256")


def thumbprint(key: bytes) -> str:
    return base64url(hashlib.sha256(b'{"k":"%s","kty":"oct"}' % base64url(key).encode()).digest())


KEY = derive(SECRET)
KID = thumbprint(KEY)
OLD_KEY = derive(OLD_SECRET)
OLD_KID = thumbprint(OLD_KEY)


def change(base: Json, changes: Json) -> Json:
    return {name: value for name, value in {**base, **changes}.items() if value is not ABSENT}


def header(**changes: Any) -> Json:
    return change({"alg": "HS256", "typ": "at+jwt", "kid": KID}, changes)


def claims(**changes: Any) -> Json:
    """A good token's claims; `sub` and `iss` carry `user_id` and `client_id` along unless these are given."""
    user, issuer = changes.get("sub", "alice"), changes.get("iss", ISSUER)
    return change(
        {
            "iss": issuer,
            "aud": AUDIENCE,
            "sub": user,
            "user_id": user,
            "client_id": issuer,
            "sid": "s9Tq0Lr2",
            "jti": "AAECAwQFBgcICQoLDA0ODw",
            "iat": NOW,
            "exp": NOW + LIFETIME,
        },
        changes,
    )


def dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def encode(part: "str | bytes | Json") -> str:
    """A segment: bytes as they are, text as UTF-8, anything else as compact JSON."""
    if isinstance(part, dict):
        part = dump(part)
    return base64url(part.encode() if isinstance(part, str) else part)


def sign(
    head: "str | bytes | Json | None" = None,
    body: "str | bytes | Json | None" = None,
    key: bytes = KEY,
    digest: str = "sha256",
) -> str:
    """Signs exactly this header and this payload, however odd; both default to a good token's."""
    signing_input = (
        f"{encode(header() if head is None else head)}.{encode(claims() if body is None else body)}"
    )
    return f"{signing_input}.{base64url(hmac.digest(key, signing_input.encode(), digest))}"


class Cases:
    """Collects cases; a second case under one name, or without rule or law, is an error."""

    def __init__(self) -> None:
        self.cases: list[Json] = []
        self._names: set[str] = set()

    def add(self, rule: str, name: str, law: str, question: Json, expect: Json) -> None:
        identifier = f"{rule.lower()}-{name}"
        if identifier in self._names or not (rule and law):
            raise ValueError(f"{identifier}: named twice, or without rule or law")
        self._names.add(identifier)
        self.cases.append({"id": identifier, "rule": rule, "law": law, **question, "expect": expect})


def document(title: str, cases: list[Json], **more: Any) -> Json:
    return {"title": title, "numberOfTests": len(cases), **more, "tests": cases}
