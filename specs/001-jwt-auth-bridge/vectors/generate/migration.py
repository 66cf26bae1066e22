"""Tokens before a fetched key set, and before a migration verifier, which has one policy of each kind."""

from typing import Any

import primitives
from ask import accepted
from build import (
    ABSENT,
    AUDIENCE,
    ISSUER,
    KEY,
    KID,
    NOW,
    OLD_KEY,
    OLD_KID,
    OLD_SECRET,
    SECRET,
    Cases,
    Json,
    base64url,
    claims,
    document,
    header,
    sign,
)
from key_sets import EC, ED, OCT, RSA, SIGNERS, signed

# One case a line, as far as it fits.
# fmt: off

GIVEN = {"issuer": ISSUER, "audience": AUDIENCE}
DERIVED = {**OCT, "kid": KID}
OLD_DERIVED = {**OCT, "k": base64url(OLD_KEY), "kid": OLD_KID}
TWICE = {**OLD_DERIVED, "kid": "twice"}
PUBLIC = {"keys": [RSA, EC, ED]}
# Two public keys under the names of symmetric ones: a list that a careless or hostile issuer publishes.
CLASHING = {"keys": [{**ED, "kid": KID}, {**EC, "kid": OLD_KID}, RSA]}
OTHER_KIND = {"rsa": "EdDSA", "ec": "RS256", "ed": "ES256"}


class Questions(Cases):
    """Cases that ask one policy about one token, or whether the policy is possible at all."""

    def __init__(self, rule: str) -> None:
        super().__init__()
        self.rule = rule
        self.policies: Json = {}

    def ask(self, name: str, law: str, policy: str, token: str, code: str | None = None, body: Json | None = None) -> None:
        expect = {"ok": False, "code": code} if code else accepted(body or claims())
        self.add(self.rule, name, law, {"policy": policy, "now": NOW, "token": token}, expect)

    def impossible(self, name: str, law: str, **policy: Any) -> None:
        self.policies[name] = {**GIVEN, **policy}
        self.add(self.rule, name, law, {"policy": name}, {"error": True})

    def document(self, title: str) -> Json:
        if missing := {case["policy"] for case in self.cases} ^ set(self.policies):
            raise ValueError(f"asked and not there, or there and not asked: {missing}")
        return document(title, self.cases, policies=self.policies)


