"""Cases of a key set's Cache-Control, and of the URL that it is fetched from."""

from build import Cases, Json, document

# One case a line, as far as it fits.
# fmt: off

def cache_control() -> Json:
    cases = Cases()
    default, least, most = 300, 30, 3600

    def case(name: str, law: str, value: str | None, seconds: int) -> None:
        cases.add("cache", name, law, {"value": value}, {"seconds": seconds})

    law = "RFC 9111 §5.2.2.1"
    for seconds, expected in {
        0: least, 1: least, 29: least, 30: 30, 31: 31, 60: 60, 300: 300, 600: 600, 3599: 3599, 3600: most, 3601: most, 86400: most, 31536000: most,
    }.items():
        case(f"max-age-{seconds}", law, f"max-age={seconds}", expected)
    for name, value in {
        "upper-case": "MAX-AGE=60", "mixed-case": "Max-Age=60", "after-another": "public, max-age=60", "before-another": "max-age=60, public",
        "between-others": "public, max-age=60, must-revalidate", "without-spaces": "public,max-age=60,immutable", "spaces-around": "  max-age=60  ",
        "tabs-around": "public,\tmax-age=60\t,x", "empty-directives": ",, max-age=60,", "private": "private, max-age=60", "leading-zeros": "max-age=0060",
        "a-thousand-zeros": f"max-age={'0' * 1000}60", "1024-characters": "max-age=60".ljust(1024), "s-maxage-beside": "s-maxage=600, max-age=60", "s-maxage-after": "max-age=60, s-maxage=600",
        "stale-while-revalidate": "max-age=60, stale-while-revalidate=600", "stale-if-error": "stale-if-error=86400, max-age=60",
        "unknown-extension": 'max-age=60, ext="x=y"', "quoted-comma-before": 'ext="a, b", max-age=60',
    }.items():
        case(name, law, value, 60)
    law = "RFC 9111 §1.2.2"
    for name, digits in {
        "two-to-31": "2147483648", "two-to-64": "18446744073709551616", "hundred-digits": "9" * 100, "a-thousand-digits": "9" * 1000,
    }.items():
        case(f"max-age-of-{name}", law, f"max-age={digits}", most)
    law = "access-token.md 1.7, at most 1024 characters"
    for name, value in {
        "1025-characters": "max-age=60".ljust(1025), "five-thousand-zeros": f"max-age={'0' * 5000}60", "no-store-in-1025-characters": "no-store".rjust(1025),
    }.items():
        case(name, law, value, 300)
    law = "access-token.md 1.7, the first valid max-age"
    case("first-of-two", law, "max-age=60, max-age=600", 60)
    case("first-of-two-larger", law, "max-age=600, max-age=60", 600)
    case("first-of-two-beyond-the-bounds", law, "max-age=0, max-age=600", least)
    case("malformed-then-valid", law, "max-age=x, max-age=60", 60)
    case("quoted-then-valid", law, 'max-age="600", max-age=60', 60)
    case("bare-then-valid", law, "max-age, max-age=60", 60)
    case("valid-then-malformed", law, "max-age=60, max-age=-1", 60)
    law = "RFC 9111 §5.2.2.4, §5.2.2.5"
    for name, value in {
        "no-store": "no-store", "no-cache": "no-cache", "no-store-upper-case": "NO-STORE", "no-cache-mixed-case": "No-Cache",
        "no-store-before": "no-store, max-age=600", "no-store-after": "max-age=600, no-store", "no-cache-before": "no-cache,max-age=600",
        "no-cache-after": "public, max-age=600, no-cache", "both": "no-cache, no-store, must-revalidate",
        "no-cache-with-field": 'no-cache="set-cookie", max-age=600', "no-store-with-argument": "no-store=x, max-age=600",
        "no-store-beside-malformed": "max-age=x, no-store", "no-cache-with-space": " no-cache ,max-age=600",
    }.items():
        case(name, law, value, least)
    law = "access-token.md 1.7, absent or malformed"
    for name, value in {
        "absent": None, "empty": "", "spaces": "  ", "only-commas": ",,", "public": "public", "private-only": "private", "must-revalidate": "must-revalidate",
        "s-maxage-only": "s-maxage=60", "max-age-bare": "max-age", "max-age-empty": "max-age=", "quoted": 'max-age="60"', "single-quoted": "max-age='60'",
        "negative": "max-age=-1", "minus-zero": "max-age=-0", "plus": "max-age=+60", "fraction": "max-age=60.5", "exponent": "max-age=6e1",
        "hexadecimal": "max-age=0x3c", "unit": "max-age=60s", "letters": "max-age=sixty", "separator": "max-age=6_0", "arabic-digits": "max-age=\u0666\u0660",
        "fullwidth-digits": "max-age=\uff16\uff10", "superscript-digit": "max-age=6\u00b2", "space-before-equals": "max-age =60",
        "space-after-equals": "max-age= 60", "space-inside": "max-age=6 0", "semicolon": "public; max-age=60", "semicolon-after": "max-age=60;",
        "two-equals": "max-age==60", "colon": "max-age:60", "underscore": "max_age=60", "prefix": "x-max-age=60", "suffix": "max-age-x=60",
        "newline-after": "max-age=60\n", "form-feed-after": "max-age=60\x0c", "vertical-tab-before": "\x0bmax-age=60",
        "no-break-space-after": "max-age=60\u00a0", "nul-after": "max-age=60\x00", "bom-before": "\ufeffmax-age=60",
        "minus-of-another-kind": "max\u2010age=60", "whole-header": "Cache-Control: max-age=60", "no-stores": "no-stores", "no-store-long-s": "no-\u017ftore",
        "no-cache-newline": "no-cache\n", "min-fresh": "min-fresh=60",
    }.items():
        case(name, law, value, default)
    # A comma in quotes parts two directives too: the bounds hold either way, and no parser is needed.
    case("max-age-in-quotes", "access-token.md 1.7, commas", 'private="x, max-age=60, y"', 60)
    return document("Cache-Control of a key set: for how many seconds it is fresh", cases.cases)


