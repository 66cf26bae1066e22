"""RS256, ES256 and EdDSA signatures in plain Python, deterministic, for test vectors only.

Slow and not constant-time: never sign anything but test vectors with this. Law: RFC 8017 §8.2, RFC 6979 §3.2
with FIPS 186-5 §6.4, RFC 8032 §5.1.6. The keys are published: RFC 7515 A.2 and A.3, RFC 8037 A.1.
"""

import base64
import hashlib
import hmac


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
EC_X = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
EC_Y = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
EC_D = "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"
ED_X = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
ED_D = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"


def rs256(data: bytes) -> bytes:
    n, d = integer(RSA_N), integer(RSA_D)
    size = (n.bit_length() + 7) // 8
    info = bytes.fromhex("3031300d060960864801650304020105000420") + hashlib.sha256(data).digest()
    block = b"\x00\x01" + b"\xff" * (size - len(info) - 3) + b"\x00" + info
    return pow(int.from_bytes(block, "big"), d, n).to_bytes(size, "big")


# P-256 (FIPS 186-5, SP 800-186 §3.2.1.3)
P = 2**256 - 2**224 + 2**192 + 2**96 - 1
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)
Point = tuple[int, int] | None


def _add(a: Point, b: Point) -> Point:
    if a is None or b is None:
        return a or b
    if a[0] == b[0] and (a[1] + b[1]) % P == 0:
        return None
    slope = (
        (3 * a[0] * a[0] - 3) * pow(2 * a[1], -1, P) if a == b else (b[1] - a[1]) * pow(b[0] - a[0], -1, P)
    )
    x = (slope * slope - a[0] - b[0]) % P
    return x, (slope * (a[0] - x) - a[1]) % P


def _multiply(k: int, point: Point) -> Point:
    result: Point = None
    while k:
        if k & 1:
            result = _add(result, point)
        point, k = _add(point, point), k >> 1
    return result


def es256(data: bytes) -> bytes:
    secret, digest = integer(EC_D), hashlib.sha256(data).digest()
    z = int.from_bytes(digest, "big")
    x, h = secret.to_bytes(32, "big"), (z % N).to_bytes(32, "big")
    v, key = b"\x01" * 32, b"\x00" * 32
    for separator in (b"\x00", b"\x01"):
        key = hmac.digest(key, v + separator + x + h, "sha256")
        v = hmac.digest(key, v, "sha256")
    while True:
        v = hmac.digest(key, v, "sha256")
        k = int.from_bytes(v, "big")
        point = _multiply(k, G) if 0 < k < N else None
        if point and (r := point[0] % N) and (s := pow(k, -1, N) * (z + r * secret) % N):
            return r.to_bytes(32, "big") + s.to_bytes(32, "big")
        key = hmac.digest(key, v + b"\x00", "sha256")
        v = hmac.digest(key, v, "sha256")


# Ed25519 (RFC 8032 §5.1)
Q = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, Q) % Q
BASE_Y = 4 * pow(5, -1, Q) % Q


def _recover_x(y: int) -> int:
    square = (y * y - 1) * pow(D * y * y + 1, -1, Q) % Q
    x = pow(square, (Q + 3) // 8, Q)
    if (x * x - square) % Q:
        x = x * pow(2, (Q - 1) // 4, Q) % Q
    return Q - x if x & 1 else x


BASE = (_recover_x(BASE_Y), BASE_Y)


def _edwards_add(a: tuple[int, int], b: tuple[int, int]) -> tuple[int, int]:
    product = D * a[0] * b[0] * a[1] * b[1] % Q
    x = (a[0] * b[1] + b[0] * a[1]) * pow(1 + product, -1, Q) % Q
    y = (a[1] * b[1] + a[0] * b[0]) * pow(1 - product, -1, Q) % Q
    return x, y


def _edwards_multiply(k: int) -> bytes:
    result, point = (0, 1), BASE
    while k:
        if k & 1:
            result = _edwards_add(result, point)
        point, k = _edwards_add(point, point), k >> 1
    return (result[1] | (result[0] & 1) << 255).to_bytes(32, "little")


def eddsa(data: bytes) -> bytes:
    digest = hashlib.sha512(decode(ED_D)).digest()
    scalar = int.from_bytes(digest[:32], "little") & ~7 & (2**254 - 1) | 2**254
    public = _edwards_multiply(scalar)
    r = int.from_bytes(hashlib.sha512(digest[32:] + data).digest(), "little") % L
    encoded = _edwards_multiply(r)
    k = int.from_bytes(hashlib.sha512(encoded + public + data).digest(), "little") % L
    return encoded + ((r + k * scalar) % L).to_bytes(32, "little")


# The published keys and RFC 8037 A.4's signature: a slip of the pen above stops the generator here.
if (
    _multiply(integer(EC_D), G) != (integer(EC_X), integer(EC_Y))
    or pow(pow(2, integer(RSA_D), integer(RSA_N)), 65537, integer(RSA_N)) != 2
    or eddsa(b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc")
    != decode("hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg")
):
    raise AssertionError("a key or a primitive is wrong")