def fetched_keys() -> Json:
    cases = Questions("fetched")
    cases.policies = {
        "several": {**GIVEN, "fetched": PUBLIC}, "one-key": {**GIVEN, "fetched": {"keys": [ED]}},
        "oct-too": {**GIVEN, "fetched": {"keys": [{**DERIVED}, {**OCT, "kid": "oct"}, ED]}},
        "ambiguous": {**GIVEN, "fetched": {"keys": [ED, {**EC, "kid": "ed"}, RSA]}}, "only-ed25519": {**GIVEN, "fetched": PUBLIC, "algorithms": ["Ed25519"]},
        "only-es256-and-rs256": {**GIVEN, "fetched": PUBLIC, "algorithms": ["ES256", "RS256"]},
    }
    law = "access-token.md 1.7"
    for algorithm, (kid, _) in SIGNERS.items():
        name = algorithm.lower()
        cases.ask(f"{name}-good", law, "several", signed(algorithm))
        cases.ask(f"{name}-unknown-kid", law, "several", signed(algorithm, kid="other"), "key_not_found")
        forged = f"{signed(algorithm).rsplit('.', 1)[0]}.{base64url(bytes(64))}"
        cases.ask(f"{name}-forged", "RFC 7515 §5.2 step 8", "several", forged, "signature_invalid")
        stock = signed(algorithm, typ="JWT")
        cases.ask(f"{name}-of-a-stock-plugin", "RFC 9068 §4", "several", stock, "token_type_mismatch")
        if algorithm != "EdDSA":
            # The list of a fetched set is the three algorithms, whatever the set holds now.
            cases.ask(f"{name}-not-in-the-set", "access-token.md V5", "one-key", signed(algorithm), "key_not_found")
            odd = signed(algorithm, kid="ed")
            cases.ask(f"{name}-under-a-key-of-another-kind", "RFC 8725 §3.1", "one-key", odd, "algorithm_not_allowed")
            cases.ask(f"{name}-off-the-list", "access-token.md V5", "only-ed25519", signed(algorithm), "algorithm_not_allowed")
            cases.ask(f"{name}-on-the-list", "access-token.md V5", "only-es256-and-rs256", signed(algorithm))
        material = primitives.decode(str({"rsa": RSA, "ec": EC, "ed": ED}[kid].get("x", RSA["n"])))
        odd = sign(header(kid=kid), None, material)
        cases.ask(f"{name}-public-key-as-secret", "RFC 8725 §2.1", "several", odd, "algorithm_not_allowed")
    cases.ask("eddsa-off-the-list", "access-token.md V5", "only-es256-and-rs256", signed("EdDSA"), "algorithm_not_allowed")
    cases.ask("ed25519-named-so", "RFC 9864 §2.2", "several", signed("EdDSA", alg="Ed25519"))
    cases.ask("ed25519-listed-so", "RFC 9864 §2.2", "only-ed25519", signed("EdDSA"))
    law = "access-token.md 1.5, oct keys of a fetched set"
    cases.ask("oct-key-published", law, "oct-too", sign(header(kid="oct")), "algorithm_not_allowed")
    cases.ask("derived-key-published", law, "oct-too", sign(), "algorithm_not_allowed")
    cases.ask("oct-key-under-eddsa", law, "oct-too", sign(header(alg="EdDSA", kid="oct")), "key_not_found")
    cases.ask("public-key-beside-an-oct-key", law, "oct-too", signed("EdDSA"))
    law = "access-token.md V5"
    for name in ("HS256", "HS384", "none", "PS256", "RS384", "ES384", "ES256K", "Ed448", "ML-DSA-44"):
        cases.ask(f"alg-{name.lower()}", law, "several", signed("EdDSA", alg=name), "algorithm_not_allowed")
    law = "RFC 7515 §4.1.4"
    for name, kid in {"absent": ABSENT, "null": None, "empty": "", "number": 1, "array": ["ed"], "object": {"kid": "ed"}, "proto": "__proto__"}.items():
        cases.ask(f"kid-{name}", law, "several", signed("EdDSA", kid=kid), "key_not_found")
    law = "access-token.md 1.5, ambiguous"
    cases.ask("ambiguous-kid", law, "ambiguous", signed("EdDSA"), "key_not_found")
    cases.ask("another-kid-beside-an-ambiguous-one", law, "ambiguous", signed("RS256"))
    law = "RFC 8725 §3.10"
    # The header brings its own genuine key; the set's key of that name is another, or none.
    other = {**EC, "kid": "mine"}
    cases.ask("key-in-the-header", law, "one-key", signed("ES256", kid="mine", jwk=other), "key_not_found")
    cases.ask("jku-in-the-header", law, "one-key", signed("ES256", kid="mine", jku="https://evil.example/jwks"), "key_not_found")
    cases.ask("jku-beside-a-good-key", law, "one-key", signed("EdDSA", jku="https://evil.example/jwks", jwk=other, x5u="x", x5c=[]))
    law = "access-token.md 1.8, one source"
    for name, policy in {
        "fetched-and-secrets": {"secrets": [SECRET]}, "fetched-and-derived-keys": {"keys": {"keys": [DERIVED]}}, "fetched-and-public-keys": {"keys": PUBLIC},
    }.items():
        cases.impossible(name, law, fetched=PUBLIC, **policy)
    law = "access-token.md V5, allow-list"
    for name, algorithms in {"hs256": ["HS256"], "mixed": ["HS256", "EdDSA"], "none": ["none"], "empty": [], "text": "EdDSA", "ps256": ["PS256"]}.items():
        cases.impossible(f"algorithms-{name}", law, fetched=PUBLIC, algorithms=algorithms)
    return cases.document("Tokens before a fetched key set")


