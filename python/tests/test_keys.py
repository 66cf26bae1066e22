"""Secrets, derived keys, key IDs and issuers; the known answer of the contract."""

import hashlib
import json
from pathlib import Path

import pytest

from jwt_auth_bridge import ConfigurationError
from jwt_auth_bridge.keys import (
    derive_key,
    derive_keys,
    judge_secret,
    key_id,
    parse_versioned_secrets,
    reduce_issuer,
    secrets_in_force,
)
from signer import AUDIENCE, KEY, KID, SECRET

SPECIFICATION = Path(__file__).parents[2] / "specs" / "001-jwt-auth-bridge"
OTHER = hashlib.sha256(b"another secret").hexdigest()


def test_known_answer_of_the_contract():
    key = derive_key(SECRET, AUDIENCE)
    assert key.hex() == "ca862b5e685d08ae50988596632ba4e9636432edb22d29ae54a9baca706ea565"
    assert key_id(key) == "vrqa5TdV3SOpsaQDoGDZt7cQeMU-zDyJtkjBoBupOLM"
    assert (key, key_id(key)) == (KEY, KID)


def test_rfc_5869_test_case_3_has_the_same_shape_of_hkdf():
    # Empty salt and info, first 32 bytes of RFC 5869 appendix A.3, through the standard library's HMAC.
    import hmac

    prk = hmac.digest(bytes(32), bytes.fromhex("0b" * 22), "sha256")
    okm = hmac.digest(prk, b"\x01", "sha256")
    assert okm.hex() == "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"


def test_the_key_depends_on_the_audience_and_on_the_secret():
    keys = {derive_key(s, a) for s in (SECRET, OTHER) for a in (AUDIENCE, AUDIENCE + "/")}
    assert len(keys) == 4


@pytest.mark.parametrize(
    ("secret", "reason"),
    [
        ("", "not set"),
        (None, "not set"),
        ("better-auth-secret-12345678901234567890", "placeholder"),
        (OTHER[:31], "31 characters"),
        *[(OTHER + character, "rewrite") for character in "$#\\'\"`, \t\n\x7f\u00e9\u2028"],
        ("abcdefg" * 6, "guessed"),
        ("abcdefgh" * 4 + "\x00", "rewrite"),
    ],
)
def test_refused_secrets_name_the_variable_and_never_the_value(secret, reason):
    with pytest.raises(ConfigurationError, match=reason) as caught:
        judge_secret(secret, "BETTER_AUTH_SECRET")
    assert "BETTER_AUTH_SECRET" in str(caught.value)
    assert "openssl rand -base64 32" in str(caught.value)
    assert not secret or secret not in str(caught.value)


@pytest.mark.parametrize(
    "secret", [SECRET, OTHER, OTHER[:32], "abcdefgh" * 4, "!%&()*+-./:;<=>?@[]^_{|}~abcdefgh"]
)
def test_the_nearest_accepted_secrets(secret):
    assert judge_secret(secret, "BETTER_AUTH_SECRET") == secret


def test_every_placeholder_is_refused():
    for placeholder in json.loads((SPECIFICATION / "placeholders.json").read_text()):
        with pytest.raises(ConfigurationError):
            judge_secret(placeholder, "BETTER_AUTH_SECRET")


def test_secrets_in_force_prefers_the_versioned_variable_unless_it_is_empty():
    both = {"BETTER_AUTH_SECRET": SECRET, "BETTER_AUTH_SECRETS": f"2:{OTHER}"}
    assert secrets_in_force(both) == (OTHER,)
    assert secrets_in_force(both | {"BETTER_AUTH_SECRETS": ""}) == (SECRET,)
    with pytest.raises(ConfigurationError, match="BETTER_AUTH_SECRET is not set"):
        secrets_in_force({})


def test_versioned_secrets_are_trimmed_and_keep_their_order():
    assert parse_versioned_secrets(f" 2: {OTHER}\t,\r\n01:{SECRET}\n") == (OTHER, SECRET)
    assert parse_versioned_secrets(f"7:{SECRET}:x") == (f"{SECRET}:x",)


@pytest.mark.parametrize(
    "value",
    [
        SECRET,
        f"1:{SECRET},",
        f",1:{SECRET}",
        f"1:{SECRET},1:{OTHER}",
        f"1:{SECRET},01:{OTHER}",
        f"1abc:{SECRET}",
        f"-1:{SECRET}",
        f"1 :{SECRET}",
        f"\u0661:{SECRET}",
        f":{SECRET}",
        "1:",
        f"1:{SECRET}\u00a0",
        " ",
    ],
)
def test_malformed_versioned_secrets_are_refused_without_their_value(value):
    with pytest.raises(ConfigurationError, match="BETTER_AUTH_SECRETS, entry") as caught:
        parse_versioned_secrets(value)
    assert SECRET not in str(caught.value)
    assert OTHER not in str(caught.value)


def test_one_secret_twice_and_none_are_refused():
    with pytest.raises(ConfigurationError, match="twice"):
        derive_keys([SECRET, SECRET], AUDIENCE)
    with pytest.raises(ConfigurationError, match="no secret"):
        derive_keys([], AUDIENCE)


@pytest.mark.parametrize(
    ("url", "issuer"),
    [
        ("https://app.example.com", "https://app.example.com"),
        ("HTTPS://App.Example.com:443/api/auth", "https://app.example.com"),
        ("http://localhost:3000/", "http://localhost:3000"),
        ("http://localhost:80", "http://localhost"),
        ("https://localhost:80", "https://localhost:80"),
        ("http://[::1]:3000/x@y", "http://[::1]:3000"),
        ("http://127.0.0.1:03000", "http://127.0.0.1:3000"),
    ],
)
def test_the_issuer_is_reduced_to_an_origin(url, issuer):
    assert reduce_issuer(url) == issuer


@pytest.mark.parametrize(
    "url",
    [
        "",
        "app.example.com",
        "ftp://app.example.com",
        "https://user@app.example.com",
        "https://user:password@app.example.com",
        "https://app.example.com?x",
        "https://app.example.com/#x",
        "https://app.example.com\\@evil.example",
        "https://\u00e4pp.example.com",
        "https://app.example.com/\u00e4",
        "https://app.example.com:0",
        "https://app.example.com:65536",
        "https://app.example.com:",
        "https://",
        " https://app.example.com",
        "https://app.example.com\n",
        "http\u017f://app.example.com",
    ],
)
def test_other_base_urls_are_refused_with_the_variable_and_the_cure(url):
    with pytest.raises(ConfigurationError, match="BETTER_AUTH_URL"):
        reduce_issuer(url)
