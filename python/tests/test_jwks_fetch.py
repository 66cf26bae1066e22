"""The real fetch against real servers: what each bad answer becomes, and that none of them holds a thread."""

import datetime
import ipaddress
import json
import socket
import ssl
import threading

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pairs import ED, ES, key_set
from servers import dripping, raw, serving, silent, whole

from jwt_auth_bridge import InvalidTokenError, KeySetUnavailableError, Verifier, _jwks_fetch
from jwt_auth_bridge._jwks_fetch import fetch_key_set
from jwt_auth_bridge.jwks import judge_response
from signer import AUDIENCE, ISSUER, NOW

SET = json.dumps(key_set(ED)).encode()
QUICK = 0.3


def fetch(url, timeout=600.0):
    """Gives the `kid`s that one fetch brings, or why it failed; no thread of it is left."""
    try:
        response = fetch_key_set(url, timeout).result(20)
        return list(judge_response(response.status, response.content_type, response.body).keys)
    except KeySetUnavailableError as error:
        return str(error)
    finally:
        for thread in threading.enumerate():
            if thread.name == "jwt-auth-bridge key set":
                thread.join(20)
                assert not thread.is_alive(), "the fetch holds a thread"


def test_a_good_answer_and_what_was_asked(monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    answer = whole(
        SET, "200 OK", "application/json; charset=utf-8", "Cache-Control: max-age=60", "Set-Cookie: a=b"
    )
    with serving(answer) as server:
        assert fetch(server.url + "?a=%20b") == ["ed"]
        assert fetch(server.url) == ["ed"]
        response = fetch_key_set(server.url).result(20)
    assert (response.status, response.cache_control, response.body) == (200, "max-age=60", SET)
    first, *_ = server.requests
    line, *headers = first.decode().rstrip().split("\r\n")
    assert line == "GET /api/auth/jwks?a=%20b HTTP/1.1"
    assert sorted(headers, key=str.lower) == [
        "Accept-Encoding: identity",
        "Accept: application/jwk-set+json, application/json",
        "Cache-Control: no-cache",
        "Connection: close",
        f"Host: localhost:{server.port}",
        "User-Agent: jwt-auth-bridge",
    ]
    assert not [each for each in server.requests if b"ookie" in each]


OK = b"HTTP/1.1 200 OK\r\n"
JSON = OK + b"Content-Type: application/json\r\n"
CHUNKED = JSON + b"Transfer-Encoding: chunked\r\n\r\n"
NO_TYPE = "the content type is neither application/json nor application/jwk-set+json"
NO_JSON = "the body is not one strict JSON object"
NO_KEY = "the key set has no usable public key"
LARGE = "the body is larger than 65536 bytes"
NO_HTTP = "the answer is no whole answer of HTTP"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (raw(JSON + b"\r\n" + SET), ["ed"]),
        (raw(CHUNKED + b"%x\r\n%s\r\n0\r\n\r\n" % (len(SET), SET)), ["ed"]),
        (whole(SET, "200 OK", "application/jwk-set+json"), ["ed"]),
        (whole(SET, "200 OK", "application/json", "Content-Encoding: identity"), ["ed"]),
        (whole(SET + b" " * (65536 - len(SET))), ["ed"]),
        (whole(b"<!doctype html><title>Sign in</title>", "200 OK", "text/html"), NO_TYPE),
        (whole(SET, "200 OK", "application/json", "Content-Type: text/html"), NO_TYPE),
        (raw(OK + b"\r\n" + SET), NO_TYPE),
        (whole(b"<!doctype html>"), NO_JSON),
        (whole(b'{"keys":[}'), NO_JSON),
        (whole(b""), NO_JSON),
        (whole(b'{"keys":{}}'), 'the body is no JWK Set, which looks like {"keys": [...]}'),
        (whole(b'{"keys":[null,null]}'), NO_KEY),
        (whole(json.dumps(key_set(ED, ED)).encode()), NO_KEY),
        (whole(json.dumps(key_set(ED, ED, ES)).encode()), ["es"]),
        (whole(b" " * 10_000_000), LARGE),
        (whole(SET + b" " * (65537 - len(SET))), LARGE),
        (dripping(JSON + b"\r\n", b" " * 65536), LARGE),
        (whole(SET, "500 Internal Server Error"), "status 500 instead of 200"),
        (dripping(b"HTTP/1.1 500 Oops\r\n\r\n", b"x"), "status 500 instead of 200"),
        (whole(SET, "404 Not Found"), "status 404 instead of 200"),
        (whole(SET, "206 Partial Content"), "status 206 instead of 200"),
        (whole(b"", "204 No Content"), "status 204 instead of 200"),
        (
            whole(SET, "200 OK", "application/json", "Content-Encoding: gzip"),
            "the body is compressed, and nobody asked for that",
        ),
        (raw(JSON + b"Content-Length: 9999\r\n\r\n" + SET), "the body ends before its stated length"),
        (raw(JSON + b"Content-Length: -1\r\n\r\n" + SET), NO_HTTP),
        (raw(CHUNKED + b"ffff\r\n" + SET), NO_HTTP),
        (raw(b""), NO_HTTP),
        (raw(b"SSH-2.0-OpenSSH_9.6\r\n"), NO_HTTP),
        (raw(OK + b"A: b\r\n" * 200 + b"\r\n"), NO_HTTP),
        (raw(OK + b"A: " + b"b" * 70000 + b"\r\n\r\n"), NO_HTTP),
    ],
)
def test_what_each_answer_becomes(answer, expected):
    with serving(answer) as server:
        assert fetch(server.url) == expected


