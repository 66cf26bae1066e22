"""The app, put together from its settings and a bridge. Order matters here, so it is in one place.

A request passes, from the outside in: CORS, the last resort, the limit on the body, the bridge's guard, the
routes. The guard authenticates when the body is asked for, so before its first byte counts for the limit.
"""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from jwt_auth_bridge import KeySetUnavailableError
from jwt_auth_bridge.fastapi import Bridge
from jwt_auth_bridge.tickets import PostgresTickets

from .answers import install_answers
from .database import Database
from .guardrails import BodyLimit, LastResort
from .live import Changes
from .models import SCHEMA
from .routes import account_routes, task_routes
from .settings import Settings

logger = logging.getLogger("todo_api")


def create_app(settings: Settings, bridge: Bridge, database: Database | None = None) -> FastAPI:
    """Build the API.

    Args:
        settings: the API's own settings.
        bridge: who verifies the tokens.
        database: where the tasks are; made from the settings unless a test brings its own.
    """
    tasks = database or Database(settings.database_url)
    # A ticket is looked up before it is known who asks: strangers wait for these connections, not the tasks'.
    tickets = tasks.beside(pool_size=1, pool_overflow=1)
    changes = Changes()

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        try:
            await bridge.prefetch()
        except KeySetUnavailableError:
            # Like a database that is away: no reason not to start, and none to refuse anybody with 401.
            logger.warning("Started without keys: tokens are answered 503 until the key set can be fetched")
        with changes.until_the_end():
            yield
        await tasks.close()
        await tickets.close()

    # No redirects: one would answer a stranger before the guard does, with an address out of the Host header.
    app = FastAPI(title="Todo API", version="1", lifespan=lifespan, redirect_slashes=False)
    app.include_router(account_routes(bridge))
    app.include_router(task_routes(bridge, tasks, changes))
    # For a browser's WebSocket, which sends no header: POST /api/tickets.
    app.include_router(bridge.tickets(PostgresTickets(tickets.engine, schema=SCHEMA)))
    install_answers(app)

    bridge.protect(app, public=["GET /healthz"])
    # Each call puts a layer around the ones before.
    app.add_middleware(BodyLimit)
    app.add_middleware(LastResort)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=[settings.web_origin],
        allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
        allow_headers=["Authorization", "Content-Type"],
        # Without this a browser on another origin sees neither why it was refused nor when to come back.
        expose_headers=["WWW-Authenticate", "Retry-After"],
        max_age=600,
    )
    return app
