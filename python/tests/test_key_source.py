"""Where keys come from: which sources go together, attacks on a migration, principals without a token."""

import json
import math

import pytest
from pairs import ED, ES, RS, URL, Fetch, answering, ed, fetching, key_set

from jwt_auth_bridge import ConfigurationError, InvalidTokenError, Principal, Verifier
from jwt_auth_bridge.keys import key_set_of
from signer import AUDIENCE, ISSUER, KEY, KID, NOW, SECRET, base64url, header, sign

OCT = key_set_of({KID: KEY})
PUBLIC = key_set(ED, ES)


def make(**options):
    return Verifier(**{"issuer": ISSUER, "audience": AUDIENCE, "clock": lambda: NOW} | options)


def code(verifier, token):
    try:
        return verifier.verify(token).subject
    except InvalidTokenError as error:
        return error.code


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "no key source is given; pass one of secrets, keys, jwks_uri"),
        ({"secrets": [SECRET], "keys": OCT}, "secrets and keys are given"),
        ({"secrets": [SECRET], "keys": PUBLIC}, "secrets and keys are given"),
        ({"secrets": [SECRET], "jwks_uri": URL}, "secrets and jwks_uri are given"),
        ({"keys": OCT, "jwks_uri": URL}, "keys and jwks_uri are given"),
        ({"keys": PUBLIC, "jwks_uri": URL}, "keys and jwks_uri are given"),
        ({"secrets": [SECRET], "keys": OCT, "jwks_uri": URL}, "secrets and keys and jwks_uri are given"),
        ({"secrets": [SECRET], "migration": True}, "migration needs one source of each kind"),
        ({"keys": OCT, "migration": True}, "migration needs one source of each kind"),
        ({"keys": PUBLIC, "migration": True}, "migration needs one source of each kind"),
        ({"jwks_uri": URL, "migration": True}, "migration needs one source of each kind"),
        ({"secrets": [SECRET], "keys": OCT, "migration": True}, "migration needs one source of each kind"),
        ({"keys": PUBLIC, "jwks_uri": URL, "migration": True}, "migration needs one source of each kind"),
        (
            {"secrets": [SECRET], "keys": PUBLIC, "jwks_uri": URL, "migration": True},
            "migration needs one source of each kind",
        ),
        ({"secrets": [SECRET], "jwks_uri": URL, "migration": 1}, "migration must be True or False"),
        ({"secrets": [SECRET], "jwks_uri": URL, "migration": "true"}, "migration must be True or False"),
        ({"secrets": [SECRET], "internal_hosts": ["web"]}, "internal_hosts is given without"),
        ({"keys": key_set(ED, ED)}, "keys has no usable key"),
        ({"keys": {"keys": [*OCT["keys"], ED.jwk]}}, "keys mixes oct keys with public keys"),
        ({"keys": {"keys": {}}}, "keys is no JWK Set"),
        ({"jwks_uri": ""}, "jwks_uri is not set"),
        ({"jwks_uri": "http://web/jwks"}, "jwks_uri is fetched in the clear"),
        ({"jwks_uri": "https://x.example/#x"}, "jwks_uri must be the issuer's key-set URL"),
        ({"jwks_uri": "http://web/jwks", "internal_hosts": "web"}, "internal_hosts must list host names"),
    ],
)  # fmt: skip
def test_what_does_not_go_together_is_refused(options, said):
    with pytest.raises(ConfigurationError) as raised:
        make(**options)
    assert str(raised.value).startswith(said)
    assert SECRET not in str(raised.value)


def test_a_missing_library_is_missed_when_the_process_starts(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "cryptography.hazmat.primitives.asymmetric", None)
    with pytest.raises(ConfigurationError, match=r"jwt-auth-bridge\[jwks\]"):
        make(jwks_uri=URL)


def test_the_derived_key_alone_verifies():
    verifier = make(keys=OCT)
    assert verifier.key_ids == (KID,)
    assert code(verifier, sign()) == "alice"
    assert json.dumps(OCT, separators=(",", ":")) == (
        f'{{"keys":[{{"kty":"oct","k":"{base64url(KEY)}","kid":"{KID}","alg":"HS256","use":"sig"}}]}}'
    )


# The migration verifier: a policy each, and the kid alone tells them apart

CLASH = ed(KID)


def published(monkeypatch, *pairs):
    return fetching(monkeypatch, Fetch(answering(*pairs)), secrets=[SECRET], migration=True)


MIGRATIONS = {
    "secrets and a fetched set": lambda patch: published(patch, CLASH, ED, ES, RS),
    "oct keys and a fetched set": lambda patch: fetching(
        patch, Fetch(answering(CLASH, ED, ES, RS)), keys=OCT, migration=True
    ),
    "secrets and public keys": lambda patch: make(
        secrets=[SECRET], keys=key_set(CLASH, ED, ES, RS), migration=True
    ),
}


@pytest.fixture(params=MIGRATIONS.values(), ids=MIGRATIONS)
def migrating(request, monkeypatch):
    return request.param(monkeypatch)


