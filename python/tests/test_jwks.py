"""What is fetched, judged; and the machine that keeps it, state by state, on a clock that a test steps.

The vectors hold the judging of URLs, answers and Cache-Control; here is what they cannot say.
"""

import json
import logging

import pytest
from pairs import ED, ES, OUTAGE, RS, URL, Clock, Fetch, answering, ed, fetching, remote

from jwt_auth_bridge import ConfigurationError, InvalidTokenError, KeySetUnavailableError
from jwt_auth_bridge._jwks_remote import RemoteKeySet
from jwt_auth_bridge.jwks import Response, judge_key_set_url, judge_response, list_key_ids
from signer import KEY, NOW, base64url, header, sign


def code(verifier, token):
    try:
        return verifier.verify(token).subject
    except (InvalidTokenError, KeySetUnavailableError) as error:
        return error.code


@pytest.fixture(autouse=True)
def log(caplog):
    caplog.set_level("INFO", logger="jwt_auth_bridge")
    return caplog


# One answer, judged


NO_TYPE = "the content type is neither application/json nor application/jwk-set+json"


@pytest.mark.parametrize(
    ("status", "kind", "body", "reason"),
    [
        (302, "application/json", b"{}", "status 302 instead of 200"),
        (200, "text/html", b"<html>", NO_TYPE),
        (200, None, b"{}", NO_TYPE),
        (200, "application/json", b" " * 65537, "the body is larger than 65536 bytes"),
        (200, "application/json", b"{", "the body is not one strict JSON object"),
        (200, "application/json", b'{"keys":{}}', 'the body is no JWK Set, which looks like {"keys": [...]}'),
        (
            200,
            "application/json",
            b'{"keys":[%s1]}' % (b"1," * 32),
            "the key set has 33 entries, more than 32",
        ),
        (200, "application/json", b'{"keys":[null]}', "the key set has no usable public key"),
    ],
)
def test_each_failure_has_its_reason(status, kind, body, reason):
    with pytest.raises(KeySetUnavailableError) as raised:
        judge_response(status, kind, body)
    assert (raised.value.code, str(raised.value)) == ("key_set_unavailable", reason)


def test_a_fetched_set_allows_the_three_algorithms_whatever_it_holds():
    body = answering(ED).body
    assert judge_response(200, "application/json", body).algorithms == {"EdDSA", "ES256", "RS256"}


@pytest.mark.parametrize(
    "url", ["", None, "http://app.example.com/jwks", "https://u:Passw0rd@x.example/", "x"]
)
def test_a_refused_url_is_named_and_not_shown(url):
    with pytest.raises(ConfigurationError, match=r"^THE_SETTING ") as raised:
        judge_key_set_url(url, (), "THE_SETTING")
    assert "Passw0rd" not in str(raised.value)


@pytest.mark.parametrize(
    "hosts", ["web", None, {"web"}, [""], [None], ["http://web"], ["web:3000"], ["*.web"], ["w\u00e9b"]]
)
def test_refused_internal_hosts_are_named(hosts):
    with pytest.raises(ConfigurationError, match=r"^THE_HOSTS must list host names"):
        judge_key_set_url(URL, hosts, "THE_SETTING", "THE_HOSTS")


def test_key_ids_in_the_log_can_not_forge_a_line():
    assert list_key_ids([]) == "none"
    assert list_key_ids(["a-_9", "b\nkey IDs c", 'd"', "\u2028", "\x7f", "e f"]) == (
        r'a-_9, "b\nkey IDs c", "d\"", "\u2028", "\u007f", "e f"'
    )


# The machine


def test_nothing_is_fetched_before_a_key_is_asked_for(monkeypatch):
    fetch = Fetch(answering(ED))
    verifier = fetching(monkeypatch, fetch)
    assert (verifier.key_ids, len(fetch)) == ((), 0)
    assert code(verifier, ED.token()) == "alice"
    assert (verifier.key_ids, fetch.urls) == (("ed",), [URL])


@pytest.mark.parametrize("pair", [ED, ES, RS], ids=lambda pair: pair.algorithm)
def test_every_algorithm_by_a_fetched_key(monkeypatch, pair):
    verifier = fetching(monkeypatch, Fetch(answering(ED, ES, RS)))
    assert code(verifier, pair.token()) == "alice"
    assert code(verifier, pair.token()[:-8] + "AAAAAAAA") in ("signature_invalid", "token_malformed")


def test_fresh_keys_are_used_without_a_fetch_until_they_are_stale():
    clock, fetch = Clock(), Fetch(answering(ED, cache_control="max-age=600"))
    keys = remote(fetch, clock)
    keys.renew()
    clock.step(599.9)
    assert (keys.find("ed").key_id, len(fetch)) == ("ed", 1)
    clock.step(0.1)
    assert (keys.find("ed").key_id, len(fetch)) == ("ed", 2)
    assert (keys.find("ed").key_id, len(fetch)) == ("ed", 2)


