"""One GET of a key-set URL, in a thread of its own, its whole time bounded.

Private half of the room ``jwks``: brings back what a server answered and judges none of it. A thread, because
the standard library's client blocks: it runs once in minutes, and never on the event loop. Law: RFC 9110,
RFC 9112 §8, RFC 2818 (``ssl``'s default context checks the certificate and its name).

Deliberately not done: no redirect is followed, no proxy of the environment is used, no cookie is kept.
"""

import errno
import re
import ssl
import threading
import time
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from socket import SHUT_RDWR, SOCK_STREAM, create_connection, getaddrinfo, socket
from typing import Final

from .errors import KeySetUnavailableError
from .jwks import Address, Response, failure, split_url
from .profile import KEY_SET_TIMEOUT, MAX_KEY_SET_BYTES

_HEADERS: Final = {
    "Accept": "application/jwk-set+json, application/json",
    "Accept-Encoding": "identity",
    "Cache-Control": "no-cache",
    "Connection": "close",
    "User-Agent": "jwt-auth-bridge",
}


_THREAD: Final = "jwt-auth-bridge key set"

_DIGITS: Final = re.compile(r"[0-9]+", re.ASCII)


def fetch_key_set(url: str, timeout: float = KEY_SET_TIMEOUT) -> Future[Response]:
    """Starts one fetch and returns at once.

    Args:
        url: judged by ``judge_key_set_url``.
        timeout: seconds from name resolution to the last byte.

    Returns:
        The answer to come, after ``timeout`` at the latest; it can not be cancelled. Where there is none, it
        raises ``KeySetUnavailableError`` with the reason: a short sentence, nothing of what was received.
    """
    fetch = _Fetch(split_url(url), timeout)
    try:
        threading.Thread(target=fetch.run, name=_THREAD, daemon=True).start()
    except RuntimeError:
        fetch.answer.set_exception(failure("no thread could be started"))
    return fetch.answer


class _Fetch:
    def __init__(self, address: Address, timeout: float) -> None:
        self.answer: Future[Response] = Future()
        self.answer.set_running_or_notify_cancel()
        self._address = address
        self._timeout = timeout
        self._socket: socket | None = None

    def run(self) -> None:
        timer = threading.Timer(self._timeout, self._expire)
        timer.daemon, timer.name = True, _THREAD
        result: Response | Exception
        try:
            timer.start()
            result = self._exchange()
        except KeySetUnavailableError as error:
            result = error
        except TimeoutError:
            result = self._too_late()
        except HTTPException:
            result = failure("the answer is no whole answer of HTTP")
        except Exception as error:
            result = failure(f"no connection ({_code(error)})")
        timer.cancel()
        # The timer may have been quicker.
        with suppress(InvalidStateError):
            if isinstance(result, Response):
                self.answer.set_result(result)
            else:
                self.answer.set_exception(result)

    def _expire(self) -> None:
        with suppress(InvalidStateError):
            self.answer.set_exception(self._too_late())
        # Ends whatever the thread is reading, however slowly it drips in.
        with suppress(OSError):
            if self._socket is not None:
                self._socket.shutdown(SHUT_RDWR)

    def _too_late(self) -> KeySetUnavailableError:
        return failure(f"no whole answer within {self._timeout:g} seconds")

    def _exchange(self) -> Response:
        scheme, named, port, target = self._address
        host = named.strip("[]")
        connection = (
            HTTPSConnection(host, port, timeout=self._timeout, context=ssl.create_default_context())
            if scheme == "https"
            else HTTPConnection(host, port, timeout=self._timeout)
        )
        # Each address gets its share of the time: one that answers nothing leaves some for the next.
        connection._create_connection = self._connect  # type: ignore[attr-defined]
        try:
            connection.connect()
            self._socket = connection.sock
            if self.answer.done():
                raise self._too_late()
            connection.request("GET", target, headers=_HEADERS)
            with connection.getresponse() as response:
                return _read(response)
        finally:
            connection.close()

    def _connect(self, address: tuple[str, int], *_: object) -> socket:
        end = time.monotonic() + self._timeout
        known = list(dict.fromkeys(str(found[4][0]) for found in getaddrinfo(*address, type=SOCK_STREAM)))
        for left in range(len(known), 0, -1):
            try:
                share = max((end - time.monotonic()) / left, 0.01)
                connected = create_connection((known[-left], address[1]), share)
            except OSError as error:
                reason = error
                continue
            connected.settimeout(self._timeout)
            return connected
        raise reason if known else OSError("no address")


def _read(response: HTTPResponse) -> Response:
    kind, age = response.getheader("content-type"), response.getheader("cache-control")
    if response.status != 200:
        return Response(response.status, kind, age, b"")
    if (response.getheader("content-encoding") or "identity").lower() != "identity":
        raise failure("the body is compressed, and nobody asked for that")
    length = response.getheader("content-length")
    if length is not None and not _DIGITS.fullmatch(length):
        raise failure("the answer is no whole answer of HTTP")
    body = response.read(MAX_KEY_SET_BYTES + 1)
    # RFC 9112 §8: an answer that ends before its stated length is no answer.
    if len(body) <= MAX_KEY_SET_BYTES and response.length:
        raise failure("the body ends before its stated length")
    return Response(response.status, kind, age, body)


def _code(error: Exception) -> str:
    """Of an error that the platform raised, its code alone: ECONNREFUSED, CERTIFICATE_VERIFY_FAILED."""
    if isinstance(error, ssl.SSLError) and error.reason:
        return error.reason
    number = error.errno if isinstance(error, OSError) else None
    return errno.errorcode.get(number or 0, type(error).__name__)
