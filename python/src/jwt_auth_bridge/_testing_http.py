"""How the test kit asks an app: straight into it over ASGI, or through a client of the caller's.

Private half of the annex ``testing``. Needs no HTTP library: an app in the same process is a coroutine
function. Law: the ASGI specification, HTTP and Lifespan.
"""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Protocol, Self
from urllib.parse import unquote

from .errors import ConfigurationError

PATIENCE: Final = 10.0
"""Seconds that one answer may take, start to end; what came by then counts as the answer."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer: status, fields (lower-case names) in order, body, and what the app raised meanwhile."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    failure: str = ""

    @property
    def succeeded(self) -> bool:
        """Whether the app did what it was asked."""
        return 200 <= self.status < 400

    def header(self, name: str) -> str | None:
        """The first field of this name."""
        return next((value for key, value in self.headers if key == name), None)


class Asked(Protocol):
    """Whatever can be asked: entered once, then called for each request."""

    async def __aenter__(self) -> Self:
        """Starts it."""
        ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends it."""
        ...

    async def request(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Sends one request; ``target`` is path and query, percent-encoded."""
        ...


def asked(app: Any) -> Asked:
    """Takes an ASGI app, or a client with httpx's ``request`` method, sync or async.

    Raises:
        ConfigurationError: neither.

    Example:
        >>> async def app(scope, receive, send): ...
        >>> type(asked(app)).__name__
        'InProcess'
    """
    if callable(getattr(app, "request", None)) and hasattr(app, "headers"):
        return Outside(app)
    if callable(app):
        return InProcess(app)
    raise ConfigurationError("give an ASGI app, or a client such as httpx.Client or Starlette's TestClient")


class InProcess:
    """An ASGI app in this event loop, started and ended by its lifespan."""

    def __init__(self, app: Callable[..., Awaitable[None]]) -> None:
        self._app = app
        self._events: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._state: dict[str, Any] = {}
        self._lifespan: asyncio.Task[None] | None = None
        self._ended: asyncio.Future[str] | None = None

    async def __aenter__(self) -> Self:
        """Runs the start; an app without lifespan has none."""
        started: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._ended = asyncio.get_running_loop().create_future()

        async def send(message: dict[str, Any]) -> None:
            event, _, outcome = message["type"].rpartition(".")
            future = started if event == "lifespan.startup" else self._ended
            if future is not None and not future.done():
                future.set_result((message.get("message") or "failed") if outcome == "failed" else "")

        async def live() -> None:
            scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": self._state}
            await self._app(scope, self._events.get, send)

        self._lifespan = asyncio.create_task(live())
        self._events.put_nowait({"type": "lifespan.startup"})
        await asyncio.wait((self._lifespan, started), return_when=asyncio.FIRST_COMPLETED)
        if started.done() and started.result():
            await asyncio.wait((self._lifespan,))
            self._lifespan.exception()
            # Starlette sends the whole traceback; what went wrong is its last line.
            raise ConfigurationError(f"the app does not start: {started.result().strip().splitlines()[-1]}")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Runs the end."""
        if self._lifespan is not None:
            if not self._lifespan.done():
                self._events.put_nowait({"type": "lifespan.shutdown"})
                await asyncio.wait((self._lifespan,), timeout=PATIENCE)
            if not self._lifespan.done():
                self._lifespan.cancel()
            # An app that knows no lifespan raises; what one raises at its end is no matter of isolation.
            await asyncio.gather(self._lifespan, return_exceptions=True)

    async def request(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Sends one request; an exception that comes out is a 500, as a server would make it."""
        exchange = _Exchange(body)
        failure = ""
        call = asyncio.ensure_future(
            self._app(_scope(method, target, headers, body, self._state), exchange.receive, exchange.send)
        )
        over = asyncio.ensure_future(exchange.over.wait())
        await asyncio.wait((call, over), timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED)
        if not call.done() and exchange.over.is_set() and not exchange.endless:
            # Background tasks of the app run on after the last byte.
            await asyncio.wait((call,), timeout=PATIENCE)
        over.cancel()
        call.cancel()
        (outcome,) = await asyncio.gather(call, return_exceptions=True)
        if isinstance(outcome, Exception):
            failure = type(outcome).__name__
        elif not exchange.status:
            failure = f"no answer within {PATIENCE:g} seconds"
        return Reply(exchange.status or 500, exchange.headers, bytes(exchange.body), failure)


class _Exchange:
    """One request's receive and send."""

    def __init__(self, body: bytes) -> None:
        self._request: dict[str, Any] | None = {"type": "http.request", "body": body, "more_body": False}
        self.status = 0
        self.headers: tuple[tuple[str, str], ...] = ()
        self.body = bytearray()
        self.over = asyncio.Event()
        self.endless = False

    async def receive(self) -> dict[str, Any]:
        if self._request is not None:
            message, self._request = self._request, None
            return message
        # A client that waits for its answer does not hang up before it.
        await self.over.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = tuple(
                (name.decode("latin-1").lower(), value.decode("latin-1"))
                for name, value in message.get("headers", ())
            )
        elif message["type"] == "http.response.body":
            self.body += message.get("body", b"")
            # A stream of events has no end: its first event answers the question.
            self.endless = ("text/event-stream" in (dict(self.headers).get("content-type") or "")) and bool(
                message.get("more_body", False)
            )
            if self.endless or not message.get("more_body", False):
                self.over.set()


class Outside:
    """A client of the caller's: httpx's ``Client`` or ``AsyncClient``, or Starlette's ``TestClient``."""

    def __init__(self, client: Any) -> None:
        self._client = client

    async def __aenter__(self) -> Self:
        """Does nothing: the caller opened it."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Does nothing: the caller closes it."""

    async def request(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Sends one request, and follows no redirect."""
        options = {"headers": dict(headers), "content": body or None, "follow_redirects": False}
        response = self._client.request(method, target, **options)
        if inspect.isawaitable(response):
            response = await response
        fields = tuple((name.lower(), value) for name, value in response.headers.multi_items())
        return Reply(response.status_code, fields, response.content)


def _scope(
    method: str, target: str, headers: Mapping[str, str], body: bytes, state: dict[str, Any]
) -> dict[str, Any]:
    path, _, query = target.partition("?")
    fields = {"host": "testserver", **{name.lower(): value for name, value in headers.items()}}
    if body:
        fields["content-length"] = str(len(body))
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode("ascii"),
        "query_string": query.encode("ascii"),
        "root_path": "",
        "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in fields.items()],
        "client": ("127.0.0.1", 50000),
        "server": ("testserver", 80),
        "state": dict(state),
    }
