"""V1 to V17 once more, from both sides, under each algorithm of the public keys."""

from typing import Any

import primitives
from ask import POLICIES, accept, refuse
from build import (
    ABSENT,
    AUDIENCE,
    ISSUER,
    LIFETIME,
    NOW,
    OTHER_AUDIENCE,
    Json,
    base64url,
    claims,
    dump,
    encode,
    header,
)
from key_sets import EC, EC2, ED, ED2, RSA, RSA2, SIGNERS, signed

# One case a line, as far as it fits.
# fmt: off

KEYS = {"rsa": RSA, "ec": EC, "ed": ED}
NAMES = ("RS256", "RS384", "RS512", "PS256", "PS384", "ES256", "ES256K", "ES384", "ES512", "EdDSA", "Ed25519", "Ed448", "HS256", "none")
OTHER_ISSUER = "HTTPS://App.Example.com:443/auth/"


def tokens() -> None:
    given = {"issuer": ISSUER, "audience": AUDIENCE}
    for algorithm in SIGNERS:
        POLICIES[f"only-{algorithm.lower()}"] = {**given, "keys": {"keys": [RSA, EC, ED]}, "algorithms": [algorithm]}
    POLICIES["two-of-each"] = {**given, "keys": {"keys": [RSA, RSA2, EC, EC2, ED, ED2]}}
    unusable = [{**RSA, "use": "enc"}, {**EC, "d": primitives.EC_D}, {**ED, "key_ops": ["sign"]}]
    POLICIES["first-of-each-unusable"] = {**given, "keys": {"keys": [*unusable, RSA2, EC2, ED2]}}
    POLICIES["named-like-members"] = {**given, "keys": {"keys": [{**RSA, "kid": "constructor"}, {**EC, "kid": "__proto__"}, {**ED, "kid": "length"}]}}
    POLICIES["without-alg"] = {**given, "keys": {"keys": [{name: jwk[name] for name in jwk if name not in ("alg", "use")} for jwk in (RSA, EC, ED)]}}
    POLICIES["another-issuer"] = {**given, "issuer": OTHER_ISSUER, "keys": {"keys": [RSA, EC, ED]}}
    POLICIES["ed25519-key"] = {**given, "keys": {"keys": [{**ED, "alg": "Ed25519"}]}, "algorithms": ["EdDSA"]}
    for algorithm in SIGNERS:
        _form(algorithm)
        _header(algorithm)
        _keys(algorithm)
        _claims(algorithm)
    accept("V7", "eddsa-by-a-key-named-ed25519", "RFC 9864 §2.2", signed("EdDSA"), policy="ed25519-key")
    accept("V7", "ed25519-by-a-key-named-ed25519", "RFC 9864 §2.2", signed("EdDSA", alg="Ed25519"), policy="ed25519-key")
    for name in ("ed25519", "ED25519", "eddsa", "EDDSA", "Ed25519ph", "Ed25519ctx", "EdDSA25519"):
        odd = signed("EdDSA", alg=name)
        refuse("V5", f"eddsa-spelled-{'-'.join(name)}", "RFC 9864 §2.2", odd, "algorithm_not_allowed", policy="public-keys")


def _form(algorithm: str) -> None:
    name, good = algorithm.lower(), signed(algorithm)
    head, body, signature = good.split(".")

    def bad(rule: str, case: str, law: str, token: str | bytes, code: str = "token_malformed") -> None:
        refuse(rule, f"{name}-{case}", law, token, code, policy="public-keys")

    law = "access-token.md V1"
    longest, of_longest = _of_length(algorithm, 8192)
    accept("V1", f"{name}-8192-characters", law, longest, of_longest, policy="public-keys")
    bad("V1", "8193-characters", law, _of_length(algorithm, 8193)[0])
    bad("V1", "non-ascii", law, f"{good}é")
    law = "RFC 7515 §7.1, RFC 4648 §3.5"
    for case, odd in {
        "two-segments": f"{head}.{body}", "four-segments": f"{good}.{signature}", "empty-signature": f"{head}.{body}.", "padded": f"{good}==",
        "newline-after": f"{good}\n", "standard-alphabet": f"{head}.{body}.+/{signature[2:]}", "stray-bits": good[:-1] + chr(ord(good[-1]) + 1),
    }.items():
        bad("V2", case, law, odd)
    law = "access-token.md V3"
    kid = SIGNERS[algorithm][0]
    base = dump(header(alg=algorithm, kid=kid))
    for case, source in {
        "alg-twice": f'{{"alg":"HS256",{base[1:]}', "alg-twice-by-escape": f'{base[:-1]},"\\u0061lg":"none"}}', "kid-twice": f'{base[:-1]},"kid":"{kid}"}}', "bom": f"\ufeff{base}", "nan": f'{base[:-1]},"x":NaN}}',
        "depth-65": f'{base[:-1]},"x":{"[" * 64}{"]" * 64}}}', "array": f"[{base}]", "trailing-text": f"{base}{{}}", "lone-surrogate": f'{base[:-1]},"x":"\\ud800"}}',
    }.items():
        bad("V3", case, law, signed_source(algorithm, source))
    for case, source in {"white-space": f" {base}\n", "depth-64": f'{base[:-1]},"x":{"[" * 63}{"]" * 63}}}', "escaped-names": base.replace('"alg"', '"\\u0061lg"').replace('"kid"', '"k\\u0069d"')}.items():
        accept("V3", f"{name}-{case}", law, signed_source(algorithm, source), policy="public-keys")


