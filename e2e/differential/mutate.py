"""The seeded generator: good tokens, damaged in every layer in turn."""

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from cases import (
    AUDIENCE,
    CLAIMS,
    HEADER,
    ISSUER,
    NOW,
    POLICY,
    Case,
    dump,
)
from key_pairs import names, public_keys
from signatures import damaged

LITERALS = [
    "0", "-0", "-0.0", "1", "-1", "1.0", "1e0", "1E+2", "1e-400", "1e308", "1e309", "1e400", "-1e400", "NaN", "Infinity",
    "-Infinity", "01", "-01", "+1", "1.", ".5", "1e", "0x1", "1_0", "9007199254740991", "9007199254740992", "-9007199254740991",
    "-9007199254740992", "9007199254740993.0", "18446744073709551616", "1800000000", "1800000000.0", "1.8e9", "1800000300.5",
    "1799999989.999", "1800000010", "1800000010.001", "253402300799", "253402300799.5", "253402300800", "null", "true",
    "false", "True", "undefined", '""', '"a"', '"alice"', '"bob"', '"\\u0000"', '"\\ud800"', '"\\udc00\\ud800"',
    '"\\ud83d\\ude00"', '"\\/"', '"\\x"', '"\\u00zz"', "[]", "{}", "[[]]", '[""]', f'["{AUDIENCE}"]', f'"{AUDIENCE}"',
    f'"{ISSUER}"', f'"{ISSUER}/"', '{"__proto__":1}', "[1,2,]", "'a'", '"\u2028"', '"\ufeff"', '"é"', '"e\u0301"', '"\t"',
    '"at+jwt"', '"AT+JWT"', '"application/at+jwt"', '"applıcation/at+jwt"', '"at+jwt "', '"JWT"', '"HS256"', '"none"', '"HS384"',
    '"Ed25519"', '"EdDSA"', "[" * 63 + "]" * 63, "[" * 64 + "]" * 64, "[" * 70 + "]" * 70, "9" * 400, "0." + "0" * 400 + "1",
    '{"a":1,"a":1}', '{"a":1,"\\u0061":1}', '"' + "x" * 255 + '"', '"' + "x" * 256 + '"', '"' + "😀" * 255 + '"',
    '"' + "😀" * 256 + '"', '"\x7f"', '"\x80"', '"\x9f"', '"\xa0"', '"' + "y" * 6000 + '"',
]  # fmt: skip
NAMES = ["nbf", "sid", "cnf", "act", "scope", "__proto__", "constructor", "crit", "b64", "x", "", "toString", "é", "😀", "\ufeff"]  # fmt: skip
CHARACTERS = ' \t\r\n\x00\x0b\x0c"\\/{}[]:,.0123456789eE+-_=aZé\u00a0\u2028\ufeff😀'
TOKEN_CHARACTERS = "AZaz09-_+/=.% \n\té\x00"


PUBLIC = 0.4
"""How many of the tokens are signed with a key pair."""


def cases(seed: int) -> Iterator[Case]:
    """Yields cases for ever, the same ones for the same seed."""
    chance = random.Random(seed)
    layers: list[Callable[[random.Random, Case], Case]] = [
        _member,
        _member,
        _text,
        _bytes,
        _token,
        _token,
        _time,
        _policy,
        names,
        _signature,
    ]
    while True:
        case = (public_keys if chance.random() < PUBLIC else _shared_secret)(chance)
        # A set that is damaged is damage enough, now and then.
        for _ in range(chance.choice((0, 1, 1, 1, 2) if case.signer != "oct" else (1, 1, 1, 2, 3))):
            case = chance.choice(layers)(chance, case)
        yield case


def _shared_secret(_: random.Random) -> Case:
    return Case()


def _part(chance: random.Random, case: Case, change: Callable[[bytes], bytes]) -> Case:
    name = chance.choice(("header", "payload", "payload"))
    return replace(case, **{name: change(getattr(case, name))})


def _member(chance: random.Random, case: Case) -> Case:
    """Replaces, adds, removes, repeats or reorders members, by text, so that any literal can stand there."""

    def change(source: bytes) -> bytes:
        try:
            members: Any = json.loads(source)
            items = [(json.dumps(k), json.dumps(v, ensure_ascii=False)) for k, v in members.items()]
        except (ValueError, AttributeError):
            return source
        known = [*CLAIMS, *HEADER, *NAMES]
        kind = chance.randrange(6)
        at = chance.randrange(len(items) + 1)
        if kind <= 1 and items:
            items[at % len(items)] = (items[at % len(items)][0], chance.choice(LITERALS))
        elif kind == 2:
            items.insert(at, (json.dumps(chance.choice(known)), chance.choice(LITERALS)))
        elif kind == 3 and items:
            items.pop(at % len(items))
        elif kind == 4 and items:
            name, value = chance.choice(items)
            items.insert(at, (name.replace("i", "\\u0069"), value))
        else:
            chance.shuffle(items)
        gap = chance.choice(("", "", "", " ", "\n", "\t", "\u00a0"))
        return f"{gap}{{{','.join(f'{gap}{k}:{v}' for k, v in items)}}}{gap}".encode("utf-8", "surrogatepass")

    return _part(chance, case, change)


