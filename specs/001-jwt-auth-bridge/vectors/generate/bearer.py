"""Cases of Authorization headers: every field's value, as Latin-1 text, and the token or the code."""

from build import Cases, Json, document, sign

CASES = Cases()
SESSION = "q7Zt2LmX9vB4nC6kR1sW8yD3fG5hJ0pA"
COOKIE = f"{SESSION}.{'aB3+/' * 8}abc"


def token(name: str, law: str, value: str, expected: str) -> None:
    CASES.add("bearer", name, law, {"values": [value]}, {"ok": True, "token": expected})


def refuse(name: str, law: str, values: list[str], code: str) -> None:
    CASES.add("bearer", name, law, {"values": values}, {"ok": False, "code": code})


def cases() -> Json:
    law = "RFC 6750 §2.1"
    for name, (value, expected) in {
        "usual": (f"Bearer {sign()}", sign()),
        "short": ("Bearer a", "a"),
        "lower-case": ("bearer abc", "abc"),
        "upper-case": ("BEARER abc", "abc"),
        "mixed-case": ("bEaReR abc", "abc"),
        "many-spaces": ("Bearer     abc", "abc"),
        "whole-alphabet": ("Bearer aZ09-._~+/", "aZ09-._~+/"),
        "padding": ("Bearer abc==", "abc=="),
        "session-token": (f"Bearer {SESSION}", SESSION),
        "session-cookie": (f"Bearer {COOKIE}=", f"{COOKIE}="),
        "session-cookie-percent-encoded": (f"Bearer {COOKIE}%3D", f"{COOKIE}%3D"),
        "very-long": (f"Bearer {'a' * 20000}", "a" * 20000),
    }.items():
        token(name, law, value, expected)
    law = "RFC 6750 §3, RFC 9110 §11.4"
    for name, values in {
        "absent": [],
        "empty": [""],
        "basic": ["Basic YTpi"],
        "digest-with-commas": ['Digest username="a", realm="b"'],
        "dpop": ["DPoP abc"],
        "scheme-that-begins-with-bearer": ["BearerX abc"],
        "scheme-that-ends-with-bearer": ["XBearer abc"],
        "scheme-with-tchar": ["Bearer-Token abc"],
        "token-alone": [sign()],
        "word-bearer-later": ["Basic Bearer abc"],
        "leading-space": [" Bearer abc"],
        "non-ascii-scheme": ["B\u00e9arer abc"],
        "bearer-after-comma-as-a-longer-word": ["Basic a, BearerX b"],
        "bearer-after-comma-inside-a-word": ["Basic a, XBearer b"],
        "quoted": ['"Bearer abc"'],
        "other-word-before": ["Token Bearer abc"],
    }.items():
        refuse(name, law, values, "token_missing")
    law = "RFC 6750 §3.1, RFC 9110 §5.3"
    for name, values in {
        "two-fields": ["Bearer a", "Bearer b"],
        "two-equal-fields": ["Bearer a", "Bearer a"],
        "two-fields-other-scheme-first": ["Basic a", "Bearer b"],
        "two-fields-other-scheme-last": ["Bearer a", "Basic b"],
        "two-other-schemes": ["Basic a", "Digest b"],
        "two-empty-fields": ["", ""],
        "three-fields": ["", "Bearer a", ""],
        "joined-after-basic": ["Basic YTpi, Bearer abc"],
        "joined-without-space": ["Basic YTpi,Bearer abc"],
        "joined-with-tab": ["Basic YTpi,\tbearer abc"],
        "joined-after-nothing": [", Bearer abc"],
        "joined-after-token": ["abc, BEARER abc"],
        "joined-bare": ["Basic YTpi, Bearer"],
        "joined-third": ["Basic a, Digest b, Bearer c"],
    }.items():
        refuse(name, law, values, "authorization_repeated")
    law = "RFC 6750 §2.1, §3.1"
    for name, value in {
        "bare": "Bearer",
        "bare-with-space": "Bearer ",
        "bare-with-spaces": "Bearer    ",
        "tab": "Bearer\tabc",
        "space-then-tab": "Bearer \tabc",
        "trailing-space": "Bearer abc ",
        "trailing-tab": "Bearer abc\t",
        "trailing-newline": "Bearer abc\n",
        "two-words": "Bearer abc def",
        "parameters": 'Bearer abc, realm="x"',
        "joined-two-bearers": "Bearer a, Bearer b",
        "joined-basic-after": "Bearer a, Basic b",
        "comma": "Bearer,abc",
        "comma-after": "Bearer abc,",
        "colon": "Bearer: abc",
        "equals": "Bearer=abc",
        "quoted-token": 'Bearer "abc"',
        "angle-brackets": "Bearer <abc>",
        "only-padding": "Bearer ==",
        "padding-inside": "Bearer ab=c",
        "percent": "Bearer abc%3D",
        "percent-cookie-too-short": f"Bearer {SESSION}.abc%3D",
        "percent-cookie-too-long": f"Bearer {SESSION}.{'a' * 62}%3D",
        "at-sign": "Bearer a@b",
        "non-ascii": "Bearer \u00e9",
        "non-ascii-at-the-end": "Bearer abc\u00e9",
        "no-break-space": "Bearer\u00a0abc",
        "nul": "Bearer abc\u0000",
        "comma-in-token": "Bearer a,b",
        "json": 'Bearer {"token":"abc"}',
    }.items():
        refuse(name, law, [value], "authorization_malformed")
    return document("Authorization headers", CASES.cases)
