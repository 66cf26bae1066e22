"""The route ``POST /api/tickets``: a ticket for a token, to open one connection with.

Private half of the annex ``fastapi``. The token buys the ticket here; the guards take it for the token where
the connection is opened. Law: ``access-token.md`` section 6.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any, Final
from urllib.parse import unquote_to_bytes

from fastapi import APIRouter, Depends, Request, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from ._fastapi_tickets import TicketDesk
from .errors import KeySetUnavailableError
from .verifier import Principal

if TYPE_CHECKING:
    from .fastapi import Bridge

# RFC 3986 §3.3, and what browsers leave as it is; no query, no fragment, no half of an escape.
_PATH: Final = r"^/(?:[!\x22$&->@-~]|%[0-9A-Fa-f]{2})*$"


def _decodable(path: str) -> str:
    try:
        unquote_to_bytes(path).decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError("is no UTF-8 behind its percent signs") from None
    return path


class TicketRequest(BaseModel):
    """Where a ticket shall be good."""

    model_config = ConfigDict(extra="forbid", strict=True)

    path: Annotated[
        str,
        Field(
            min_length=1,
            max_length=2048,
            pattern=_PATH,
            description="The path of the connection below the API's address, as in its URL, without a query.",
            examples=["/api/u1/tasks/live"],
        ),
        AfterValidator(_decodable),
    ]


class Ticket(BaseModel):
    """A ticket, for the query parameter `ticket` of one connection."""

    ticket: str = Field(description="Good once, at its path.")
    expires_in: int = Field(description="Seconds from now until it is good no longer.")


def ticket_router(bridge: "Bridge", desk: TicketDesk) -> APIRouter:
    """Makes the route ``POST /api/tickets`` of a bridge."""

    @asynccontextmanager
    async def lifespan(_: Any) -> AsyncIterator[None]:
        desk.start()
        yield

    router = APIRouter(lifespan=lifespan)

    @router.post("/api/tickets", status_code=201, tags=["tickets"])
    async def create_ticket(
        wanted: TicketRequest,
        request: Request,
        response: Response,
        user: Annotated[Principal, Depends(bridge.current_user)],
    ) -> Ticket:
        """Gives a ticket for one WebSocket or EventSource, which take it as the query parameter `ticket`."""
        root = request.scope.get("root_path", "").rstrip("/")
        path = root + unquote_to_bytes(wanted.path).decode("utf-8")
        desk.start()
        try:
            ticket, expires_in = await desk.issue(user, path)
        except KeySetUnavailableError as error:
            raise bridge._refuse(request.scope, error) from None
        response.headers["cache-control"] = "no-store"
        return Ticket(ticket=ticket, expires_in=expires_in)

    return router
