"""V10 to V17: the claims."""

from typing import Any

from ask import accept, refuse
from build import ABSENT, AUDIENCE, ISSUER, LIFETIME, NOW, OTHER_AUDIENCE, claims, dump, sign

REQUIRED = ("iss", "aud", "sub", "user_id", "client_id", "iat", "exp", "jti")


def good(rule: str, name: str, law: str, changes: dict[str, Any] | None = None, **question: Any) -> None:
    body = claims(**(changes or {}))
    accept(rule, name, law, sign(None, body), body, **question)


def bad(
    rule: str, name: str, law: str, code: str, changes: dict[str, Any] | None = None, **question: Any
) -> None:
    refuse(rule, name, law, sign(None, claims(**(changes or {}))), code, **question)


def literal(name: str, text: str) -> str:
    """A token in which one claim is written exactly like this."""
    return sign(None, dump(claims(**{name: "@@"})).replace('"@@"', text))


def presence() -> None:
    law = "RFC 9068 §2.2"
    for name in REQUIRED:
        # iss and sub are copied into client_id and user_id, so both are given here.
        changes = {"iss": ISSUER, "sub": "alice", "user_id": "alice", "client_id": ISSUER}
        bad("V10", f"without-{name}", law, "claim_missing", {**changes, name: ABSENT})
        bad(
            "V10",
            f"null-{name}-is-present",
            "access-token.md V10",
            "claim_malformed",
            {**changes, name: None},
        )
        bad("V10", f"{name}-in-upper-case", "RFC 7519 §2", "claim_missing",
            {**changes, name: ABSENT, name.upper(): claims()[name]})  # fmt: skip
    refuse("V10", "empty-object", law, sign(None, "{}"), "claim_missing")
    refuse(
        "V10", "nothing-but-proto", law, sign(None, '{"__proto__":' + dump(claims()) + "}"), "claim_missing"
    )
    bad("V10", "before-v11", "access-token.md, order", "claim_missing", {"jti": ABSENT, "iat": "x"})
    good(
        "V10", "further-claims", law, {"scope": "read", "act": {"sub": "admin"}, "org": None, "auth_time": 1}
    )


def types() -> None:
    law, code = "RFC 7519 §2, NumericDate", "claim_malformed"
    for name in ("iat", "exp", "nbf"):
        for kind, value in {
            "string": str(NOW), "true": True, "false": False, "array": [NOW], "object": {}, "empty-string": "",
            "minus-one": -1, "minus-a-little": -0.001, "one-too-late": 253402300800, "just-too-late": 253402300799.5,
            "milliseconds": NOW * 1000, "iso-8601": "2027-01-15T08:00:00Z",
        }.items():  # fmt: skip
            bad("V11", f"{name}-{kind}", law, code, {name: value})
    refuse("V11", "exp-1e300", law, literal("exp", "1e300"), code)
    bad("V11", "nbf-null", law, code, {"nbf": None})
    good("V11", "iat-with-a-fraction", law, {"iat": NOW - 0.5})
    good("V11", "exp-with-a-fraction", law, {"exp": NOW + 0.25})
    accept("V11", "exp-as-exponent", law, literal("exp", "1.8000003e9"), claims(exp=1800000300.0))
    accept("V11", "iat-with-zero-fraction", law, literal("iat", "1800000000.000"), claims(iat=1800000000.0))
    good("V11", "last-date", law, {"iat": 253402300499, "exp": 253402300799}, now=253402300500)
    accept("V11", "nbf-minus-zero", law, literal("nbf", "-0"), claims(nbf=0))
    good("V11", "nbf-zero", law, {"nbf": 0})
    law = "RFC 7519 §2, StringOrURI"
    for name in ("iss", "sub", "user_id", "client_id", "jti", "sid"):
        for kind, value in {
            "empty": "", "number": 7, "zero": 0, "true": True, "array": ["alice"], "object": {"id": "alice"},
        }.items():  # fmt: skip
            others = {"iss": ISSUER, "sub": "alice", "user_id": "alice", "client_id": ISSUER}
            bad("V11", f"{name}-{kind}", law, code, {**others, name: value})
    bad("V11", "sid-null", law, code, {"sid": None})
    good("V11", "sid-absent", law, {"sid": ABSENT})
    law = "RFC 7519 §4.1.3"
    for kind, value in {
        "empty": "", "empty-array": [], "array-of-empty": [""], "array-with-empty": [AUDIENCE, ""],
        "array-with-number": [AUDIENCE, 1], "array-with-null": [None, AUDIENCE], "nested-array": [[AUDIENCE]],
        "number": 1, "true": True, "object": {"0": AUDIENCE},
    }.items():  # fmt: skip
        bad("V11", f"aud-{kind}", law, code, {"aud": value})
    law = "access-token.md V11"
    good("V11", "sub-of-255", law, {"sub": "x" * 255})
    bad("V11", "sub-of-256", law, code, {"sub": "x" * 256})
    good("V11", "sub-of-255-code-points-beyond-the-bmp", law, {"sub": "😀" * 255})
    bad("V11", "sub-of-256-code-points-beyond-the-bmp", law, code, {"sub": "😀" * 256})
    good("V11", "sub-combining-marks", law, {"sub": "e\u0301" * 127})
    for kind, value in {
        "nul": "a\x00b", "newline": "alice\n", "tab": "\talice", "unit-separator": "\x1f", "escape": "a\x1bb",
        "delete": "alice\x7f", "c1-start": "\x80alice", "next-line": "a\x85", "c1-end": "\x9f",
    }.items():  # fmt: skip
        bad("V11", f"sub-{kind}", law, code, {"sub": value})
    for kind, value in {
        "space": " ", "tilde": "~", "no-break-space": "\u00a0", "line-separator": "\u2028", "bom": "\ufeff",
        "right-to-left": "\u202ealice", "integer-text": "42", "uuid": "018f4e1c-7d1b-7a3e-9c55-0f3a2b1c4d5e",
        "slash": "a/b", "dots": "../bob", "proto": "__proto__", "null-text": "null", "quotes": "\"'`",
    }.items():  # fmt: skip
        good("V11", f"sub-{kind}", law, {"sub": value})
    bad("V11", "before-v12", "access-token.md, order", code, {"jti": 1, "iss": "https://evil.example"})


