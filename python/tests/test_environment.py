"""The environment, variable by variable: what is refused, by which name, with which cure, without its value.

The vectors given-keys.json and environments.json say what is accepted and what is not; here is what is said.
"""

import json

import pytest
from pairs import ED, ES, URL, key_set

from jwt_auth_bridge import ConfigurationError, Verifier
from jwt_auth_bridge.environment import from_environment
from jwt_auth_bridge.keys import key_set_of
from signer import AUDIENCE, ISSUER, KEY, KID, SECRET, hkdf, thumbprint

OTHER = "0bqZmN8vXrT4yLw7KpDh2sJc9fGe6uAi-older-secret"
COMMON = {"BETTER_AUTH_URL": ISSUER + "/api/auth", "JWT_BRIDGE_AUDIENCE": AUDIENCE}
OCT, PUBLIC = json.dumps(key_set_of({KID: KEY})), json.dumps(key_set(ED, ES))
MORE = json.dumps(key_set_of({"x": KEY, "y": KEY[::-1]}))


def environ(**changes):
    return {name: value for name, value in {**COMMON, **changes}.items() if value is not None}


def key_ids(**changes):
    return Verifier(**from_environment(environ(**changes))).key_ids


def test_each_source_alone():
    assert key_ids(BETTER_AUTH_SECRET=SECRET) == (KID,)
    assert key_ids(BETTER_AUTH_SECRETS=f"2:{OTHER},1:{SECRET}")[1] == KID
    assert key_ids(JWT_BRIDGE_KEYS=OCT) == (KID,)
    assert key_ids(JWT_BRIDGE_KEYS=PUBLIC) == ("ed", "es")
    assert key_ids(JWT_BRIDGE_JWKS_URL=URL) == ()


def test_what_is_read_of_a_url():
    options = from_environment(
        environ(JWT_BRIDGE_JWKS_URL="http://web:3000/jwks", JWT_BRIDGE_JWKS_INTERNAL_HOSTS=" auth,\tweb\n")
    )
    assert options == {
        "issuer": ISSUER,
        "audience": AUDIENCE,
        "jwks_uri": "http://web:3000/jwks",
        "internal_hosts": ("auth", "web"),
    }


def test_keys_of_a_file(tmp_path):
    file = tmp_path / "keys.json"
    file.write_text(f"{OCT}\n")
    assert key_ids(JWT_BRIDGE_KEYS=f"@{file}") == (KID,)


@pytest.mark.parametrize("content", [b"", b"{", b"\xef\xbb\xbf" + OCT.encode(), b"\xff\xfe", b"S3CR3T"])
def test_a_malformed_file_is_refused_without_its_content(tmp_path, content):
    file = tmp_path / "keys.json"
    file.write_bytes(content)
    with pytest.raises(ConfigurationError, match="JWT_BRIDGE_KEYS is not one strict JSON object") as raised:
        key_ids(JWT_BRIDGE_KEYS=f"@{file}")
    assert "S3CR3T" not in str(raised.value)


