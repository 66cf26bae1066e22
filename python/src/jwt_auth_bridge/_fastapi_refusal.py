"""A refusal on its way through FastAPI: one exception, one exact answer, one line in the log.

Private half of the annex ``fastapi``. Whatever asks for the user raises ``Refused``; whichever app serves
the route answers it with the bytes of ``errors.json``. Law: RFC 6750 §3, RFC 9110 §11.6.1.

Nothing here ever holds a token, a claim value, a key or the concrete path.
"""

import json
import logging
from typing import Any, Final

from fastapi import HTTPException
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import Message, Scope
from starlette.websockets import WebSocket, WebSocketState

from ._fastapi_routes import template
from .bearer import answer
from .errors import BridgeError

LOGGER: Final = logging.getLogger("jwt_auth_bridge")

POLICY_VIOLATION: Final = 1008
"""Close code of a WebSocket whose server can not send an HTTP answer (RFC 6455 §7.4.1)."""


class Refused(HTTPException):
    """A request that goes no further.

    An ``HTTPException``, so that an app that knows nothing of the bridge answers with the right status and
    headers too, and FastAPI lets it pass while it reads a body.

    Example:
        >>> from .errors import MissingTokenError
        >>> Refused(MissingTokenError("token_missing")).status_code
        401
    """

    def __init__(self, error: BridgeError) -> None:
        self.error = error
        status, headers, body = answer(error)
        super().__init__(status, json.loads(body)["detail"], dict(headers))

    def response(self) -> Response:
        """Gives the exact answer of ``errors.json``."""
        status, headers, body = answer(self.error)
        return Response(body, status, dict(headers), "application/json")

    def answered_by(self, start: Message) -> bool:
        """Tells whether the start of an answer is this refusal: its status, and no header of it lost.

        An app's own handler may choose another body. FastAPI's "There was an error parsing the body",
        which it makes of an exception that it does not know, is a 400 as well.
        """
        status, headers, _ = answer(self.error)
        ours = {(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers}
        return start.get("status") == status and ours.issubset(map(tuple, start["headers"]))


def prepare_answer(scope: Scope) -> None:
    """Has the app that serves this request answer ``Refused`` exactly, unless it has a handler of its own.

    FastAPI's own handler sends no more than ``detail``. The handlers in the scope are those of the
    innermost app, which no one can know before a route is matched: a guard may stand on a mounted app.
    A handler that the app registered for the status still comes first.

    Example:
        >>> scope = {"type": "http", "starlette.exception_handlers": ({}, {})}
        >>> prepare_answer(scope)
        >>> Refused in scope["starlette.exception_handlers"][0]
        True
    """
    handlers = scope.get("starlette.exception_handlers")
    if handlers is not None:
        handlers[0].setdefault(Refused, _handle)


def log_refusal(scope: Scope, error: BridgeError, level: int, reason: str = "") -> None:
    """Writes one line on a refusal: method, route template, code and hint, and the app's own reason.

    The record carries the first four also as attributes ``method``, ``route``, ``code`` and ``hint``.

    Example:
        >>> from .errors import MissingTokenError
        >>> log_refusal({"type": "http", "method": "GET"}, MissingTokenError("token_missing"), logging.DEBUG)
    """
    if LOGGER.isEnabledFor(level):
        said = {
            "method": scope.get("method", "WEBSOCKET"),
            "route": template(scope),
            "code": error.code,
            "hint": error.hint,
        }
        ending = f" Reason: {reason}" if reason else ""
        LOGGER.log(level, "refused %s %s: %s: %s%s", *said.values(), ending, extra=said)


async def _handle(connection: HTTPConnection, refused: Any) -> Response | None:
    response: Response = refused.response()
    if not isinstance(connection, WebSocket):
        return response
    # Starlette before 0.40 sends no answer to a WebSocket by itself.
    if connection.application_state is WebSocketState.CONNECTING and "websocket.http.response" in (
        connection.scope.get("extensions") or {}
    ):
        await connection.send_denial_response(response)
    else:
        await connection.close(POLICY_VIOLATION)
    return None