LATE = f"no whole answer within {QUICK} seconds"


@pytest.mark.parametrize(
    "answer",
    [
        silent,
        dripping(b"", b"H"),
        dripping(OK + b"A: ", b"b"),
        dripping(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        dripping(JSON + b"Content-Length: 60000\r\n\r\n", b" "),
        dripping(JSON + b"\r\n", b" "),
        dripping(CHUNKED, b"1\r\n \r\n"),
    ],
    ids=["silence", "status", "header", "continue", "length", "no-length", "chunks"],
)
def test_a_slow_drip_ends_with_the_time_of_the_whole_fetch(answer):
    with serving(answer) as server:
        assert fetch(server.url, QUICK) == LATE


def test_a_slow_drip_within_tls_ends_too(certificate):
    with serving(dripping(OK + b"A: ", b"b"), certificate.context) as server:
        assert fetch(server.url, QUICK) == LATE


def test_a_handshake_that_never_ends_does(certificate):
    with serving(silent) as server:
        assert fetch(server.url.replace("http:", "https:"), QUICK) == LATE


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status):
    with serving(whole(SET)) as target:
        location = f"Location: {target.url}"
        with serving(whole(b"", f"{status} Elsewhere", "application/json", location)) as server:
            assert fetch(server.url) == f"status {status} instead of 200"
        assert target.requests == []


def test_nobody_listens():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert fetch(f"http://127.0.0.1:{port}/jwks") == "no connection (ECONNREFUSED)"


def test_a_name_that_no_resolver_takes():
    assert fetch(f"http://{'a' * 64}.localhost:9/jwks").startswith("no connection (")
    assert fetch("http://a..b:9/jwks").startswith("no connection (")


def test_no_thread_can_be_started(monkeypatch):
    def refuse(self):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert fetch("http://127.0.0.1:9/jwks") == "no thread could be started"


def test_an_address_that_answers_nothing_leaves_time_for_the_next(monkeypatch):
    """The first of two addresses drops what it is sent, as behind a broken AAAA record."""
    tried, connect = [], socket.create_connection

    def dropping(address, timeout):
        tried.append((address, timeout))
        if address[0] == "192.0.2.1":
            raise TimeoutError
        return connect(address, timeout)

    with serving(whole(SET)) as server:
        found = [(2, 1, 6, "", (host, server.port)) for host in ("192.0.2.1", "127.0.0.1")]
        monkeypatch.setattr(_jwks_fetch, "getaddrinfo", lambda *_, **__: found)
        monkeypatch.setattr(_jwks_fetch, "create_connection", dropping)
        assert fetch(server.url) == ["ed"]
    (_, first), (_, second) = tried
    assert first * 1.9 < second


def test_an_ipv6_address_has_brackets_in_the_url_and_the_host_and_nowhere_else(monkeypatch):
    asked, connect = [], socket.create_connection
    with serving(whole(SET)) as server:

        def elsewhere(address, *rest):
            asked.append(address)
            return connect(("127.0.0.1", server.port), *rest)

        monkeypatch.setattr(_jwks_fetch, "create_connection", elsewhere)
        assert fetch("http://[::1]:3000/jwks") == ["ed"]
    assert asked == [("::1", 3000)]
    assert b"\r\nHost: [::1]:3000\r\n" in server.requests[0]


# TLS


class Certificate:
    def __init__(self, folder):
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
        now = datetime.datetime.now(datetime.UTC)
        names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("::1"))]
        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(1)
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .sign(key, SHA256())
        )
        self.path = folder / "certificate.pem"
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        self.path.write_bytes(made.public_bytes(Encoding.PEM) + private)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(self.path)


@pytest.fixture
def certificate(tmp_path, monkeypatch):
    """A certificate for localhost that this machine trusts."""
    made = Certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(made.path))
    return made


def test_a_trusted_certificate(certificate):
    with serving(whole(SET), certificate.context) as server:
        assert fetch(server.url) == ["ed"]


def test_an_untrusted_certificate(certificate, monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE")
    with serving(whole(SET), certificate.context) as server:
        assert fetch(server.url) == "no connection (CERTIFICATE_VERIFY_FAILED)"
    assert server.requests == []


def test_a_certificate_of_another_name(certificate):
    with serving(whole(SET), certificate.context) as server:
        assert fetch(f"https://127.0.0.1:{server.port}/") == "no connection (CERTIFICATE_VERIFY_FAILED)"
    assert server.requests == []


def test_no_tls_where_tls_is_expected(certificate):
    with serving(whole(SET), speaks_first=True) as server:
        assert fetch(server.url.replace("http:", "https:")).startswith("no connection (")


# With a verifier in front


def verifier(url):
    return Verifier(issuer=ISSUER, audience=AUDIENCE, jwks_uri=url, clock=lambda: NOW)


def test_a_verifier_fetches_by_itself():
    with serving(whole(SET)) as server:
        subject = verifier(server.url)
        assert subject.verify(ED.token()).subject == "alice"
        with pytest.raises(InvalidTokenError, match="key_not_found"):
            subject.verify(ES.token())
        assert (len(server.requests), subject.key_ids, subject.jwks_uri) == (1, ("ed",), server.url)


def test_a_verifier_whose_server_fails():
    unavailable = pytest.raises(KeySetUnavailableError, match="status 500 instead of 200")
    with serving(whole(b"", "500 Oops")) as server, unavailable:
        verifier(server.url).verify(ED.token())
