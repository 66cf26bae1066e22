"""The profile: every number and name that the contract fixes, and nothing else.

First room on the data's way; all others import it and it imports nothing. Law:
``specs/001-jwt-auth-bridge/access-token.md`` (an RFC 9068 access token with keys derived by RFC 5869).
"""

from typing import Final

ALGORITHM: Final = "HS256"
"""The ``alg`` of tokens signed with a derived key (RFC 7518 §3.2)."""

TOKEN_TYPE: Final = "at+jwt"
"""The ``typ`` of an access token (RFC 9068 §2.1)."""

KEY_INFO_PREFIX: Final = "jwt-auth-bridge/v1/HS256/"
"""HKDF's ``info`` is this prefix followed by the audience (RFC 5869 §2.3)."""

KEY_LENGTH: Final = 32
"""Length of a derived key, in bytes."""

MAX_TOKEN_LENGTH: Final = 8192
"""Longest token, in ASCII characters."""

OPAQUE_SHAPE: Final = r"[A-Za-z0-9]{32}(?:\.[A-Za-z0-9+/=%]{40,64})?"
"""Pattern of Better Auth's session token (32 letters or digits), and of its signed cookie."""

MAX_JSON_DEPTH: Final = 64
"""Deepest nesting of a header or a payload; the object itself is 1."""

MAX_SAFE_INTEGER: Final = 2**53 - 1
"""Largest integer literal in either direction (RFC 8259 §6, RFC 7493 §2.2)."""

MAX_NUMERIC_DATE: Final = 253402300799
"""Latest date, in seconds: 9999-12-31T23:59:59Z."""

MAX_SUBJECT_LENGTH: Final = 255
"""Longest ``sub``, in Unicode code points."""

DEFAULT_LEEWAY: Final = 10
"""Allowed difference of clocks, in seconds."""

MAX_LEEWAY: Final = 60
"""Largest leeway, in seconds."""

DEFAULT_LIFETIME: Final = 300
"""Lifetime of an issued token, in seconds."""

MAX_LIFETIME: Final = 3600
"""Longest lifetime that an issuer may choose, in seconds."""

DEFAULT_MAXIMUM_LIFETIME: Final = 3600
"""Longest lifetime that a verifier accepts unless told otherwise, in seconds."""

MAX_MAXIMUM_LIFETIME: Final = 86400
"""Longest lifetime that a verifier can be told to accept, in seconds."""

MAX_KEY_SET_BYTES: Final = 65536
"""Largest answer of a key-set URL, in bytes."""

MAX_KEY_SET_KEYS: Final = 32
"""Most entries of a fetched key set, usable or not."""

KEY_SET_TIMEOUT: Final = 5
"""Longest fetch of a key set, from name resolution to the last byte, in seconds."""

KEY_SET_COOL_DOWN: Final = 30
"""Shortest time from one fetch to the next while keys are in hand, in seconds."""

KEY_SET_RETRY: Final = 5
"""The same while none are, in seconds."""

DEFAULT_KEY_SET_AGE: Final = 300
"""For how long a fetched key set is fresh where its answer does not say, in seconds."""

MIN_KEY_SET_AGE: Final = 30
"""Least that an answer can say, in seconds."""

MAX_KEY_SET_AGE: Final = 3600
"""Most that an answer can say, in seconds."""

MAX_KEY_SET_STALENESS: Final = 86400
"""For how long keys that are no longer fresh outlive an outage, in seconds."""

MIN_SECRET_LENGTH: Final = 32
"""Shortest shared secret, in characters."""

MIN_SECRET_DISTINCT: Final = 8
"""Fewest distinct characters of a shared secret."""

MIN_SECRET_BITS: Final = 96
"""Smallest ``length * log2(distinct characters)`` of a shared secret, in bits."""

REQUIRED_CLAIMS: Final = ("iss", "aud", "sub", "user_id", "client_id", "iat", "exp", "jti")
"""Claims that every token carries (RFC 9068 §2.2, and ``user_id``)."""

RESERVED_CLAIMS: Final = frozenset((*REQUIRED_CLAIMS, "sid", "nbf", "act", "cnf"))
"""Claim names that an integrator can not set."""

PLACEHOLDERS: Final = frozenset(
    (
        "better-auth-secret-12345678901234567890",
        "better-auth-secret-123456789",
        "change-me-change-me-change-me-change-me",
        "changeme-changeme-changeme-changeme",
        "your-secret-key-here-min-32-characters",
        "your-secret-key-at-least-32-characters",
        "your-secret-key-at-least-32-characters-long",
        "your-super-secret-key-at-least-32-characters",
        "your-super-secret-key-at-least-32-characters-long",
        "your_better_auth_secret_at_least_32_characters",
        "your-better-auth-secret-at-least-32-characters",
        "replace-me-with-a-random-32-character-secret",
        "replace-with-a-secure-random-string-of-32-characters",
        "generate-a-random-secret-at-least-32-chars",
        "a-very-long-random-secret-that-nobody-guesses",
        "super-secret-key-change-in-production",
        "supersecretkeychangeinproduction123",
        "this-is-a-secret-key-change-in-production",
        "0123456789abcdef0123456789abcdef",
        "abcdefghijklmnopqrstuvwxyz123456",
        "abcdefghijklmnopqrstuvwxyz012345",
        "12345678901234567890123456789012",
    )
)
"""Published strings that are no secrets; equal to ``placeholders.json``."""
