"""Tokens verified by given public keys: algorithm confusion, ambiguous names, and what the RFCs publish."""

import primitives
from ask import POLICIES, accept, refuse
from build import AUDIENCE, ISSUER, KID, base64url, claims, encode, header, sign
from key_sets import EC, ED, OCT, RSA, SIGNERS, signed


def tokens() -> None:
    given = {"issuer": ISSUER, "audience": AUDIENCE}
    public = {"keys": [RSA, EC, ED]}
    POLICIES["derived-key"] = {**given, "keys": {"keys": [{**OCT, "kid": KID}]}}
    POLICIES["public-keys"] = {**given, "keys": public}
    POLICIES["ed25519-only"] = {**given, "keys": public, "algorithms": ["Ed25519"]}
    POLICIES["ambiguous"] = {**given, "keys": {"keys": [ED, {**EC, "kid": "ed"}, RSA]}}
    POLICIES["rfc-7515"] = {**given, "keys": {"keys": [{"kty": "oct", "kid": "a1", "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}]}}  # fmt: skip
    POLICIES["rfc-7520"] = {**given, "keys": {"keys": [{"kty": "oct", "kid": "018c0ae5-4d9b-471b-bfd6-eef314bc7037", "k": "hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCcYg"}]}}  # fmt: skip
    law = "RFC 7517 §4"
    accept("V7", "derived-key-given-as-jwk", law, sign(), policy="derived-key")
    for algorithm, (kid, signer) in SIGNERS.items():
        name = algorithm.lower()
        token = signed(algorithm)
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
            odd = signed(algorithm, kid=kid_of)
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
    accept("V5", "eddsa-where-ed25519-is-allowed", law, signed("EdDSA"), policy="ed25519-only")
    accept("V5", "ed25519-where-ed25519-is-allowed", law, named, policy="ed25519-only")
    refuse("V5", "es256-where-ed25519-is-allowed", law, signed("ES256"), "algorithm_not_allowed", policy="ed25519-only")  # fmt: skip
    law = "access-token.md Keys, ambiguous"
    refuse("V7", "ambiguous-kid", law, signed("EdDSA"), "key_not_found", policy="ambiguous")
    accept("V7", "another-kid-beside-an-ambiguous-one", law, signed("RS256"), policy="ambiguous")
    head, body, signature = signed("ES256").split(".")
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