def migration() -> Json:
    cases = Questions("migration")
    two = {**GIVEN, "migration": True}
    cases.policies = {
        "secret-and-keys": {**two, "secrets": [SECRET], "keys": PUBLIC}, "secret-and-fetched": {**two, "secrets": [SECRET], "fetched": PUBLIC},
        "derived-and-fetched": {**two, "keys": {"keys": [DERIVED]}, "fetched": PUBLIC},
        "two-secrets-and-keys": {**two, "secrets": [SECRET, OLD_SECRET], "keys": PUBLIC},
        "secret-and-clashing-keys": {**two, "secrets": [SECRET], "keys": CLASHING},
        "two-secrets-and-clashing-fetched": {**two, "secrets": [SECRET, OLD_SECRET], "fetched": CLASHING},
        "secret-and-one-key": {**two, "secrets": [SECRET], "keys": {"keys": [ED]}},
        "secret-and-one-fetched": {**two, "secrets": [SECRET], "fetched": {"keys": [ED, OLD_DERIVED]}},
        "ambiguous-derived-and-fetched": {**two, "keys": {"keys": [DERIVED, TWICE, {**TWICE, "k": base64url(KEY + OLD_KEY)}]}, "fetched": {"keys": [{**ED, "kid": "twice"}, EC]}},
        "secret-and-only-eddsa": {**two, "secrets": [SECRET], "keys": PUBLIC, "algorithms": ["EdDSA"]},
    }
    every = ("secret-and-keys", "secret-and-fetched", "derived-and-fetched")
    for policy in every:
        _each_kind_by_its_own_policy(cases, policy)
    law = "access-token.md 1.8, a kid on the closed list"
    cases.ask("older-secret-in-force", law, "two-secrets-and-keys", sign(header(kid=OLD_KID), None, OLD_KEY))
    cases.ask("current-secret-of-two", law, "two-secrets-and-keys", sign())
    for policy, kid in (("secret-and-clashing-keys", KID), ("two-secrets-and-clashing-fetched", KID)):
        # A public key under a symmetric kid changes nothing: that kid is the symmetric policy's.
        cases.ask(f"clash-symmetric-token-{policy}", law, policy, sign())
        cases.ask(f"clash-public-token-{policy}", law, policy, signed("EdDSA", kid=kid), "algorithm_not_allowed")
        cases.ask(f"clash-public-key-as-secret-{policy}", law, policy, sign(key=primitives.decode(primitives.ED_X)), "signature_invalid")
        cases.ask(f"clash-beside-{policy}", law, policy, signed("RS256"))
    both = "two-secrets-and-clashing-fetched"
    cases.ask("clash-with-the-older-secret", law, both, signed("ES256", kid=OLD_KID), "algorithm_not_allowed")
    cases.ask("clash-older-symmetric-token", law, both, sign(header(kid=OLD_KID), None, OLD_KEY))
    law = "access-token.md 1.8, a kid that was dropped from the closed list"
    dropped = sign(header(kid=OLD_KID), None, OLD_KEY)
    for policy in (*every, "secret-and-clashing-keys", "secret-and-one-key", "secret-and-one-fetched"):
        cases.ask(f"dropped-secret-{policy}", law, policy, dropped, "algorithm_not_allowed")
    cases.ask("name-of-a-dropped-secret-taken-by-a-public-key", law, "secret-and-clashing-keys", signed("ES256", kid=OLD_KID))
    law = "access-token.md 1.8, an ambiguous kid names no symmetric key, and is not on the list"
    ambiguous = "ambiguous-derived-and-fetched"
    cases.ask("ambiguous-symmetric-kid", law, ambiguous, sign(header(kid="twice"), None, OLD_KEY), "algorithm_not_allowed")
    cases.ask("ambiguous-symmetric-kid-of-a-public-key", law, ambiguous, signed("EdDSA", kid="twice"))
    cases.ask("beside-an-ambiguous-symmetric-kid", law, ambiguous, sign())
    law = "access-token.md V5, each policy its own list"
    # Given keys allow their own algorithms, a fetched set all three, `algorithms` those it names.
    cases.ask("given-keys-without-this-algorithm", law, "secret-and-one-key", signed("ES256"), "algorithm_not_allowed")
    cases.ask("fetched-keys-without-this-algorithm", law, "secret-and-one-fetched", signed("ES256"), "key_not_found")
    cases.ask("algorithms-are-the-public-policys", law, "secret-and-only-eddsa", sign())
    cases.ask("algorithms-allow", law, "secret-and-only-eddsa", signed("EdDSA"))
    cases.ask("algorithms-refuse", law, "secret-and-only-eddsa", signed("ES256"), "algorithm_not_allowed")
    cases.ask("algorithms-refuse-hs256-beside-the-list", law, "secret-and-only-eddsa", sign(header(kid="ed")), "algorithm_not_allowed")
    _impossible(cases)
    return cases.document("Tokens before a migration verifier, and what is none")


