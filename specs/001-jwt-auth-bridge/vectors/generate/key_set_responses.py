"""Cases of one response of a key-set URL: which keys it brings, or that the fetch failed."""

from typing import Any

import primitives
from build import ABSENT, KEY, KID, Cases, Json, base64url, change, document, dump
from captured import CAPTURED
from key_sets import EC, ED, OCT, RSA, Y_OF_0, B

# One case a line, as far as it fits.
# fmt: off

JSON = "application/json"
ENTRY = dump(ED)
SET = f'{{"keys":[{ENTRY}]}}'
LIMIT = 65536
Kids = list[str] | None


def responses() -> Json:
    cases = Cases()

    def case(name: str, law: str, body: Json, kids: Kids, status: int = 200, kind: str | None = JSON) -> None:
        expect = {"ok": False} if kids is None else {"ok": True, "kids": kids}
        cases.add("response", name, law, {"status": status, "content_type": kind, **body}, expect)

    def text(name: str, law: str, body: str, kids: Kids) -> None:
        case(name, law, {"body": body}, kids)

    def data(name: str, law: str, body: bytes, kids: Kids) -> None:
        case(name, law, {"body_b64": base64url(body)}, kids)

    def keys(name: str, law: str, entries: list[Any], kids: Kids) -> None:
        text(name, law, dump({"keys": entries}), kids)

    def padded(name: str, law: str, kids: Kids, prefix: str, repeat: str, times: int, suffix: str = "") -> None:
        body = {"prefix": prefix, "repeat": repeat, "times": times, "suffix": suffix}
        case(name, law, {"body_repeat": body}, kids)

    law = "RFC 9110 §15"
    case("status-200", law, {"body": SET}, ["ed"])
    for status in (100, 199, 201, 202, 203, 204, 206, 226, 299, 300, 301, 302, 303, 304, 307, 308, 400, 401, 403, 404, 410, 429, 500, 502, 503, 504, 599):
        case(f"status-{status}", law, {"body": "" if status in (204, 304) else SET}, None, status)
    law = "RFC 9110 §8.3, RFC 7517 §8.5"
    for name, kind in {
        "json": JSON, "jwk-set": "application/jwk-set+json", "json-upper-case": "APPLICATION/JSON", "jwk-set-mixed-case": "Application/JWK-Set+JSON",
        "charset": "application/json; charset=utf-8", "charset-without-space": "application/json;charset=UTF-8",
        "space-before-parameter": "application/json ; charset=utf-8", "tab-before-parameter": "application/json\t; charset=utf-8",
        "jwk-set-charset": "application/jwk-set+json; charset=utf-8", "several-parameters": 'application/json; a=b; c="d;e, text/html"',
        "empty-parameter": "application/json;", "another-charset": "application/json; charset=iso-8859-1", "spaces-around": " application/json ",
    }.items():
        case(f"type-{name}", law, {"body": SET}, ["ed"], kind=kind)
    for name, kind in {
        "absent": None, "empty": "", "html": "text/html", "html-charset": "text/html; charset=utf-8", "plain": "text/plain", "text-json": "text/json",
        "octets": "application/octet-stream", "problem": "application/problem+json", "jwk": "application/jwk+json", "jwt": "application/jwt",
        "suffix": "application/jsonx", "prefix": "application/jso", "only-subtype": "json", "only-parameter": "; charset=utf-8", "slash": "application/json/",
        "jwkset": "application/jwkset+json", "plus-json": "application/vnd.api+json", "two": "application/json, text/html",
        "twice": "application/json, application/json", "two-html-first": "text/html, application/json", "in-a-parameter": "text/html; application/json",
        "equals": "application/json=1", "space-inside": "application / json", "newline-after": "application/json\n",
        "no-break-space-after": "application/json\u00a0", "quoted": '"application/json"', "kelvin-sign": "application/jw\u212a-set+json",
        "long-s": "application/j\u017fon", "wildcard": "application/*",
    }.items():
        case(f"type-{name}", law, {"body": SET}, None, kind=kind)
    law = "access-token.md 1.7, 64 KiB"
    padded("65535-bytes", law, ["ed"], SET, " ", LIMIT - 1 - len(SET))
    padded("65536-bytes", law, ["ed"], SET, " ", LIMIT - len(SET))
    padded("65537-bytes", law, None, SET, " ", LIMIT + 1 - len(SET))
    start, end = f'{{"keys":[{ENTRY}],"x":"', '"}'
    room = LIMIT - len(start + end)
    padded("65536-bytes-in-fewer-characters", law, ["ed"], start + "x" * (room % 2), "é", room // 2, end)
    padded("65538-bytes-in-32900-characters", law, None, start + "x" * (room % 2), "é", room // 2 + 1, end)
    padded("10-megabytes-of-space", law, None, SET, " ", 10 * 2**20)
    padded("10-megabytes-of-keys", law, None, '{"keys":[', f"{ENTRY},", 10 * 2**20 // len(ENTRY), f"{ENTRY}]}}")
    padded("a-megabyte-of-nothing", law, None, "", "\n", 2**20)
    law = "RFC 8259, access-token.md V3"
    text("white-space-around", law, f" \r\n\t{SET}\n", ["ed"])
    text("members-beside-keys", law, f'{{"iss":"x","keys":[{ENTRY}],"keys ":null,"ttl":300}}', ["ed"])
    text("escaped-name-of-keys", law, f'{{"\\u006beys":[{ENTRY}]}}', ["ed"])
    text("non-ascii-text", law, SET.replace('"ed"', '"schlüssel-😀"'), ["schlüssel-😀"])
    text("proto-of-an-entry", law, f'{{"keys":[{{"__proto__":{ENTRY}}},{ENTRY}]}}', ["ed"])
    text("depth-64", law, f'{{"keys":[{ENTRY}],"x":{"[" * 63}{"]" * 63}}}', ["ed"])
    text("kid-proto", law, dump({"keys": [{**ED, "kid": "__proto__"}, {**EC, "kid": "constructor"}]}), ["__proto__", "constructor"])
    for name, body in {
        "empty": "", "space-only": " ", "html": "<!doctype html><title>Sign in</title>", "text": "ok", "unfinished": SET[:-1], "trailing-text": f"{SET}x",
        "second-object": f"{SET}{{}}", "trailing-comma": f'{{"keys":[{ENTRY},]}}', "trailing-nul": f"{SET}\x00", "json-lines": f"{SET}\n{SET}",
        "single-quotes": SET.replace('"', "'"), "bom": f"\ufeff{SET}", "xssi-prefix": f")]}}'\n{SET}", "jsonp": f"keys({SET})", "comment": f"{SET}//",
        "no-break-space": f"\u00a0{SET}", "form-feed": f"{SET}\x0c", "keys-twice": f'{{"keys":[{ENTRY}],"keys":[{ENTRY}]}}',
        "keys-twice-by-escape": f'{{"keys":[],"k\\u0065ys":[{ENTRY}]}}', "member-twice": f'{{"x":1,"x":1,"keys":[{ENTRY}]}}',
        "kid-twice-in-an-entry": SET.replace('"kid"', '"kid":"other","kid"'), "twice-in-a-skipped-entry": f'{{"keys":[{ENTRY},{{"kty":"x","kty":"x"}}]}}',
        "lone-surrogate": f'{{"keys":[{ENTRY}],"x":"\\ud800"}}', "lone-surrogate-in-kid": SET.replace('"ed"', '"\\udc00"'),
        "nan": f'{{"keys":[{ENTRY}],"x":NaN}}', "infinity": f'{{"keys":[{ENTRY}],"x":-Infinity}}', "1e400": f'{{"keys":[{ENTRY}],"x":1e400}}',
        "two-to-53": f'{{"keys":[{ENTRY}],"x":9007199254740992}}', "five-thousand-digits": f'{{"keys":[{ENTRY}],"x":{"9" * 5000}}}',
        "leading-zero": f'{{"keys":[{ENTRY}],"x":01}}', "raw-newline-in-string": f'{{"keys":[{ENTRY}],"x":"\n"}}',
        "depth-65": f'{{"keys":[{ENTRY}],"x":{"[" * 64}{"]" * 64}}}', "depth-30000": f'{{"keys":[{ENTRY}],"x":{"[" * 30000}{"]" * 30000}}}',
        "unclosed-60000": "[" * 60000,
    }.items():
        text(f"json-{name}", law, body, None)
    law = "RFC 8259 §8.1, RFC 3629 §3"
    for name, odd in {
        "latin-1": SET.replace('"ed"', '"\u00e9d"').encode("latin-1"), "overlong-slash": SET.replace('"ed"', '"@@"').encode().replace(b"@@", b"\xc0\xaf"),
        "surrogate": SET.replace('"ed"', '"@@"').encode().replace(b"@@", b"\xed\xa0\x80"),
        "beyond-unicode": SET.replace('"ed"', '"@@"').encode().replace(b"@@", b"\xf4\x90\x80\x80"), "bad-byte-after": SET.encode() + b"\xff",
        "unfinished-character-after": SET.encode() + b"\xe2\x82", "utf-16-le": SET.encode("utf-16-le"), "utf-16": SET.encode("utf-16"),
        "utf-32-be": SET.encode("utf-32-be"), "bom-bytes": b"\xef\xbb\xbf" + SET.encode(), "gzip": b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03",
        "zero-bytes": bytes(64),
    }.items():
        data(f"bytes-{name}", law, odd, None)
    data("bytes-good", law, SET.encode(), ["ed"])
    law = "RFC 7517 §5"
    for name, body in {
        "object": "{}", "keys-object": '{"keys":{}}', "keys-object-of-keys": f'{{"keys":{{"0":{ENTRY},"length":1}}}}', "keys-null": '{"keys":null}',
        "keys-string": '{"keys":"x"}', "keys-number": '{"keys":1}', "keys-true": '{"keys":true}', "keys-one-key": f'{{"keys":{ENTRY}}}',
        "keys-empty": '{"keys":[]}', "keys-nested": f'{{"keys":[[{ENTRY}]]}}', "keys-in-upper-case": f'{{"KEYS":[{ENTRY}]}}', "array": f"[{ENTRY}]",
        "empty-array": "[]", "null": "null", "true": "true", "number": "1", "string": '"x"', "string-of-a-set": dump(SET), "one-key": ENTRY,
        "keys-in-proto": f'{{"__proto__":{SET}}}', "data-keys": f'{{"data":{SET}}}', "error": '{"message":"Not found","code":"NOT_FOUND"}',
    }.items():
        text(f"set-{name}", law, body, None)
    keys("several", law, [ED, EC, RSA], ["ed", "ec", "rsa"])
    keys("order-is-kept", law, [RSA, ED, EC], ["rsa", "ed", "ec"])
    text("captured-from-better-auth", "Better Auth 1.7.7, captured", dump(CAPTURED["stockJwks"]), [CAPTURED["stockJwks"]["keys"][0]["kid"]])
    keys("foreign-entries", law, [None, 1, "x", [], {}, True, ED], ["ed"])
    keys("only-nulls", law, [None, None, None], None)
    keys("only-foreign-entries", law, [None, 1, "x", [], {}, True], None)
    law = "access-token.md 1.7, 32 keys"
    many: list[Any] = [{**ED, "kid": f"key-{place}"} for place in range(33)]
    keys("32-keys", law, many[:32], [f"key-{place}" for place in range(32)])
    keys("33-keys", law, many, None)
    keys("32-entries-one-usable", law, [None] * 31 + [ED], ["ed"])
    keys("33-entries-one-usable", law, [None] * 32 + [ED], None)
    keys("33-entries-the-first-usable", law, [ED] + [{}] * 32, None)
    padded("3000-nulls", law, None, f'{{"keys":[{ENTRY}', ",null", 3000, "]}")
    law = "access-token.md 1.5, ambiguous"
    keys("same-kid-twice", law, [ED, ED], None)
    keys("same-kid-twice-beside-another", law, [ED, RSA, ED], ["rsa"])
    keys("same-kid-of-two-kinds", law, [ED, {**EC, "kid": "ed"}, RSA], ["rsa"])
    keys("same-kid-thrice", law, [ED, ED, ED, EC], ["ec"])
    keys("same-kid-unusable-first", law, [{"kid": "ed"}, ED, EC], ["ec"])
    keys("same-kid-unusable-last", law, [EC, ED, {"kty": "x", "kid": "ed"}], ["ec"])
    keys("same-kid-as-an-oct-key", law, [{**OCT, "kid": "ed"}, ED, EC], ["ec"])
    keys("all-kids-ambiguous", law, [ED, ED, EC, EC], None)
    law = "access-token.md 1.5, oct keys of a fetched set"
    keys("oct-among-public-keys", law, [OCT, ED], ["ed"])
    keys("oct-with-the-derived-kid", law, [{**OCT, "kid": KID}, ED], ["ed"])
    keys("oct-without-alg", law, [change(OCT, {"alg": ABSENT, "use": ABSENT}), RSA], ["rsa"])
    keys("oct-named-public", law, [{**OCT, "alg": "EdDSA"}, RSA], ["rsa"])
    keys("only-oct", law, [OCT], None)
    keys("only-two-oct", law, [OCT, {**OCT, "kid": "two", "k": base64url(KEY + KEY)}], None)
    law = "access-token.md 1.5, usable"
    modulus = primitives.integer(primitives.RSA_N)
    weak = base64url((modulus >> 1 | 1).to_bytes(256, "big"))
    for name, entry in {
        "private-ed": {**ED, "d": primitives.ED_D}, "private-ec": {**EC, "d": primitives.EC_D}, "private-rsa": {**RSA, "d": primitives.RSA_D},
        "private-null": {**ED, "d": None}, "k-beside-x": {**ED, "k": "AAAA"}, "use-enc": {**RSA, "use": "enc"}, "use-null": {**RSA, "use": None},
        "key-ops-sign": {**ED, "key_ops": ["sign"]}, "key-ops-empty": {**ED, "key_ops": []}, "key-ops-string": {**ED, "key_ops": "verify"},
        "rsa-2047-bits": {**RSA, "n": weak}, "rsa-1024-bits": {**RSA, "n": base64url((modulus >> 1024 | 1).to_bytes(128, "big"))},
        "rsa-e-3": {**RSA, "e": "Aw"}, "ps256": {**RSA, "alg": "PS256"}, "rs512": {**RSA, "alg": "RS512"}, "rsa-oaep": {**RSA, "alg": "RSA-OAEP"},
        "ec-off-the-curve": {**EC, "y": primitives.EC_X}, "ec-p-384": {**EC, "crv": "P-384", "alg": "ES384"},
        "ec-secp256k1": {**EC, "crv": "secp256k1", "alg": "ES256K"}, "ec-ecdh": {**EC, "alg": "ECDH-ES"}, "ec-padded": {**EC, "x": primitives.EC_X + "="},
        "ed-x25519": {**ED, "crv": "X25519"}, "ed-ed448": {**ED, "crv": "Ed448"}, "ed-x-short": {**ED, "x": primitives.ED_X[:-2]},
        "ed-alg-es256": {**ED, "alg": "ES256"}, "kid-absent": change(ED, {"kid": ABSENT}), "kid-empty": {**ED, "kid": ""}, "kid-number": {**ED, "kid": 1},
        "kid-null": {**ED, "kid": None}, "kty-absent": change(ED, {"kty": ABSENT}), "kty-lower-case": {**EC, "kty": "ec"},
        "akp": {"kty": "AKP", "alg": "ML-DSA-44", "kid": "pq", "pub": "AAAA"}, "x5c-only": {"kty": "RSA", "kid": "cert", "x5c": ["AAAA"]},
    }.items():
        keys(f"only-{name}", law, [entry], None)
        beside = {**EC, "kid": "beside"}
        keys(f"{name}-beside-a-usable-key", law, [entry, beside], ["beside"])
    for name, entry in {
        "use-sig": {**ED, "use": "sig"}, "key-ops-verify": {**ED, "key_ops": ["verify"]}, "without-alg": change(ED, {"alg": ABSENT}),
        "alg-ed25519": {**ED, "alg": "Ed25519"}, "unknown-members": {**ED, "x5t": "x", "ext": True, "exp": 1, "expiresAt": "2030-01-01"},
        "x-of-ec-zero": {**EC, "kid": "ed", "x": "A" * 43, "y": base64url(Y_OF_0)},
    }.items():
        keys(f"usable-{name}", law, [entry], ["ed"])
    if pow(B, (primitives.P - 1) // 2, primitives.P) != 1:
        raise ValueError("(0, y) is not on the curve")
    return document("Responses of a key-set URL: which keys they bring, or that the fetch failed", cases.cases)