def _header(algorithm: str) -> None:
    name, kid = algorithm.lower(), SIGNERS[algorithm][0]

    def bad(rule: str, case: str, law: str, code: str, policy: str = "public-keys", **changes: Any) -> None:
        refuse(rule, f"{name}-{case}", law, signed(algorithm, **changes), code, policy=policy)

    def good(rule: str, case: str, law: str, policy: str = "public-keys", **changes: Any) -> None:
        accept(rule, f"{name}-{case}", law, signed(algorithm, **changes), policy=policy)

    law = "RFC 7515 §4.1.11, RFC 7797 §6"
    bad("V4", "crit-empty", law, "critical_header_unsupported", crit=[])
    bad("V4", "crit-b64", law, "critical_header_unsupported", crit=["b64"], b64=False)
    bad("V4", "b64-true", law, "critical_header_unsupported", b64=True)
    good("V4", "crit-in-other-case", law, Crit=["exp"])
    law = "RFC 8725 §3.1"
    same = {"EdDSA": ("EdDSA", "Ed25519")}.get(algorithm, (algorithm,))
    for other in NAMES:
        if other not in same:
            # A kid of one kind and the name of another that is allowed: V7 then, and V5 for all else.
            rule = "V7" if other in ("RS256", "ES256", "EdDSA", "Ed25519") else "V5"
            bad(rule, f"named-{other.lower()}", law, "algorithm_not_allowed", alg=other)
    odd: Json = {"absent": ABSENT, "null": None, "array": [algorithm], "lower-case": algorithm.swapcase(), "trailing-space": f"{algorithm} ", "nul": f"{algorithm}\x00"}
    for case, value in odd.items():
        bad("V5", f"alg-{case}", law, "algorithm_not_allowed", alg=value)
    for listed in SIGNERS:
        policy = f"only-{listed.lower()}"
        if listed == algorithm:
            good("V5", f"where-{policy}", law, policy)
        else:
            bad("V5", f"where-{policy}", law, "algorithm_not_allowed", policy)
    law = "RFC 9068 §4"
    for case, value in {"upper": "AT+JWT", "media-type": "Application/at+jwt"}.items():
        good("V6", f"typ-{case}", law, typ=value)
    types: Json = {"jwt": "jwt", "absent": ABSENT, "null": None, "id-token": "id+jwt", "parameter": "at+jwt;x=1"}
    for case, value in types.items():
        bad("V6", f"typ-{case}", law, "token_type_mismatch", typ=value)
    bad("V6", "typ-before-v7", "access-token.md, order", "token_type_mismatch", typ="JWT", kid="x")
    law = "RFC 7515 §4.1.4"
    kids: Json = {
        "absent": ABSENT, "null": None, "empty": "", "number": 1, "array": [kid], "object": {"kid": kid}, "unknown": "other", "upper": kid.upper(), "trailing-space": f"{kid} ", "padded": f"{kid}=",
        "proto": "__proto__", "path": "../../dev/null", "url": "https://evil.example/jwks#ed",
    }
    for case, value in kids.items():
        bad("V7", f"kid-{case}", law, "key_not_found", kid=value)
    good("V8", "key-headers-beside-a-good-signature", "RFC 8725 §3.10", jwk={"kty": "oct", "k": "AAAA"}, jku="https://evil.example", x5u="x", x5c=[], x5t="x")


