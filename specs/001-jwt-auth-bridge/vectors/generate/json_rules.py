"""V3 and V9: strict JSON, the same oddities in the header and in the payload."""

import json
from typing import Any

from ask import accept, refuse
from build import claims, dump, header, sign


def strict_json(rule: str, code: str, part: str) -> None:
    """The same oddities in the header (V3) and in the payload (V9)."""
    base = dump(header() if part == "header" else claims())

    def token(source: str | bytes) -> str:
        return sign(source) if part == "header" else sign(None, source)

    def member(text: str) -> str:
        return f"{base[:-1]},{text}}}"

    law = "RFC 8259 §2"
    for name, odd in {
        "array": "[]",
        "string": '"alice"',
        "number": "1",
        "null": "null",
        "true": "true",
        "space-only": " ",
        "unfinished": base[:-1],
        "trailing-text": f"{base}x",
        "second-object": f"{base}{{}}",
        "trailing-comma": f"{base[:-1]},}}",
        "trailing-nul": f"{base}\x00",
        "single-quotes": base.replace('"', "'"),
        "unquoted-name": member("x:1"),
        "comment": f"/*x*/{base}",
        "no-break-space": f"\u00a0{base}",
        "form-feed": f"\x0c{base}",
        "line-separator-outside": f"{base}\u2028",
        "literal-case": member('"x":True'),
        "undefined": member('"x":undefined'),
    }.items():
        refuse(rule, name, law, token(odd), code)
    law = "RFC 8259 §7"
    for name, odd in {
        "raw-tab-in-string": member('"x":"\t"'),
        "raw-newline-in-string": member('"x":"\n"'),
        "raw-nul-in-string": member('"x":"\x00"'),
        "raw-unit-separator": member('"x":"\x1f"'),
        "hex-escape": member(r'"x":"\x41"'),
        "quote-escape": member(r'"x":"\'"'),
        "short-unicode-escape": member(r'"x":"\u12"'),
        "unicode-escape-with-sign": member(r'"x":"\u+123"'),
        "unicode-escape-with-space": member(r'"x":"\u 123"'),
        "unicode-escape-with-underscore": member(r'"x":"\u1_23"'),
        "upper-case-escape": member(r'"x":"\U00000041"'),
        "lone-backslash": member('"x":"\\"'),
    }.items():
        refuse(rule, name, law, token(odd), code)
    law = "RFC 7493 §2.1"
    for name, odd in {
        "lone-high-surrogate": member(r'"x":"\ud800"'),
        "lone-low-surrogate": member(r'"x":"\uDC00"'),
        "reversed-surrogates": member(r'"x":"\udc00\ud800"'),
        "two-high-surrogates": member(r'"x":"\ud83d\ud83d\ude00"'),
        "lone-surrogate-in-name": member(r'"\udfff":1'),
        "lone-surrogate-deep": member(r'"x":[{"y":["\uDbFF"]}]'),
    }.items():
        refuse(rule, name, law, token(odd), code)
    law = "RFC 8259 §8.1, RFC 3629 §3"
    for name, odd_bytes in {
        "bom": b"\xef\xbb\xbf" + base.encode(),
        "utf-16": base.encode("utf-16"),
        "utf-16-be": base.encode("utf-16-be"),
        "utf-32": base.encode("utf-32-le"),
        "latin-1": member('"x":"é"').encode("latin-1"),
        "overlong": member('"x":"@"').encode().replace(b"@", b"\xc1\x80"),
        "overlong-nul": member('"x":"@"').encode().replace(b"@", b"\xc0\x80"),
        "encoded-surrogate": member('"x":"@"').encode().replace(b"@", b"\xed\xa0\x80"),
        "encoded-surrogate-pair": member('"x":"@"').encode().replace(b"@", b"\xed\xa0\xbd\xed\xb8\x80"),
        "beyond-unicode": member('"x":"@"').encode().replace(b"@", b"\xf4\x90\x80\x80"),
        "cut-sequence": base[:-1].encode() + b"\xc3",
        "lone-continuation": member('"x":"@"').encode().replace(b"@", b"\x80"),
    }.items():
        refuse(rule, name, law, token(odd_bytes), code)
    law = "RFC 7493 §2.3, RFC 7515 §4"
    for name, odd in {
        "duplicate-name": member('"x":1,"x":1'),
        "duplicate-known-name": base.replace("{", '{"alg":"HS256","sub":"bob",', 1),
        "duplicate-after-unescaping": member(r'"x":1,"\u0078":2'),
        "duplicate-deep": member('"x":[{"y":{"a":1,"b":2,"a":3}}]'),
        "duplicate-empty-name": member('"":1,"":2'),
        "duplicate-proto": member('"__proto__":1,"__proto__":2'),
        "duplicate-surrogate-pair": member(r'"😀":1,"\ud83d\ude00":2'),
    }.items():
        refuse(rule, name, law, token(odd), code)
    law = "RFC 8259 §6, RFC 7493 §2.2"
    for name, literal in {
        "nan": "NaN",
        "infinity": "Infinity",
        "minus-infinity": "-Infinity",
        "1e400": "1e400",
        "minus-1e400": "-1e400",
        "1e309-deep": "[[1e309]]",
        "two-to-53": "9007199254740992",
        "minus-two-to-53": "-9007199254740992",
        "two-to-64": "18446744073709551616",
        "five-thousand-digits": "9" * 5000,
        "leading-zero": "01",
        "minus-leading-zero": "-01",
        "double-zero": "00",
        "plus": "+1",
        "bare-minus": "-",
        "bare-point": ".5",
        "ending-point": "1.",
        "bare-exponent": "1e",
        "exponent-sign-only": "1e+",
        "hexadecimal": "0x10",
        "separator": "1_000",
        "arabic-digit": "١",
        "fullwidth-digit": "１",
        "long-integer-in-array": "[1,2,90071992547409920]",
    }.items():
        refuse(rule, name, law, token(member(f'"x":{literal}')), code)
    law = "access-token.md V3"
    refuse(rule, "depth-65", law, token(member(f'"x":{"[" * 64}{"]" * 64}')), code)
    objects = '{"x":' * 63 + "{}" + "}" * 63
    refuse(rule, "depth-65-objects", law, token(member(f'"x":{objects}')), code)
    refuse(rule, "depth-2000", law, token(member(f'"x":{"[" * 2000}{"]" * 2000}')), code)
    refuse(rule, "depth-unclosed", law, token("[" * 3000), code)
    # A walk that begins anew at each quote takes seconds.
    refuse(rule, "depth-unclosed-strings", law, token("[" * 65 + '"' + '\\"' * 2000), code)
    fine: dict[str, tuple[str, Any]] = {
        "depth-64": (f'"x":{"[" * 63}{"]" * 63}', None),
        "many-siblings": ('"x":[' + ",".join(["{}"] * 90) + "]", [{}] * 90),
        "brackets-in-a-string": ('"x":"' + "[{" * 70 + '"', "[{" * 70),
        "escaped-quote-then-brackets": (r'"x":"\"' + "[" * 70 + '"', '"' + "[" * 70),
        "largest-integers": (
            '"x":[9007199254740991,-9007199254740991]',
            [9007199254740991, -9007199254740991],
        ),
        "large-doubles": ('"x":[1e308,-1.7976931348623157e308]', [1e308, -1.7976931348623157e308]),
        "long-integer-with-fraction": ('"x":90071992547409920.0', 90071992547409920.0),
        "integer-with-exponent": ('"x":[1e20,1E+2,2e-3]', [1e20, 100, 0.002]),
        "underflow": ('"x":1e-400', 0),
        "surrogate-pair": (r'"x":"\ud83d\ude00"', "😀"),
        "surrogate-pair-name": (r'"\uD83D\uDE00":1', None),
        "escaped-backslash-before-ud800": (r'"x":"\\ud800"', r"\ud800"),
        "escaped-nul": (r'"x":"\u0000"', "\x00"),
        "escaped-slash": (r'"x":"\/"', "/"),
        "delete-and-line-separator": ('"x":"\x7f\u2028\u2029"', "\x7f\u2028\u2029"),
        "noncharacter": ('"x":"\uffff"', "\uffff"),
        "bom-in-a-string": ('"x":"\ufeff"', "\ufeff"),
        "whitespace": (' \t\r\n"x" : [ 1 , 2 ] ', [1, 2]),
        "empty-name": ('"":1', None),
        "same-name-on-two-levels": ('"x":{"sub":"bob","x":{"x":1}}', {"sub": "bob", "x": {"x": 1}}),
        "names-that-differ-in-normal-form": ('"é":1,"e\u0301":2', None),
        "proto": ('"__proto__":{"sub":"bob","alg":"none"}', None),
        "constructor": ('"constructor":{"prototype":1},"toString":1,"hasOwnProperty":1', None),
    }
    for name, (text, value) in fine.items():
        source = member(text)
        expected = claims() if part == "header" else json.loads(source)
        if value is not None and part != "header" and expected["x"] != value:
            raise ValueError(name)
        accept(rule, name, "RFC 8259", token(source), expected)
    accept(rule, "surrounding-whitespace", "RFC 8259 §2", token(f" \t\r\n{base}\n"))
