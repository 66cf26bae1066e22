"""V8 under public keys: every other form of a signature that some verifier, somewhere, has taken for good."""

import hashlib

import primitives
from ask import accept, refuse
from build import Json, base64url, claims, encode, header
from key_sets import SIGNERS
from primitives import DIGEST_INFO, ED_D, L, N, P, Q, digest_info, ed25519_pair, hashed, integer, pkcs1, rsa

# One case a line, as far as it fits.
# fmt: off

# Found by search: token IDs whose signature begins, or whose second half begins, with a zero byte; one whose RSA signature
# plus the modulus still has 2048 bits. The generator stops where it is not so.
RSA_ZERO, RSA_SMALL, R_ZERO, S_ZERO, ED_R_ZERO, ED_S_ZERO = (f"odd-signature-{number}" for number in (302, 1, 412, 750, 128, 5))


def tokens() -> None:
    _rs256()
    _es256()
    _eddsa()


class _Forge:
    """One signing input under one algorithm, and any bytes as its signature."""

    def __init__(self, algorithm: str, token_id: str | None = None) -> None:
        self.name, self.kid = algorithm.lower(), SIGNERS[algorithm][0]
        self.body: Json = claims() if token_id is None else claims(jti=token_id)
        self.text = f"{encode(header(alg=algorithm, kid=self.kid))}.{encode(self.body)}"
        self.data = self.text.encode()
        self.good = SIGNERS[algorithm][1](self.data)

    def bad(self, case: str, law: str, signature: bytes) -> None:
        if signature == self.good:
            raise ValueError(f"{case} is the good signature")
        refuse("V8", f"{self.name}-{case}", law, f"{self.text}.{base64url(signature)}", "signature_invalid", policy="public-keys")

    def fine(self, case: str, law: str, signature: bytes) -> None:
        accept("V8", f"{self.name}-{case}", law, f"{self.text}.{base64url(signature)}", self.body, policy="public-keys")


def _big(value: int, size: int) -> bytes:
    return value.to_bytes(size, "big")


