"""Connections that stay open live no longer than the token that opened them.

Private half of the annex ``fastapi``, below ``protect``. A guard decides once, when a connection opens; a
WebSocket and a stream of server-sent events go on for hours, and here the end of the token ends them. What is
a WebSocket's alone stands in ``_fastapi_renewal``. Law: the ASGI specification, HTTP and WebSocket;
``access-token.md`` V15.

The clock is asked at every message in both directions, and by a timer between them. asyncio only.
"""

import asyncio
import logging
import math
from typing import TYPE_CHECKING, Final

from anyio import CancelScope
from starlette.requests import ClientDisconnect
from starlette.types import Message, Scope, Send
from starlette.websockets import WebSocketDisconnect

from ._fastapi_refusal import POLICY_VIOLATION, log_refusal
from .errors import InvalidTokenError
from .verifier import Principal

if TYPE_CHECKING:
    from .fastapi import Bridge

_LONGEST_WAIT: Final = 60.0
"""Seconds after which the clock is asked again: it may have been set, or the machine have slept."""
_PATIENCE: Final = 5.0
"""Seconds that a client which reads nothing has for the last message; then the connection breaks off."""


class ConnectionEndedError(OSError):
    """What an endpoint gets that goes on sending: the same as from a server whose client has gone."""


def is_event_stream(start: Message) -> bool:
    """Tells whether a response may go on for hours; one whose length is known does not.

    Example:
        >>> is_event_stream({"headers": [(b"content-type", b"text/event-stream; charset=utf-8")]})
        True
    """
    kind: bytes = b""
    for name, value in start.get("headers", ()):
        if name.lower() == b"content-length":
            return False
        if name.lower() == b"content-type":
            kind = value
    return kind.partition(b";")[0].strip().lower() == b"text/event-stream"


class Live:
    """One open connection, between its endpoint and the server.

    Args:
        bridge: whose token opened it.
        scope: its scope.
        send: the server's.
        principal: what the token said; ``None`` where there is no token, and no end.

    Attributes:
        ended: whether it was ended here, and not by the endpoint or the client.

    *Does not* stop an endpoint: one that sends gets an error, one that receives is told that the client has
    gone, and one that does neither is left to itself.
    """

    _level = logging.DEBUG

    def __init__(self, bridge: "Bridge", scope: Scope, send: Send, principal: Principal | None) -> None:
        self.ended = False
        self._bridge = bridge
        self._scope = scope
        self._send = send
        self._principal = principal
        self._ends_at = principal.expires_at + bridge._verifier.leeway if principal else math.inf
        self._over = False
        self._lock = asyncio.Lock()
        self._sending: CancelScope | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._ender: asyncio.Task[None] | None = None

    async def open(self, start: Message) -> None:
        """Sends the first message, and starts the timer."""
        await self.send(start)
        self._arm()

    async def send(self, message: Message) -> None:
        """Sends what the endpoint says, one message after the other, as long as the token lasts.

        Raises:
            ConnectionEndedError: the token has ended.
        """
        kind = message["type"]
        async with self._lock:
            if kind == "http.response.start" or not self._is_ended():
                if kind == "websocket.close" or (
                    kind == "http.response.body" and not message.get("more_body", False)
                ):
                    self._finish()
                try:
                    with CancelScope() as self._sending:
                        return await self._send(message)
                finally:
                    self._sending = None
        return await self._drop(message)

    def end(self, code: int) -> None:
        """Ends the connection now, whatever the endpoint does.

        Args:
            code: that a WebSocket is closed with.
        """
        if not self._over:
            self._finish()
            self.ended = True
            self._ender = asyncio.get_running_loop().create_task(self._say_farewell(code))

    async def close(self) -> None:
        """Leaves nothing running once the endpoint has returned; a last message still goes out."""
        self._finish()
        if self._ender is not None:
            try:
                await asyncio.wait({self._ender})
            finally:
                self._ender.cancel()

    def explains(self, error: BaseException) -> bool:
        """Tells whether an endpoint's error says no more than that the connection was ended here."""
        if isinstance(error, BaseExceptionGroup):
            return all(map(self.explains, error.exceptions))
        return self.ended and isinstance(error, ConnectionEndedError | WebSocketDisconnect | ClientDisconnect)

    def _is_ended(self) -> bool:
        # [V15] RFC 7519 §4.1.4
        if not self._over and not self._bridge._verifier._clock() < self._ends_at:
            self.end(POLICY_VIOLATION)  # before the log, whose handlers are the app's and may raise
            error = InvalidTokenError("token_expired")
            log_refusal(self._scope, error, self._level, "the token ended while the connection was open")
        return self.ended

    def _arm(self) -> None:
        self._timer = None
        if not self._is_ended() and self._ends_at < math.inf:
            left = self._ends_at - self._bridge._verifier._clock()
            delay = max(0.0, min(left, _LONGEST_WAIT))
            self._timer = asyncio.get_running_loop().call_later(delay, self._arm)

    def _finish(self) -> None:
        self._over = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def _say_farewell(self, code: int) -> None:
        if self._sending is not None:
            self._sending.cancel()  # It may wait for a client that reads nothing.
        try:
            async with asyncio.timeout(_PATIENCE), self._lock:
                await self._send(self._farewell(code))
        except Exception:  # noqa: S110
            pass  # The client went first: each server says so in its own way.
        self._wake(code)

    async def _drop(self, message: Message) -> None:
        raise ConnectionEndedError("the token that opened this connection has ended")

    def _farewell(self, code: int) -> Message:
        raise NotImplementedError

    def _wake(self, code: int) -> None:
        raise NotImplementedError


class LiveStream(Live):
    """A response of server-sent events; its client comes back by itself, with a newer token.

    Args:
        bridge: as for ``Live``, like the next three.
        scope: of the request.
        send: the server's.
        principal: what the token said.
        waiting: around everything that now waits for the client to go.
    """

    def __init__(
        self, bridge: "Bridge", scope: Scope, send: Send, principal: Principal, waiting: set[CancelScope]
    ) -> None:
        super().__init__(bridge, scope, send, principal)
        self._waiting = waiting
        version = scope.get("asgi", {}).get("spec_version", "2.0")
        self._raises = tuple(map(int, version.split("."))) >= (2, 4)

    async def _drop(self, message: Message) -> None:
        # Before 2.4 a server says nothing: the endpoint learns it from `receive`, and must get its turn.
        if self._raises:
            await super()._drop(message)
        await asyncio.sleep(0)

    def _farewell(self, code: int) -> Message:
        return {"type": "http.response.body", "body": b"", "more_body": False}

    def _wake(self, code: int) -> None:
        for scope in self._waiting:
            scope.cancel()
