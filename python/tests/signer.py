"""An independent signer: standard library only, so that no test trusts the code under test."""

import base64
import hashlib
import hmac
import json
from typing import Any

SECRET = "k3Zq9vT1xW7pL0sD5fG8hJ2nB4mC6rY+uQeAoI/tX1E="
ISSUER = "https://app.example.com"
AUDIENCE = "https://api.example.com"
NOW = 1_800_000_000


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def hkdf(secret: str, audience: str) -> bytes:
    prk = hmac.new(b"", secret.encode(), hashlib.sha256).digest()
    return hmac.new(prk, b"jwt-auth-bridge/v1/HS256/" + audience.encode() + b"\x01", hashlib.sha256).digest()


def thumbprint(key: bytes) -> str:
    text = json.dumps({"k": base64url(key), "kty": "oct"}, sort_keys=True, separators=(",", ":"))
    return base64url(hashlib.sha256(text.encode()).digest())


KEY = hkdf(SECRET, AUDIENCE)
KID = thumbprint(KEY)


def header(**changes: Any) -> dict[str, Any]:
    return merge({"alg": "HS256", "typ": "at+jwt", "kid": KID}, changes)


def claims(**changes: Any) -> dict[str, Any]:
    user = changes.get("sub", "alice")
    return merge(
        {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": user,
            "user_id": user,
            "client_id": ISSUER,
            "sid": "session-1",
            "jti": "AAAAAAAAAAAAAAAAAAAAAA",
            "iat": NOW,
            "exp": NOW + 300,
        },
        changes,
    )


ABSENT = object()


def merge(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**base, **changes}.items() if value is not ABSENT}


def sign_bytes(head: bytes, body: bytes, key: bytes = KEY) -> str:
    """Signs exactly these bytes, however odd they are."""
    signing_input = f"{base64url(head)}.{base64url(body)}"
    return f"{signing_input}.{base64url(hmac.new(key, signing_input.encode(), hashlib.sha256).digest())}"


def sign(head: dict[str, Any] | None = None, body: dict[str, Any] | None = None, key: bytes = KEY) -> str:
    """Signs a header and claims; both default to a good token's."""
    return sign_bytes(
        json.dumps(header() if head is None else head).encode(),
        json.dumps(claims() if body is None else body, ensure_ascii=False).encode(),
        key,
    )
