"""Other forms and other values of a signature, by the kind of its key; what they should give, no one says here."""

import hashlib
import random
from collections.abc import Callable

from cases import ALL_KEYS, RSA, base64url, decode

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
FIELD = 2**256 - 2**224 + 2**192 + 2**96 - 1
EDWARDS_ORDER = 2**252 + 27742317777372353535851937790883648493
EDWARDS_FIELD = 2**255 - 19
MODULI = {jwk["kid"]: int.from_bytes(decode(jwk["n"])) for jwk in ALL_KEYS if "n" in jwk}
DIGESTS = {
    "sha1": "3021300906052b0e03021a05000414", "sha256": "3031300d060960864801650304020105000420",
    "sha512": "3051300d060960864801650304020305000440", "sha256 without parameters": "302f300b0609608648016503040201" + "0420",
}  # fmt: skip


def damaged(chance: random.Random, segment: bytes, signing_input: bytes, signer: str) -> bytes:
    """Gives another segment in place of a signature's."""
    good = decode(segment.decode())
    special = {"ec": _es256, "ed": _eddsa, "rsa": _rs256}.get(signer.removesuffix("-2"))
    forms: list[Callable[[], bytes]] = [lambda: _bytes(chance, good)]
    if special:
        forms += [lambda: special(chance, good, signing_input, signer)] * 3
    return base64url(chance.choice(forms)()).encode()


def _bytes(chance: random.Random, good: bytes) -> bytes:
    """What can be done to any bytes."""
    at, half = chance.randrange(len(good)), len(good) // 2
    return chance.choice(
        (
            good[:at] + bytes([good[at] ^ 1 << chance.randrange(8)]) + good[at + 1 :], good[1:], good[:-1], good[:half], good[half:],
            b"\0" + good, good + b"\0", good + good, good[::-1], good[half:] + good[:half], bytes(len(good)), b"\xff" * len(good),
            good.hex().encode(), base64url(good).encode(), good[:at], good[:at] + good[at + 1 :], chance.randbytes(len(good)), good,
        )
    )  # fmt: skip


def _es256(chance: random.Random, good: bytes, _: bytes, __: str) -> bytes:
    r, s = int.from_bytes(good[:32]), int.from_bytes(good[32:])
    odd = (0, 1, 2, ORDER - 1, ORDER, ORDER + 1, FIELD, FIELD - ORDER, 2**256 - 1, ORDER - r, ORDER - s, s, r)
    kind = chance.randrange(5)
    if kind == 0:
        s = ORDER - s
    elif kind == 1:
        r = chance.choice(odd)
    elif kind == 2:
        s = chance.choice(odd)
    elif kind == 3:
        return _der(chance, r, chance.choice((s, ORDER - s)))
    else:
        size = chance.choice((31, 33, 48, 66))
        return (r % 256**size).to_bytes(size) + (s % 256**size).to_bytes(size)
    return r.to_bytes(32) + s.to_bytes(32)


def _der(chance: random.Random, *values: int) -> bytes:
    integers = b""
    for value in values:
        data = value.to_bytes(value.bit_length() // 8 + 1 + chance.choice((0, 0, 1)))
        integers += b"\x02" + bytes([len(data)]) + data
    return b"\x30" + chance.choice((b"", b"\x81")) + bytes([len(integers)]) + integers


def _eddsa(chance: random.Random, good: bytes, _: bytes, __: str) -> bytes:
    point, s = good[:32], int.from_bytes(good[32:], "little")
    odd = (
        s + EDWARDS_ORDER, s + 2 * EDWARDS_ORDER, s + 8 * EDWARDS_ORDER, s ^ 1 << chance.randrange(248, 256), EDWARDS_ORDER - s, 0, 1,
        EDWARDS_ORDER, EDWARDS_ORDER - 1, 2**256 - 1,
    )  # fmt: skip
    points = (0, 1, 1 + EDWARDS_FIELD, EDWARDS_FIELD, EDWARDS_FIELD - 1, 1 << 255, 1 | 1 << 255, 2**256 - 1, int.from_bytes(point, "little") ^ 1 << 255)  # fmt: skip
    kind = chance.randrange(3)
    if kind != 0:
        s = chance.choice(odd)
    if kind != 1:
        point = chance.choice(points).to_bytes(32, "little")
    return point + (s % 2**256).to_bytes(32, "little")


def _rs256(chance: random.Random, good: bytes, signing_input: bytes, signer: str) -> bytes:
    n, value = MODULI[signer], int.from_bytes(good)
    if chance.randrange(3) or signer != "rsa":
        odd = (value + n, n - value, 0, 1, n - 1, n, n + 1, value + 1, 2**2048 - 1, value)
        return (chance.choice(odd) % 2**2048).to_bytes(256)
    # Signed with the private key, and padded otherwise.
    name = chance.choice(list(DIGESTS))
    info = (
        bytes.fromhex(DIGESTS[name])
        + hashlib.new(name.partition(" ")[0], signing_input, usedforsecurity=False).digest()
    )
    start = chance.choice((b"\x00\x01", b"\x00\x01", b"\x00\x02", b"\x00\x00", b"\x01\x01"))
    padding = chance.choice((b"\xff", b"\xff", b"\xff", b"\x00", b"\xfe")) * (256 - 3 - len(info))
    block = start + padding + b"\x00" + info
    if chance.randrange(4) == 0:
        block = (b"\x00\x01" + b"\xff" * 8 + b"\x00" + info).ljust(256, b"\x5a")
    # By the remainders, which is four times as fast.
    message, p, q = int.from_bytes(block), RSA.p, RSA.q
    a, b = pow(message, RSA.dmp1, p), pow(message, RSA.dmq1, q)
    return (b + (a - b) * RSA.iqmp % p * q).to_bytes(256)
