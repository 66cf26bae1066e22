"""Cases of configuration: secrets, BETTER_AUTH_SECRETS and issuers; a refusal stops the process at start."""

import hashlib

from build import OLD_SECRET, SECRET, Cases, Json, document

HEX = hashlib.sha256(b"jwt-auth-bridge").hexdigest()


def secrets(placeholders: list[str]) -> Json:
    cases = Cases()
    law = "access-token.md Keys, refused at start"

    def accept(name: str, secret: str) -> None:
        cases.add("secret", name, law, {"secret": secret}, {"ok": True})

    def refuse(name: str, secret: str) -> None:
        cases.add("secret", name, law, {"secret": secret}, {"ok": False})

    accept("known-answer", SECRET)
    accept("hexadecimal-64", HEX)
    accept("32-characters", HEX[:32])
    refuse("31-characters", HEX[:31])
    refuse("empty", "")
    refuse("one-character", "x")
    accept("8-distinct", "abcdefgh" * 4)
    refuse("7-distinct", "abcdefg" * 8)
    # 32 characters of 8 distinct ones are exactly 96 bits; with 8 distinct and 32 characters nothing is below.
    refuse("2-distinct-100-characters", "ab" * 50)
    refuse("1-distinct", "a" * 64)
    for place, character in enumerate("$#\\'\"`,"):
        refuse(f"rewritten-{place}", f"{HEX}{character}")
    for name, character in {
        "space": " ", "tab": "\t", "newline": "\n", "carriage-return": "\r", "nul": "\0", "delete": "\x7f",
        "e-acute": "é", "no-break-space": "\u00a0", "emoji": "😀", "zero-width": "\u200b",
    }.items():  # fmt: skip
        refuse(f"with-{name}", f"{HEX}{character}")
        refuse(f"with-leading-{name}", f"{character}{HEX}")
    for place, character in enumerate("!%&()*+-./:;<=>?@[]^_{|}~"):
        accept(f"punctuation-{place}", f"{HEX}{character}")
    for place, placeholder in enumerate(placeholders):
        refuse(f"placeholder-{place}", placeholder)
    accept("placeholder-and-one-more", f"{placeholders[0]}x")
    return document("Shared secrets", cases.cases)


def versioned() -> Json:
    cases = Cases()
    law = "access-token.md Keys, secrets in force"

    def accept(name: str, value: str, expected: list[str]) -> None:
        cases.add("secrets", name, law, {"value": value}, {"ok": True, "secrets": expected})

    def refuse(name: str, value: str) -> None:
        cases.add("secrets", name, law, {"value": value}, {"ok": False})

    accept("one", f"1:{SECRET}", [SECRET])
    accept("two", f"2:{SECRET},1:{OLD_SECRET}", [SECRET, OLD_SECRET])
    accept("order-is-kept", f"1:{SECRET},2:{OLD_SECRET}", [SECRET, OLD_SECRET])
    accept("version-zero", f"0:{SECRET}", [SECRET])
    accept("leading-zeros", f"007:{SECRET}", [SECRET])
    accept("long-version", f"20271231235959:{SECRET}", [SECRET])
    accept("spaces-around", f"  2 :{SECRET}".replace("2 :", "2:") + " ", [SECRET])
    accept("space-after-colon", f"2: {SECRET}", [SECRET])
    accept("tabs-and-newlines", f"\t2:\r\n{SECRET}\n,\n1:{OLD_SECRET}\r", [SECRET, OLD_SECRET])
    accept("colon-in-the-value", f"2:{SECRET}:x", [f"{SECRET}:x"])
    for name, value in {
        "no-colon": SECRET,
        "comma-at-the-end": f"1:{SECRET},",
        "comma-at-the-start": f",1:{SECRET}",
        "comma-twice": f"2:{SECRET},,1:{OLD_SECRET}",
        "only-a-comma": ",",
        "only-spaces": "  ",
        "no-version": f":{SECRET}",
        "no-value": "1:",
        "space-value": "1: ",
        "short-value": "1:short",
        "second-value-short": f"2:{SECRET},1:short",
        "same-version": f"1:{SECRET},1:{OLD_SECRET}",
        "same-version-with-zero": f"1:{SECRET},01:{OLD_SECRET}",
        "zero-and-double-zero": f"0:{SECRET},00:{OLD_SECRET}",
        "version-with-letters": f"1abc:{SECRET}",
        "version-with-letters-first": f"v1:{SECRET}",
        "negative-version": f"-1:{SECRET}",
        "plus-version": f"+1:{SECRET}",
        "fraction-version": f"1.0:{SECRET}",
        "exponent-version": f"1e1:{SECRET}",
        "hexadecimal-version": f"0x1:{SECRET}",
        "arabic-version": f"\u0661:{SECRET}",
        "fullwidth-version": f"\uff11:{SECRET}",
        "space-before-colon": f"1 :{SECRET}",
        "no-break-space": f"1:{SECRET}\u00a0",
        "form-feed": f"1:{SECRET}\x0c",
        "vertical-tab": f"\x0b1:{SECRET}",
        "bom": f"\ufeff1:{SECRET}",
        "json": f'{{"1":"{SECRET}"}}',
        "semicolons": f"2:{SECRET};1:{OLD_SECRET}x,",
    }.items():
        refuse(name, value)
    return document("BETTER_AUTH_SECRETS", cases.cases)


