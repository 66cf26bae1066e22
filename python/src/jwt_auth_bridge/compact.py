"""Strict compact JWS and strict JSON: bytes in, structure out, nothing interpreted.

Third room, rules V1 to V4 and the JSON of V9. Ours and not a library's, because libraries disagree on
odd input (duplicate names, stray base64 bits, a BOM, huge numbers). Law: RFC 7515 §5.2 and §7.1,
RFC 8259, RFC 4648 §3.5 and §5.
"""

import binascii
import json
import math
import re
from typing import Any, Final, NamedTuple

from .errors import InvalidTokenError
from .profile import MAX_JSON_DEPTH, MAX_SAFE_INTEGER, MAX_TOKEN_LENGTH, OPAQUE_SHAPE

_OPAQUE: Final = re.compile(OPAQUE_SHAPE)


class Compact(NamedTuple):
    """A taken-apart token; nothing in it is verified.

    Attributes:
        header_segment: the protected header, still encoded: ``parse_header`` takes it.
        signing_input: the bytes that the signature covers, as received.
        payload: the decoded payload bytes, not yet parsed.
        signature: the decoded signature bytes.
    """

    header_segment: str
    signing_input: bytes
    payload: bytes
    signature: bytes


def parse_compact(token: str) -> Compact:
    """Takes a compact JWS apart.

    Args:
        token: 1 to 8192 ASCII characters: three segments of canonical unpadded base64url.

    Raises:
        InvalidTokenError: ``token_malformed`` or ``token_opaque``.

    *Does not* verify the signature, and does not parse the payload: a payload is parsed only after its
    signature is verified.

    Example:
        >>> parse_compact("eyJhbGciOiJIUzI1NiJ9.e30.AAAA").payload
        b'{}'
    """
    # [V1] size and alphabet, before anything is allocated
    if not isinstance(token, str) or not 0 < len(token) <= MAX_TOKEN_LENGTH or not token.isascii():
        raise InvalidTokenError("token_malformed")
    # [V2] RFC 7515 §7.1: three segments, none empty; RFC 4648 §3.5 and §5: canonical
    segments = token.split(".", 3)
    if len(segments) != 3:
        raise InvalidTokenError("token_opaque" if _OPAQUE.fullmatch(token) else "token_malformed")
    header, payload, signature = segments
    try:
        return Compact(
            header, f"{header}.{payload}".encode(), decode_base64url(payload), decode_base64url(signature)
        )
    except ValueError:
        raise InvalidTokenError("token_malformed") from None


def parse_header(segment: str) -> dict[str, Any]:
    """Parses the protected header of a compact JWS.

    Raises:
        InvalidTokenError: ``token_malformed`` or ``critical_header_unsupported``.

    Example:
        >>> parse_header("eyJhbGciOiJIUzI1NiJ9")
        {'alg': 'HS256'}
    """
    # [V2] and [V3] RFC 7515 §5.2 steps 2 and 3
    try:
        header = parse_json_object(decode_base64url(segment))
    except ValueError:
        raise InvalidTokenError("token_malformed") from None
    # [V4] RFC 7515 §4.1.11, RFC 7797 §6: no extension is understood here
    if "crit" in header or "b64" in header:
        raise InvalidTokenError("critical_header_unsupported")
    return header


# Maps the URL-safe alphabet to the standard one, and every other byte (`+`, `/` and `=` too) to `!`, which
# the strict decoder refuses.
_TO_STANDARD: Final = bytes(
    byte if chr(byte).isascii() and chr(byte).isalnum() else {0x2D: 0x2B, 0x5F: 0x2F}.get(byte, 0x21)
    for byte in range(256)
)
# By length modulo 4: the padding, and the last characters whose unused bits are zero.
_PADDING: Final = (b"", None, b"==", b"=")
_LAST: Final = ("", "", "AQgw", "AEIMQUYcgkosw048")


def decode_base64url(segment: str) -> bytes:
    """Decodes a non-empty, canonical, unpadded base64url segment (RFC 4648 §5).

    Raises:
        ValueError: empty, another alphabet, padding, an impossible length, or stray bits at the end.

    Example:
        >>> decode_base64url("e30")
        b'{}'
    """
    rest = len(segment) & 3
    padding = _PADDING[rest]
    if not segment or padding is None or (rest and segment[-1] not in _LAST[rest]):
        raise ValueError("not canonical base64url")
    return binascii.a2b_base64(segment.encode("ascii").translate(_TO_STANDARD) + padding, strict_mode=True)


def parse_json_object(source: bytes) -> dict[str, Any]:
    """Parses one JSON object, strictly (RFC 8259, with RFC 7493's limits).

    Args:
        source: UTF-8 without BOM.

    Returns:
        The object; numbers as ``int`` or ``float``, as written.

    Raises:
        ValueError: not UTF-8, not an object, a duplicate name at any level (compared after unescaping), a
            lone surrogate, nested deeper than 64, a number that is not a finite double, an integer literal
            beyond ±(2^53 - 1).

    Example:
        >>> parse_json_object(b'{"iat": 1}')
        {'iat': 1}
    """
    text = source.decode("utf-8").strip(" \t\r\n")
    # More brackets than levels are the only way to be too deep: the count spares nearly all the walk.
    if text.count("{") + text.count("[") > MAX_JSON_DEPTH and _depth(text) > MAX_JSON_DEPTH:
        raise ValueError("nested too deep")
    value, end = _DECODER.raw_decode(text)
    if type(value) is not dict or end != len(text):
        raise ValueError("not one object")
    # A lone surrogate can only come from an escape: the bytes were UTF-8.
    if "\\u" in text:
        _refuse_lone_surrogates(value)
    return value


# The last quote may be missing: else a text of open strings would be gone through once for each of them.
_STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*"?', re.DOTALL)


def _depth(text: str) -> int:
    depth = deepest = 0
    for character in _STRING.sub("", text):
        if character in "{[":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "}]":
            depth -= 1
    return deepest


def _refuse_lone_surrogates(value: object) -> None:
    if isinstance(value, str):
        value.encode("utf-8")  # UnicodeEncodeError is a ValueError
    elif isinstance(value, dict):
        for name, member in value.items():
            name.encode("utf-8")
            _refuse_lone_surrogates(member)
    elif isinstance(value, list):
        for item in value:
            _refuse_lone_surrogates(item)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("duplicate name")
    return members


def _integer(literal: str) -> int:
    value = int(literal) if len(literal) <= 17 else MAX_SAFE_INTEGER + 1
    if not -MAX_SAFE_INTEGER <= value <= MAX_SAFE_INTEGER:
        raise ValueError("integer out of range")
    return value


def _float(literal: str) -> float:
    value = float(literal)
    if not math.isfinite(value):
        raise ValueError("number out of range")
    return value


def _refuse(literal: str) -> None:
    raise ValueError("not JSON")  # NaN, Infinity and -Infinity, which Python reads by default


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_float, parse_constant=_refuse
)