def _rs256() -> None:
    forge, n = _Forge("RS256"), integer(primitives.RSA_N)
    s = int.from_bytes(forge.good, "big")
    law = "RFC 8017 §8.2.2 step 1"
    for case, odd in {
        "leading-zero-added": b"\x00" + forge.good, "eight-leading-zeros": bytes(8) + forge.good, "trailing-zero-added": forge.good + b"\x00", "twice": forge.good * 2, "128-bytes": forge.good[:128],
        "32-bytes": forge.good[:32], "hexadecimal": forge.good.hex().encode(), "der-of-the-integer": b"\x02\x82\x01\x00" + forge.good, "der-bit-string": b"\x03\x82\x01\x01\x00" + forge.good,
        "base64url-twice": base64url(forge.good).encode(), "little-endian": forge.good[::-1],
    }.items():
        forge.bad(f"signature-{case}", law, odd)
    short = _Forge("RS256", RSA_ZERO)
    if short.good[0]:
        raise ValueError("no leading zero")
    short.fine("signature-with-a-leading-zero", law, short.good)
    short.bad("signature-without-its-leading-zero", law, short.good[1:])
    law = "RFC 8017 §5.2.2 step 1"
    small = _Forge("RS256", RSA_SMALL)
    small.fine("signature-of-the-smaller-kind", law, small.good)
    small.bad("signature-plus-the-modulus", law, _big(int.from_bytes(small.good, "big") + n, 256))
    for case, value in {"zero": 0, "one": 1, "two": 2, "modulus": n, "modulus-minus-one": n - 1, "modulus-plus-one": n + 1, "negated": n - s, "plus-one": s + 1, "minus-one": s - 1, "doubled-modulo": 2 * s % n, "all-ones": 2**2048 - 1}.items():
        forge.bad(f"signature-{case}", law, _big(value, 256))
    law = "RFC 8017 §9.2"
    info, digest = digest_info(forge.data), hashlib.sha256(forge.data).digest()
    for other in DIGEST_INFO:
        if other != "sha256":
            forge.bad(f"digest-{other}", law, rsa(pkcs1(digest_info(forge.data, other))))
            forge.bad(f"digest-{other}-with-a-sha-256-value", law, rsa(pkcs1(bytes.fromhex(DIGEST_INFO[other]) + digest)))
    without_null = bytes.fromhex("302f300b0609608648016503040201") + b"\x04\x20" + digest
    long_form = b"\x30\x81\x31" + info[2:]
    for case, block in {
        "parameters-absent": pkcs1(without_null), "digest-alone": pkcs1(digest), "long-form-length": pkcs1(long_form), "octet-string-alone": pkcs1(b"\x04\x20" + digest), "trailing-bytes-in-the-sequence": pkcs1(b"\x30\x33" + info[2:] + b"\x05\x00"),
        "message-itself": pkcs1(forge.data[:64]), "digest-of-the-digest": pkcs1(info[:19] + hashlib.sha256(digest).digest()), "digest-of-the-payload-alone": pkcs1(digest_info(forge.data.split(b".")[1])),
        "block-type-0": b"\x00\x00" + pkcs1(info)[2:], "block-type-2": b"\x00\x02" + pkcs1(info)[2:], "first-byte-1": b"\x01\x01" + pkcs1(info)[2:], "padding-of-zeros": b"\x00\x01" + bytes(256 - 3 - len(info)) + b"\x00" + info,
        "padding-with-another-byte": pkcs1(info).replace(b"\xff" * 8 + b"\x00", b"\xff" * 7 + b"\xfe\x00"), "separator-missing": pkcs1(info).replace(b"\xff\x00\x30", b"\xff\xff\x30"),
        # Garbage behind the hash: what a public exponent of 3 made forgeable.
        "short-padding-and-garbage-behind": (b"\x00\x01" + b"\xff" * 8 + b"\x00" + info).ljust(256, b"\x5a"), "no-padding-and-garbage-behind": (b"\x00\x01\x00" + info).ljust(256, b"\x5a"),
        "garbage-in-the-parameters": b"\x00\x01" + b"\xff" * 8 + b"\x00" + (b"\x30\x81\xee\x30\x81\xca" + info[4:15] + b"\x04\x81\xbc").ljust(211, b"\x5a") + b"\x04\x20" + digest,
        "bare-info": info.rjust(256, b"\x00"),
    }.items():
        forge.bad(f"block-{case}", law, rsa(block.ljust(256, b"\x00") if len(block) < 256 else block[:256]))
    law = "RFC 7518 §3.5, RFC 8725 §3.1"
    forge.bad("pss-under-its-name", law, primitives.ps256(forge.data))
    text = f"{encode(header(alg='PS256', kid='rsa'))}.{encode(claims())}"
    token = f"{text}.{base64url(primitives.ps256(text.encode()))}"
    refuse("V5", "rs256-key-with-a-good-pss-signature", law, token, "algorithm_not_allowed", policy="public-keys")
    for other in ("sha384", "sha512"):
        text = f"{encode(header(alg=f'RS{other[3:]}', kid='rsa'))}.{encode(claims())}"
        token = f"{text}.{base64url(rsa(pkcs1(digest_info(text.encode(), other))))}"
        refuse("V5", f"rs256-key-with-a-good-rs{other[3:]}-signature", law, token, "algorithm_not_allowed", policy="public-keys")


