"""Two pure ASGI middlewares: a bound on the request body, and the last resort for an error nobody expected.

Both wrap ``receive`` and ``send`` only, so that nothing is buffered. The last resort stands inside CORS: an
error that a browser may not read looks like a network failure to the person.
"""

import logging
from typing import Final

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .answers import answer

MAX_BODY_BYTES: Final = 64 * 1024
"""Bytes; the longest task, escaped as badly as JSON allows, takes about 27,000."""

logger = logging.getLogger("todo_api")


class BodyLimit:
    """Answers 413 once a body is longer than MAX_BODY_BYTES, whatever Content-Length says.

    It counts in ``receive`` and not before, because the bridge authenticates there: a stranger with a huge
    body is told 401, not 413.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > MAX_BODY_BYTES:
                raise HTTPException(413, "The request body is too large")
            return message

        await self._app(scope, counted, send)


class LastResort:
    """Marks every answer as not to be stored, and turns an unexpected error into a plain 500."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def marked(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = message.setdefault("headers", [])
                if not any(name.lower() == b"cache-control" for name, _ in headers):
                    headers.append((b"cache-control", b"no-store"))
                headers.append((b"x-content-type-options", b"nosniff"))
            await send(message)

        try:
            await self._app(scope, receive, marked)
        except Exception:
            if started:
                raise
            logger.exception("Unexpected error in %s %r", scope["method"], scope["path"])
            response = answer(500, {"detail": "Something went wrong", "error": "internal_error"})
            await response(scope, receive, marked)
