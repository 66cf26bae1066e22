"""Cases of environment variables: which keys they put in force, or that the process refuses to start."""

from typing import Any

import primitives
from build import (
    ABSENT,
    AUDIENCE,
    ISSUER,
    KEY,
    KID,
    OLD_KEY,
    OLD_KID,
    OLD_SECRET,
    OTHER_AUDIENCE,
    SECRET,
    UNKNOWN_SECRET,
    Cases,
    Json,
    base64url,
    change,
    derive,
    document,
    dump,
    thumbprint,
)
from key_sets import EC, ED, OCT, RSA

# One case a line, as far as it fits.
# fmt: off

DERIVED = {**OCT, "kid": KID}
OLD_DERIVED = {**OCT, "k": base64url(OLD_KEY), "kid": OLD_KID}
OTHER_KEY = derive(SECRET, OTHER_AUDIENCE)
OTHER_KID = thumbprint(OTHER_KEY)
OTHER_DERIVED = {**OCT, "k": base64url(OTHER_KEY), "kid": OTHER_KID}
COMMON = {"JWT_BRIDGE_ISSUER": ISSUER, "JWT_BRIDGE_AUDIENCE": AUDIENCE}
URL = "https://app.example.com/api/auth/jwks"
INTERNAL = "http://web:3000/api/auth/jwks"


class Environments(Cases):
    """Cases that start one verifier; `keys` may be an object, written as compact JSON."""

    def __init__(self, rule: str) -> None:
        super().__init__()
        self.rule = rule

    def case(self, name: str, law: str, usable: list[str] | None, **variables: Any) -> None:
        texts = {key: dump(value) if isinstance(value, dict | list) else value for key, value in variables.items()}
        expect = {"ok": False} if usable is None else {"ok": True, "usable": usable}
        self.add(self.rule, name, law, {"environment": change(COMMON, texts)}, expect)


def jwks(*keys: Any) -> Json:
    return {"keys": list(keys)}


