"""How a case about an access token is asked: a policy, a time, a token, and what must come out."""

from typing import Any

from build import (
    AUDIENCE,
    ISSUER,
    NOW,
    OLD_SECRET,
    SECRET,
    Cases,
    Json,
    base64url,
    claims,
)

POLICIES: Json = {
    "default": {"issuer": ISSUER, "audience": AUDIENCE, "secrets": [SECRET]},
    "rotated": {"issuer": ISSUER, "audience": AUDIENCE, "secrets": [SECRET, OLD_SECRET]},
    "leeway-0": {"issuer": ISSUER, "audience": AUDIENCE, "secrets": [SECRET], "leeway": 0},
    "leeway-60": {"issuer": ISSUER, "audience": AUDIENCE, "secrets": [SECRET], "leeway": 60},
    "lifetime-60": {"issuer": ISSUER, "audience": AUDIENCE, "secrets": [SECRET], "maximumLifetime": 60},
    "lifetime-86400": {"issuer": ISSUER, "audience": AUDIENCE, "secrets": [SECRET], "maximumLifetime": 86400},
}

CASES = Cases()


def accept(rule: str, name: str, law: str, token: str, expected: Json | None = None, **question: Any) -> None:
    """A case that passes, with the principal that must come out."""
    _add(rule, name, law, token, question, accepted(claims() if expected is None else expected))


def accepted(body: Json) -> Json:
    """The verdict on a good token with these claims."""
    principal = {
        "subject": body["sub"],
        "session_id": body.get("sid"),
        "token_id": body["jti"],
        "issued_at": body["iat"],
        "expires_at": body["exp"],
        "claims": body,
    }
    return {"ok": True, "principal": principal}


def refuse(rule: str, name: str, law: str, token: str | bytes, code: str, **question: Any) -> None:
    """A case that fails, with the code of the first rule that fails."""
    _add(rule, name, law, token, question, {"ok": False, "code": code})


def _add(rule: str, name: str, law: str, token: str | bytes, question: Json, expect: Json) -> None:
    named = {"token": token} if isinstance(token, str) else {"token_b64": base64url(token)}
    CASES.add(rule, name, law, {"policy": "default", "now": NOW, **named, **question}, expect)
