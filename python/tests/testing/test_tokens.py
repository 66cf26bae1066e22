"""The token factory: good tokens are accepted, and each bad one is refused for its own reason."""

import json
import time

import kit
import pytest

import signer
from jwt_auth_bridge import ConfigurationError, InvalidTokenError, Verifier
from jwt_auth_bridge.fastapi import Bridge
from jwt_auth_bridge.testing import REFUSED, TokenFactory


def verifier_of(factory, **options):
    secret = factory.bridge_options()["secret"]
    return Verifier(issuer=factory.issuer, audience=factory.audience, secrets=[secret], **options)


def test_a_good_token_says_who(factory):
    principal = verifier_of(factory).verify(factory.token("alice"))
    assert (principal.subject, principal.session_id) == ("alice", "test-session")
    assert principal.expires_at - principal.issued_at == 300
    assert principal.claims["user_id"] == "alice"


def test_it_is_the_token_that_the_issuer_makes_byte_for_byte():
    factory = TokenFactory(signer.ISSUER, signer.AUDIENCE, signer.SECRET)
    header, payload, signature = factory.token("alice", now=signer.NOW).split(".")
    assert header == signer.base64url(
        json.dumps({"alg": "HS256", "typ": "at+jwt", "kid": signer.KID}, separators=(",", ":")).encode()
    )
    assert (
        signature
        == signer.sign_bytes(
            json.dumps({"alg": "HS256", "typ": "at+jwt", "kid": signer.KID}, separators=(",", ":")).encode(),
            json.dumps(
                claims := dict(
                    verifier_of(factory, clock=lambda: signer.NOW)
                    .verify(".".join((header, payload, signature)))
                    .claims
                )
            ).encode(),
        ).rpartition(".")[2]
    )
    assert claims == {**signer.claims(), "sid": "test-session", "jti": claims["jti"]}


def test_what_can_be_chosen(factory):
    token = factory.token(
        "bob", session_id=None, claims={"org": "acme", "act": {"sub": "admin"}}, now=1000.9, lifetime=60
    )
    principal = verifier_of(factory, clock=lambda: 1030).verify(token)
    assert (principal.subject, principal.session_id) == ("bob", None)
    assert (principal.issued_at, principal.expires_at) == (1000, 1060)
    assert (principal.claims["org"], principal.claims["act"]) == ("acme", {"sub": "admin"})


@pytest.mark.parametrize("name", REFUSED)
def test_each_bad_token_is_refused_for_its_own_reason(factory, name):
    for leeway in (0, 60):
        verifier = verifier_of(factory, leeway=leeway, maximum_lifetime=86400)
        with pytest.raises(InvalidTokenError) as refusal:
            verifier.verify(getattr(factory, name)("alice"))
        assert refusal.value.code == REFUSED[name]


def test_there_is_one_for_every_reason(factory):
    codes = kit.REGISTRY["codes"]
    about_tokens = {code for code, entry in codes.items() if entry["class"] == "InvalidTokenError"}
    assert set(REFUSED.values()) == about_tokens - {"ticket_invalid"}  # no token is a ticket
    assert factory.refused("alice").keys() == REFUSED.keys()


def test_a_bridge_by_options_and_a_bridge_by_environment_accept_it(factory):
    for bridge in (Bridge(**factory.bridge_options()), Bridge.from_env(factory.environ())):
        assert bridge._verifier.verify(factory.token("alice")).subject == "alice"


def test_the_environment_covers_what_a_developer_has_set(factory):
    theirs = {
        "BETTER_AUTH_SECRETS": "1:" + "k3Zq9vT1xW7pL0sD5fG8hJ2nB4mC6rY+uQeAoI/tX1E=",
        "JWT_BRIDGE_KEYS": "{}",
    }
    bridge = Bridge.from_env({**theirs, **factory.environ()})
    assert bridge._verifier.verify(factory.token("alice")).subject == "alice"


def test_from_the_environment():
    environ = {
        "BETTER_AUTH_SECRETS": "2:" + signer.SECRET + ",1:" + signer.SECRET.swapcase(),
        "BETTER_AUTH_URL": "https://app.example.com/",
        "JWT_BRIDGE_AUDIENCE": signer.AUDIENCE,
    }
    factory = TokenFactory.from_env(environ)
    assert Bridge.from_env(environ)._verifier.verify(factory.token("alice")).subject == "alice"
    with pytest.raises(ConfigurationError, match="JWT_BRIDGE_AUDIENCE"):
        TokenFactory.from_env({**environ, "JWT_BRIDGE_AUDIENCE": ""})


def test_a_clock_is_shared_with_the_bridge():
    factory = TokenFactory(clock=lambda: 5000.0)
    verifier = Bridge(**factory.bridge_options())._verifier
    assert verifier.verify(factory.token()).issued_at == 5000
    for name, code in REFUSED.items():
        with pytest.raises(InvalidTokenError) as refusal:
            verifier.verify(getattr(factory, name)())
        assert refusal.value.code == code


def test_two_factories_do_not_know_each_other(factory):
    with pytest.raises(InvalidTokenError) as refusal:
        verifier_of(factory).verify(TokenFactory().token())
    assert refusal.value.code == "key_not_found"


def test_headers(factory):
    (name, value), *rest = factory.headers("alice", claims={"org": "acme"}).items()
    assert (name, rest) == ("Authorization", [])
    assert verifier_of(factory).verify(value.removeprefix("Bearer ")).claims["org"] == "acme"
    assert factory.authorization("alice").startswith("Bearer ey")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"subject": ""}, "claim_malformed"),
        ({"subject": "x" * 256}, "claim_malformed"),
        ({"lifetime": 0}, "no verifier accepts"),
        ({"lifetime": 86401}, "lifetime_out_of_range"),
        ({"claims": {"sub": "bob"}}, "the issuer sets sub"),
        ({"claims": {"cnf": {}, "exp": 1}}, "the issuer sets cnf, exp"),
        ({"claims": {"big": 2**53}}, "no verifier accepts"),
        ({"claims": {"long": "x" * 8000}}, "token_malformed"),
        ({"claims": {"nan": float("nan")}}, "no verifier accepts"),
    ],
)
def test_a_token_that_no_issuer_would_sign_is_not_made_by_accident(factory, options, words):
    with pytest.raises(ConfigurationError, match=words):
        factory.token(**options)


def test_a_secret_that_no_bridge_takes_is_refused():
    with pytest.raises(ConfigurationError, match="at least 32"):
        TokenFactory(secret="short")


def test_nothing_secret_is_shown(factory):
    secret = factory.bridge_options()["secret"]
    assert secret not in repr(factory) + str(vars(TokenFactory))


def test_the_clock_is_read_when_a_token_is_made(factory):
    assert abs(verifier_of(factory).verify(factory.token()).issued_at - time.time()) < 5
