"""JWK Sets: which entries are usable; and tokens verified by keys that are given."""

from typing import Any

import primitives
from ask import POLICIES, accept, refuse
from build import (
    ABSENT,
    AUDIENCE,
    ISSUER,
    KEY,
    OLD_KEY,
    Cases,
    Json,
    base64url,
    change,
    claims,
    document,
    encode,
    header,
    sign,
)

OCT = {"kty": "oct", "k": base64url(KEY), "kid": "oct", "alg": "HS256", "use": "sig"}
RSA = {"kty": "RSA", "n": primitives.RSA_N, "e": "AQAB", "kid": "rsa", "alg": "RS256", "use": "sig"}
EC = {"kty": "EC", "crv": "P-256", "x": primitives.EC_X, "y": primitives.EC_Y, "kid": "ec", "alg": "ES256"}
ED = {"kty": "OKP", "crv": "Ed25519", "x": primitives.ED_X, "kid": "ed", "alg": "EdDSA"}
RSA2 = {**RSA, "n": primitives.RSA2_N, "kid": "rsa-2"}
EC2 = {**EC, "x": primitives.EC2_X, "y": primitives.EC2_Y, "kid": "ec-2"}
ED2 = {**ED, "x": primitives.ED2_X, "kid": "ed-2"}
# The point (0, y) is on the curve; (p, y) is the same one, written beyond the field.
B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
Y_OF_0 = pow(B, (primitives.P + 1) // 4, primitives.P).to_bytes(32, "big")
SIGNERS = {
    "RS256": ("rsa", primitives.rs256),
    "ES256": ("ec", primitives.es256),
    "EdDSA": ("ed", primitives.eddsa),
}


def usability() -> Json:
    cases = Cases()

    def case(name: str, law: str, keys: Any, usable: list[str]) -> None:
        cases.add("jwk", name, law, {"jwks": {"keys": keys}}, {"usable": usable})

    for jwk in (OCT, RSA, EC, ED):
        kid = jwk["kid"]
        case(f"{kid}-good", "RFC 7517 §4", [jwk], [kid])
        for name in ("alg", "use"):
            case(f"{kid}-without-{name}", "RFC 7517 §4.2, §4.4", [change(jwk, {name: ABSENT})], [kid])
        case(f"{kid}-with-unknown-members", "RFC 7517 §4", [{**jwk, "x5t": "x", "ext": True}], [kid])
        for name, value in {
            "alg-none": {"alg": "none"}, "alg-null": {"alg": None}, "alg-number": {"alg": 1}, "alg-hs384": {"alg": "HS384"},
            "alg-ps256": {"alg": "PS256"}, "alg-lower-case": {"alg": jwk["alg"].lower()}, "alg-empty": {"alg": ""},
            "alg-array": {"alg": [jwk["alg"]]},
            "use-enc": {"use": "enc"}, "use-null": {"use": None}, "use-upper-case": {"use": "SIG"}, "use-array": {"use": ["sig"]},
            "key-ops-sign": {"key_ops": ["sign"]}, "key-ops-empty": {"key_ops": []}, "key-ops-string": {"key_ops": "verify"},
            "key-ops-null": {"key_ops": None}, "private-d": {"d": "AAAA"}, "private-p": {"p": "AAAA"},
            "private-oth": {"oth": []}, "private-null": {"d": None},
            "kid-absent": {"kid": ABSENT}, "kid-empty": {"kid": ""}, "kid-number": {"kid": 1}, "kid-null": {"kid": None},
            "kty-absent": {"kty": ABSENT}, "kty-lower-or-upper": {"kty": jwk["kty"].swapcase()}, "kty-array": {"kty": [jwk["kty"]]},
            "crv-null": {"crv": None}, "crv-other": {"crv": "P-384"}, "crv-empty": {"crv": ""}, "crv-array": {"crv": ["P-256"]},
        }.items():  # fmt: skip
            case(f"{kid}-{name}", "access-token.md Keys, usable", [change(jwk, value)], [])
        for name, value in {
            "key-ops-verify": ["verify"], "key-ops-sign-and-verify": ["sign", "verify"],
        }.items():  # fmt: skip
            case(f"{kid}-{name}", "RFC 7517 §4.3", [{**jwk, "key_ops": value}], [kid])
    case("ed-alg-ed25519", "RFC 9864 §2.2", [{**ED, "alg": "Ed25519"}], ["ed"])
    for other in ("HS256", "RS256", "ES256", "EdDSA"):
        for jwk in (OCT, RSA, EC, ED):
            if jwk["alg"] != other:
                case(
                    f"{jwk['kid']}-alg-of-another-kind-{other.lower()}",
                    "RFC 8725 §3.1",
                    [{**jwk, "alg": other}],
                    [],
                )
    for name, value in {
        "31-bytes": base64url(KEY[:31]), "empty": "", "padded": base64url(KEY) + "=", "standard-alphabet": "+/" * 22,
        "stray-bits": base64url(KEY)[:-1] + "V", "number": 1, "null": None, "absent": ABSENT, "spaces": f" {base64url(KEY)}",
    }.items():  # fmt: skip
        case(f"oct-k-{name}", "RFC 7518 §3.2, §6.4", [change(OCT, {"k": value})], [])
    case("oct-k-64-bytes", "RFC 7518 §6.4", [{**OCT, "k": base64url(KEY + OLD_KEY)}], ["oct"])
    modulus = primitives.integer(primitives.RSA_N)
    big = 2**8191 + modulus

    def number(value: int) -> str:
        return base64url(value.to_bytes((value.bit_length() + 7) // 8, "big"))

    for name, value in {
        "n-2047-bits": {"n": number(modulus >> 1 | 1)}, "n-1024-bits": {"n": number(modulus >> 1024 | 1)},
        "n-8193-bits": {"n": number(2 * big + 1)}, "n-zero": {"n": "AA"}, "n-absent": {"n": ABSENT}, "n-number": {"n": 65537},
        "n-padded": {"n": primitives.RSA_N + "="}, "e-3": {"e": "Aw"}, "e-1": {"e": "AQ"}, "e-zero": {"e": "AA"},
        "e-65535": {"e": "__8"}, "e-absent": {"e": ABSENT}, "e-number": {"e": 65537}, "e-empty": {"e": ""}, "k-too": {"k": "AAAA"},
    }.items():  # fmt: skip
        case(f"rsa-{name}", "RFC 8725 §3.5, RFC 7518 §6.3", [change(RSA, value)], [])
    case("rsa-n-8192-bits", "access-token.md Keys, usable", [{**RSA, "n": number(big | 1)}], ["rsa"])
    for name, value in {
        "off-the-curve": {"y": primitives.EC_X}, "swapped": {"x": primitives.EC_Y, "y": primitives.EC_X},
        "zero": {"x": "A" * 43, "y": "A" * 43}, "x-31-bytes": {"x": primitives.EC_X[:-2]},
        "x-33-bytes": {"x": base64url(b"\x00" + primitives.decode(primitives.EC_X))}, "x-absent": {"x": ABSENT},
        "y-absent": {"y": ABSENT}, "y-number": {"y": 1}, "y-padded": {"y": primitives.EC_Y + "="},
        "x-is-the-prime-of-the-field": {"x": base64url(primitives.P.to_bytes(32, "big")), "y": base64url(Y_OF_0)},
        "x-beyond-the-field": {"x": base64url(b"\xff" * 32)}, "p-384": {"crv": "P-384"}, "secp256k1": {"crv": "secp256k1"},
        "k-too": {"k": "AAAA"},
    }.items():  # fmt: skip
        case(f"ec-{name}", "RFC 7518 §6.2, SP 800-186", [change(EC, value)], [])
    for name, value in {
        "x-31-bytes": {"x": primitives.ED_X[:-2]}, "x-33-bytes": {"x": primitives.ED_X + "A"}, "x-absent": {"x": ABSENT},
        "x-padded": {"x": primitives.ED_X + "="}, "x25519": {"crv": "X25519"}, "ed448": {"crv": "Ed448"}, "x-null": {"x": None},
        "k-too": {"k": "AAAA"},
    }.items():  # fmt: skip
        case(f"ed-{name}", "RFC 8037 §2", [change(ED, value)], [])
    law = "access-token.md Keys, ambiguous"
    case("ec-x-zero", "RFC 7518 §6.2", [{**EC, "x": "A" * 43, "y": base64url(Y_OF_0)}], ["ec"])
    case(
        "crv-in-place-of-kty",
        law,
        [{**change(OCT, {"kty": ABSENT}), "crv": "oct"}, {**change(RSA, {"kty": ABSENT}), "crv": "RSA"}],
        [],
    )
    case("empty-set", "RFC 7517 §5", [], [])
    case("several", "RFC 7517 §5", [RSA, EC, ED], ["rsa", "ec", "ed"])
    case("foreign-entries", "RFC 7517 §5", [None, 1, "x", [], {}, True, ED], ["ed"])
    case("same-kid-twice", law, [ED, ED], [])
    case("same-kid-thrice", law, [ED, ED, ED], [])
    case("same-kid-of-two-kinds", law, [ED, {**EC, "kid": "ed"}, RSA], ["rsa"])
    case("same-kid-unusable-first", law, [{"kty": "x", "kid": "ed"}, ED], [])
    case("same-kid-unusable-last", law, [ED, {"kid": "ed"}], [])
    case("same-kid-not-a-string-elsewhere", law, [ED, {**ED, "kid": ["ed"]}], ["ed"])
    case(
        "kid-proto",
        law,
        [{**ED, "kid": "__proto__"}, {**EC, "kid": "constructor"}],
        ["__proto__", "constructor"],
    )
    for name, jwks in {
        "array": [ED], "null": None, "string": "x", "keys-object": {"keys": {}}, "keys-null": {"keys": None},
        "keys-absent": {}, "keys-string": {"keys": "x"}, "one-jwk": ED,
    }.items():  # fmt: skip
        cases.add("jwk", f"no-set-{name}", "RFC 7517 §5", {"jwks": jwks}, {"error": True})
    return document("JWK Sets: which entries are usable", cases.cases)


def signed(algorithm: str, body: "str | bytes | Json | None" = None, **changes: Any) -> str:
    """A token under the key of this algorithm; the header's changes may be lies."""
    kid, signer = SIGNERS[algorithm]
    head = header(**{"alg": algorithm, "kid": kid, **changes})
    signing_input = f"{encode(head)}.{encode(claims() if body is None else body)}"
    return f"{signing_input}.{base64url(signer(signing_input.encode()))}"


def odd_kids() -> None:
    """A given key's name may be any text: one that a verifier which predicts headers must not paste into JSON."""
    law = "access-token.md V3, V7"
    for name, kid in {
        "quotes": 'a","typ":"at+jwt',
        "backslash": "a\\u0062",
        "line-feed": "a\nb",
        "emoji": "😀",
        "padded": "a=",
    }.items():
        policy = f"kid-with-{name}"
        POLICIES[policy] = {"issuer": ISSUER, "audience": AUDIENCE, "keys": {"keys": [{**OCT, "kid": kid}]}}
        accept("V7", f"kid-with-{name}", law, sign(header(kid=kid)), policy=policy)
        pasted = f'{{"alg":"HS256","typ":"at+jwt","kid":"{kid}"}}'
        if name in ("quotes", "line-feed"):
            refuse("V3", f"pasted-kid-with-{name}", law, sign(pasted), "token_malformed", policy=policy)
        if name == "backslash":
            refuse("V7", f"pasted-kid-with-{name}", law, sign(pasted), "key_not_found", policy=policy)
