"""RS256, ES256 and EdDSA signatures in plain Python, deterministic, for test vectors only.

Slow and not constant-time: never sign anything but test vectors with this. Law: RFC 8017 §8.2, RFC 6979 §3.2
with FIPS 186-5 §6.4, RFC 8032 §5.1.6. The keys are published: RFC 7515 A.2 and A.3, RFC 8037 A.1, and a second of each
kind: RFC 7517 A.2, RFC 8032 §7.1 test 2.
"""

import base64
import hashlib
import hmac
from functools import cache


def decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def integer(text: str) -> int:
    return int.from_bytes(decode(text), "big")


RSA_N = (
    "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZ"
    "S-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2"
    "R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcD"
    "TW9gb54h4FRWyuXpoQ"
)
RSA_D = (
    "Eq5xpGnNCivDflJsRQBXHx1hdR1k6Ulwe2JZD50LpXyWPEAeP88vLNO97IjlA7_GQ5sLKMgvfTeXZx9SE-7YwVol2NXOoAJe46sui395IW_G"
    "O-pWJ1O0BkTGoVEn2bKVRUCgu-GjBVaYLU6f3l9kJfFNS3E0QbVdxzubSu3Mkqzjkn439X0M_V51gfpRLI9JYanrC4D4qAdGcopV_0ZHHzQl"
    "BjudU2QvXt4ehNYTCBr6XCLQUShb1juUO1ZdiYoFaFQT5Tw8bGUl_x_jTj3ccPDVZFD9pIuhLhBOneufuBiB4cS98l2SR_RQyGWSeWjnczT0"
    "QU91p1DhOVRuOopznQ"
)
RSA_P = (
    "4BzEEOtIpmVdVEZNCqS7baC4crd0pqnRH_5IB3jw3bcxGn6QLvnEtfdUdiYrqBdss1l58BQ3KhooKeQTa9AB0Hw_Py5PJdTJNPY8cQn7"
    "ouZ2KKDcmnPGBY5t7yLc1QlQ5xHdwW1VhvKn-nXqhJTBgIPgtldC-KDV5z-y2XDwGUc"
)
EC_X = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
EC_Y = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
EC_D = "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"
ED_X = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
ED_D = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"
RSA2_N = (
    "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3okn"
    "jhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6q"
    "MQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awap"
    "JzKnqDKgw"
)
RSA2_D = (
    "X4cTteJY_gn4FYPsXB8rdXix5vwsg1FLN5E3EaG6RJoVH-HLLKD9M7dx5oo7GURknchnrRweUkC7hT5fJLM0WbFAKNLWY2vv7B6NqXSzUvxT0_Y"
    "Sfqijwp3RTzlBaCxWp4doFk5N2o8Gy_nHNKroADIkJ46pRUohsXywbReAdYaMwFs9tv8d_cPVY3i07a3t8MN6TNwm0dSawm9v47UiCl3Sk5ZiG7"
    "xojPLu4sbg1U2jx4IBTNBznbJSzFHK66jT8bgkuqsk0GjskDJk19Z4qwjwbsnn4j2WBii3RL-Us2lGVkY8fkFzme1z0HbIkfz0Y6mqnOYtqc0X4"
    "jfcKoAC8Q"
)
RSA2_P = (
    "83i-7IvMGXoMXCskv73TKr8637FiO7Z27zv8oj6pbWUQyLPQBQxtPVnwD20R-60eTDmD2ujnMt5PoqMrm8RfmNhVWDtjjMmCMjOpSXic"
    "FHj7XOuVIYQyqVWlWEh6dN36GVZYk93N8Bc9vY41xy8B9RzzOGVQzXvNEvn7O0nVbfs"
)
EC2_X = "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4"
EC2_Y = "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"
EC2_D = "870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE"
ED2_X = "PUAXw-hDiVqStwqnTRt-vJyYLM8uxJaMwM1V8Sr0Zgw"
ED2_D = "TM0Imyj_ltqdtsNG7BFOD1uKMZ81q6Yk2oz27U-4pvs"