@pytest.mark.parametrize(
    ("stated", "fresh"), [(None, 300), ("max-age=1", 30), ("no-store", 30), ("max-age=99999", 3600)]
)
def test_how_long_keys_are_fresh(stated, fresh):
    clock, fetch = Clock(), Fetch(answering(ED, cache_control=stated))
    keys = remote(fetch, clock)
    keys.renew()
    clock.step(fresh - 1)
    keys.find("ed")
    assert len(fetch) == 1
    clock.step(1)
    keys.find("ed")
    assert len(fetch) == 2


def test_stale_keys_are_used_while_one_fetch_is_under_way():
    clock, fetch = Clock(), Fetch()
    keys = remote(fetch, clock)
    keys.find("ed")
    assert len(fetch) == 0, "asking for a key that is not in hand fetches nothing: renew() does"
    keys._attempt()
    fetch.end(answering(ED))
    clock.step(300)
    for _ in range(100):
        assert keys.find("ed").key_id == "ed"
    assert len(fetch) == 2
    fetch.end(answering(ES))
    assert (keys.find("ed"), keys.find("es").key_id) == (None, "es")


def test_an_outage_takes_no_key_away_and_is_asked_about_once_a_cool_down():
    clock, fetch = Clock(), Fetch(answering(ED))
    keys = remote(fetch, clock)
    keys.renew()
    fetch.answers = OUTAGE
    clock.step(300)
    for second in range(300):
        assert keys.find("ed").key_id == "ed"
        assert len(fetch) == 2 + second // 30
        clock.step(1)


def test_keys_that_nobody_could_renew_for_a_day_are_dropped(monkeypatch, log):
    clock, fetch = Clock(), Fetch(answering(ED, cache_control="max-age=600"))
    verifier = fetching(monkeypatch, fetch, clock)
    assert code(verifier, ED.token()) == "alice"
    fetch.answers = OUTAGE
    clock.step(600 + 86399)
    assert code(verifier, ED.token()) == "alice"
    clock.step(1)
    assert verifier.key_ids == ()
    log.clear()
    assert code(verifier, ED.token()) == "key_set_unavailable"
    assert log.records[0].message == "key IDs none"
    fetch.answers = answering(ED)
    clock.step(5)
    assert code(verifier, ED.token()) == "alice"


def test_an_unknown_kid_is_fetched_for_once_a_cool_down(monkeypatch):
    clock, fetch = Clock(), Fetch(answering(ED))
    verifier = fetching(monkeypatch, fetch, clock)
    assert code(verifier, ED.token()) == "alice"
    for step, fetches in ((0, 1), (29.9, 1), (0.1, 2), (29.9, 2), (0.1, 3)):
        clock.step(step)
        assert code(verifier, ED.token(kid="other")) == "key_not_found"
        assert code(verifier, ED.token(kid="another")) == "key_not_found"
        assert len(fetch) == fetches


def test_a_rotated_key_is_picked_up_within_one_cool_down(monkeypatch):
    clock, fetch = Clock(), Fetch(answering(ED))
    verifier = fetching(monkeypatch, fetch, clock)
    new = ed("new")
    assert code(verifier, ED.token()) == "alice"
    fetch.answers = answering(new, ED)
    assert code(verifier, new.token()) == "key_not_found"
    clock.step(30)
    assert code(verifier, new.token()) == "alice"
    assert verifier.key_ids == ("new", "ed")


def test_an_unknown_kid_after_a_failed_fetch_is_503_and_not_401(monkeypatch):
    clock, fetch = Clock(), Fetch(answering(ED))
    verifier = fetching(monkeypatch, fetch, clock)
    assert code(verifier, ED.token()) == "alice"
    fetch.answers = OUTAGE
    assert code(verifier, ES.token()) == "key_not_found", "the last fetch succeeded"
    clock.step(30)
    assert code(verifier, ES.token()) == "key_set_unavailable"
    clock.step(1)
    assert code(verifier, ES.token()) == "key_set_unavailable", "no new fetch, and the last one failed"
    assert code(verifier, ED.token()) == "alice"
    assert len(fetch) == 2


def test_without_a_key_in_hand_it_is_tried_again_every_5_seconds(monkeypatch):
    clock, fetch = Clock(), Fetch(OUTAGE)
    verifier = fetching(monkeypatch, fetch, clock)
    for second in range(20):
        assert code(verifier, ED.token()) == "key_set_unavailable"
        assert len(fetch) == 1 + second // 5
        clock.step(1)
    fetch.answers = answering(ED)
    assert code(verifier, ED.token()) == "alice"


