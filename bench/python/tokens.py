"""The token that everybody verifies, and the strictness asked of every peer."""

import base64
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

from jwt_auth_bridge.keys import derive_key, key_id

SECRET = "k3Zq9vT1xW7pL0sD5fG8hJ2nB4mC6rY+uQeAoI/tX1E="
ISSUER = "https://app.example.com"
AUDIENCE = "https://api.example.com"
USER = "q7Zt2LmX9vB4nC6kR1sW8yD3fG5hJ0pA"
REQUIRED = ["iss", "aud", "sub", "user_id", "client_id", "iat", "exp", "jti"]
LEEWAY = 10


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def claims(**more: Any) -> dict[str, Any]:
    """The claims of a good token, unless ``more`` says otherwise."""
    now = int(time.time())
    return {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": USER,
        "user_id": USER,
        "client_id": ISSUER,
        "sid": USER[::-1],
        "jti": "AAECAwQFBgcICQoLDA0ODw",
        "iat": now,
        "exp": now + 3600,
        **more,
    }


def compact(header: dict[str, str], body: dict[str, Any], sign: Callable[[bytes], bytes]) -> str:
    parts = (base64url(json.dumps(part, separators=(",", ":")).encode()) for part in (header, body))
    signing_input = ".".join(parts)
    return f"{signing_input}.{base64url(sign(signing_input.encode()))}"


def token(secret: str = SECRET, **more: Any) -> str:
    key = derive_key(secret, AUDIENCE)
    header = {"alg": "HS256", "typ": "at+jwt", "kid": key_id(key)}
    return compact(header, claims(**more), lambda data: hmac.digest(key, data, "sha256"))
