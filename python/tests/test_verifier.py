"""Rules V1 to V17 from both sides: the last value that passes and the first that fails."""

import base64
import hmac
import json

import pytest

from jwt_auth_bridge import ConfigurationError, InvalidTokenError, Verifier
from signer import (
    ABSENT,
    AUDIENCE,
    ISSUER,
    KEY,
    KID,
    NOW,
    SECRET,
    base64url,
    claims,
    header,
    hkdf,
    sign,
    sign_bytes,
    thumbprint,
)

OLD = "0bqZmN8vXrT4yLw7KpDh2sJc9fGe6uAi-older-secret"


def verifier(now: float = NOW, **policy):
    return Verifier(
        **{"issuer": ISSUER, "audience": AUDIENCE, "secrets": [SECRET, OLD], "clock": lambda: now} | policy
    )


def verdict(token, now: float = NOW, **policy):
    try:
        return verifier(now, **policy).verify(token).subject
    except InvalidTokenError as error:
        return error.code


def raw(body: str, head: str | None = None) -> str:
    """A token whose payload (and header) is exactly this text."""
    head = json.dumps(header()) if head is None else head
    return sign_bytes(head.encode("utf-8", "surrogatepass"), body.encode("utf-8", "surrogatepass"))


def text(**changes) -> str:
    return json.dumps(claims(**changes))


def test_a_good_token_gives_the_whole_principal():
    principal = verifier().verify(sign())
    assert principal.subject == "alice"
    assert principal.session_id == "session-1"
    assert principal.token_id == "AAAAAAAAAAAAAAAAAAAAAA"
    assert (principal.issued_at, principal.expires_at) == (NOW, NOW + 300)
    assert dict(principal.claims) == claims()
    with pytest.raises(TypeError):
        principal.claims["sub"] = "bob"


