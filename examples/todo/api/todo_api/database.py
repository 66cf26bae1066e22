"""One engine, one way to open a transaction, and one name for "the database is not there".

A transaction is somebody's: ``transaction`` takes the principal and scopes the session, here and nowhere
else. A session that came about in another way cannot touch a task at all.

An outage has many faces: asyncpg's bare ``ConnectionRefusedError``, its timeouts, SQLAlchemy's wrapped
errors, a pool that is exhausted. ``transaction`` turns them all into DatabaseUnavailableError, which is
answered 503 with ``Retry-After`` (RFC 9110 §15.6.4). ``pool_pre_ping`` makes the recovery automatic.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final
from urllib.parse import urlsplit

import asyncpg
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from jwt_auth_bridge import Principal
from jwt_auth_bridge.sqlalchemy import scope

PATIENCE: Final = 5.0
"""Seconds that a connection or a statement may take; a hung database is an outage, not a hung request."""

PGBOUNCER: Final = "pgbouncer=true"
"""In the query of the URL: between here and PostgreSQL is pgbouncer, in transaction mode."""

POOL_SIZE: Final = 5
POOL_OVERFLOW: Final = 10


class DatabaseUnavailableError(Exception):
    """The database cannot be had right now; trying again later may help."""


class Database:
    """The API's connection to PostgreSQL.

    Args:
        url: a ``postgresql://`` URL; asyncpg reads it itself, with ``sslmode`` and the like, all but
            ``pgbouncer=true``.
        patience: seconds for one connection attempt and for one statement.
        pool_size: connections that are kept.
        pool_overflow: connections beside these, while there is a rush.

    *Does not* connect when it is made: the API starts, and answers 503, while the database is away.
    """

    def __init__(
        self,
        url: str,
        patience: float = PATIENCE,
        *,
        pool_size: int = POOL_SIZE,
        pool_overflow: int = POOL_OVERFLOW,
    ) -> None:
        self._url, self._patience = url, patience
        self.engine = create_async_engine(
            "postgresql+asyncpg://",
            async_creator=partial(
                asyncpg.connect, **_connection(url), timeout=patience, command_timeout=patience
            ),
            pool_pre_ping=True,
            pool_size=pool_size,
            max_overflow=pool_overflow,
            pool_timeout=patience,
        )
        self._sessions = async_sessionmaker(self.engine, expire_on_commit=False)

    @asynccontextmanager
    async def transaction(self, principal: Principal) -> AsyncIterator[AsyncSession]:
        """A session of one user in one transaction: commits at the end, rolls back on an error.

        Args:
            principal: whose rows it sees and changes; both walls learn it here.

        Raises:
            DatabaseUnavailableError: the database cannot be reached, went away or does not answer in time.
        """
        try:
            async with scope(self._sessions(), principal) as session, session.begin():
                yield session
        except Exception as error:
            if _is_outage(error):
                raise DatabaseUnavailableError(_describe(error)) from error
            raise

    def beside(self, *, pool_size: int, pool_overflow: int) -> "Database":
        """The same database through connections of its own: who exhausts them exhausts only them."""
        return Database(self._url, self._patience, pool_size=pool_size, pool_overflow=pool_overflow)

    async def close(self) -> None:
        """Close every connection; call it when the process ends."""
        await self.engine.dispose()


def _connection(url: str) -> dict[str, Any]:
    """What asyncpg needs to know.

    Behind pgbouncer each transaction may get another server connection, and a prepared statement stays with
    the one that prepared it: none is kept. Everything else, the user included, ends with its transaction.
    """
    parts = urlsplit(url)
    query = parts.query.split("&")
    if PGBOUNCER not in query:
        return {"dsn": url}
    rest = "&".join(each for each in query if each != PGBOUNCER)
    return {"dsn": parts._replace(query=rest).geturl(), "statement_cache_size": 0}


def _is_outage(error: Exception) -> bool:
    """Whether the error is the database's state rather than this program's mistake.

    A missing table or a missing right counts as an outage as well: the migration has not been run yet, and
    the same request will work once it has.
    """
    if isinstance(error, DBAPIError):
        return not isinstance(error, (DataError, IntegrityError))
    # What the socket says while connecting stays as it is; a TimeoutError is an OSError.
    return isinstance(error, (OSError, PoolTimeoutError))


def _describe(error: Exception) -> str:
    """For the log: the kind of error and PostgreSQL's code for it, never the statement or its values."""
    state = getattr(getattr(error, "orig", error), "sqlstate", None)
    return f"{type(error).__name__}, SQLSTATE {state}" if state else type(error).__name__