def _keys(algorithm: str) -> None:
    name, kid = algorithm.lower(), SIGNERS[algorithm][0]
    second = f"{kid}-2"
    own = {"rsa": RSA2, "ec": EC2, "ed": ED2}[kid]

    def by_second(**changes: Any) -> str:
        signing_input = f"{encode(header(**{'alg': algorithm, 'kid': second, **changes}))}.{encode(claims())}"
        return f"{signing_input}.{base64url(sign_second(algorithm, signing_input.encode()))}"

    law = "RFC 7517 §4.5"
    accept("V7", f"{name}-second-key", law, by_second(), policy="two-of-each")
    accept("V7", f"{name}-first-key-of-two", law, signed(algorithm), policy="two-of-each")
    accept("V7", f"{name}-second-key-where-the-first-is-unusable", law, by_second(), policy="first-of-each-unusable")
    refuse("V7", f"{name}-unusable-key", "access-token.md 1.5, usable", signed(algorithm), "key_not_found", policy="first-of-each-unusable")
    refuse("V7", f"{name}-key-of-another-set", law, by_second(), "key_not_found", policy="public-keys")
    member = {"rsa": "constructor", "ec": "__proto__", "ed": "length"}[kid]
    accept("V7", f"{name}-kid-{member}", law, signed(algorithm, kid=member), policy="named-like-members")
    refuse("V7", f"{name}-kid-to-string", law, signed(algorithm, kid="toString"), "key_not_found", policy="named-like-members")
    accept("V7", f"{name}-key-without-alg", "RFC 7517 §4.4", signed(algorithm), policy="without-alg")
    law = "RFC 7515 §5.2 step 8"
    refuse("V8", f"{name}-second-key-under-the-first-kid", law, by_second(kid=kid), "signature_invalid", policy="two-of-each")
    refuse("V8", f"{name}-first-key-under-the-second-kid", law, signed(algorithm, kid=second), "signature_invalid", policy="two-of-each")
    # The header brings the very key that signed; the key of that name in the set is another.
    law = "RFC 8725 §3.10, RFC 7515 §4.1.2 to §4.1.6"
    own = {part: value for part, value in own.items() if part != "kid"}
    for case, source in {
        "jwk": {"jwk": own}, "jwk-of-that-kid": {"jwk": {**own, "kid": kid}}, "jku": {"jku": "https://evil.example/jwks.json"}, "x5u": {"x5u": "https://evil.example/cert.pem"},
        "x5c": {"x5c": ["MIIBszCCAVmgAwIBAgIUAAAA"]}, "every-one": {"jwk": own, "jku": "https://evil.example", "x5u": "https://evil.example", "x5c": ["AAAA"], "keys": [own]},
    }.items():
        refuse("V8", f"{name}-own-key-in-{case}", law, by_second(kid=kid, **source), "signature_invalid", policy="public-keys")