def given_keys() -> Json:
    cases = Environments("keys")

    def case(name: str, law: str, usable: list[str] | None, keys: Any, **more: Any) -> None:
        cases.case(name, law, usable, JWT_BRIDGE_KEYS=keys, **more)

    law = "access-token.md 1.9, JWT_BRIDGE_KEYS"
    case("derived-key", law, [KID], jwks(DERIVED))
    case("two-derived-keys", law, [KID, OLD_KID], jwks(DERIVED, OLD_DERIVED))
    case("order-is-kept", law, [OLD_KID, KID], jwks(OLD_DERIVED, DERIVED))
    case("derived-key-without-alg-and-use", law, [KID], jwks(change(DERIVED, {"alg": ABSENT, "use": ABSENT})))
    case("derived-key-of-another-name", law, ["api"], jwks({**DERIVED, "kid": "api"}))
    # Nobody can tell for which audience 32 bytes were derived without the secret.
    case("derived-key-of-another-audience", law, [OTHER_KID], jwks(OTHER_DERIVED))
    case("public-keys", law, ["rsa", "ec", "ed"], jwks(RSA, EC, ED))
    case("public-key-ed25519", law, ["ed"], jwks({**ED, "alg": "Ed25519"}))
    case("unusable-entries-beside", law, ["ed"], jwks(None, 1, {}, {**RSA, "use": "enc"}, ED))
    case("private-key-beside-a-public-one", law, ["ec"], jwks({**ED, "d": primitives.ED_D}, EC))
    case("ambiguous-kid-beside-another", law, ["rsa"], jwks(ED, {**EC, "kid": "ed"}, RSA))
    case("33-keys", law, [f"key-{place}" for place in range(33)], jwks(*({**ED, "kid": f"key-{place}"} for place in range(33))))
    good = dump(jwks(DERIVED))
    for name, text in {
        "leading-space": f" {good}", "trailing-newline": f"{good}\n", "white-space-around": f"\r\n\t{good} ", "indented": good.replace(",", ",\n  "),
        "members-beside-keys": f'{{"iss":"x",{good[1:]}', "escaped-name-of-keys": good.replace('"keys"', '"k\\u0065ys"'),
    }.items():
        case(name, "RFC 8259 §2", [KID], text)
    law = "access-token.md 1.9, refused: no JSON object"
    for name, text in {
        "space-only": " ", "text": "x", "base64url-of-a-key": DERIVED["k"], "the-secret": SECRET, "path": "/run/secrets/keys.json", "at-sign-alone": "@",
        "at-sign-and-space": "@ ", "space-before-at-sign": " @keys.json", "unfinished": good[:-1], "trailing-text": f"{good}x",
        "trailing-comma": f"{good[:-1]},}}", "two-sets": f"{good}{good}", "two-lines": f"{good}\n{good}", "single-quotes": good.replace('"', "'"),
        "quoted-by-a-shell": f"'{good}'", "without-quotes": good.replace('"', ""), "json-in-json": dump(good), "backslashes": good.replace('"', '\\"'),
        "bom": f"\ufeff{good}", "no-break-space": f"\u00a0{good}", "comment": f"{good} # the API's key", "javascript-comment": f"{good}//x",
        "keys-twice": f'{{"keys":[{dump(DERIVED)}],"keys":[{dump(DERIVED)}]}}', "keys-twice-by-escape": f'{{"k\\u0065ys":[],"keys":[{dump(DERIVED)}]}}',
        "kid-twice": good.replace('"kid"', '"kid":"x","kid"'), "lone-surrogate": good.replace(f'"{KID}"', '"\\ud800"'), "nan": f'{{"x":NaN,{good[1:]}',
        "two-to-53": f'{{"x":9007199254740992,{good[1:]}', "depth-65": f'{{"x":{"[" * 64}{"]" * 64},{good[1:]}', "array": dump([DERIVED]), "null": "null",
        "true": "true", "number": "1", "url": URL, "javascript": f"module.exports={good}",
    }.items():
        case(name, law, None, text)
    law = "access-token.md 1.9, refused: no JWK Set; RFC 7517 §5"
    for name, value in {
        "empty-object": {}, "one-jwk": DERIVED, "keys-object": {"keys": {}}, "keys-null": {"keys": None}, "keys-string": {"keys": "x"},
        "keys-one-jwk": {"keys": DERIVED}, "keys-in-upper-case": {"KEYS": [DERIVED]}, "keys-in-keys": {"keys": jwks(DERIVED)},
        "derived-line-of-a-log": {"kid": KID},
    }.items():
        case(name, law, None, value)
    law = "access-token.md 1.5, refused: no usable key"
    for name, value in {
        "keys-empty": jwks(), "nulls": jwks(None, None),
        "only-private": jwks({**ED, "d": primitives.ED_D}, {**EC, "d": primitives.EC_D}, {**RSA, "d": primitives.RSA_D}),
        "use-enc": jwks({**ED, "use": "enc"}), "31-bytes": jwks({**OCT, "k": base64url(KEY[:31])}), "k-padded": jwks({**DERIVED, "k": f"{base64url(KEY)}="}),
        "k-hexadecimal-with-prefix": jwks({**DERIVED, "k": f"0x{KEY.hex()}"}), "without-kid": jwks(change(DERIVED, {"kid": ABSENT})),
        "hs512": jwks({**DERIVED, "alg": "HS512"}), "same-kid-twice": jwks(DERIVED, DERIVED),
        "same-kid-of-two-keys": jwks(DERIVED, {**OLD_DERIVED, "kid": KID}),
    }.items():
        case(name, law, None, value)
    law = "access-token.md 1.5, refused: a mixed set"
    case("mixed", law, None, jwks(DERIVED, ED))
    case("mixed-public-first", law, None, jwks(RSA, EC, DERIVED))
    case("unusable-oct-beside-public", "access-token.md 1.5", ["ed"], jwks({**DERIVED, "use": "enc"}, ED))
    law = "access-token.md 1.9, beside a secret: agreeing, the secrets are used"
    case("agrees", law, [KID], jwks(DERIVED), BETTER_AUTH_SECRET=SECRET)
    case("agrees-without-alg", law, [KID], jwks(change(DERIVED, {"alg": ABSENT, "use": ABSENT})), BETTER_AUTH_SECRET=SECRET)
    case("agrees-under-another-name", law, [KID], jwks({**DERIVED, "kid": "api"}), BETTER_AUTH_SECRET=SECRET)
    case("agrees-with-one-versioned-secret", law, [KID], jwks(DERIVED), BETTER_AUTH_SECRETS=f"1:{SECRET}")
    two = f"2:{SECRET},1:{OLD_SECRET}"
    case("agrees-with-two-secrets", law, [KID, OLD_KID], jwks(DERIVED, OLD_DERIVED), BETTER_AUTH_SECRETS=two)
    case("agrees-in-another-order", law, [KID, OLD_KID], jwks(OLD_DERIVED, DERIVED), BETTER_AUTH_SECRETS=two)
    case("agrees-with-versioned-not-single", law, [KID], jwks(DERIVED), BETTER_AUTH_SECRETS=f"2:{SECRET}", BETTER_AUTH_SECRET=OLD_SECRET)
    case("empty-secret-is-unset", law, [KID], jwks(DERIVED), BETTER_AUTH_SECRET="", BETTER_AUTH_SECRETS="")
    case("empty-keys-are-unset", law, [KID], "", BETTER_AUTH_SECRET=SECRET)
    law = "access-token.md 1.9, beside a secret: disagreeing"
    case("other-secret", law, None, jwks(DERIVED), BETTER_AUTH_SECRET=UNKNOWN_SECRET)
    case("other-secret-under-the-same-name", law, None, jwks({**OLD_DERIVED, "kid": KID}), BETTER_AUTH_SECRET=SECRET)
    case("other-audience", law, None, jwks(OTHER_DERIVED), BETTER_AUTH_SECRET=SECRET)
    case("other-audience-of-this-api", law, None, jwks(DERIVED), BETTER_AUTH_SECRET=SECRET, JWT_BRIDGE_AUDIENCE=OTHER_AUDIENCE)
    case("one-key-more", law, None, jwks(DERIVED, OLD_DERIVED), BETTER_AUTH_SECRET=SECRET)
    case("one-key-fewer", law, None, jwks(DERIVED), BETTER_AUTH_SECRETS=two)
    case("one-key-other", law, None, jwks(DERIVED, OTHER_DERIVED), BETTER_AUTH_SECRETS=two)
    case("secret-itself-as-key", law, None, jwks({**DERIVED, "k": base64url(SECRET.encode())}), BETTER_AUTH_SECRET=SECRET)
    case("public-keys-and-a-secret", law, None, jwks(ED), BETTER_AUTH_SECRET=SECRET)
    case("malformed-keys-and-a-secret", law, None, good[:-1], BETTER_AUTH_SECRET=SECRET)
    case("unusable-keys-and-a-secret", law, None, jwks({**DERIVED, "use": "enc"}), BETTER_AUTH_SECRET=SECRET)
    case("keys-and-a-short-secret", law, None, jwks(DERIVED), BETTER_AUTH_SECRET="short")
    case("keys-and-malformed-secrets", law, None, jwks(DERIVED), BETTER_AUTH_SECRETS=SECRET)
    law = "access-token.md 1.9, issuer and audience"
    case("without-audience", law, None, jwks(DERIVED), JWT_BRIDGE_AUDIENCE=ABSENT)
    case("empty-audience", law, None, jwks(DERIVED), JWT_BRIDGE_AUDIENCE="")
    case("without-issuer", law, None, jwks(DERIVED), JWT_BRIDGE_ISSUER=ABSENT)
    case("issuer-of-the-url", law, [KID], jwks(DERIVED), JWT_BRIDGE_ISSUER=ABSENT, BETTER_AUTH_URL="https://app.example.com/")
    case("issuer-of-a-bad-url", law, None, jwks(DERIVED), JWT_BRIDGE_ISSUER=ABSENT, BETTER_AUTH_URL="app.example.com")
    return document("JWT_BRIDGE_KEYS", cases.cases)