def _es256() -> None:
    forge = _Forge("ES256")
    r, s = int.from_bytes(forge.good[:32], "big"), int.from_bytes(forge.good[32:], "big")
    law = "RFC 7518 §3.4, FIPS 186-5 §6.4.2"
    # Two zeros once opened every lock; all pairs of values that are no residues, or special ones.
    special = {"zero": 0, "one": 1, "two": 2, "order-minus-one": N - 1, "order": N, "order-plus-one": N + 1, "prime": P, "prime-plus-one": P + 1, "most": 2**256 - 1}
    for first, a in special.items():
        for second, b in special.items():
            if not (first == second and first in ("zero", "most")):
                forge.bad(f"r-{first}-s-{second}", law, _big(a, 32) + _big(b, 32))
    for case, value in special.items():
        if case not in ("zero",):
            forge.bad(f"r-{case}", law, _big(value, 32) + forge.good[32:])
            forge.bad(f"s-{case}", law, forge.good[:32] + _big(value, 32))
    # The sum of both points is the point at infinity, which has no x.
    z, d = int.from_bytes(hashlib.sha256(forge.data).digest(), "big"), integer(primitives.EC_D)
    forge.bad("sum-at-infinity", law, _big(-z * pow(d, -1, N) % N, 32) + _big(1, 32))
    for case, odd in {
        "halves-swapped": forge.good[32:] + forge.good[:32], "r-negated": _big(N - r, 32) + forge.good[32:], "both-negated": _big(N - r, 32) + _big(N - s, 32), "s-inverted": forge.good[:32] + _big(pow(s, -1, N), 32),
        "little-endian-halves": forge.good[:32][::-1] + forge.good[32:][::-1], "63-bytes": forge.good[1:], "32-bytes": forge.good[:32], "zero-before-each-half": b"\x00" + forge.good[:32] + b"\x00" + forge.good[32:],
        "zeros-to-96-bytes": _big(r, 48) + _big(s, 48), "zeros-to-132-bytes": _big(r, 66) + _big(s, 66), "zero-before": b"\x00" + forge.good, "hexadecimal": forge.good.hex().encode(), "twice": forge.good * 2,
        "with-recovery-byte": forge.good + b"\x1b", "compressed-point-before": b"\x02" + forge.good,
    }.items():
        forge.bad(f"signature-{case}", law, odd)
    law = "RFC 7518 §3.4, no DER"
    for case, odd in {
        "minimal": _der(_der_integer(r), _der_integer(s)), "padded-integers": _der(_der_integer(r, 34), _der_integer(s, 34)), "long-form": b"\x30\x81" + _der(_der_integer(r), _der_integer(s))[1:],
        "trailing-byte": _der(_der_integer(r), _der_integer(s)) + b"\x00", "indefinite": b"\x30\x80" + _der_integer(r) + _der_integer(s) + b"\x00\x00", "of-the-other-s": _der(_der_integer(r), _der_integer(N - s)), "zeros": _der(_der_integer(0), _der_integer(0)),
        "cut-to-64-bytes": _der(_der_integer(r), _der_integer(s))[:64],
    }.items():
        forge.bad(f"der-{case}", law, odd)
    law = "RFC 7518 §3.4, leading zeros"
    for half, token_id, at in (("r", R_ZERO, 0), ("s", S_ZERO, 32)):
        odd_one = _Forge("ES256", token_id)
        if odd_one.good[at]:
            raise ValueError("no leading zero")
        odd_one.fine(f"{half}-with-a-leading-zero", law, odd_one.good)
        odd_one.bad(f"{half}-without-its-leading-zero", law, odd_one.good[:at] + odd_one.good[at + 1 :])
        t = int.from_bytes(odd_one.good[32:], "big")
        odd_one.fine(f"{half}-with-a-leading-zero-and-the-other-s", law, odd_one.good[:32] + _big(N - t, 32))
        # Small enough to be written a second time, above the order.
        value = int.from_bytes(odd_one.good[at : at + 32], "big")
        if value + N < 2**256:
            odd_one.bad(f"{half}-plus-order", law, odd_one.good[:at] + _big(value + N, 32) + odd_one.good[at + 32 :])
    law = "RFC 7518 §3.4, SHA-256"
    for other in ("sha1", "sha224", "sha384", "sha512", "sha3_256"):
        forge.bad(f"digest-{other.replace('_', '-')}", law, primitives.es256(forge.data, digest=other))
    forge.bad("digest-of-the-digest", law, primitives.es256(hashlib.sha256(forge.data).digest()))
    forge.bad("digest-of-the-payload-alone", law, primitives.es256(forge.data.split(b".")[1]))
    forge.bad("second-key-of-that-kind", law, primitives.es256(forge.data, primitives.EC2_D))


def _der(*parts: bytes) -> bytes:
    return b"\x30" + bytes([len(b"".join(parts))]) + b"".join(parts)