def _each_kind_by_its_own_policy(cases: Questions, policy: str) -> None:
    def ask(name: str, law: str, token: str, code: str | None = None, body: Json | None = None) -> None:
        cases.ask(f"{policy}-{name}", law, policy, token, code, body)

    law = "access-token.md 1.8, the key decides"
    ask("hs256", law, sign())
    ask("hs256-header-in-another-order", law, sign({"kid": KID, "typ": "at+jwt", "alg": "HS256"}))
    ask("hs256-another-user", law, sign(None, claims(sub="bob")), None, claims(sub="bob"))
    ask("hs256-forged", law, sign(key=b"m" * 32), "signature_invalid")
    for algorithm, (kid, _) in SIGNERS.items():
        name = algorithm.lower()
        ask(name, law, signed(algorithm))
        ask(f"{name}-another-user", law, signed(algorithm, claims(sub="bob")), None, claims(sub="bob"))
        ask(f"{name}-unknown-kid", law, signed(algorithm, kid="other"), "key_not_found")
        ask(f"{name}-under-a-symmetric-kid", law, signed(algorithm, kid=KID), "algorithm_not_allowed")
        ask(f"{name}-named-hs256", law, signed(algorithm, alg="HS256"), "algorithm_not_allowed")
        ask(f"{name}-named-hs256-under-a-symmetric-kid", law, signed(algorithm, alg="HS256", kid=KID), "signature_invalid")
        ask(f"hs256-under-kid-{kid}", law, sign(header(kid=kid)), "algorithm_not_allowed")
        ask(f"hs256-named-{name}", law, sign(header(alg=algorithm)), "algorithm_not_allowed")
        ask(f"hs256-named-{name}-under-its-kid", law, sign(header(alg=algorithm, kid=kid)), "signature_invalid")
        of_another = signed(OTHER_KIND[kid], kid=kid)
        ask(f"{OTHER_KIND[kid].lower()}-under-kid-{kid}", law, of_another, "algorithm_not_allowed")
        material = str({"rsa": RSA, "ec": EC, "ed": ED}[kid].get("x", RSA["n"]))
        spellings = {"bytes": primitives.decode(material), "text": material.encode(), "spki": _spki(kid), "pem": _pem(kid)}
        for spelling, secret in spellings.items():
            confused = sign(header(kid=kid), None, secret)
            ask(f"{name}-public-key-as-secret-{spelling}", "RFC 8725 §2.1", confused, "algorithm_not_allowed")
            confused = sign(None, None, secret)
            ask(f"{name}-public-key-as-secret-{spelling}-under-a-symmetric-kid", "RFC 8725 §2.1", confused, "signature_invalid")
    ask("ed25519", "RFC 9864 §2.2", signed("EdDSA", alg="Ed25519"))
    law = "access-token.md 1.8, any other kid or none"
    ask("hs256-unknown-kid", law, sign(header(kid="other")), "algorithm_not_allowed")
    ask("hs256-kid-in-lower-case", law, sign(header(kid=KID.lower())), "algorithm_not_allowed")
    ask("hs256-kid-with-padding", law, sign(header(kid=f"{KID}=")), "algorithm_not_allowed")
    odd: Json = {
        "absent": ABSENT, "null": None, "empty": "", "number": 1, "true": True, "array": [KID], "object": {"kid": KID}, "proto": "__proto__",
        "to-string": "toString",
    }
    for name, kid in odd.items():
        ask(f"hs256-kid-{name}", law, sign(header(kid=kid)), "algorithm_not_allowed")
        ask(f"eddsa-kid-{name}", law, signed("EdDSA", kid=kid), "key_not_found")
    law = "RFC 8725 §3.1"
    for name in ("none", "HS512", "PS256", "ES384"):
        ask(f"{name.lower()}-under-a-symmetric-kid", law, sign(header(alg=name)), "algorithm_not_allowed")
        ask(f"{name.lower()}-under-a-public-kid", law, sign(header(alg=name, kid="rsa")), "algorithm_not_allowed")
    law = "access-token.md, order"
    ask("hs256-other-type", law, sign(header(typ="JWT")), "token_type_mismatch")
    ask("eddsa-other-type", law, signed("EdDSA", typ="JWT"), "token_type_mismatch")
    ask("hs256-unknown-kid-and-other-type", law, sign(header(kid="other", typ="JWT")), "algorithm_not_allowed")
    ask("eddsa-unknown-kid-and-other-type", law, signed("EdDSA", kid="other", typ="JWT"), "token_type_mismatch")
    ask("hs256-critical", law, sign(header(crit=[])), "critical_header_unsupported")
    ask("eddsa-critical", law, signed("EdDSA", crit=[]), "critical_header_unsupported")
    law = "access-token.md V12 to V17, the same in both policies"
    for name, (code, body) in {
        "issuer": ("issuer_mismatch", claims(iss="https://evil.example")), "audience": ("audience_mismatch", claims(aud="https://evil.example")),
        "path-user": ("claim_malformed", claims(user_id="bob")), "client": ("claim_malformed", claims(client_id="an-oauth-client")),
        "expired": ("token_expired", claims(iat=NOW - 300, exp=NOW - 10)), "early": ("token_not_yet_valid", claims(iat=NOW + 11, exp=NOW + 60)),
        "long": ("lifetime_out_of_range", claims(exp=NOW + 3601)), "json": ("claims_malformed", "[]"), "missing": ("claim_missing", claims(jti=ABSENT)),
    }.items():
        ask(f"hs256-{name}", law, sign(None, body), code)
        ask(f"eddsa-{name}", law, signed("EdDSA", body), code)