# RSA (RFC 8017)
def rsa(block: bytes, modulus: str = RSA_N, exponent: str = RSA_D, prime: str = RSA_P) -> bytes:
    """The private operation on these bytes, whatever they are, by the remainders (RFC 8017 §5.2.1)."""
    message, d, p = int.from_bytes(block, "big"), integer(exponent), integer(prime)
    q = integer(modulus) // p
    a, b = pow(message, d % (p - 1), p), pow(message, d % (q - 1), q)
    return (b + (a - b) * pow(q, -1, p) % p * q).to_bytes(256, "big")


DIGEST_INFO = {
    "md5": "3020300c06082a864886f70d020505000410", "sha1": "3021300906052b0e03021a05000414", "sha224": "302d300d06096086480165030402040500041c",
    "sha256": "3031300d060960864801650304020105000420", "sha384": "3041300d060960864801650304020205000430", "sha512": "3051300d060960864801650304020305000440",
}  # fmt: skip


def pkcs1(info: bytes, size: int = 256) -> bytes:
    """The encoded message of this DigestInfo (RFC 8017 §9.2)."""
    return b"\x00\x01" + b"\xff" * (size - len(info) - 3) + b"\x00" + info


def digest_info(data: bytes, digest: str = "sha256") -> bytes:
    return bytes.fromhex(DIGEST_INFO[digest]) + hashlib.new(digest, data, usedforsecurity=False).digest()


@cache
def rs256(data: bytes) -> bytes:
    return rsa(pkcs1(digest_info(data)))


def rs256_second(data: bytes) -> bytes:
    return rsa(pkcs1(digest_info(data)), RSA2_N, RSA2_D, RSA2_P)


def ps256(data: bytes) -> bytes:
    """RSASSA-PSS with SHA-256 and a salt of 32 zero bytes (RFC 8017 §9.1.1)."""
    salt, size = bytes(32), 256
    h = hashlib.sha256(bytes(8) + hashlib.sha256(data).digest() + salt).digest()
    block = bytes(size - 66) + b"\x01" + salt
    mask = b"".join(hashlib.sha256(h + place.to_bytes(4, "big")).digest() for place in range(7))
    masked = bytes(a ^ b for a, b in zip(block, mask, strict=False))
    return rsa(bytes([masked[0] & 0x7F]) + masked[1:] + h + b"\xbc")


# P-256 (FIPS 186-5, SP 800-186 §3.2.1.3), in Jacobian coordinates
P = 2**256 - 2**224 + 2**192 + 2**96 - 1
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)
Point = tuple[int, int, int]


def _double(a: Point) -> Point:
    x, y, z = a
    s, m = 4 * x * y * y % P, 3 * (x - z * z) * (x + z * z) % P
    x3 = (m * m - 2 * s) % P
    return x3, (m * (s - x3) - 8 * y * y * y * y) % P, 2 * y * z % P


def _add(a: Point, b: Point) -> Point:
    if not a[2] or not b[2]:
        return a if a[2] else b
    za, zb = a[2] * a[2] % P, b[2] * b[2] % P
    u, h = a[0] * zb % P, (b[0] * za - a[0] * zb) % P
    s, r = a[1] * b[2] * zb % P, (b[1] * a[2] * za - a[1] * b[2] * zb) % P
    if not h:
        return _double(a) if not r else (0, 1, 0)
    hh, hhh = h * h % P, h * h * h % P
    x = (r * r - hhh - 2 * u * hh) % P
    return x, (r * (u * hh - x) - s * hhh) % P, a[2] * b[2] * h % P


def p256(k: int) -> tuple[int, int]:
    """k times the base point."""
    result, point = (0, 1, 0), (*G, 1)
    while k:
        if k & 1:
            result = _add(result, point)
        point, k = _double(point), k >> 1
    inverse = pow(result[2], -1, P)
    return result[0] * inverse**2 % P, result[1] * inverse**3 % P