@pytest.mark.parametrize(("name", "reason"), [("absent", "ENOENT"), ("", "EISDIR"), ("a\x00b", "ValueError")])
def test_a_file_that_can_not_be_read(tmp_path, name, reason):
    with pytest.raises(ConfigurationError, match="JWT_BRIDGE_KEYS names a file") as raised:
        key_ids(JWT_BRIDGE_KEYS=f"@{tmp_path}/{name}")
    assert f"({reason})" in str(raised.value)
    assert str(tmp_path) not in str(raised.value)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "BETTER_AUTH_SECRET is not set"),
        ({"BETTER_AUTH_SECRET": "", "JWT_BRIDGE_KEYS": ""}, "BETTER_AUTH_SECRET is not set"),
        ({"JWT_BRIDGE_KEYS": "{S3CR3T"}, "JWT_BRIDGE_KEYS is not one strict JSON object; set it to"),
        ({"JWT_BRIDGE_KEYS": "[]"}, "JWT_BRIDGE_KEYS is not one strict JSON object"),
        ({"JWT_BRIDGE_KEYS": OCT + OCT}, "JWT_BRIDGE_KEYS is not one strict JSON object"),
        ({"JWT_BRIDGE_KEYS": "\udcff"}, "JWT_BRIDGE_KEYS is not one strict JSON object"),
        ({"JWT_BRIDGE_KEYS": "{}"}, "JWT_BRIDGE_KEYS is no JWK Set; it looks like"),
        ({"JWT_BRIDGE_KEYS": '{"keys":{}}'}, "JWT_BRIDGE_KEYS is no JWK Set"),
        ({"JWT_BRIDGE_KEYS": '{"keys":[null]}'}, "JWT_BRIDGE_KEYS has no usable key"),
        ({"JWT_BRIDGE_KEYS": json.dumps(key_set(ED, ED))}, "JWT_BRIDGE_KEYS has no usable key"),
        (
            {"JWT_BRIDGE_KEYS": json.dumps({"keys": [ED.jwk, *json.loads(OCT)["keys"]]})},
            "JWT_BRIDGE_KEYS mixes oct keys with public keys",
        ),
        (
            {"JWT_BRIDGE_KEYS": OCT, "BETTER_AUTH_SECRET": OTHER},
            "JWT_BRIDGE_KEYS and BETTER_AUTH_SECRET are both set and do not agree",
        ),
        (
            {"JWT_BRIDGE_KEYS": MORE, "BETTER_AUTH_SECRET": SECRET},
            "JWT_BRIDGE_KEYS and BETTER_AUTH_SECRET are both set and do not agree",
        ),
        (
            {"JWT_BRIDGE_KEYS": OCT, "BETTER_AUTH_SECRETS": f"2:{OTHER},1:{SECRET}"},
            "JWT_BRIDGE_KEYS and BETTER_AUTH_SECRETS are both set and do not agree",
        ),
        (
            {"JWT_BRIDGE_KEYS": PUBLIC, "BETTER_AUTH_SECRET": SECRET},
            "BETTER_AUTH_SECRET and JWT_BRIDGE_KEYS are both set; remove one of them, or",
        ),
        (
            {"JWT_BRIDGE_JWKS_URL": URL, "BETTER_AUTH_SECRETS": f"2:{SECRET}"},
            "BETTER_AUTH_SECRETS and JWT_BRIDGE_JWKS_URL are both set; remove one of them, or",
        ),
        (
            {"JWT_BRIDGE_JWKS_URL": URL, "JWT_BRIDGE_KEYS": OCT},
            "JWT_BRIDGE_KEYS and JWT_BRIDGE_JWKS_URL are both set; remove one of them, or",
        ),
        (
            {"JWT_BRIDGE_JWKS_URL": URL, "JWT_BRIDGE_KEYS": PUBLIC, "JWT_BRIDGE_MIGRATION": "true"},
            "JWT_BRIDGE_KEYS and JWT_BRIDGE_JWKS_URL are both set, with public keys; remove one of them",
        ),
        (
            {"BETTER_AUTH_SECRET": SECRET, "JWT_BRIDGE_MIGRATION": "true"},
            "JWT_BRIDGE_MIGRATION is set, and of both kinds of keys only BETTER_AUTH_SECRET is",
        ),
        (
            {"JWT_BRIDGE_JWKS_URL": URL, "JWT_BRIDGE_MIGRATION": "true"},
            "JWT_BRIDGE_MIGRATION is set, and of both kinds of keys only JWT_BRIDGE_JWKS_URL is",
        ),
        ({"BETTER_AUTH_SECRET": SECRET, "JWT_BRIDGE_MIGRATION": "1"}, "JWT_BRIDGE_MIGRATION must be true"),
        (
            {"BETTER_AUTH_SECRET": SECRET, "JWT_BRIDGE_JWKS_INTERNAL_HOSTS": "web"},
            "JWT_BRIDGE_JWKS_INTERNAL_HOSTS is set without JWT_BRIDGE_JWKS_URL; remove it",
        ),
        (
            {"JWT_BRIDGE_JWKS_URL": URL, "JWT_BRIDGE_JWKS_INTERNAL_HOSTS": "web:3000"},
            "JWT_BRIDGE_JWKS_INTERNAL_HOSTS must list host names",
        ),
        ({"JWT_BRIDGE_JWKS_URL": "http://web/S3CR3T"}, "JWT_BRIDGE_JWKS_URL is fetched in the clear"),
        (
            {"JWT_BRIDGE_JWKS_URL": "https://u:S3CR3T@x.example"},
            "JWT_BRIDGE_JWKS_URL must be the issuer's key-set URL",
        ),
        ({"JWT_BRIDGE_JWKS_URL": URL, "JWT_BRIDGE_AUDIENCE": ""}, "JWT_BRIDGE_AUDIENCE is not set"),
        ({"JWT_BRIDGE_JWKS_URL": URL, "BETTER_AUTH_URL": None}, "BETTER_AUTH_URL is not set"),
    ],
)  # fmt: skip
def test_each_refusal_names_the_variable_and_the_cure_and_no_value(changes, said):
    with pytest.raises(ConfigurationError) as raised:
        from_environment(environ(**changes))
    assert str(raised.value).startswith(said)
    for value in ("S3CR3T", SECRET, OTHER, ED.jwk["x"], json.loads(OCT)["keys"][0]["k"]):
        assert value not in str(raised.value)


def test_secrets_and_keys_that_agree():
    assert key_ids(JWT_BRIDGE_KEYS=OCT, BETTER_AUTH_SECRET=SECRET) == (KID,)
    renamed = json.dumps(key_set_of({"api": KEY}))
    assert key_ids(JWT_BRIDGE_KEYS=renamed, BETTER_AUTH_SECRET=SECRET) == (KID,)
    old = hkdf(OTHER, AUDIENCE)
    both = json.dumps({"keys": [{"kid": []}, None, *key_set_of({"x": old, "y": KEY})["keys"]]})
    secrets = f"2:{SECRET},1:{OTHER}"
    assert key_ids(JWT_BRIDGE_KEYS=both, BETTER_AUTH_SECRETS=secrets) == (KID, thumbprint(old))


def test_a_migration():
    for changes in (
        {"BETTER_AUTH_SECRET": SECRET, "JWT_BRIDGE_JWKS_URL": URL},
        {"JWT_BRIDGE_KEYS": OCT, "JWT_BRIDGE_JWKS_URL": URL},
        {"JWT_BRIDGE_KEYS": OCT, "BETTER_AUTH_SECRET": SECRET, "JWT_BRIDGE_JWKS_URL": URL},
    ):
        assert key_ids(**changes, JWT_BRIDGE_MIGRATION="true") == (KID,)
    given = {"JWT_BRIDGE_KEYS": PUBLIC, "BETTER_AUTH_SECRET": SECRET}
    assert key_ids(**given, JWT_BRIDGE_MIGRATION="true") == (KID, "ed", "es")