def issuer_and_audience() -> None:
    law, code = "RFC 9068 §4, RFC 3986 §6.2.1", "issuer_mismatch"
    for kind, value in {
        "trailing-slash": f"{ISSUER}/", "upper-case": ISSUER.upper(), "upper-host": "https://App.example.com",
        "http": "http://app.example.com", "port": f"{ISSUER}:443", "prefix": ISSUER[:-1],
        "suffix": f"{ISSUER}.evil.example", "subdomain": "https://x.app.example.com", "path": f"{ISSUER}/api/auth",
        "leading-space": f" {ISSUER}", "trailing-space": f"{ISSUER} ", "zero-width": f"{ISSUER}\u200b",
        "cyrillic-a": "https://\u0430pp.example.com", "userinfo": "https://app.example.com@evil.example",
        "fullwidth": "https://app.example.com\uff0f", "other": "https://evil.example", "audience": AUDIENCE,
    }.items():  # fmt: skip
        bad("V12", kind, law, code, {"iss": value})
    bad("V12", "before-v13", "access-token.md, order", code, {"iss": "https://evil.example", "aud": "x"})
    law, code = "RFC 7519 §4.1.3", "audience_mismatch"
    for kind, value in {
        "trailing-slash": f"{AUDIENCE}/", "upper-case": AUDIENCE.upper(), "prefix": AUDIENCE[:-1],
        "suffix": f"{AUDIENCE}/v1", "other": OTHER_AUDIENCE, "issuer": ISSUER, "array-of-other": [OTHER_AUDIENCE],
        "array-of-near": [f"{AUDIENCE}/", AUDIENCE.upper()], "joined": f"{AUDIENCE} {OTHER_AUDIENCE}",
        "substring": "api", "decomposed": "https://api.example.co\u006d\u0301",
    }.items():  # fmt: skip
        bad("V13", kind, law, code, {"aud": value})
    good("V13", "array-of-one", law, {"aud": [AUDIENCE]})
    good("V13", "array-first", law, {"aud": [AUDIENCE, OTHER_AUDIENCE]})
    good("V13", "array-last", law, {"aud": [OTHER_AUDIENCE, ISSUER, AUDIENCE]})
    good("V13", "array-twice", law, {"aud": [AUDIENCE, AUDIENCE]})
    bad("V13", "before-v14", "access-token.md, order", code, {"aud": OTHER_AUDIENCE, "user_id": "bob"})


