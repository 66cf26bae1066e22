"""No input raises anything but the package's own errors, takes long, or is kept."""

import json
import time
import tracemalloc

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jwt_auth_bridge import BridgeError, InvalidTokenError, Verifier
from jwt_auth_bridge.bearer import answer, parse_authorization
from jwt_auth_bridge.compact import parse_json_object
from jwt_auth_bridge.jwk import usable_keys
from jwt_auth_bridge.keys import parse_versioned_secrets, reduce_issuer
from signer import AUDIENCE, ISSUER, NOW, SECRET, claims, header, sign, sign_bytes

VERIFIER = Verifier(issuer=ISSUER, audience=AUDIENCE, secrets=[SECRET], clock=lambda: NOW)
THOROUGH = settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
NAMES = st.sampled_from([*claims(), "nbf", "cnf", "act", "__proto__"])
HEADERS = st.sampled_from(["alg", "typ", "kid", "crit", "b64", "jwk", "x5c"])


def verify(token):
    try:
        return VERIFIER.verify(token)
    except InvalidTokenError as error:
        assert error.hint
        assert answer(error).status == 401
        return None


@THOROUGH
@given(st.text() | st.text(alphabet="AZaz09-_.=", max_size=200) | st.binary() | JSON)
def test_any_value_as_token(value):
    verify(value)


@THOROUGH
@given(st.binary(max_size=300), st.binary(max_size=300))
def test_any_signed_bytes(head, body):
    verify(sign_bytes(head, body))


@THOROUGH
@given(st.dictionaries(HEADERS, JSON), st.dictionaries(NAMES | st.text(), JSON))
def test_any_signed_members(head, body):
    changed = json.dumps(header() | head), json.dumps(claims() | body)
    verify(sign_bytes(*(text.encode("utf-8", "surrogatepass") for text in changed)))
    verify(sign_bytes(json.dumps(header()).encode(), changed[1].encode("utf-8", "surrogatepass")))


@THOROUGH
@given(st.data())
def test_any_damage_to_a_good_token(data):
    token = sign()
    start = data.draw(st.integers(0, len(token)))
    end = data.draw(st.integers(start, len(token)))
    damaged = token[:start] + data.draw(st.text(max_size=8)) + token[end:]
    if damaged != token:
        assert verify(damaged) is None


@THOROUGH
@given(
    st.lists(st.binary() | st.just(b"Bearer ") | st.builds(lambda b: b"Bearer " + b, st.binary()), max_size=3)
)
def test_any_authorization_header(values):
    try:
        assert parse_authorization(values)
    except BridgeError as error:
        assert answer(error).status in {400, 401}


@THOROUGH
@given(st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_json(source):
    try:
        assert type(parse_json_object(source)) is dict
    except ValueError:
        pass


@THOROUGH
@given(JSON, st.text())
def test_any_configuration(value, text):
    for judge, question in ((usable_keys, value), (parse_versioned_secrets, text), (reduce_issuer, text)):
        try:
            judge(question)
        except BridgeError:
            pass


def worst_cases() -> list[str]:
    size = 8192
    nested = sign(body=claims(x="@")).replace("@", "")
    return [
        "A" * size,
        "." * size,
        "A." * (size // 2),
        "a1B2" * 8 + "." + "%" * (size - 33),
        nested,
        sign_bytes(b"[" * 3000, b"{}"),
        sign_bytes(b'{"a":' * 1000, b"{}"),
        sign_bytes(b'{"a":"' + b"\\\\" * 2500 + b'"}', b"{}"),
        sign_bytes(b'{"a":' + b"9" * 5000 + b"}", b"{}"),
        sign_bytes(b'{"a":0.' + b"9" * 5000 + b"e-400}", b"{}"),
        sign_bytes(json.dumps({str(n): 0 for n in range(500)}).encode(), b"{}"),
        sign(body=claims(x="[" * 5000)),
        sign(body=claims(x=[[]] * 1500)),
        sign(body=claims(x="\\ud83d" * 800)),
    ]


def test_no_token_takes_more_than_a_few_milliseconds():
    for token in worst_cases():
        # The best of several: the machine may pause once, not every time.
        best = min(timed(token) for _ in range(20))
        assert best < 0.005, f"{best * 1000:.1f} ms for {token[:40]}"


def timed(token: str) -> float:
    began = time.perf_counter()
    verify(token)
    return time.perf_counter() - began


def test_no_token_is_kept():
    tokens = [*worst_cases(), *(sign(body=claims(jti=f"token-{n}")) for n in range(200))]
    for token in tokens:
        verify(token)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(20):
            for token in tokens:
                verify(token)
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert grown < 50_000, f"{grown} bytes more after {20 * len(tokens)} tokens"
