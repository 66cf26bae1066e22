"""V4 to V8: extensions, algorithm, type, key and signature."""

import base64
import hashlib
import hmac
from typing import Any

from ask import accept, refuse
from build import (
    ABSENT,
    AUDIENCE,
    KEY,
    KID,
    OLD_KEY,
    OLD_KID,
    OTHER_AUDIENCE,
    SECRET,
    UNKNOWN_SECRET,
    base64url,
    claims,
    derive,
    dump,
    encode,
    header,
    sign,
    thumbprint,
)


def critical() -> None:
    law, code = "RFC 7515 §4.1.11", "critical_header_unsupported"
    for name, value in {"exp": ["exp"], "b64": ["b64"], "empty": [], "null": None, "string": "exp"}.items():
        refuse("V4", f"crit-{name}", law, sign(header(crit=value)), code)
    for name, flag in {"false": False, "true": True, "null": None}.items():
        refuse("V4", f"b64-{name}", "RFC 7797 §6", sign(header(b64=flag)), code)
    accept("V4", "crit-in-other-case", law, sign(header(Crit=["exp"])))
    refuse("V4", "before-v5", "access-token.md, order", sign(header(crit=[], alg="none")), code)


def algorithm() -> None:
    law, code = "RFC 8725 §3.1", "algorithm_not_allowed"
    values: dict[str, Any] = {
        "none": "none", "none-capital": "None", "none-upper": "NONE", "none-mixed": "nOnE", "empty": "",
        "lower-case": "hs256", "trailing-space": "HS256 ", "leading-space": " HS256", "nul": "HS256\x00",
        "hs384": "HS384", "hs512": "HS512", "rs256": "RS256", "es256": "ES256", "ps256": "PS256",
        "eddsa": "EdDSA", "ed25519": "Ed25519", "dir": "dir", "null": None, "number": 256, "boolean": True,
        "array": ["HS256"], "object": {"alg": "HS256"}, "absent": ABSENT, "cyrillic": "Н\u0053256",
        "fullwidth": "ＨＳ256", "long-s": "Hſ256",
    }  # fmt: skip
    for name, value in values.items():
        refuse("V5", name, law, sign(header(alg=value)), code)
    unsigned = ".".join(sign(header(alg="none")).split(".")[:2])
    refuse("V5", "none-with-a-signature", law, f"{unsigned}.AAAA", code)
    refuse("V5", "hs512-signed-as-such", law, sign(header(alg="HS512"), digest="sha512"), code)
    refuse("V5", "before-v6", "access-token.md, order", sign(header(alg="none", typ="JWT")), code)


def token_type() -> None:
    law, code = "RFC 9068 §4, RFC 7515 §4.1.9", "token_type_mismatch"
    for name, value in {
        "upper": "AT+JWT", "mixed": "At+Jwt", "media-type": "application/at+jwt",
        "media-type-upper": "APPLICATION/AT+JWT",
    }.items():  # fmt: skip
        accept("V6", name, law, sign(header(typ=value)))
    values: dict[str, Any] = {
        "jwt": "JWT", "empty": "", "trailing-space": "at+jwt ", "leading-space": " at+jwt", "prefix": "at+jw",
        "suffix": "at+jwts", "parameter": "at+jwt; charset=utf-8", "twice": "application/application/at+jwt",
        "other-media-type": "text/at+jwt", "dpop": "dpop+jwt", "id-token": "id+jwt", "logout": "logout+jwt",
        "null": None, "number": 1, "array": ["at+jwt"], "object": {}, "true": True, "absent": ABSENT,
        "dotless-i": "applıcation/at+jwt", "dotted-capital-i": "APPLİCATION/AT+JWT",
        "fullwidth-plus": "at＋jwt", "fullwidth-j": "at+ｊwt", "long-s-in-media-type": "applicationſ/at+jwt",
    }  # fmt: skip
    for name, value in values.items():
        refuse("V6", name, law, sign(header(typ=value)), code)
    refuse("V6", "before-v7", "access-token.md, order", sign(header(typ="JWT", kid="x")), code)