def _impossible(cases: Questions) -> None:
    law = "access-token.md 1.8, one source of each kind"
    oct_set, mixed = {"keys": [DERIVED]}, {"keys": [DERIVED, ED]}
    unusable = {"keys": [{**ED, "use": "enc"}, {**RSA, "d": primitives.RSA_D}]}
    for name, policy in {
        "only-secrets": {"secrets": [SECRET]}, "only-public-keys": {"keys": PUBLIC}, "only-derived-keys": {"keys": oct_set},
        "only-fetched": {"fetched": PUBLIC}, "no-source": {}, "secrets-and-derived-keys": {"secrets": [SECRET], "keys": oct_set},
        "secrets-and-other-derived-keys": {"secrets": [SECRET], "keys": {"keys": [OLD_DERIVED]}},
        "public-keys-and-fetched": {"keys": PUBLIC, "fetched": PUBLIC},
        "secrets-and-public-keys-and-fetched": {"secrets": [SECRET], "keys": PUBLIC, "fetched": PUBLIC},
        "secrets-and-derived-keys-and-fetched": {"secrets": [SECRET], "keys": oct_set, "fetched": PUBLIC}, "mixed-keys": {"keys": mixed},
        "secrets-and-mixed-keys": {"secrets": [SECRET], "keys": mixed}, "mixed-keys-and-fetched": {"keys": mixed, "fetched": PUBLIC},
        "secrets-and-unusable-keys": {"secrets": [SECRET], "keys": unusable}, "secrets-and-no-keys": {"secrets": [SECRET], "keys": {"keys": []}},
        "secrets-and-ambiguous-keys": {"secrets": [SECRET], "keys": {"keys": [ED, ED]}}, "no-secrets-and-keys": {"secrets": [], "keys": PUBLIC},
        "short-secret-and-keys": {"secrets": ["short"], "keys": PUBLIC},
    }.items():
        cases.impossible(name, law, migration=True, **policy)
    for name, flag in {"text-true": "true", "text-false": "false", "one": 1}.items():
        cases.impossible(f"migration-{name}", "access-token.md 1.8", secrets=[SECRET], keys=PUBLIC, migration=flag)
    law = "access-token.md 1.8, one source"
    cases.impossible("without-migration-secrets-and-public-keys", law, secrets=[SECRET], keys=PUBLIC)
    cases.impossible("without-migration-secrets-and-fetched", law, secrets=[SECRET], fetched=PUBLIC)
    cases.impossible("without-migration-derived-keys-and-fetched", law, keys=oct_set, fetched=PUBLIC)
    cases.impossible("migration-false-secrets-and-public-keys", law, secrets=[SECRET], keys=PUBLIC, migration=False)
    law = "access-token.md V5, allow-list"
    for name, algorithms in {"hs256": ["HS256"], "mixed": ["HS256", "EdDSA"], "none": ["none"], "empty": []}.items():
        cases.impossible(f"algorithms-{name}", law, secrets=[SECRET], keys=PUBLIC, migration=True, algorithms=algorithms)


def _spki(kid: str) -> bytes:
    """The key as SubjectPublicKeyInfo (RFC 5280 §4.1, RFC 5480 §2, RFC 8410 §4)."""
    if kid == "ed":
        return bytes.fromhex("302a300506032b6570032100") + primitives.decode(primitives.ED_X)
    if kid == "ec":
        prefix = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004")
        return prefix + primitives.decode(primitives.EC_X) + primitives.decode(primitives.EC_Y)
    prefix = bytes.fromhex("30820122300d06092a864886f70d01010105000382010f003082010a0282010100")
    return prefix + primitives.decode(primitives.RSA_N) + bytes.fromhex("0203010001")


def _pem(kid: str) -> bytes:
    text = primitives.base64.b64encode(_spki(kid)).decode()
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    return "\n".join(["-----BEGIN PUBLIC KEY-----", *lines, "-----END PUBLIC KEY-----", ""]).encode()
