"""One-time tickets: for a WebSocket or an EventSource in a browser, which can send no header.

Private half of the annex ``fastapi``, beside the verifier: where a request carries a ticket in place of a
token, the guards ask here. A ticket is taken out of the query string before anything can log it, is good
once, at one path, for 30 seconds and no longer than the token it was got with. Law: ``access-token.md``
section 6, RFC 6750 §2 (one credential a request) and §5.3 (no token in a URL: a ticket is none).
"""

import json
import re
import secrets
from collections.abc import Sequence
from hashlib import sha256
from typing import Any, Final
from urllib.parse import unquote_to_bytes

import anyio
from starlette.types import Scope

from ._fastapi_refusal import LOGGER
from .bearer import parse_authorization
from .compact import parse_json_object
from .errors import (
    ConfigurationError,
    InvalidRequestError,
    InvalidTokenError,
    KeySetUnavailableError,
    MissingTokenError,
)
from .tickets import MemoryTickets, TicketStore
from .verifier import Principal, Verifier

LIFETIME: Final = 30
"""Seconds that a ticket is good for, at most."""

TICKETS: Final = "jwt_auth_bridge.tickets"
"""Where a scope holds the tickets out of its query string: for every bridge, as a header is."""

PATIENCE: Final = 5.0
"""Seconds that a store may take; then it counts as one that can not be reached."""

_FORM: Final = re.compile(rb"[A-Za-z0-9_-]{43}")


def take_out(scope: Scope) -> tuple[bytes, ...]:
    """Takes the tickets out of a connection's query string, in place: servers log what is left there.

    On a WebSocket and on a GET that asks for ``text/event-stream``, the parameter ``ticket`` is a credential
    whatever it holds. Elsewhere it is none, and only what has the form of a ticket goes.

    Returns:
        All that were found on this connection, now and before.

    Example:
        >>> scope = {"type": "websocket", "query_string": b"a=1&%74icket=x&b=2"}
        >>> take_out(scope), scope["query_string"]
        ((b'x',), b'a=1&b=2')
    """
    query = scope.get("query_string")
    live = bool(query or TICKETS in scope) and _is_live(scope)
    if query:
        parts: list[bytes] = []
        found: list[bytes] = []
        for part in query.split(b"&"):
            name, _, value = part.partition(b"=")
            value = _decoded(value)
            is_ticket = _decoded(name) == b"ticket" and (live or _FORM.fullmatch(value) is not None)
            (found if is_ticket else parts).append(value if is_ticket else part)
        if found:
            scope["query_string"] = b"&".join(parts)
            if live:
                scope[TICKETS] = (*scope.get(TICKETS, ()), *found)
    taken: tuple[bytes, ...] = scope.get(TICKETS, ()) if live else ()
    return taken


def full_path(scope: Scope) -> str:
    """Gives a connection's path, decoded, from the root of the server: mounts do not change it.

    Example:
        >>> full_path({"path": "/x", "root_path": "/v1"}), full_path({"path": "/v1/x", "root_path": "/v1"})
        ('/v1/x', '/v1/x')
    """
    path: str = scope["path"]
    root: str = scope.get("root_path", "").rstrip("/")
    # ASGI has the root in the path, and servers and proxies that take it off are many.
    return path if path == root or path.startswith(f"{root}/") else root + path


class TicketDesk:
    """Issues and redeems the tickets of one bridge.

    Args:
        store: where they are kept.
        verifier: whose clock and whose policy count.
    """

    def __init__(self, store: TicketStore, verifier: Verifier) -> None:
        self.store = store
        self._verifier = verifier

    def start(self) -> None:
        """Has the store judge the process that it is in.

        Raises:
            ConfigurationError: it can not serve here.
        """
        if isinstance(self.store, MemoryTickets):
            self.store.start(self._verifier.audience)

    async def issue(self, principal: Principal, path: str) -> tuple[str, int]:
        """Makes a ticket.

        Args:
            principal: whom it is for.
            path: the full path where it is good, decoded.

        Returns:
            The ticket, and the whole seconds that it is good for.

        Raises:
            KeySetUnavailableError: the store can not be reached.
        """
        now = float(self._verifier._clock())
        # [V15] A token is good until its end and the leeway.
        ends_at = min(now + LIFETIME, principal.expires_at + self._verifier.leeway)
        # The claims are a document in the document: nested, they could be one level too deep to be read.
        claims = json.dumps(dict(principal.claims))
        record = json.dumps({"path": path, "ends_at": ends_at, "claims": claims})
        ticket = secrets.token_urlsafe(32)
        await self._ask(self.store.put(_digest(ticket.encode()), record, ends_at=ends_at, now=now))
        return ticket, max(0, int(ends_at - now))

    async def redeem(
        self, scope: Scope, authorization: Sequence[bytes], tickets: Sequence[bytes]
    ) -> Principal:
        """Takes a connection's ticket for its token.

        Raises:
            InvalidRequestError: it has two credentials; none of them is used up.
            InvalidTokenError: unknown, used, past its end, of another path, of another API.
            KeySetUnavailableError: the store can not be reached.
        """
        try:
            parse_authorization(authorization)
        except MissingTokenError:
            pass  # another scheme is another's business: a proxy's password in front of all this
        else:
            raise InvalidRequestError("ticket_repeated")
        if len(tickets) != 1:
            raise InvalidRequestError("ticket_repeated")
        if not _FORM.fullmatch(tickets[0]):
            raise InvalidTokenError("ticket_invalid")
        record = await self._ask(self.store.take(_digest(tickets[0])))
        try:
            return self._read(record, full_path(scope))
        except (ValueError, InvalidTokenError):
            pass
        raise InvalidTokenError("ticket_invalid")

    def _read(self, record: object, path: str) -> Principal:
        """Reads what the store gave, which need not be what it was given.

        Raises:
            ValueError: no record, or none for here and now.
            InvalidTokenError: the claims are not, or are no longer, those of a token for this API.
        """
        verifier, now = self._verifier, float(self._verifier._clock())
        kept = parse_json_object(_octets(record))
        ends_at, claims = kept.get("ends_at"), parse_json_object(_octets(kept.get("claims")))
        if not isinstance(ends_at, int | float) or not now < ends_at or kept.get("path") != path:
            raise ValueError("not for here and now")
        return verifier._accept(claims, now)

    async def _ask(self, answer: Any) -> Any:
        try:
            with anyio.fail_after(PATIENCE):
                return await answer
        except ConfigurationError:
            raise
        except Exception as error:
            # Its words may hold the record; its kind says enough.
            kinds = [type(one).__name__ for one in (error, getattr(error, "orig", None)) if one is not None]
            LOGGER.error("the store of tickets failed: %s", ", ".join(kinds))
        raise KeySetUnavailableError("ticket_store_unavailable")


def _is_live(scope: Scope) -> bool:
    """Tells whether this is a connection to which a browser can give no header."""
    if scope["type"] == "websocket":
        return True
    return (
        scope["type"] == "http"
        and scope.get("method") == "GET"
        and any(
            b"text/event-stream" in (one.split(b";")[0].strip().lower() for one in value.split(b","))
            for name, value in scope["headers"]
            if name == b"accept"
        )
    )


def _decoded(part: bytes) -> bytes:
    return unquote_to_bytes(part.replace(b"+", b" "))


def _digest(ticket: bytes) -> bytes:
    return sha256(ticket).digest()


def _octets(text: object) -> bytes:
    if isinstance(text, str):
        return text.encode("utf-8")
    if isinstance(text, bytes):
        return text
    raise ValueError("no text")
