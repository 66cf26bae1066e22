"""The Authorization header, form by form, and the answers, byte by byte."""

import json
from pathlib import Path

import pytest

import jwt_auth_bridge
from jwt_auth_bridge import InvalidRequestError, MissingTokenError
from jwt_auth_bridge.bearer import answer, parse_authorization
from jwt_auth_bridge.errors import HINTS, BridgeError
from jwt_auth_bridge.profile import PLACEHOLDERS

SPECIFICATION = Path(__file__).parents[2] / "specs" / "001-jwt-auth-bridge"
REGISTRY = json.loads((SPECIFICATION / "errors.json").read_text())
OPAQUE = "a1B2" * 8
COOKIE = OPAQUE + "." + "abc+/123" * 5 + "%3D"


@pytest.mark.parametrize(
    ("value", "token"),
    [
        ("Bearer abc.def.ghi", "abc.def.ghi"),
        ("bearer abc", "abc"),
        ("BEARER   abc", "abc"),
        ("Bearer a-._~+/b==", "a-._~+/b=="),
        (f"Bearer {OPAQUE}", OPAQUE),
        (f"Bearer {COOKIE}", COOKIE),
    ],
)
def test_bearer_credentials(value, token):
    assert parse_authorization([value.encode()]) == token


@pytest.mark.parametrize(
    "values", [[], [b""], [b"Basic YTpi"], [b"Bearerx abc"], [b"Digest a=1, b=2"], [b"abc.def"]]
)
def test_no_credentials_or_another_scheme(values):
    with pytest.raises(MissingTokenError) as caught:
        parse_authorization(values)
    assert caught.value.code == "token_missing"


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ([b"Bearer a", b"Bearer b"], "authorization_repeated"),
        ([b"Basic a", b"Basic b"], "authorization_repeated"),
        ([b"Basic YTpi, Bearer abc"], "authorization_repeated"),
        ([b"Basic YTpi,Bearer abc"], "authorization_repeated"),
        ([b",bearer abc"], "authorization_repeated"),
        ([b"Bearer a, Bearer b"], "authorization_malformed"),
        ([b"Bearer"], "authorization_malformed"),
        ([b"Bearer "], "authorization_malformed"),
        ([b"Bearer\tabc"], "authorization_malformed"),
        ([b"Bearer abc "], "authorization_malformed"),
        ([b"Bearer abc def"], "authorization_malformed"),
        ([b"Bearer =abc"], "authorization_malformed"),
        ([b"Bearer ab=c"], "authorization_malformed"),
        ([b"Bearer abc\n"], "authorization_malformed"),
        ([b'Bearer "abc"'], "authorization_malformed"),
        ([b"Bearer,abc"], "authorization_malformed"),
        ([b"Bearer \xe9"], "authorization_malformed"),
        ([b"Bearer a%3D"], "authorization_malformed"),
    ],
)
def test_malformed_credentials(values, code):
    with pytest.raises(InvalidRequestError) as caught:
        parse_authorization(values)
    assert caught.value.code == code


def test_errors_equal_the_registry():
    assert {code: entry["hint"] for code, entry in REGISTRY["codes"].items()} == HINTS
    for code, entry in REGISTRY["codes"].items():
        assert issubclass(getattr(jwt_auth_bridge, entry["class"]), BridgeError), code


def test_answers_equal_the_registry_byte_for_byte():
    for name, expected in REGISTRY["answers"].items():
        code = next(code for code, entry in REGISTRY["codes"].items() if entry["class"] == name)
        got = answer(getattr(jwt_auth_bridge, name)(code))
        assert got.status == expected["status"]
        assert dict(got.headers) == expected["headers"]
        assert got.body == expected["body"].encode()


def test_placeholders_equal_the_list():
    listed = json.loads((SPECIFICATION / "placeholders.json").read_text())
    assert sorted(listed) == sorted(PLACEHOLDERS)
    assert len(listed) == len(set(listed))