def test_v1_size_and_alphabet():
    room = 8192 - len(sign(body=claims(x="")))
    longest = next(
        token for n in range(room, 0, -1) if len(token := sign(body=claims(x="y" * (n * 3 // 4)))) <= 8192
    )
    assert len(longest) > 8180
    assert verdict(longest) == "alice"
    assert verdict("") == "token_malformed"
    assert verdict("a" * 8193) == "token_malformed"
    assert verdict(sign() + "é") == "token_malformed"
    assert verdict("A" * 10_000_000) == "token_malformed"
    assert verdict(None) == "token_malformed"
    assert verdict(sign().encode()) == "token_malformed"


def test_v2_segments_and_canonical_base64url():
    good = sign()
    head, body, signature = good.split(".")
    for odd in (
        f"{head}.{body}",
        f"{good}.",
        f".{good}",
        f".{body}.{signature}",
        f"{head}..{signature}",
        f"{head}.{body}.",
        f"{head}.{body}.{signature}=",
        f"{head}.{body} .{signature}",
        f"{head}.{body}\n.{signature}",
        f"{head}.{body}.{signature}\n",
        f"{head}.{body}.{signature[:-1]}",  # 42 characters decode, but to 31 bytes and stray bits
        f"{head}.{body}.{signature}A",
        f"{head}.{body}.{signature[:-1]}+",
    ):
        assert verdict(odd) in {"token_malformed", "signature_invalid"}, odd
    # One bit astray in the last character decodes to the same bytes elsewhere; here it is refused.
    last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    stray = last[last.index(signature[-1]) + 1]
    assert verdict(f"{head}.{body}.{signature[:-1]}{stray}") == "token_malformed"
    standard = base64.b64encode(b"\xfb\xff").decode().rstrip("=")
    assert verdict(f"{standard}.{body}.{signature}") == "token_malformed"


@pytest.mark.parametrize(
    ("token", "code"),
    [
        ("a1B2" * 8, "token_opaque"),
        ("a1B2" * 8 + "." + "x" * 40, "token_opaque"),
        ("a1B2" * 8 + "." + "x" * 41 + "%3D", "token_opaque"),
        ("a1B2" * 8 + "." + "x" * 64, "token_opaque"),
        ("a1B2" * 8 + "." + "x" * 65, "token_malformed"),
        ("a1B2" * 8 + "." + "x" * 39, "token_malformed"),
        ("a1B2" * 8 + "c", "token_malformed"),
        ("a1B2" * 7 + "a1-2", "token_malformed"),
    ],
)
def test_v2_names_better_auths_own_session_token(token, code):
    assert verdict(token) == code


def test_v3_the_header_is_strict_json():
    good = json.dumps(header())
    assert verdict(raw(text(), f" {good}\n")) == "alice"
    for odd in (
        "\ufeff" + good,
        "[]",
        '"x"',
        "null",
        "",
        good[:-1],
        good + "x",
        good.replace("{", '{"alg":"HS256",', 1),
        good.replace("{", '{"\\u0061lg":"HS256",', 1),
        good[:-1] + ',"x":NaN}',
        good[:-1] + ',"x":-Infinity}',
        good[:-1] + ',"x":1e400}',
        good[:-1] + ',"x":9007199254740992}',
        good[:-1] + ',"x":01}',
        good[:-1] + ',"x":"\\ud800"}',
        good[:-1] + ',"\\udc00":1}',
        good[:-1] + ',"x":{"a":1,"a":2}}',
        good[:-1] + ',"x":' + "[" * 64 + "]" * 64 + "}",
        good[:-1] + ',"x":' + "[" * 3000 + "]" * 3000 + "}",
    ):
        assert verdict(raw(text(), odd)) == "token_malformed", odd[:80]
    for odd_bytes in (b"\xff\xfe{}", b'{"x":"\xed\xa0\x80"}', b'{"x":"\xc0\x80"}'):
        assert verdict(sign_bytes(odd_bytes, text().encode())) == "token_malformed"


def test_v4_critical_headers():
    assert verdict(sign(header(crit=["exp"]))) == "critical_header_unsupported"
    assert verdict(sign(header(crit=None))) == "critical_header_unsupported"
    assert verdict(sign(header(b64=True))) == "critical_header_unsupported"


@pytest.mark.parametrize(
    "alg",
    [
        "none",
        "None",
        "",
        "hs256",
        "HS256 ",
        "HS384",
        "HS512",
        "RS256",
        "EdDSA",
        None,
        1,
        ["HS256"],
        {},
        ABSENT,
    ],
)
def test_v5_algorithms(alg):
    assert verdict(sign(header(alg=alg))) == "algorithm_not_allowed"


@pytest.mark.parametrize("typ", ["at+jwt", "AT+JWT", "application/at+jwt", "Application/AT+Jwt"])
def test_v6_token_types(typ):
    assert verdict(sign(header(typ=typ))) == "alice"


@pytest.mark.parametrize(
    "typ",
    [
        "JWT",
        "",
        "at+jwt ",
        "application/jwt",
        "application/application/at+jwt",
        "at+JW\u0166",
        None,
        1,
        [],
        ABSENT,
    ],
)
def test_v6_other_token_types(typ):
    assert verdict(sign(header(typ=typ))) == "token_type_mismatch"


@pytest.mark.parametrize("kid", ["", "x", KID[:-1], KID + "A", KID.lower(), None, 1, True, [KID], {}, ABSENT])
def test_v7_key_ids(kid):
    assert verdict(sign(header(kid=kid))) == "key_not_found"


def test_v7_every_secret_in_force_verifies_and_a_dropped_one_does_not():
    old = hkdf(OLD, AUDIENCE)
    token = sign(header(kid=thumbprint(old)), key=old)
    assert verdict(token) == "alice"
    assert verdict(token, secrets=[SECRET]) == "key_not_found"


def test_v7_header_keys_are_never_used():
    mine = b"m" * 32
    jwk = {"kty": "oct", "k": base64url(mine), "kid": KID}
    assert verdict(
        sign(header(jwk=jwk, jku="https://evil.example", x5u="https://evil.example"), key=mine)
    ) == ("signature_invalid")


def test_v8_signatures():
    head, body, signature = sign().split(".")
    flipped = ("A" if signature[0] != "A" else "B") + signature[1:]
    assert verdict(f"{head}.{body}.{flipped}") == "signature_invalid"
    assert verdict(f"{head}.{body}.AAAA") == "signature_invalid"
    other = base64url(json.dumps(claims(sub="bob")).encode())
    assert verdict(f"{head}.{other}.{signature}") == "signature_invalid"
    # The shared secret itself is never a key: what Better Auth signs with it does not verify here.
    assert verdict(sign(key=SECRET.encode())) == "signature_invalid"
    truncated = base64url(hmac.digest(KEY, f"{head}.{body}".encode(), "sha256")[:16])
    assert verdict(f"{head}.{body}.{truncated}") == "signature_invalid"


def test_v9_the_payload_is_strict_json():
    good = text()
    for odd in (
        "[]",
        " ",
        "\ufeff" + good,
        good[:-1] + ',"sub":"bob"}',
        good[:-1] + ',"\\u0073ub":"bob"}',
        good[:-1] + ',"x":"\\udfff"}',
        good[:-1] + ',"x":[1,-9007199254740992]}',
        good[:-1] + ',"x":NaN}',
        good[:-1] + ',"x":"\t"}',
        good[:-1] + ',"x":1.}',
        good[:-1] + ',"x":"' + "\\x" + '"}',
    ):
        assert verdict(raw(odd)) == "claims_malformed", odd[:80]
    for fine in (
        good[:-1] + ',"__proto__":{"sub":"bob"},"constructor":1}',
        good[:-1]
        + ',"x":9007199254740991,"y":-9007199254740991,"z":1e308,"w":-0,"v":12345678901234567890.0}',
        good[:-1] + ',"x":"\\ud83d\\ude00 [[[[ \\" ]"}',
        good[:-1] + ',"x":' + "[" * 63 + "]" * 63 + "}",
        good[:-1] + ',"x":"' + "[" * 200 + '"}',
        good[:-1] + ',"x":[' + ",".join(["{}"] * 100) + "]}",
        good[:-1] + ',"x":"\\\\ud800"}',
    ):
        assert verdict(raw(fine)) == "alice", fine[:80]


@pytest.mark.parametrize("name", ["iss", "aud", "sub", "user_id", "client_id", "iat", "exp", "jti"])
def test_v10_required_claims(name):
    assert verdict(sign(body=claims(**{name: ABSENT}))) == "claim_missing"
    assert verdict(sign(body=claims(**{name: None}))) == "claim_malformed"


@pytest.mark.parametrize("name", ["nbf", "sid"])
def test_v11_optional_claims_may_be_absent_but_not_null(name):
    assert verdict(sign(body=claims(**{name: ABSENT}))) == "alice"
    assert verdict(sign(body=claims(**{name: None}))) == "claim_malformed"


@pytest.mark.parametrize("name", ["iat", "exp", "nbf"])
@pytest.mark.parametrize("value", ["1800000000", True, None, -1, -0.5, 253402300800, [], {}])
def test_v11_dates(name, value):
    assert verdict(sign(body=claims(**{name: value}))) == "claim_malformed"


@pytest.mark.parametrize("name", ["iss", "sub", "user_id", "client_id", "jti", "sid"])
@pytest.mark.parametrize("value", ["", 1, True, [], {}, ["alice"]])
def test_v11_strings(name, value):
    assert verdict(sign(body=claims(**{name: value}))) == "claim_malformed"


@pytest.mark.parametrize("aud", ["", [], [""], [AUDIENCE, ""], [AUDIENCE, 1], 1, {}, [[AUDIENCE]]])
def test_v11_audience_shapes(aud):
    assert verdict(sign(body=claims(aud=aud))) == "claim_malformed"


def test_v11_subjects():
    for fine in ("x" * 255, "\U0001f600" * 255, "a b", "\u00a0", "é"):
        assert verdict(sign(body=claims(sub=fine))) == fine
    for odd in ("x" * 256, "a\x00b", "a\x1f", "\x7f", "\x80", "\x9f", "a\n"):
        assert verdict(sign(body=claims(sub=odd))) == "claim_malformed"


def test_v11_last_date_that_passes():
    end = 253402300799
    assert verdict(sign(body=claims(iat=end - 300, exp=end)), now=end - 1) == "alice"


@pytest.mark.parametrize(
    "iss", [ISSUER + "/", ISSUER.upper(), ISSUER[:-1], "http://app.example.com", ISSUER + "\u200b"]
)
def test_v12_issuer(iss):
    assert verdict(sign(body=claims(iss=iss, client_id=iss))) == "issuer_mismatch"


def test_v13_audience():
    assert verdict(sign(body=claims(aud=[AUDIENCE]))) == "alice"
    assert verdict(sign(body=claims(aud=["https://other.example", AUDIENCE]))) == "alice"
    for aud in (AUDIENCE + "/", AUDIENCE[:-1], [AUDIENCE + "/"], "https://other.example"):
        assert verdict(sign(body=claims(aud=aud))) == "audience_mismatch"


def test_v14_identity_of_user_and_client():
    assert verdict(sign(body=claims(user_id="bob"))) == "claim_malformed"
    assert verdict(sign(body=claims(sub="é", user_id="e\u0301"))) == "claim_malformed"
    assert verdict(sign(body=claims(client_id="third-party"))) == "claim_malformed"
    assert verdict(sign(body=claims(cnf={"jkt": "x"}))) == "claim_malformed"
    assert verdict(sign(body=claims(cnf=None))) == "claim_malformed"


def test_v15_expiry():
    token = sign()
    assert verdict(token, now=NOW + 309.999) == "alice"
    assert verdict(token, now=NOW + 310) == "token_expired"
    assert verdict(token, now=NOW + 299.999, leeway=0) == "alice"
    assert verdict(token, now=NOW + 300, leeway=0) == "token_expired"
    assert verdict(token, now=float("nan")) == "token_expired"


def test_v16_not_yet_valid():
    assert verdict(sign(), now=NOW - 10) == "alice"
    assert verdict(sign(), now=NOW - 10.001) == "token_not_yet_valid"
    assert verdict(sign(body=claims(nbf=NOW + 10))) == "alice"
    assert verdict(sign(body=claims(nbf=NOW + 10.5))) == "token_not_yet_valid"


def test_v17_lifetime():
    assert verdict(sign(body=claims(exp=NOW + 3600))) == "alice"
    assert verdict(sign(body=claims(exp=NOW + 3600.5))) == "lifetime_out_of_range"
    assert verdict(sign(body=claims(exp=NOW + 61)), maximum_lifetime=60) == "lifetime_out_of_range"
    assert verdict(sign(body=claims(iat=NOW + 5, exp=NOW + 5))) == "lifetime_out_of_range"
    assert verdict(sign(body=claims(iat=NOW + 5, exp=NOW + 4))) == "lifetime_out_of_range"


def test_the_first_failing_rule_decides():
    assert verdict(sign(header(alg="none", typ="JWT", kid="x", crit=[]))) == "critical_header_unsupported"
    assert verdict(sign(header(alg="none", typ="JWT", kid="x"))) == "algorithm_not_allowed"
    assert verdict(sign(header(typ="JWT", kid="x"))) == "token_type_mismatch"
    assert verdict(sign(body=claims(iss="x", aud="y", exp=1))) == "issuer_mismatch"
    assert verdict(sign(body=claims(aud="y", exp=NOW - 100, iat=NOW + 100))) == "audience_mismatch"


@pytest.mark.parametrize(
    "policy",
    [
        {"issuer": ""},
        {"issuer": None},
        {"audience": ""},
        {"audience": "x\ud800"},
        {"secrets": []},
        {"secrets": SECRET},
        {"secrets": ["short"]},
        {"leeway": -1},
        {"leeway": 61},
        {"leeway": 1.5},
        {"leeway": True},
        {"maximum_lifetime": 0},
        {"maximum_lifetime": 86401},
        {"maximum_lifetime": "60"},
    ],
)
def test_impossible_policies_are_configuration_errors(policy):
    with pytest.raises(ConfigurationError):
        verifier(**policy)


def test_unknown_policy_members_are_refused():
    with pytest.raises(TypeError):
        verifier(verify_aud=False)


def test_the_clock_is_read_once():
    reads = []
    verifier(clock=lambda: reads.append(1) or NOW).verify(sign())
    assert len(reads) == 1