@cache
def es256(data: bytes, secret: str = EC_D, digest: str = "sha256") -> bytes:
    d, h = integer(secret), hashlib.new(digest, data).digest()
    z = int.from_bytes(h[:32], "big")
    x, h = d.to_bytes(32, "big"), (z % N).to_bytes(32, "big")
    v, key = b"\x01" * 32, b"\x00" * 32
    for separator in (b"\x00", b"\x01"):
        key = hmac.digest(key, v + separator + x + h, "sha256")
        v = hmac.digest(key, v, "sha256")
    while True:
        v = hmac.digest(key, v, "sha256")
        k = int.from_bytes(v, "big")
        if 0 < k < N and (r := p256(k)[0] % N) and (s := pow(k, -1, N) * (z + r * d) % N):
            return r.to_bytes(32, "big") + s.to_bytes(32, "big")
        key = hmac.digest(key, v + b"\x00", "sha256")
        v = hmac.digest(key, v, "sha256")


# Ed25519 (RFC 8032 §5.1), in extended coordinates
Q = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, Q) % Q
BASE_Y = 4 * pow(5, -1, Q) % Q
Extended = tuple[int, int, int, int]


def _recover_x(y: int) -> int:
    square = (y * y - 1) * pow(D * y * y + 1, -1, Q) % Q
    x = pow(square, (Q + 3) // 8, Q)
    if (x * x - square) % Q:
        x = x * pow(2, (Q - 1) // 4, Q) % Q
    return Q - x if x & 1 else x


BASE: Extended = (_recover_x(BASE_Y), BASE_Y, 1, _recover_x(BASE_Y) * BASE_Y % Q)


def _edwards_add(p: Extended, q: Extended) -> Extended:
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % Q, (p[1] + p[0]) * (q[1] + q[0]) % Q
    c, d = 2 * p[3] * q[3] * D % Q, 2 * p[2] * q[2] % Q
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % Q, g * h % Q, f * g % Q, e * h % Q


def edwards(k: int) -> bytes:
    """k times the base point, encoded (RFC 8032 §5.1.2)."""
    result, point = (0, 1, 1, 0), BASE
    while k:
        if k & 1:
            result = _edwards_add(result, point)
        point, k = _edwards_add(point, point), k >> 1
    inverse = pow(result[2], -1, Q)
    x, y = result[0] * inverse % Q, result[1] * inverse % Q
    return (y | (x & 1) << 255).to_bytes(32, "little")


@cache
def ed25519_pair(secret: str) -> tuple[int, bytes, bytes]:
    """Scalar, prefix and public key of a seed (RFC 8032 §5.1.5)."""
    digest = hashlib.sha512(decode(secret)).digest()
    scalar = int.from_bytes(digest[:32], "little") & ~7 & (2**254 - 1) | 2**254
    return scalar, digest[32:], edwards(scalar)


def hashed(*parts: bytes) -> int:
    return int.from_bytes(hashlib.sha512(b"".join(parts)).digest(), "little") % L


@cache
def eddsa(data: bytes, secret: str = ED_D, domain: bytes = b"") -> bytes:
    """Ed25519; with a domain as its first bytes Ed25519ctx or Ed25519ph (RFC 8032 §2, dom2)."""
    scalar, prefix, public = ed25519_pair(secret)
    r = hashed(domain, prefix, data)
    encoded = edwards(r)
    return encoded + ((r + hashed(domain, encoded, public, data) * scalar) % L).to_bytes(32, "little")


# The published keys and RFC 8037 A.4's signature: a slip of the pen above stops the generator here.
if (
    any(
        p256(integer(d)) != (integer(x), integer(y))
        for d, x, y in ((EC_D, EC_X, EC_Y), (EC2_D, EC2_X, EC2_Y))
    )
    or any(
        pow(int.from_bytes(rsa(b"\x02", n, d, p), "big"), 65537, integer(n)) != 2
        for n, d, p in ((RSA_N, RSA_D, RSA_P), (RSA2_N, RSA2_D, RSA2_P))
    )
    or any(ed25519_pair(d)[2] != decode(x) for d, x in ((ED_D, ED_X), (ED2_D, ED2_X)))
    or eddsa(b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc")
    != decode("hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg")
):
    raise AssertionError("a key or a primitive is wrong")
