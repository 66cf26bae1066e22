"""Runs the migrations of schema ``api`` as the owner of the database (``DATABASE_URL``).

The version table lives in schema ``api`` too, and autogenerate is shown that schema only, without the
bridge's tickets, which no model describes. Better Auth's next door are left alone even if a model should come
to describe one of them: nothing here creates, changes or drops them. ``jwt_auth_bridge.alembic`` also brings
``op.enable_owner_rls``.
"""

import asyncio
import os
from functools import partial

import asyncpg
from alembic import context
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from jwt_auth_bridge.alembic import leave_better_auth
from todo_api.models import SCHEMA, Base

TICKETS = "jwt_bridge_ticket"

LOCK = 8_274_431_106
"""An arbitrary number; two processes that migrate at the same time take turns on it."""


def migrate(connection: Connection) -> None:
    """Bring the schema up to date, in one transaction."""
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        version_table_schema=SCHEMA,
        include_schemas=True,
        include_name=lambda name, kind, _parents: name == SCHEMA if kind == "schema" else name != TICKETS,
        include_object=leave_better_auth(schema="auth"),
    )
    with context.begin_transaction():
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        # IF NOT EXISTS asks for the right to create schemas even where there is nothing to create.
        found = connection.scalar(text("SELECT 1 FROM pg_namespace WHERE nspname = :name"), {"name": SCHEMA})
        if found is None:
            connection.execute(text(f"CREATE SCHEMA {SCHEMA}"))
        context.run_migrations()


async def main() -> None:
    """Connect as the owner and migrate."""
    url = os.environ.get("DATABASE_URL", "")
    if not url:
        raise SystemExit("DATABASE_URL is not set; set it to the URL of the database's owner to migrate.")
    connect = partial(asyncpg.connect, url, timeout=10)
    engine = create_async_engine("postgresql+asyncpg://", async_creator=connect, poolclass=NullPool)
    try:
        async with engine.connect() as connection:
            await connection.run_sync(migrate)
            await connection.commit()
    except OSError as error:
        raise SystemExit(f"The database in DATABASE_URL cannot be reached: {error}") from None
    finally:
        await engine.dispose()


asyncio.run(main())