def urls() -> Json:
    cases = Cases()

    def case(name: str, law: str, url: str, accepted: bool, *hosts: str) -> None:
        cases.add("url", name, law, {"url": url, "internal_hosts": list(hosts)}, {"ok": accepted})

    law = "access-token.md 1.7, URL; RFC 3986 §3"
    path = "/api/auth/jwks"
    for name, url in {
        "usual": f"https://app.example.com{path}", "origin": "https://app.example.com", "slash": "https://app.example.com/",
        "port": f"https://app.example.com:8443{path}", "upper-case": f"HTTPS://App.Example.COM{path}", "default-port": f"https://app.example.com:443{path}",
        "http-port-on-https": f"https://app.example.com:80{path}", "last-port": f"https://app.example.com:65535{path}",
        "port-with-zeros": f"https://app.example.com:08443{path}", "query": f"https://app.example.com{path}?v=1&x=%20",
        "empty-query": f"https://app.example.com{path}?", "two-question-marks": f"https://app.example.com{path}?a?b",
        "query-with-slash": "https://app.example.com/?a=/b:c@d", "ipv4": f"https://192.0.2.1{path}", "ipv6": f"https://[2001:db8::1]:8443{path}",
        "one-label": f"https://web{path}", "underscore": f"https://web_1:3000{path}", "at-sign-in-path": "https://app.example.com/@x",
        "percent-in-path": "https://app.example.com/%3F%23", "https-localhost": f"https://localhost:3000{path}",
        "well-known": "https://app.example.com/.well-known/jwks.json",
    }.items():
        case(name, law, url, True)
    for name, url in {
        "empty": "", "no-scheme": f"app.example.com{path}", "scheme-relative": f"//app.example.com{path}", "path-only": path, "no-host": "https://",
        "no-host-but-path": f"https://{path}", "one-slash": f"https:/app.example.com{path}", "three-slashes": f"https:///app.example.com{path}",
        "ftp": f"ftp://app.example.com{path}", "file": "file:///etc/jwks.json", "data": "data:application/json,{}",
        "javascript": "javascript://app.example.com", "websocket": f"wss://app.example.com{path}", "at-file": "@/etc/jwks.json",
        "user": f"https://user@app.example.com{path}", "user-and-password": f"https://user:password@app.example.com{path}",
        "empty-user": f"https://@app.example.com{path}", "empty-password": f"https://:@app.example.com{path}", "fragment": f"https://app.example.com{path}#x",
        "empty-fragment": f"https://app.example.com{path}#", "fragment-after-query": f"https://app.example.com{path}?x#y",
        "fragment-without-path": "https://app.example.com#x", "query-without-path": "https://app.example.com?x=1",
        "backslash": "https://app.example.com\\@evil.example", "backslash-in-path": "https://app.example.com/a\\b",
        "backslashes": "https:\\\\app.example.com", "umlaut-host": f"https://\u00e4pp.example.com{path}", "non-ascii-path": "https://app.example.com/\u00e4",
        "fullwidth-dot": f"https://app\uff0eexample.com{path}", "long-s-scheme": f"http\u017f://app.example.com{path}",
        "kelvin-host": f"https://\u212a.example.com{path}", "percent-host": f"https://app%2eexample.com{path}",
        "port-zero": f"https://app.example.com:0{path}", "port-too-large": f"https://app.example.com:65536{path}",
        "port-six-digits": f"https://app.example.com:000443{path}", "port-empty": f"https://app.example.com:{path}",
        "port-letters": f"https://app.example.com:https{path}", "port-negative": f"https://app.example.com:-1{path}",
        "port-arabic": f"https://app.example.com:\u0661{path}", "two-ports": f"https://app.example.com:1:2{path}",
        "leading-space": f" https://app.example.com{path}", "trailing-space": f"https://app.example.com{path} ",
        "trailing-newline": f"https://app.example.com{path}\n", "space-in-path": "https://app.example.com/a b",
        "tab-inside": f"https://app.\texample.com{path}", "newline-in-path": "https://app.example.com/a\nHost: evil.example",
        "nul": "https://app.example.com/\x00", "delete": "https://app.example.com/\x7f", "two-addresses": "https://a.example.com,https://b.example.com",
        "open-bracket": "https://[::1", "brackets-without-colon-text": f"https://[localhost]{path}", "wildcard": f"https://*.example.com{path}",
        "zone": f"https://[fe80::1%25eth0]{path}",
    }.items():
        case(name, law, url, False)
    law = "access-token.md 1.7, loopback; RFC 6761 §6.3, RFC 1122 §3.2.1.3"
    for name, host in {
        "localhost": "localhost", "localhost-upper-case": "LocalHost", "127-0-0-1": "127.0.0.1", "127-255-255-255": "127.255.255.255",
        "127-1-2-3": "127.1.2.3", "127-0-0-0": "127.0.0.0", "ipv6": "[::1]",
    }.items():
        case(f"http-{name}", law, f"http://{host}:3000{path}", True)
        case(f"http-{name}-without-port", law, f"http://{host}{path}", True)
    for name, host in {
        "public": "app.example.com", "internal-unlisted": "web", "localhost-dot": "localhost.", "subdomain-of-localhost": "app.localhost",
        "localhost-as-subdomain": "localhost.example.com", "localhostx": "localhostx", "127-short": "127.1", "127-three": "127.0.1",
        "127-five": "127.0.0.0.1", "127-256": "127.0.0.256", "127-zeros": "127.0.0.01", "127-000": "127.000.0.1", "127-four-digits": "127.0.0.1000",
        "127-hexadecimal": "127.0.0.0x1", "127-name": "127.0.0.1.example.com", "127-trailing-dot": "127.0.0.1.", "0127": "0127.0.0.1",
        "decimal": "2130706433", "hexadecimal": "0x7f000001", "zero": "0.0.0.0", "128": "128.0.0.1", "12-7": "12.7.0.1", "private-10": "10.0.0.1",
        "private-192": "192.168.0.1", "link-local": "169.254.169.254", "ipv6-long": "[0:0:0:0:0:0:0:1]", "ipv6-zeros": "[::01]",
        "ipv6-mapped": "[::ffff:127.0.0.1]", "ipv6-any": "[::]", "ipv6-private": "[fd00::1]", "docker-host": "host.docker.internal",
    }.items():
        case(f"http-{name}", law, f"http://{host}:3000{path}", False)
    case("http-user-at-localhost", law, f"http://localhost@evil.example{path}", False)
    case("http-localhost-in-path", law, "http://evil.example/localhost", False)
    law = "access-token.md 1.7, internal hosts"
    web = f"http://web:3000{path}"
    case("internal", law, web, True, "web")
    case("internal-without-port", law, f"http://web{path}", True, "web")
    case("internal-second-of-two", law, web, True, "auth", "web")
    case("internal-case-of-the-list", law, web, True, "WEB")
    case("internal-case-of-the-url", law, f"http://WEB:3000{path}", True, "web")
    case("internal-with-dots", law, f"http://web.internal.example{path}", True, "web.internal.example")
    case("internal-ipv4", law, f"http://10.0.0.1{path}", True, "10.0.0.1")
    case("internal-ipv6", law, f"http://[fd00::1]:3000{path}", True, "[fd00::1]")
    case("internal-beside-https", law, f"https://app.example.com{path}", True, "web")
    case("internal-beside-loopback", law, f"http://localhost:3000{path}", True, "web")
    case("internal-underscore", law, f"http://todo_web:3000{path}", True, "todo_web")
    for name, url, hosts in (
        ("other", web, ("auth",)), ("prefix", web, ("we",)), ("suffix", web, ("eb",)), ("longer", web, ("webs",)),
        ("of-a-subdomain", f"http://a.web{path}", ("web",)), ("of-a-parent", web, ("a.web",)), ("with-dot", web, ("web.",)),
        ("url-with-dot", f"http://web.{path}", ("web",)), ("user", f"http://web@evil.example{path}", ("web",)), ("ftp", f"ftp://web{path}", ("web",)),
        ("port-of-the-list", web, ("web:3000",)), ("wildcard", web, ("*",)), ("wildcard-label", f"http://a.web{path}", ("*.web",)),
        ("leading-dot", f"http://a.web{path}", (".web", "web")), ("empty-entry", web, ("web", "")), ("only-an-empty-entry", web, ("",)),
        ("space-after", web, ("web ",)), ("space-before", web, ("web", " auth")), ("url-as-entry", web, ("http://web",)), ("slash-after", web, ("web/",)),
        ("two-in-one", web, ("web,auth",)), ("non-ascii", web, ("web", "w\u00e9b")), ("kelvin-sign", f"http://k{path}", ("\u212a",)),
        ("ipv6-without-brackets", f"http://[fd00::1]{path}", ("fd00::1",)), ("newline", web, ("web\n",)), ("user-in-entry", web, ("web", "user@web")),
        ("cidr", f"http://10.0.0.1{path}", ("10.0.0.0/8",)), ("malformed-beside-https", f"https://app.example.com{path}", ("web:3000",)),
        ("malformed-beside-loopback", f"http://localhost:3000{path}", ("*",)),
    ):
        case(f"internal-{name}", law, url, False, *hosts)
    return document("URLs of key sets", cases.cases)