def test_both_kinds_of_tokens_pass(migrating):
    assert [code(migrating, token) for token in (sign(), ED.token(), ES.token(), RS.token())] == ["alice"] * 4
    assert migrating.key_ids == (KID, "ed", "es", "rs")


@pytest.mark.parametrize("pair", [ED, ES, RS], ids=lambda pair: pair.kid)
def test_a_symmetric_token_under_a_public_kid(migrating, pair):
    """The classic: what everybody can read is used as a secret. The kid has chosen a policy without HS256."""
    for secret in (KEY, json.dumps(pair.jwk).encode(), base64url(KEY).encode(), SECRET.encode()):
        assert code(migrating, sign(header(kid=pair.kid), None, secret)) == "algorithm_not_allowed"


def test_the_bytes_of_an_rsa_public_key_as_a_secret(migrating):
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    public = RS._private.public_key()
    spki = PublicFormat.SubjectPublicKeyInfo
    for secret in (
        public.public_bytes(Encoding.PEM, spki),
        public.public_bytes(Encoding.DER, spki),
        public.public_bytes(Encoding.PEM, PublicFormat.PKCS1),
        public.public_numbers().n.to_bytes(256),
    ):
        assert code(migrating, sign(header(kid="rs"), None, secret)) == "algorithm_not_allowed"
        assert code(migrating, sign(header(kid="rs", alg="RS256"), None, secret)) == "signature_invalid"
        assert code(migrating, sign(None, None, secret)) == "signature_invalid"


def test_a_public_token_under_a_symmetric_kid(migrating):
    for pair in (CLASH, ED, ES, RS):
        assert code(migrating, pair.token(kid=KID)) == "algorithm_not_allowed"
        assert code(migrating, pair.token(kid=KID, alg="HS256")) == "signature_invalid"


def test_a_published_key_under_a_symmetric_kid_changes_nothing(migrating):
    assert code(migrating, ED.token()) == "alice"
    assert code(migrating, sign()) == "alice"
    assert code(migrating, CLASH.token()) == "algorithm_not_allowed"


def test_an_oct_key_of_a_fetched_set_signs_nothing(monkeypatch):
    evil = b"e" * 32
    entry = {"kty": "oct", "k": base64url(evil), "alg": "HS256", "use": "sig"}
    verifier = published(monkeypatch, {**entry, "kid": "oct"}, {**entry, "kid": KID}, ED)
    assert code(verifier, ED.token()) == "alice"
    assert code(verifier, sign(header(kid="oct"), None, evil)) == "algorithm_not_allowed"
    assert code(verifier, sign(None, None, evil)) == "signature_invalid"
    assert code(verifier, sign()) == "alice"
    assert verifier.key_ids == (KID, "ed")


def test_no_kid_and_an_unknown_one_are_the_public_policys(migrating):
    for kid in (None, "", "other", KID.lower(), [KID], {"kid": KID}, 7):
        assert code(migrating, sign(header(kid=kid))) == "algorithm_not_allowed"
        assert code(migrating, ED.token(kid=kid)) == "key_not_found"


def test_symmetric_tokens_need_no_fetch(monkeypatch):
    fetch = Fetch()
    verifier = fetching(monkeypatch, fetch, secrets=[SECRET], migration=True)
    assert code(verifier, sign()) == "alice"
    assert code(verifier, sign(header(typ="JWT"))) == "token_type_mismatch"
    assert code(verifier, sign({"kid": KID, "typ": "at+jwt", "alg": "HS256"})) == "alice"
    assert len(fetch) == 0


def test_the_allow_list_is_the_public_policys(monkeypatch):
    options = {"secrets": [SECRET], "migration": True}
    verifier = fetching(monkeypatch, Fetch(answering(ED, ES)), algorithms=["EdDSA"], **options)
    assert [code(verifier, token) for token in (sign(), ED.token(), ES.token())] == [
        "alice",
        "alice",
        "algorithm_not_allowed",
    ]
    with pytest.raises(ConfigurationError, match="algorithms"):
        fetching(monkeypatch, Fetch(), algorithms=["HS256"], **options)


# A principal without a token


def test_a_principal_for_a_subject():
    principal = Principal.for_subject("alice")
    assert (principal.subject, principal.session_id, principal.token_id) == ("alice", None, "")
    assert (principal.issued_at, principal.expires_at) == (0, math.inf)
    assert dict(principal.claims) == {"sub": "alice"}
    with pytest.raises(TypeError):
        principal.claims["sub"] = "bob"
    assert Principal.for_subject("\U0001f511" * 255).subject
    assert Principal.for_subject("7") == Principal.for_subject("7")


@pytest.mark.parametrize(
    "subject", ["", None, 7, b"alice", "a" * 256, "a\n", "\x00", "\x7f", "\x9f", "\ud800", ["a"]]
)
def test_no_principal_for_what_no_token_could_carry(subject):
    with pytest.raises(ConfigurationError, match="subject must be a user's ID"):
        Principal.for_subject(subject)
