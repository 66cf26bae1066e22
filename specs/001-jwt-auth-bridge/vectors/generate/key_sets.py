"""JWK Sets: which entries are usable, and tokens verified by given keys of every kind."""

from typing import Any

import primitives
from ask import POLICIES, accept, refuse
from build import (
    ABSENT,
    AUDIENCE,
    ISSUER,
    KEY,
    KID,
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


def _signed(algorithm: str, **changes: Any) -> str:
    kid, signer = SIGNERS[algorithm]
    signing_input = f"{encode(header(alg=algorithm, **{'kid': kid, **changes}))}.{encode(claims())}"
    return f"{signing_input}.{base64url(signer(signing_input.encode()))}"


def tokens() -> None:
    given = {"issuer": ISSUER, "audience": AUDIENCE}
    public = {"keys": [RSA, EC, ED]}
    POLICIES["derived-key"] = {**given, "keys": {"keys": [{**OCT, "kid": KID}]}}
    POLICIES["public-keys"] = {**given, "keys": public}
    POLICIES["ed25519-only"] = {**given, "keys": public, "algorithms": ["Ed25519"]}
    POLICIES["ambiguous"] = {**given, "keys": {"keys": [ED, {**EC, "kid": "ed"}, RSA]}}
    POLICIES["rfc-7515"] = {**given, "keys": {"keys": [{"kty": "oct", "kid": "a1", "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}]}}  # fmt: skip
    POLICIES["rfc-7520"] = {**given, "keys": {"keys": [{"kty": "oct", "kid": "018c0ae5-4d9b-471b-bfd6-eef314bc7037", "k": "hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCcYg"}]}}  # fmt: skip
    odd_kids()
    law = "RFC 7517 §4"
    accept("V7", "derived-key-given-as-jwk", law, sign(), policy="derived-key")
    for algorithm, (kid, signer) in SIGNERS.items():
        name = algorithm.lower()
        token = _signed(algorithm)
        head, body, signature = token.split(".")
        raw = primitives.decode(signature)
        accept("V8", f"{name}-good", "RFC 7518 §3, RFC 8037 §3.1", token, policy="public-keys")
        for kind, odd in {
            "first-bit": bytes([raw[0] ^ 1]) + raw[1:], "last-bit": raw[:-1] + bytes([raw[-1] ^ 1]), "truncated": raw[:-1],
            "extended": raw + b"\0", "all-zero": bytes(len(raw)), "one-byte": b"\x01",
        }.items():  # fmt: skip
            refuse("V8", f"{name}-{kind}", "RFC 7515 §5.2 step 8", f"{head}.{body}.{base64url(odd)}", "signature_invalid", policy="public-keys")  # fmt: skip
        other = f"{head}.{encode(claims(sub='bob'))}.{signature}"
        refuse("V8", f"{name}-payload-of-another", law, other, "signature_invalid", policy="public-keys")
        for kid_of in sorted({"rsa", "ec", "ed"} - {kid}):
            odd = _signed(algorithm, kid=kid_of)
            refuse("V7", f"{name}-under-kid-{kid_of}", "RFC 8725 §3.1", odd, "algorithm_not_allowed", policy="public-keys")  # fmt: skip
        # The classic confusion: an HMAC with the public key's bytes, in three spellings.
        jwk = {"rsa": RSA, "ec": EC, "ed": ED}[kid]
        material = primitives.decode(str(jwk.get("x", jwk.get("n"))))
        confused = sign(header(kid=kid), None, material)
        refuse("V5", f"{name}-public-key-as-secret", "RFC 8725 §2.1", confused, "algorithm_not_allowed", policy="public-keys")  # fmt: skip
        forged = f"{encode(header(alg=algorithm, kid=kid))}.{encode(claims())}"
        confused = f"{forged}.{sign(header(alg=algorithm, kid=kid), None, material).split('.')[2]}"
        refuse("V8", f"{name}-hmac-under-its-name", "RFC 8725 §2.1", confused, "signature_invalid", policy="public-keys")  # fmt: skip
        refuse("V5", f"{name}-where-only-hs256-is-allowed", "RFC 8725 §3.1", token, "algorithm_not_allowed", policy="derived-key")  # fmt: skip
        bare = f"{encode(header(alg=algorithm, typ='JWT', kid=kid))}.{encode(claims())}"
        stock = f"{bare}.{base64url(signer(bare.encode()))}"
        refuse(
            "V6",
            f"{name}-of-a-stock-plugin",
            "RFC 9068 §4",
            stock,
            "token_type_mismatch",
            policy="public-keys",
        )
    law = "RFC 9864 §2.2"
    named = f"{encode(header(alg='Ed25519', kid='ed'))}.{encode(claims())}"
    named = f"{named}.{base64url(primitives.eddsa(named.encode()))}"
    accept("V7", "ed25519-is-eddsa", law, named, policy="public-keys")
    accept("V5", "eddsa-where-ed25519-is-allowed", law, _signed("EdDSA"), policy="ed25519-only")
    accept("V5", "ed25519-where-ed25519-is-allowed", law, named, policy="ed25519-only")
    refuse("V5", "es256-where-ed25519-is-allowed", law, _signed("ES256"), "algorithm_not_allowed", policy="ed25519-only")  # fmt: skip
    law = "access-token.md Keys, ambiguous"
    refuse("V7", "ambiguous-kid", law, _signed("EdDSA"), "key_not_found", policy="ambiguous")
    accept("V7", "another-kid-beside-an-ambiguous-one", law, _signed("RS256"), policy="ambiguous")
    head, body, signature = _signed("ES256").split(".")
    raw = primitives.decode(signature)
    r, s = raw[:32], int.from_bytes(raw[32:], "big")

    def der(value: int) -> bytes:
        data = value.to_bytes(value.bit_length() // 8 + 1, "big")
        return b"\x02" + bytes([len(data)]) + data

    sequence = der(int.from_bytes(r, "big")) + der(s)
    for name, odd in {
        "der": b"\x30" + bytes([len(sequence)]) + sequence,
        "r-zero": bytes(32) + raw[32:],
        "s-zero": r + bytes(32),
        "s-plus-order": r + ((s + primitives.N) % 2**256).to_bytes(32, "big"),
        "all-ones": b"\xff" * 64,
    }.items():
        refuse("V8", f"es256-{name}", "RFC 7518 §3.4", f"{head}.{body}.{base64url(odd)}", "signature_invalid", policy="public-keys")  # fmt: skip
    # RFC 7518 §3.4 does not ask for the smaller of the two: both s and n - s verify.
    twin = f"{head}.{body}.{base64url(r + (primitives.N - s).to_bytes(32, 'big'))}"
    accept("V8", "es256-the-other-s", "RFC 7518 §3.4", twin, policy="public-keys")
    published = {
        "rfc-7515-a1": ("rfc-7515", "RFC 7515 A.1", "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
        "rfc-7515-a3": ("public-keys", "RFC 7515 A.3", "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"),
        "rfc-7520-4-4": ("rfc-7520", "RFC 7520 §4.4", "eyJhbGciOiJIUzI1NiIsImtpZCI6IjAxOGMwYWU1LTRkOWItNDcxYi1iZmQ2LWVlZjMxNGJjNzAzNyJ9.SXTigJlzIGEgZGFuZ2Vyb3VzIGJ1c2luZXNzLCBGcm9kbywgZ29pbmcgb3V0IHlvdXIgZG9vci4gWW91IHN0ZXAgb250byB0aGUgcm9hZCwgYW5kIGlmIHlvdSBkb24ndCBrZWVwIHlvdXIgZmVldCwgdGhlcmXigJlzIG5vIGtub3dpbmcgd2hlcmUgeW91IG1pZ2h0IGJlIHN3ZXB0IG9mZiB0by4.s0h6KThzkfBBBkLspW1h84VsJZFTsPPqMDA7g1Md7p0"),
        "rfc-8037-a4": ("public-keys", "RFC 8037 A.4", "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"),
    }  # fmt: skip
    # Genuine and no access tokens: their typ is another or absent.
    for name, (policy, law, token) in published.items():
        refuse("V6", name, law, token, "token_type_mismatch", policy=policy)
    a5 = "eyJhbGciOiJub25lIn0.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ."  # fmt: skip
    refuse("V2", "rfc-7515-a5-unsecured", "RFC 7515 A.5", a5, "token_malformed")


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
