"""One engine, one way to open a transaction, and one name for "the database is not there".

An outage has many faces: asyncpg's bare ``ConnectionRefusedError``, its timeouts, SQLAlchemy's wrapped
errors, a pool that is exhausted. ``transaction`` turns them all into DatabaseUnavailableError, which is
answered 503 with ``Retry-After`` (RFC 9110 §15.6.4). ``pool_pre_ping`` makes the recovery automatic.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

import asyncpg
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

PATIENCE: Final = 5.0
"""Seconds that a connection or a statement may take; a hung database is an outage, not a hung request."""

POOL_SIZE: Final = 5
POOL_OVERFLOW: Final = 10


class DatabaseUnavailableError(Exception):
    """The database cannot be had right now; trying again later may help."""


class Database:
    """The API's connection to PostgreSQL.

    Args:
        url: a ``postgresql://`` URL; asyncpg reads it itself, with ``sslmode`` and the like.
        patience: seconds for one connection attempt and for one statement.

    *Does not* connect when it is made: the API starts, and answers 503, while the database is away.
    """

    def __init__(self, url: str, patience: float = PATIENCE) -> None:
        self._engine = create_async_engine(
            "postgresql+asyncpg://",
            async_creator=partial(asyncpg.connect, url, timeout=patience, command_timeout=patience),
            pool_pre_ping=True,
            pool_size=POOL_SIZE,
            max_overflow=POOL_OVERFLOW,
            pool_timeout=patience,
        )
        self._sessions = async_sessionmaker(self._engine, expire_on_commit=False)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """A session in one transaction: commits at the end, rolls back on an error.

        Raises:
            DatabaseUnavailableError: the database cannot be reached, went away or does not answer in time.
        """
        try:
            async with self._sessions.begin() as session:
                yield session
        except Exception as error:
            if _is_outage(error):
                raise DatabaseUnavailableError(_describe(error)) from error
            raise

    async def close(self) -> None:
        """Close every connection; call it when the process ends."""
        await self._engine.dispose()


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