def environments() -> Json:
    cases = Environments("environment")
    law = "access-token.md 1.9, one key source"
    case = cases.case
    key_set, public = jwks(DERIVED), jwks(ED, EC)
    case("secret", law, [KID], BETTER_AUTH_SECRET=SECRET)
    case("secrets", law, [KID, OLD_KID], BETTER_AUTH_SECRETS=f"2:{SECRET},1:{OLD_SECRET}")
    # A fetched set has no key in hand before its first fetch.
    case("url", law, [], JWT_BRIDGE_JWKS_URL=URL)
    case("url-and-issuer-of-the-base-url", law, [], JWT_BRIDGE_JWKS_URL=URL, JWT_BRIDGE_ISSUER=ABSENT, BETTER_AUTH_URL="https://app.example.com")
    case("url-of-loopback", law, [], JWT_BRIDGE_JWKS_URL="http://localhost:3000/api/auth/jwks")
    case(
        "url-beside-empty-ones",
        law,
        [],
        JWT_BRIDGE_JWKS_URL=URL,
        BETTER_AUTH_SECRET="",
        BETTER_AUTH_SECRETS="",
        JWT_BRIDGE_KEYS="",
        JWT_BRIDGE_MIGRATION="",
        JWT_BRIDGE_JWKS_INTERNAL_HOSTS="",
    )
    case(
        "secret-beside-empty-ones",
        law,
        [KID],
        BETTER_AUTH_SECRET=SECRET,
        JWT_BRIDGE_KEYS="",
        JWT_BRIDGE_JWKS_URL="",
        JWT_BRIDGE_MIGRATION="",
        JWT_BRIDGE_JWKS_INTERNAL_HOSTS="",
    )
    case("nothing", law, None)
    case("all-empty", law, None, BETTER_AUTH_SECRET="", BETTER_AUTH_SECRETS="", JWT_BRIDGE_KEYS="", JWT_BRIDGE_JWKS_URL="")
    case("url-and-secret", law, None, JWT_BRIDGE_JWKS_URL=URL, BETTER_AUTH_SECRET=SECRET)
    case("url-and-secrets", law, None, JWT_BRIDGE_JWKS_URL=URL, BETTER_AUTH_SECRETS=f"1:{SECRET}")
    case("url-and-derived-keys", law, None, JWT_BRIDGE_JWKS_URL=URL, JWT_BRIDGE_KEYS=key_set)
    case("url-and-public-keys", law, None, JWT_BRIDGE_JWKS_URL=URL, JWT_BRIDGE_KEYS=public)
    case("url-and-keys-and-secret", law, None, JWT_BRIDGE_JWKS_URL=URL, JWT_BRIDGE_KEYS=key_set, BETTER_AUTH_SECRET=SECRET)
    case("url-without-audience", law, None, JWT_BRIDGE_JWKS_URL=URL, JWT_BRIDGE_AUDIENCE=ABSENT)
    case("url-without-issuer", law, None, JWT_BRIDGE_JWKS_URL=URL, JWT_BRIDGE_ISSUER=ABSENT)
    law = "access-token.md 1.9, JWT_BRIDGE_JWKS_URL"
    for name, url in {
        "http": "http://app.example.com/api/auth/jwks", "no-scheme": "app.example.com/api/auth/jwks", "path": "/api/auth/jwks",
        "user": "https://user:password@app.example.com/jwks", "fragment": f"{URL}#x", "space": f"{URL} ", "quoted": f'"{URL}"', "json": dump(public),
        "true": "true", "at-file": "@jwks.json", "internal-unlisted": INTERNAL, "newline": f"{URL}\n",
    }.items():
        case(f"url-{name}", law, None, JWT_BRIDGE_JWKS_URL=url)
    law = "access-token.md 1.9, JWT_BRIDGE_JWKS_INTERNAL_HOSTS"
    for name, hosts in {"one": "web", "two": "auth,web", "spaces": " auth , web ", "tab": "auth,\tweb", "upper-case": "WEB", "same-twice": "web,web", "newlines": "auth,\r\nweb\n"}.items():
        case(f"hosts-{name}", law, [], JWT_BRIDGE_JWKS_URL=INTERNAL, JWT_BRIDGE_JWKS_INTERNAL_HOSTS=hosts)
    for name, hosts in {
        "other": "auth", "port": "web:3000", "wildcard": "*", "url": "http://web", "comma-at-the-end": "web,", "comma-at-the-start": ",web",
        "only-a-comma": ",", "two-commas": "web,,auth", "space-only": " ", "semicolon": "web;auth", "space-between": "web auth", "json": '["web"]',
        "non-ascii": "web,w\u00e9b", "no-break-space": "web\u00a0",
    }.items():
        case(f"hosts-{name}", law, None, JWT_BRIDGE_JWKS_URL=INTERNAL, JWT_BRIDGE_JWKS_INTERNAL_HOSTS=hosts)
    case("hosts-beside-https", law, [], JWT_BRIDGE_JWKS_URL=URL, JWT_BRIDGE_JWKS_INTERNAL_HOSTS="web")
    case("hosts-without-url", law, None, BETTER_AUTH_SECRET=SECRET, JWT_BRIDGE_JWKS_INTERNAL_HOSTS="web")
    case("hosts-without-url-beside-keys", law, None, JWT_BRIDGE_KEYS=public, JWT_BRIDGE_JWKS_INTERNAL_HOSTS="web")
    law = "access-token.md 1.9, JWT_BRIDGE_MIGRATION"
    moving = {"JWT_BRIDGE_MIGRATION": "true"}
    case("migration-secret-and-url", law, [KID], BETTER_AUTH_SECRET=SECRET, JWT_BRIDGE_JWKS_URL=URL, **moving)
    case("migration-secrets-and-url", law, [KID, OLD_KID], BETTER_AUTH_SECRETS=f"2:{SECRET},1:{OLD_SECRET}", JWT_BRIDGE_JWKS_URL=URL, **moving)
    case("migration-derived-keys-and-url", law, [KID], JWT_BRIDGE_KEYS=key_set, JWT_BRIDGE_JWKS_URL=URL, **moving)
    case("migration-secret-and-public-keys", law, [KID, "ed", "ec"], BETTER_AUTH_SECRET=SECRET, JWT_BRIDGE_KEYS=public, **moving)
    case("migration-secret-and-agreeing-keys-and-url", law, [KID], BETTER_AUTH_SECRET=SECRET, JWT_BRIDGE_KEYS=key_set, JWT_BRIDGE_JWKS_URL=URL, **moving)
    case(
        "migration-secret-and-internal-url", law, [KID], BETTER_AUTH_SECRET=SECRET, JWT_BRIDGE_JWKS_URL=INTERNAL, JWT_BRIDGE_JWKS_INTERNAL_HOSTS="web", **moving
    )
    # A public key under a symmetric kid is never used, and is not in force.
    case("migration-public-key-under-a-symmetric-kid", "access-token.md 1.8", [KID, "ec"], BETTER_AUTH_SECRET=SECRET, JWT_BRIDGE_KEYS=jwks({**ED, "kid": KID}, EC), **moving)
    for name, variables in {
        "only-secret": {"BETTER_AUTH_SECRET": SECRET}, "only-url": {"JWT_BRIDGE_JWKS_URL": URL}, "only-derived-keys": {"JWT_BRIDGE_KEYS": key_set},
        "only-public-keys": {"JWT_BRIDGE_KEYS": public}, "nothing": {},
        "secret-and-agreeing-keys": {"BETTER_AUTH_SECRET": SECRET, "JWT_BRIDGE_KEYS": key_set},
        "secret-and-disagreeing-keys-and-url": {"BETTER_AUTH_SECRET": UNKNOWN_SECRET, "JWT_BRIDGE_KEYS": key_set, "JWT_BRIDGE_JWKS_URL": URL},
        "public-keys-and-url": {"JWT_BRIDGE_KEYS": public, "JWT_BRIDGE_JWKS_URL": URL},
        "secret-and-public-keys-and-url": {"BETTER_AUTH_SECRET": SECRET, "JWT_BRIDGE_KEYS": public, "JWT_BRIDGE_JWKS_URL": URL},
        "mixed-keys": {"JWT_BRIDGE_KEYS": jwks(DERIVED, ED)}, "secret-and-mixed-keys": {"BETTER_AUTH_SECRET": SECRET, "JWT_BRIDGE_KEYS": jwks(DERIVED, ED)},
        "short-secret-and-url": {"BETTER_AUTH_SECRET": "short", "JWT_BRIDGE_JWKS_URL": URL},
        "secret-and-bad-url": {"BETTER_AUTH_SECRET": SECRET, "JWT_BRIDGE_JWKS_URL": "http://app.example.com/jwks"},
    }.items():
        case(f"migration-{name}", law, None, **{**variables, **moving})
    for name, flag in {
        "false": "false", "one": "1", "zero": "0", "yes": "yes", "upper-case": "TRUE", "capital": "True", "space": "true ", "space-only": " ", "on": "on",
        "null": "null",
    }.items():
        case(f"migration-flag-{name}", law, None, BETTER_AUTH_SECRET=SECRET, JWT_BRIDGE_JWKS_URL=URL, JWT_BRIDGE_MIGRATION=flag)
    case("migration-flag-false-beside-one-source", law, None, BETTER_AUTH_SECRET=SECRET, JWT_BRIDGE_MIGRATION="false")
    return document("Environment variables: which keys they put in force", cases.cases)