def _claims(algorithm: str) -> None:
    name, end = algorithm.lower(), NOW + LIFETIME

    def good(rule: str, case: str, law: str, body: Json | None = None, source: str | None = None, **question: Any) -> None:
        expected = claims() if body is None else body
        accept(rule, f"{name}-{case}", law, signed(algorithm, source or expected), expected, **{"policy": "public-keys", **question})

    def bad(rule: str, case: str, law: str, code: str, body: "str | Json | None" = None, **question: Any) -> None:
        refuse(rule, f"{name}-{case}", law, signed(algorithm, body), code, **{"policy": "public-keys", **question})

    law, base = "access-token.md V9", dump(claims())
    for case, source in {
        "array": "[]", "no-json": "alice", "sub-twice": f'{base[:-1]},"sub":"bob"}}', "sub-twice-by-escape": f'{base[:-1]},"s\\u0075b":"bob"}}', "bom": f"\ufeff{base}",
        "nan": f'{base[:-1]},"x":NaN}}', "two-to-53": f'{base[:-1]},"x":9007199254740992}}', "lone-surrogate": f'{base[:-1]},"x":"\\udfff"}}', "depth-65": f'{base[:-1]},"x":{"[" * 64}{"]" * 64}}}',
    }.items():
        bad("V9", f"payload-{case}", law, "claims_malformed", source)
    good("V9", "payload-white-space", law, None, f"\t{base}\r\n")
    good("V9", "payload-non-ascii", law, claims(org="Gewürz 😀"))
    law = "RFC 9068 §2.2"
    for claim in ("iss", "aud", "sub", "user_id", "client_id", "iat", "exp", "jti"):
        whole = claims()
        del whole[claim]
        bad("V10", f"without-{claim.replace('_', '-')}", law, "claim_missing", whole)
    # What an OAuth provider signs for a third party by the same keys, for the same issuer and audience.
    oauth = claims(azp="third-party", client_id="third-party", scope="openid", user_id=ABSENT)
    bad("V10", "oauth-access-token", "access-token.md 2, client_id", "claim_missing", oauth)
    good("V10", "further-claims", law, claims(scope="read", act={"sub": "admin"}))
    law = "RFC 7519 §2"
    for case, value in {
        "iat-text": claims(iat=str(NOW)), "exp-true": claims(exp=True), "nbf-null": claims(nbf=None), "sub-empty": claims(sub=""), "sub-number": claims(sub=7), "jti-number": claims(jti=1), "sid-null": claims(sid=None),
        "aud-empty-array": claims(aud=[]), "aud-number-in-array": claims(aud=[AUDIENCE, 1]), "exp-too-late": claims(exp=253402300800), "sub-control": claims(sub="alice\n"), "sub-256": claims(sub="x" * 256),
    }.items():
        bad("V11", case, law, "claim_malformed", value)
    good("V11", "sid-absent", law, claims(sid=ABSENT))
    good("V11", "fractions", law, claims(iat=NOW - 0.5, exp=NOW + 0.25))
    good("V11", "sub-255-emoji", law, claims(sub="😀" * 255))
    law = "RFC 9068 §4"
    bad("V12", "iss-other", law, "issuer_mismatch", claims(iss="https://evil.example"))
    bad("V12", "iss-slash", law, "issuer_mismatch", claims(iss=f"{ISSUER}/"))
    good("V12", "iss-literal", law, claims(iss=OTHER_ISSUER), policy="another-issuer")
    bad("V12", "iss-reduced", law, "issuer_mismatch", policy="another-issuer")
    law = "RFC 7519 §4.1.3"
    bad("V13", "aud-other", law, "audience_mismatch", claims(aud=OTHER_AUDIENCE))
    bad("V13", "aud-array-of-other", law, "audience_mismatch", claims(aud=[OTHER_AUDIENCE, f"{AUDIENCE}/"]))
    good("V13", "aud-array", law, claims(aud=[OTHER_AUDIENCE, AUDIENCE]))
    law = "access-token.md V14"
    bad("V14", "user-id-other", law, "claim_malformed", claims(user_id="bob"))
    bad("V14", "client-id-third-party", law, "claim_malformed", claims(client_id="third-party"))
    bad("V14", "cnf", "RFC 7800 §3.1", "claim_malformed", claims(cnf={"jkt": "x"}))
    good("V14", "user-id-non-ascii", law, claims(sub="e\u0301"))
    law = "RFC 7519 §4.1.4"
    good("V15", "last-moment", law, now=end + 9.999)
    bad("V15", "first-moment", law, "token_expired", now=end + 10)
    law = "RFC 7519 §4.1.6, §4.1.5"
    good("V16", "iat-at-the-edge", law, now=NOW - 10)
    bad("V16", "iat-over-the-edge", law, "token_not_yet_valid", now=NOW - 10.001)
    good("V16", "nbf-at-the-edge", law, claims(nbf=NOW + 10))
    bad("V16", "nbf-over-the-edge", law, "token_not_yet_valid", claims(nbf=NOW + 11))
    law = "access-token.md V17"
    good("V17", "an-hour", law, claims(exp=NOW + 3600))
    bad("V17", "an-hour-and-a-second", law, "lifetime_out_of_range", claims(exp=NOW + 3601))
    bad("V17", "no-lifetime", law, "lifetime_out_of_range", claims(iat=NOW + 5, exp=NOW + 5))


def sign_second(algorithm: str, data: bytes) -> bytes:
    """A signature by the second key of this algorithm."""
    if algorithm == "RS256":
        return primitives.rs256_second(data)
    return primitives.es256(data, primitives.EC2_D) if algorithm == "ES256" else primitives.eddsa(data, primitives.ED2_D)


def signed_source(algorithm: str, source: str) -> str:
    """A token whose header is exactly this text."""
    signing_input = f"{encode(source)}.{encode(claims())}"
    return f"{signing_input}.{base64url(SIGNERS[algorithm][1](signing_input.encode()))}"


def _of_length(algorithm: str, total: int) -> tuple[str, Json]:
    """A good token of exactly this many characters; base64url skips lengths, so the header is padded too."""
    rest = len(signed(algorithm).rsplit(".", 1)[1]) + 2
    kid = SIGNERS[algorithm][0]
    for padding in range(4):
        for filler in range(5000, 7000):
            body = claims(filler="x" * filler)
            if len(encode(header(alg=algorithm, kid=kid, pad="x" * padding))) + len(encode(body)) + rest == total:
                return signed(algorithm, body, pad="x" * padding), body
    raise ValueError(total)