@pytest.mark.parametrize("answer", [
    Response(200, "text/html", None, b"<html>sign in</html>"),
    Response(200, "application/json", None, b'{"keys":{}}'),
    Response(200, "application/json", None, b'{"keys":[null,null]}'),
    Response(200, "application/json", None, b"{"),
    Response(302, "application/json", None, b""),
    Response(500, "application/json", None, b""),
    answering(ED, ED),
    RuntimeError("a fetch with a bug"),
])  # fmt: skip
def test_a_bad_answer_takes_no_key_away(monkeypatch, answer, log):
    clock, fetch = Clock(), Fetch(answering(ED))
    verifier = fetching(monkeypatch, fetch, clock)
    assert code(verifier, ED.token()) == "alice"
    log.clear()
    fetch.answers = answer
    clock.step(400)
    assert code(verifier, ED.token()) == "alice"
    assert code(verifier, ES.token()) == "key_set_unavailable"
    assert code(verifier, ED.token()) == "alice"
    (record,) = log.records
    assert record.levelno == logging.WARNING
    assert record.message.startswith(f"the key set at {URL} can not be used: ")
    assert "sign in" not in record.message
    assert "a fetch with a bug" not in record.message


def test_a_token_that_v1_to_v6_refuse_causes_no_fetch(monkeypatch):
    fetch = Fetch(OUTAGE)
    verifier = fetching(monkeypatch, fetch)
    for token, expected in (
        ("x", "token_malformed"),
        (ED.token(crit=[]), "critical_header_unsupported"),
        (ED.token(alg="none"), "algorithm_not_allowed"),
        (sign(), "algorithm_not_allowed"),
        (ED.token(typ="JWT"), "token_type_mismatch"),
        (ED.token(kid=None), "key_not_found"),
        (ED.token(kid=""), "key_not_found"),
        (ED.token(kid=["ed"]), "key_not_found"),
    ):
        assert code(verifier, token) == expected
    assert len(fetch) == 0


def test_a_tokens_own_key_and_urls_are_never_read(monkeypatch):
    fetch = Fetch(answering(ED))
    verifier = fetching(monkeypatch, fetch)
    evil = ed("evil")
    odd = {
        "jwk": evil.jwk,
        "jku": "https://evil.example/jwks",
        "x5u": "https://evil.example/x",
        "x5c": ["AAAA"],
    }
    assert code(verifier, evil.token(**odd)) == "key_not_found"
    assert code(verifier, evil.token(kid="ed", **odd)) == "signature_invalid"
    assert fetch.urls == [URL]


def test_an_oct_key_of_a_fetched_set_is_no_key(monkeypatch):
    oct_key = {"kty": "oct", "k": base64url(KEY), "kid": "oct", "alg": "HS256", "use": "sig"}
    verifier = fetching(monkeypatch, Fetch(answering(oct_key, ED)))
    assert code(verifier, sign(header(kid="oct"))) == "algorithm_not_allowed"
    assert code(verifier, ED.token(kid="oct")) == "key_not_found"
    assert verifier.key_ids == ("ed",)


def test_the_log_has_a_line_when_the_key_ids_change_and_only_then(log):
    clock, fetch = Clock(), Fetch(answering(ED))
    keys = RemoteKeySet(f"{URL}?code=S3CR3T", fetch, clock)

    def lines():
        said = [(record.levelname, record.message) for record in log.records]
        log.clear()
        return said

    keys.renew()
    assert lines() == [("INFO", "key IDs ed")]
    clock.step(300)
    keys.find("ed")
    assert lines() == []
    fetch.answers = answering(ES, ED)
    clock.step(300)
    keys.find("ed")
    assert lines() == [("INFO", "key IDs es, ed")]
    fetch.answers = OUTAGE
    clock.step(300)
    keys.find("ed")
    reason = "no connection (ECONNREFUSED)"
    assert lines() == [("WARNING", f"the key set at {URL} can not be used: {reason}")]
    assert fetch.urls[0].endswith("?code=S3CR3T")


def test_the_clock_is_read_once_per_verification_even_where_it_waits(monkeypatch):
    verifier = fetching(monkeypatch, Fetch(answering(ED)))
    readings = iter([NOW])
    verifier._clock = lambda: next(readings)
    assert verifier.verify(ED.token()).subject == "alice"


def test_an_allow_list_of_the_integrator_narrows_it(monkeypatch):
    verifier = fetching(monkeypatch, Fetch(answering(ED, ES)), algorithms=["Ed25519"])
    assert code(verifier, ED.token()) == "alice"
    assert code(verifier, ES.token()) == "algorithm_not_allowed"
    for algorithms in (["HS256"], [], ["none"], "EdDSA", ["EdDSA", "HS256"]):
        with pytest.raises(ConfigurationError, match="algorithms"):
            fetching(monkeypatch, Fetch(), algorithms=algorithms)


def test_the_reason_reaches_the_log_of_the_caller_and_no_answer(monkeypatch):
    verifier = fetching(monkeypatch, Fetch(OUTAGE))
    with pytest.raises(KeySetUnavailableError, match="ECONNREFUSED") as raised:
        verifier.verify(ED.token())
    assert (raised.value.status, raised.value.code) == (503, "key_set_unavailable")
    assert json.dumps(raised.value.hint)
