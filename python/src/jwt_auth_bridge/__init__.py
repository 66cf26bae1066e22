"""jwt-auth-bridge: verify Better Auth's access tokens in Python.

The door to the core: no framework is imported here. ``jwt_auth_bridge.fastapi`` is the annex for FastAPI.
"""

from .errors import (
    BridgeError,
    ConfigurationError,
    ForbiddenError,
    InvalidRequestError,
    InvalidTokenError,
    KeySetUnavailableError,
    MissingTokenError,
)
from .verifier import Principal, Verifier

__all__ = [
    "BridgeError",
    "ConfigurationError",
    "ForbiddenError",
    "InvalidRequestError",
    "InvalidTokenError",
    "KeySetUnavailableError",
    "MissingTokenError",
    "Principal",
    "Verifier",
]