def _der_integer(value: int, size: int = 0) -> bytes:
    data = _big(value, max(size, value.bit_length() // 8 + 1))
    return b"\x02" + bytes([len(data)]) + data


def _eddsa() -> None:
    forge = _Forge("EdDSA")
    point, s = forge.good[:32], int.from_bytes(forge.good[32:], "little")
    scalar, _, public = ed25519_pair(ED_D)

    def little(value: int) -> bytes:
        return value.to_bytes(32, "little")

    # S has one form, below the order L; S + L verifies as well where nobody looks.
    law = "RFC 8032 §5.1.7 step 1"
    for times in (1, 2, 4, 8, 15):
        if s + times * L < 2**256:
            forge.bad(f"s-plus-{times}-orders", law, point + little(s + times * L))
    for case, value in {"zero": 0, "one": 1, "order": L, "order-minus-one": L - 1, "order-plus-one": L + 1, "negated": L - s, "plus-one": (s + 1) % L, "most": 2**256 - 1, "253rd-bit": s | 1 << 252, "254th-bit": s | 1 << 253, "255th-bit": s | 1 << 254, "last-bit": s | 1 << 255, "prime": Q}.items():
        forge.bad(f"s-{case}", law, point + little(value))
    law = "RFC 8032 §5.1.3, §5.1.7"
    identity = little(1)
    for case, odd in {
        # Zero is a nonce that no signer draws; R is compared in its one encoding.
        "identity-beyond-the-field": little(1 + Q), "identity-with-a-sign": little(1 | 1 << 255), "most": b"\xff" * 32, "prime": little(Q),
        "key": public, "base-point": primitives.edwards(1), "with-another-sign": bytes([*point[:31], point[31] ^ 0x80]), "off-the-curve": little(2), "big-endian": point[::-1],
    }.items():
        # S answers the equation for a nonce of zero, so that only R's own form can fail.
        forge.bad(f"r-{case}", law, odd + little(hashed(odd, public, forge.data) * scalar % L))
        forge.bad(f"r-{case}-beside-the-good-s", law, odd + forge.good[32:])
    # With the S of a nonce of zero these pass where both sides are multiplied by the cofactor, which RFC 8032 lets a verifier choose.
    for case, small in {"order-2": Q - 1, "order-4": 0, "order-4-with-a-sign": 1 << 255}.items():
        forge.bad(f"r-of-{case}-beside-the-good-s", law, little(small) + forge.good[32:])
    forge.bad("r-identity-s-zero", law, identity + bytes(32))
    forge.bad("r-identity-s-order", law, identity + little(L))
    forge.bad("r-identity-beside-the-good-s", law, identity + forge.good[32:])
    forge.fine("of-another-nonce", law, _with_nonce(forge.data, 2))
    law = "RFC 8032 §5.1.7 step 1, 64 bytes"
    for case, odd in {
        "halves-swapped": forge.good[32:] + point, "s-big-endian": point + forge.good[32:][::-1], "63-bytes": forge.good[:63], "32-bytes": point, "zero-before": b"\x00" + forge.good, "twice": forge.good * 2, "hexadecimal": forge.good.hex().encode(),
        "with-the-key": public + forge.good, "with-the-message": forge.good + forge.data, "114-bytes-as-ed448": forge.good.ljust(114, b"\x00"), "all-ones": b"\xff" * 64, "in-der": b"\x04\x40" + forge.good,
    }.items():
        forge.bad(f"signature-{case}", law, odd)
    law = "RFC 8032 §5.1.7, a byte of S or R that is zero"
    for half, token_id, at in (("r", ED_R_ZERO, 0), ("s", ED_S_ZERO, 63)):
        odd_one = _Forge("EdDSA", token_id)
        if odd_one.good[at]:
            raise ValueError("no zero byte")
        odd_one.fine(f"{half}-with-a-zero-byte-at-its-end", law, odd_one.good)
        odd_one.bad(f"{half}-without-its-zero-byte", law, odd_one.good[:at] + odd_one.good[at + 1 :])
    law = "RFC 8037 §3.1: Ed25519, neither ph nor ctx"
    prefix = b"SigEd25519 no Ed25519 collisions"
    forge.bad("ed25519ph", law, primitives.eddsa(hashlib.sha512(forge.data).digest(), domain=prefix + b"\x01\x00"))
    forge.bad("ed25519ctx", law, primitives.eddsa(forge.data, domain=prefix + b"\x00\x03jwt"))
    forge.bad("ed25519ctx-empty", law, primitives.eddsa(forge.data, domain=prefix + b"\x00\x00"))
    forge.bad("digest-sha-512", law, primitives.eddsa(hashlib.sha512(forge.data).digest()))
    forge.bad("digest-sha-256", law, primitives.eddsa(hashlib.sha256(forge.data).digest()))
    forge.bad("over-the-payload-alone", law, primitives.eddsa(forge.data.split(b".")[1]))
    forge.bad("second-key-of-that-kind", law, primitives.eddsa(forge.data, primitives.ED2_D))
    # The nonce and the hash of one key, the scalar of the other: what a signer given a wrong public key makes.
    odd = primitives.edwards(7)
    mixed = odd + little((7 + hashed(odd, ed25519_pair(primitives.ED2_D)[2], forge.data) * scalar) % L)
    forge.bad("hash-over-another-key", law, mixed)


def _with_nonce(data: bytes, nonce: int) -> bytes:
    """A genuine signature with this nonce in place of the derived one: no verifier can tell."""
    scalar, _, public = ed25519_pair(ED_D)
    point = primitives.edwards(nonce)
    return point + ((nonce + hashed(point, public, data) * scalar) % L).to_bytes(32, "little")