def key_ids() -> None:
    law, code = "RFC 7515 §4.1.4", "key_not_found"
    values: dict[str, Any] = {
        "absent": ABSENT, "null": None, "empty": "", "number": 1, "zero": 0, "true": True, "false": False,
        "array": [KID], "object": {"kid": KID}, "prefix": KID[:-1], "suffix": f"{KID}A", "lower": KID.lower(),
        "leading-space": f" {KID}", "padded": f"{KID}=", "path": "../../dev/null", "proto": "__proto__",
        "to-string": "toString", "sql": "x' UNION SELECT 'k", "of-an-unlisted-secret": OLD_KID,
        "of-the-raw-secret": thumbprint(SECRET.encode()),
    }  # fmt: skip
    for name, value in values.items():
        refuse("V7", name, law, sign(header(kid=value)), code)
    other = derive(SECRET, OTHER_AUDIENCE)
    refuse("V7", "key-of-another-audience", "access-token.md Keys",
           sign(header(kid=thumbprint(other)), claims(aud=OTHER_AUDIENCE), other), code)  # fmt: skip
    refuse("V7", "key-of-another-audience-aud-forged", "access-token.md Keys",
           sign(header(kid=thumbprint(other)), None, other), code)  # fmt: skip
    old = sign(header(kid=OLD_KID), None, OLD_KEY)
    accept("V7", "older-secret-in-force", "access-token.md Keys", old, policy="rotated")
    accept("V7", "current-secret-of-two", "access-token.md Keys", sign(), policy="rotated")
    refuse("V7", "older-secret-dropped", "access-token.md Keys", old, code)
    refuse("V7", "before-v8", "access-token.md, order", sign(header(kid="x"), None, b"x" * 32), code)


def signatures() -> None:
    law, code = "RFC 7515 §5.2 step 8, RFC 7518 §3.2", "signature_invalid"
    head, body, signature = sign().split(".")
    signing_input = f"{head}.{body}".encode()
    mac = hmac.digest(KEY, signing_input, "sha256")
    bob = encode(claims(sub="bob"))

    def with_mac(value: bytes) -> str:
        return f"{head}.{body}.{base64url(value)}"

    for name, odd in {
        "first-bit": with_mac(bytes([mac[0] ^ 0x80]) + mac[1:]),
        "last-bit": with_mac(mac[:-1] + bytes([mac[-1] ^ 1])),
        "truncated-to-31": with_mac(mac[:31]),
        "truncated-to-16": with_mac(mac[:16]),
        "one-byte": with_mac(mac[:1]),
        "extended": with_mac(mac + b"\x00"),
        "doubled": with_mac(mac + mac),
        "all-zero": with_mac(bytes(32)),
        "hexadecimal": with_mac(mac.hex().encode()),
        "base64-of-base64": with_mac(signature.encode()),
        "payload-of-another": f"{head}.{bob}.{signature}",
        "header-changed": f"{encode(header(x=1))}.{body}.{signature}",
        "header-re-encoded": f"{encode(dump(header()) + ' ')}.{body}.{signature}",
        "over-payload-only": with_mac(hmac.digest(KEY, body.encode(), "sha256")),
        "over-decoded-payload": with_mac(hmac.digest(KEY, dump(claims()).encode(), "sha256")),
        "hs512-under-hs256": sign(digest="sha512"),
        "plain-sha-256": with_mac(hashlib.sha256(KEY + signing_input).digest()),
        "raw-secret": sign(key=SECRET.encode()),
        "raw-secret-base64-decoded": sign(key=base64.b64decode(SECRET)),
        "key-as-base64url-text": sign(key=base64url(KEY).encode()),
        "key-as-hexadecimal-text": sign(key=KEY.hex().encode()),
        "another-secret": sign(key=derive(UNKNOWN_SECRET)),
        "another-audience": sign(key=derive(SECRET, OTHER_AUDIENCE)),
        "audience-with-slash": sign(key=derive(SECRET, f"{AUDIENCE}/")),
        "empty-key": sign(key=b""),
        "key-from-jwk-header": sign(header(jwk={"kty": "oct", "k": base64url(b"m" * 32)}), None, b"m" * 32),
        "key-from-jku-header": sign(header(jku="https://evil.example/jwks"), None, b"m" * 32),
        "key-from-x5c-header": sign(header(x5c=["AAAA"], x5u="https://evil.example"), None, b"m" * 32),
        "before-v9": sign(None, "not json", b"m" * 32),
    }.items():
        refuse("V8", name, law, odd, code)
    accept("V8", "key-headers-beside-a-good-signature", "RFC 8725 §3.10",
           sign(header(jwk={"kty": "oct", "k": "AAAA"}, jku="https://evil.example", x5u="x", x5c=[])))  # fmt: skip
    refuse("V8", "older-key-under-current-kid", law, sign(key=OLD_KEY), code, policy="rotated")
