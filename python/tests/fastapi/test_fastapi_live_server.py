"""Live connections on a real server, with a real client: uvicorn and websockets."""

import contextlib
import json
import logging
import socket
import threading
import time

import pytest
import uvicorn
from kit import bearer, token
from live_kit import Api, renewal
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

import signer

PATIENCE = 20
"""Seconds after which a test has failed; none of them waits for a time to pass."""


class RealClock:
    """Goes on as time does, from where it is set."""

    def __init__(self):
        self.set(0)

    def set(self, seconds):
        self._start = signer.NOW + seconds - time.monotonic()

    def __call__(self):
        return self._start + time.monotonic()


@pytest.fixture
def api():
    api = Api(leeway=0, every=0.05)
    api.clock = api.bridge._verifier._clock = RealClock()
    return api


@contextlib.contextmanager
def served(api, caplog):
    caplog.set_level(logging.INFO)
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(api.app, log_config=None, timeout_graceful_shutdown=2)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield listener.getsockname()[1], server
    finally:
        server.should_exit = True
        thread.join(PATIENCE)
        assert not thread.is_alive()
    wrong = [one.getMessage() for one in caplog.records if one.levelno >= logging.ERROR]
    # What uvicorn says of every WebSocket that is refused by an HTTP answer.
    assert [one for one in wrong if one != "ASGI callable returned without completing handshake."] == []


def open_socket(port, path, **claims):
    name, value = bearer(**claims)
    return connect(
        f"ws://127.0.0.1:{port}{path}", additional_headers={name: value}, open_timeout=PATIENCE, proxy=None
    )


def read(raw):
    chunk = raw.recv(65536)
    assert chunk, "the server hung up"
    return chunk


def closed(wire):
    with contextlib.suppress(ConnectionClosed):
        while True:
            wire.recv(PATIENCE)
    return wire.close_code


def test_it_is_refused_before_it_is_accepted(api, caplog):
    with served(api, caplog) as (port, _):
        with pytest.raises(InvalidStatus) as refused:
            connect(f"ws://127.0.0.1:{port}/echo", proxy=None)
        answer = refused.value.response
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
        assert json.loads(answer.body)["error"] == "token_missing"
        with pytest.raises(InvalidStatus) as refused:
            open_socket(port, "/of/bob")
        assert refused.value.response.status_code == 403


@pytest.mark.parametrize("path", ["/echo", "/talks", "/of/alice"])
def test_it_is_closed_by_the_timer_and_the_client_sees_1008(api, caplog, path):
    with served(api, caplog) as (port, _):
        api.clock.set(299.5)
        with open_socket(port, path) as wire:
            assert closed(wire) == 1008


def test_it_is_renewed_and_closed_by_a_message_that_comes_too_late(api, caplog):
    with served(api, caplog) as (port, _), open_socket(port, "/echo") as wire:
        wire.send("hello")
        assert wire.recv(PATIENCE) == "hello"
        api.clock.set(200)
        wire.send(renewal(iat=signer.NOW + 200, exp=signer.NOW + 500))
        wire.send("renewed")
        assert wire.recv(PATIENCE) == "renewed"
        api.clock.set(400)
        wire.send("still")
        assert wire.recv(PATIENCE) == "still"
        api.clock.set(500)
        wire.send("too late")
        assert closed(wire) == 1008
    assert api.heard == ["hello", "renewed", "still"]


def test_a_talker_that_never_receives_is_renewed(api, caplog):
    with served(api, caplog) as (port, _), open_socket(port, "/talks") as wire:
        wire.recv(PATIENCE)
        wire.send("unread")
        wire.send(renewal(token("bob")))
        assert closed(wire) == 1008


def test_a_client_that_never_answers_the_close_frees_the_endpoint(api, caplog):
    with served(api, caplog) as (port, _):
        api.clock.set(299.7)
        head = [
            "GET /echo HTTP/1.1",
            "Host: x",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
            "Sec-WebSocket-Version: 13",
            f"Authorization: Bearer {token()}",
        ]
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as raw:
            raw.sendall("\r\n".join([*head, "", ""]).encode())
            received = b""
            while b"\x88\x02\x03\xf0" not in received:  # a close frame: 1008
                received += read(raw)
    assert [code for code, _ in api.ends] == [1008]


def test_a_huge_message_is_the_endpoints_and_a_huge_renewal_too(api, caplog):
    with served(api, caplog) as (port, _), open_socket(port, "/echo") as wire:
        for text in ("x" * 900_000, renewal("x" * 900_000)):
            wire.send(text)
            assert wire.recv(PATIENCE) == text


def test_events_end_and_the_answer_is_whole(api, caplog):
    with served(api, caplog) as (port, _):
        api.clock.set(299.5)
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as raw:
            raw.sendall(
                f"GET /silent HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token()}\r\n\r\n".encode()
            )
            received = b""
            while not received.endswith(b"\r\n0\r\n\r\n"):
                received += read(raw)
            assert b"data:" in received
            # The connection is as good as new.
            raw.sendall(b"GET /file HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert raw.recv(65536).startswith(b"HTTP/1.1 401 ")


def test_a_server_that_stops_ends_what_is_open(api, caplog):
    with served(api, caplog) as (port, server), open_socket(port, "/echo") as wire:
        server.should_exit = True
        assert closed(wire) == 1012
    assert [code for code, _ in api.ends] == [1012]