def _text(chance: random.Random, case: Case) -> Case:
    """Inserts, removes or replaces characters of the JSON text."""

    def change(source: bytes) -> bytes:
        text = source.decode("utf-8", "replace")
        at = chance.randrange(len(text) + 1)
        take = chance.choice((0, 0, 1, 1, 2))
        return (text[:at] + chance.choice((*CHARACTERS, "")) + text[at + take :]).encode(
            "utf-8", "surrogatepass"
        )

    return _part(chance, case, change)


def _bytes(chance: random.Random, case: Case) -> Case:
    """Damages bytes: no UTF-8, a BOM, another encoding, a cut."""

    def change(source: bytes) -> bytes:
        at = chance.randrange(len(source) + 1)
        kind = chance.randrange(6)
        if kind == 0:
            return source[:at] + bytes([chance.randrange(256)]) + source[at:]
        if kind == 1:
            return source[:at] + bytes([chance.randrange(256)]) + source[at + 1 :]
        if kind == 2:
            return b"\xef\xbb\xbf" + source
        if kind == 3:
            return source.decode("utf-8", "replace").encode(
                chance.choice(("utf-16", "utf-16-be", "utf-32-le"))
            )
        if kind == 4:
            return source[:at] + chance.choice((b"\xed\xa0\x80", b"\xc0\x80", b"\xf4\x90\x80\x80", b"\xe2\x80\xa8")) + source[at:]  # fmt: skip
        return source[:at]

    return _part(chance, case, change)


def _token(chance: random.Random, case: Case) -> Case:
    """Damages the signed token: characters, segments, padding, length."""
    token = (case.signed() if case.token is None else case.token).decode("latin-1")
    at = chance.randrange(len(token) + 1)
    kind = chance.randrange(9)
    if kind <= 1:
        token = token[:at] + chance.choice(TOKEN_CHARACTERS) + token[at + chance.randrange(2) :]
    elif kind == 2:
        token = token[:at] + token[at + chance.choice((1, 2, 4, 40)) :]
    elif kind == 3:
        parts = token.split(".")
        chance.shuffle(parts)
        token = ".".join(parts[: chance.choice((1, 2, 3, 3, 3))])
    elif kind == 4:
        parts = token.split(".")
        parts[chance.randrange(len(parts))] += chance.choice(
            ("=", "==", "A", "AA", "AAA", "AAAA", " ", "_", "-")
        )
        token = ".".join(parts)
    elif kind == 5:
        token = (
            f"{token[:32]}{chance.choice(('', '.', '.' + 'a' * 43, '.' + 'a' * 41 + '%3D', '.' + 'a' * 65))}"
        )
    elif kind == 6:
        token += chance.choice(("A", ".")) * chance.choice(
            (1, 8192 - len(token) if len(token) < 8192 else 1, 8193, 70_000)
        )
    elif kind == 7:
        head, _, rest = token.partition(".")
        token = f"{head}.{chance.choice(('', dump(CLAIMS).hex(), 'e30', rest.partition('.')[0]))}.{rest.partition('.')[2]}"
    else:
        # The last character of the signature has four unused bits.
        token = token[:-1] + chance.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
    return replace(case, token=token.encode("utf-8", "surrogatepass"))


def _signature(chance: random.Random, case: Case) -> Case:
    """Another form of the signature, or another value in its form."""
    head, _, signature = case.signed().rpartition(b".")
    return replace(case, token=head + b"." + damaged(chance, signature, head, case.signer))


def _time(chance: random.Random, case: Case) -> Case:
    """Another time, near every edge."""
    edge = chance.choice((NOW, NOW - 10, NOW - 60, NOW + 300, NOW + 310, NOW + 360, 0, 2**31, 253402300799))
    return replace(case, now=edge + chance.choice((0, 0, 0.001, -0.001, 0.5, -0.5, 1, -1)))


def _policy(chance: random.Random, case: Case) -> Case:
    """Another policy; half of the odd ones are impossible, and both ports must say so."""
    policy = json.loads(case.policy)
    name, values = chance.choice(
        (
            ("leeway", (0, 1, 60, 61, -1, 1.5, 1.0, "10", None, True)),
            ("maximumLifetime", (1, 299, 300, 86400, 86401, 0, 300.0, "300", None)),
            ("issuer", (ISSUER + "/", "", None, 1, "é", ISSUER)),
            ("audience", (AUDIENCE + "/", "", None, ["a"], "é", AUDIENCE)),
            (
                "algorithms",
                (["HS256"], ["HS256", "HS256"], [], ["none"], ["HS384"], ["EdDSA"], "HS256", [1], None),
            ),
            ("secrets", ([], ["short"], [SECRET_2, *POLICY["secrets"]], [SECRET_2], "x", None, [1])),
            ("keys", ({"keys": []}, None, {})),
            ("unknown", (1,)),
        )
    )
    policy[name] = chance.choice(values)
    return replace(case, policy=json.dumps(policy))


SECRET_2 = "Yb8nQ2wEr5tY7uI9oP1aS3dF6gH4jK0lZxCvBnM-old"