def identity() -> None:
    law, code = "access-token.md V14", "claim_malformed"
    for kind, value in {
        "other": "bob", "case": "Alice", "trailing-space": "alice ", "prefix": "alic", "suffix": "alice2",
        "zero-width": "alice\u200d", "fullwidth": "ａlice",
    }.items():  # fmt: skip
        bad("V14", f"user-id-{kind}", law, code, {"user_id": value})
    bad("V14", "user-id-in-another-normal-form", law, code, {"sub": "é", "user_id": "e\u0301"})
    for kind, value in {
        "third-party": "third-party-app", "upper-case": ISSUER.upper(), "trailing-slash": f"{ISSUER}/",
        "audience": AUDIENCE, "subject": "alice",
    }.items():  # fmt: skip
        bad("V14", f"client-id-{kind}", "RFC 9068 §2.2", code, {"client_id": value})
    for kind, value in {"jkt": {"jkt": "x"}, "empty": {}, "null": None, "string": "x"}.items():
        bad("V14", f"cnf-{kind}", "RFC 7800 §3.1", code, {"cnf": value})
    bad("V14", "before-v15", "access-token.md, order", code, {"user_id": "bob"}, now=NOW + 9999)


def times() -> None:
    end = NOW + LIFETIME
    law, code = "RFC 7519 §4.1.4", "token_expired"
    good("V15", "last-moment", law, now=end + 9.999)
    good("V15", "last-millisecond-before", law, now=end - 0.001)
    bad("V15", "first-moment", law, code, now=end + 10)
    bad("V15", "a-year-late", law, code, now=end + 31536000)
    good("V15", "leeway-0-last", law, now=end - 0.001, policy="leeway-0")
    bad("V15", "leeway-0-exp-equals-now", law, code, now=end, policy="leeway-0")
    bad("V15", "leeway-0-half-a-second", law, code, now=end + 0.5, policy="leeway-0")
    good("V15", "leeway-60-last", law, now=end + 59, policy="leeway-60")
    bad("V15", "leeway-60-first", law, code, now=end + 60, policy="leeway-60")
    bad("V15", "exp-with-a-fraction-first", law, code, {"exp": NOW + 0.25}, now=NOW + 0.25, policy="leeway-0")
    good("V15", "exp-with-a-fraction-last", law, {"exp": NOW + 0.25}, now=NOW + 0.125, policy="leeway-0")
    bad("V15", "exp-zero", law, code, {"exp": 0, "iat": 0})
    bad("V15", "before-v16", "access-token.md, order", code, {"exp": NOW - 60, "nbf": NOW + 60})
    law, code = "RFC 7519 §4.1.6, §4.1.5", "token_not_yet_valid"
    good("V16", "iat-at-the-edge", law, now=NOW - 10)
    bad("V16", "iat-over-the-edge", law, code, now=NOW - 10.001)
    good("V16", "leeway-0-iat-now", law, policy="leeway-0")
    bad("V16", "leeway-0-iat-a-little-ahead", law, code, now=NOW - 0.001, policy="leeway-0")
    bad("V16", "iat-a-day-ahead", law, code, now=NOW - 86400)
    good("V16", "leeway-60-iat", law, now=NOW - 60, policy="leeway-60")
    bad("V16", "leeway-60-iat-over", law, code, now=NOW - 61, policy="leeway-60")
    good("V16", "nbf-at-the-edge", law, {"nbf": NOW + 10})
    bad("V16", "nbf-over-the-edge", law, code, {"nbf": NOW + 10.001})
    good("V16", "nbf-past", law, {"nbf": NOW - 1})
    bad("V16", "nbf-after-exp", law, code, {"nbf": NOW + LIFETIME + 1})
    bad("V16", "clock-at-zero", law, code, now=0)
    bad("V16", "before-v17", "access-token.md, order", code, {"iat": NOW + 60, "exp": NOW + 60})
    law, code = "access-token.md V17", "lifetime_out_of_range"
    good("V17", "an-hour", law, {"exp": NOW + 3600})
    bad("V17", "an-hour-and-a-second", law, code, {"exp": NOW + 3601})
    bad("V17", "an-hour-and-a-little", law, code, {"exp": NOW + 3600.5})
    bad("V17", "a-week", law, code, {"exp": NOW + 604800})
    bad("V17", "iat-zero", law, code, {"iat": 0})
    good("V17", "a-minute-of-a-minute", law, {"exp": NOW + 60}, policy="lifetime-60")
    bad("V17", "over-a-minute", law, code, {"exp": NOW + 61}, policy="lifetime-60")
    good("V17", "a-day-of-a-day", law, {"exp": NOW + 86400}, policy="lifetime-86400")
    bad("V17", "over-a-day", law, code, {"exp": NOW + 86401}, policy="lifetime-86400")
    bad("V17", "exp-equals-iat", law, code, {"iat": NOW + 5, "exp": NOW + 5})
    bad("V17", "exp-before-iat", law, code, {"iat": NOW + 5, "exp": NOW + 4})
    good("V17", "a-second", law, {"exp": NOW + 1})
    good("V17", "a-fraction", law, {"iat": NOW - 0.25, "exp": NOW + 0.25})
