"""An open WebSocket: closed when its token ends, unless a message brings a newer token of the same session.

Private half of the annex ``fastapi``, beside ``_fastapi_live``. A browser can set no header on a WebSocket,
and no second one at all, so the newer token comes as a message; it is taken out here, and the endpoint never
sees it. Law: RFC 6455 §7.4.1 (1008, 1011); ``access-token.md`` V1 to V17, and the route's own guards.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

from starlette.types import Message, Receive, Scope, Send

from ._fastapi_live import Live
from ._fastapi_refusal import LOGGER, POLICY_VIOLATION, Refused
from .compact import parse_json_object
from .errors import BridgeError, ForbiddenError, KeySetUnavailableError
from .verifier import Principal

if TYPE_CHECKING:
    from .fastapi import Bridge

RENEWAL: Final = "jwt-auth-bridge.renew"
"""The ``type`` of the message that brings a newer token."""
MAX_RENEWAL_LENGTH: Final = 16 * 1024
"""Characters; a longer message is the endpoint's."""
OURS: Final = "jwt_auth_bridge."
"""What every name begins with that this package writes into a scope."""
REGISTRY: Final = f"{OURS}live"
"""Where a handshake's scope keeps what is open, one for each bridge, the innermost first."""

_INTERNAL_ERROR: Final = 1011
_AHEAD: Final = 1
"""Messages that are read before the endpoint asks; one more waits its turn."""


def read_renewal(message: Message) -> str | None:
    """Takes the token out of a message that renews a connection.

    Returns:
        The token, unverified; ``None`` where the message is the endpoint's: a binary one, a long one, or
        anything but an object with exactly these two members, texts both.

    Example:
        >>> read_renewal({"text": '{"type": "jwt-auth-bridge.renew", "token": "x"}'})
        'x'
    """
    text = message.get("text")
    # Nobody else's message is parsed: whoever writes the type with escapes does not mean this.
    if not isinstance(text, str) or len(text) > MAX_RENEWAL_LENGTH or f'"{RENEWAL}"' not in text:
        return None
    try:
        said = parse_json_object(text.encode())
    except ValueError:
        return None
    token = said.get("token")
    return (
        token if said.keys() == {"type", "token"} and said["type"] == RENEWAL and type(token) is str else None
    )


class LiveSocket(Live):
    """A WebSocket, from its acceptance on.

    It is read whether or not the endpoint asks, so that one that only sends can be renewed too; but no
    further than two messages ahead, so that nobody fills the memory.

    Args:
        bridge: as for ``Live``, like the next three.
        scope: of the handshake.
        send: the server's.
        principal: what the token said; ``None`` where none was sent, or a test acts as a user.
        receive: the server's.
        decide: asks the route's guards about a scope; ``None`` where a test overrides them, so that renewals
            are of no interest.
    """

    def __init__(
        self,
        bridge: "Bridge",
        scope: Scope,
        send: Send,
        principal: Principal | None,
        *,
        receive: Receive,
        decide: Callable[[Scope], Awaitable[object]] | None,
    ) -> None:
        super().__init__(bridge, scope, send, principal)
        self._level = bridge._log_level
        self._receive = receive
        self._decide = decide
        self._came: asyncio.Queue[Message | Exception] = asyncio.Queue(_AHEAD)
        self._reader: asyncio.Task[None] | None = None

    async def open(self, start: Message) -> None:
        """Sends the acceptance, starts the timer, and begins to read."""
        try:
            await super().open(start)
        finally:  # A client that has gone is something to be read, too.
            if not self._over:
                self._reader = asyncio.get_running_loop().create_task(self._read())

    async def receive(self) -> Message:
        """Gives the endpoint its next message; once the connection has ended, that it has."""
        while True:
            message = await self._came.get()
            if isinstance(message, Exception) or message["type"] == "websocket.disconnect":
                self._came.put_nowait(message)  # for whoever asks again
                if isinstance(message, Exception):
                    raise message
                return message
            if not self._is_ended():
                return message

    async def close(self) -> None:
        """Leaves nothing running once the endpoint has returned; the close still goes out."""
        if self._reader is not None:
            self._reader.cancel()
        await super().close()
        if self._reader is not None:
            await asyncio.wait({self._reader})

    async def renew(self, token: str) -> None:
        """Moves the end of the connection to that of a newer token, or closes it.

        All guards are asked again. Where the keys or whatever else it takes can not be had now, the token in
        hand goes on to count. *Does not* change the ``Principal`` that the endpoint got.
        """
        if self._decide is None:
            return
        try:
            self._ends_at = max(self._ends_at, await self._judge(token, self._decide))
        except Refused as refused:
            if not isinstance(refused.error, KeySetUnavailableError):
                self.end(POLICY_VIOLATION)
        except Exception:
            self.end(_INTERNAL_ERROR)
            LOGGER.exception("a guard failed as it judged a token that renews an open connection")

    async def _judge(self, token: str, decide: Callable[[Scope], Awaitable[object]]) -> float:
        bridge = self._bridge
        result: Principal | BridgeError
        try:
            result = await bridge._verifier.verify_async(token)
        except BridgeError as error:
            result = error.with_traceback(None)  # Its frames hold the token.
        # The handshake once more, as if this token had come with it; nothing decided before counts.
        scope = {name: value for name, value in self._scope.items() if not name.startswith(OURS)}
        scope["headers"] = [(name, value) for name, value in scope["headers"] if name != b"authorization"]
        scope["headers"].append((b"authorization", b"renewed"))
        scope[bridge._key] = ([b"renewed"], result, False)
        principal, before = await bridge._authenticate(scope), self._principal
        # Another user's token, or another session's, opens a connection of its own.
        if before is None or (principal.subject, principal.session_id) != (before.subject, before.session_id):
            raise bridge._refuse(scope, ForbiddenError("renewal_mismatch"))
        await decide(scope)
        return principal.expires_at + bridge._verifier.leeway

    async def _read(self) -> None:
        try:
            while True:
                message = await self._receive()
                if message["type"] == "websocket.disconnect":
                    self._finish()
                    return await self._came.put(message)
                if self._is_ended():
                    return None
                token = read_renewal(message)
                if token is None:
                    await self._came.put(message)
                    continue
                # Several bridges may guard one route: whoever reads first has all of them judge.
                for live in list(self._scope[REGISTRY].values()):
                    await live.renew(token)
        except Exception as error:
            await self._came.put(error)

    async def _say_farewell(self, code: int) -> None:
        if self._reader is not None:
            self._reader.cancel()
        await super()._say_farewell(code)

    async def _drop(self, message: Message) -> None:
        if message["type"] != "websocket.close":  # it is closed
            await super()._drop(message)

    def _farewell(self, code: int) -> Message:
        return {"type": "websocket.close", "code": code, "reason": ""}

    def _wake(self, code: int) -> None:
        while not self._came.empty():
            self._came.get_nowait()
        self._came.put_nowait({"type": "websocket.disconnect", "code": code, "reason": ""})