def issuers() -> Json:
    cases = Cases()
    law = "access-token.md Keys, Issuer; RFC 3986 §3"
    for name, (url, issuer) in {
        "origin": ("https://app.example.com", "https://app.example.com"),
        "slash": ("https://app.example.com/", "https://app.example.com"),
        "path": ("https://app.example.com/api/auth", "https://app.example.com"),
        "upper-case": ("HTTPS://App.Example.COM", "https://app.example.com"),
        "default-https-port": ("https://app.example.com:443", "https://app.example.com"),
        "default-http-port": ("http://localhost:80/", "http://localhost"),
        "http-port-on-https": ("https://localhost:80", "https://localhost:80"),
        "https-port-on-http": ("http://localhost:443", "http://localhost:443"),
        "other-port": ("http://localhost:3000/", "http://localhost:3000"),
        "port-with-zeros": ("http://localhost:03000", "http://localhost:3000"),
        "last-port": ("http://localhost:65535", "http://localhost:65535"),
        "ipv4": ("http://127.0.0.1:3000", "http://127.0.0.1:3000"),
        "ipv6": ("http://[::1]:3000/x", "http://[::1]:3000"),
        "ipv6-upper-case": ("http://[FE80::A]", "http://[fe80::a]"),
        "underscore": ("http://web_1:3000", "http://web_1:3000"),
        "one-label": ("http://web", "http://web"),
        "at-sign-in-path": ("https://app.example.com/@x", "https://app.example.com"),
        "percent-in-path": ("https://app.example.com/%3F", "https://app.example.com"),
    }.items():
        cases.add("issuer", name, law, {"url": url}, {"ok": True, "issuer": issuer})
    for name, url in {
        "empty": "",
        "no-scheme": "app.example.com",
        "scheme-relative": "//app.example.com",
        "path-only": "/api/auth",
        "no-host": "https://",
        "no-host-but-path": "https:///api",
        "one-slash": "https:/app.example.com",
        "ftp": "ftp://app.example.com",
        "javascript": "javascript://app.example.com",
        "websocket": "wss://app.example.com",
        "user": "https://user@app.example.com",
        "user-and-password": "https://user:password@app.example.com",
        "empty-user": "https://@app.example.com",
        "query": "https://app.example.com/?x=1",
        "query-without-path": "https://app.example.com?x=1",
        "fragment": "https://app.example.com/#x",
        "empty-query": "https://app.example.com?",
        "backslash": "https://app.example.com\\@evil.example",
        "backslash-in-path": "https://app.example.com/a\\b",
        "umlaut-host": "https://\u00e4pp.example.com",
        "non-ascii-path": "https://app.example.com/\u00e4",
        "fullwidth-dot": "https://app\uff0eexample.com",
        "long-s-scheme": "http\u017f://app.example.com",
        "kelvin-host": "https://\u212a.example.com",
        "percent-host": "https://app%2eexample.com",
        "port-zero": "https://app.example.com:0",
        "port-too-large": "https://app.example.com:65536",
        "port-six-digits": "https://app.example.com:000443",
        "port-empty": "https://app.example.com:",
        "port-letters": "https://app.example.com:https",
        "port-negative": "https://app.example.com:-1",
        "port-arabic": "https://app.example.com:\u0661",
        "two-ports": "https://app.example.com:1:2",
        "leading-space": " https://app.example.com",
        "trailing-space": "https://app.example.com ",
        "trailing-newline": "https://app.example.com\n",
        "space-in-path": "https://app.example.com/a b",
        "tab-inside": "https://app.\texample.com",
        "two-addresses": "https://a.example.com,https://b.example.com",
        "open-bracket": "http://[::1",
        "brackets-without-colon-text": "http://[localhost]",
        "wildcard": "https://*.example.com",
    }.items():
        cases.add("issuer", name, law, {"url": url}, {"ok": False})
    return document("Issuers", cases.cases)
