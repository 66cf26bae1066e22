"""Real servers for one test: each connection is answered by a function that writes bytes, and is counted.

A function that wants to be slow waits for events, never for time alone; every thread ends with its server.
"""

import contextlib
import socket
import ssl
import threading


class Server:
    """A listening socket; `url` is its key-set URL, `requests` the heads that it has received."""

    def __init__(self, answer, context=None, speaks_first=False):
        self._speaks_first = speaks_first
        self.requests, self.stop = [], threading.Event()
        self._answer, self._context = answer, context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.url = f"{'https' if context else 'http'}://localhost:{self.port}/api/auth/jwks"
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=[connection])
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection):
        connection.settimeout(20)
        with contextlib.suppress(OSError), connection:
            if self._context:
                connection = self._context.wrap_socket(connection, server_side=True)
            with connection:
                received = b""
                while not self._speaks_first and b"\r\n\r\n" not in received:
                    chunk = connection.recv(4096)
                    if not chunk:
                        return
                    received += chunk
                self.requests.append(received)
                self._answer(connection, self)
                with contextlib.suppress(ssl.SSLError):
                    connection.shutdown(socket.SHUT_WR)

    def close(self):
        self.stop.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(20)
            assert not thread.is_alive(), "a thread of a server did not end"


@contextlib.contextmanager
def serving(answer, context=None, speaks_first=False):
    server = Server(answer, context, speaks_first)
    try:
        yield server
    finally:
        server.close()


def whole(body, status="200 OK", kind="application/json", *lines):
    """An answer that is sent at once."""
    head = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", f"Content-Length: {len(body)}", *lines]
    return lambda connection, _: connection.sendall("\r\n".join([*head, "", ""]).encode("latin-1") + body)


def raw(data):
    return lambda connection, _: connection.sendall(data)


def dripping(start, drop):
    """Sends a start, then drops of bytes for as long as somebody takes them."""

    def answer(connection, server):
        connection.sendall(start)
        while not server.stop.wait(0.005):
            connection.sendall(drop)

    return answer


def silent(connection, server):
    """Takes the request and says nothing until the test ends."""
    server.stop.wait(20)
