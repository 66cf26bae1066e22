"""One-time tickets, kept for where a browser can send no header: WebSocket and EventSource.

Beside the data's way: ``Bridge.tickets`` issues and redeems them, a store of this room keeps what was issued.
The store is a list of the good ones: redeeming takes an entry out in one step, so that nobody redeems twice,
and what is missing, for whatever reason, is no ticket. Law: ``access-token.md`` section 6.

A store never sees a ticket, only its SHA-256. Deliberately not done: the record is not sealed. Who can write
to the store can act as anybody, as with every store of sessions.
"""

import re
from collections.abc import Callable
from inspect import iscoroutinefunction
from math import ceil
from os import getpid
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, Protocol
from zlib import crc32

from ._tickets_workers import claim_process, refuse_several_workers
from .errors import ConfigurationError

if TYPE_CHECKING:
    from redis.asyncio import Redis
    from sqlalchemy.ext.asyncio import AsyncEngine

__all__ = ["MemoryTickets", "PostgresTickets", "RedisTickets", "TicketStore"]

DEFAULT_LIMIT: Final = 10_000
"""Tickets that the memory of one process keeps; the oldest goes first."""

DEFAULT_TABLE: Final = "jwt_bridge_ticket"

_PREFIX: Final = "jwt-bridge-ticket:"
_NAME: Final = re.compile(r"[a-z_][a-z0-9_]{0,46}")
_LOCK: Final = 0x6A776274
"""First half of the advisory lock of PostgreSQL under which ended rows are taken away."""


class TicketStore(Protocol):
    """What ``Bridge.tickets`` asks of a store; write your own against this.

    Whatever a method raises is answered with 503. An entry that is lost is a ticket that is refused: a store
    may forget, and must never give one entry twice.
    """

    async def put(self, digest: bytes, record: str, *, ends_at: float, now: float) -> None:
        """Keeps one entry.

        Args:
            digest: 32 bytes, the SHA-256 of the ticket; the key.
            record: JSON in ASCII, what the ticket stands for.
            ends_at: seconds since 1970; from then on the entry may be dropped.
            now: seconds since 1970, by the bridge's clock.
        """

    async def take(self, digest: bytes) -> str | bytes | None:
        """Takes one entry out and gives its record; ``None`` where there is none.

        Of any number of calls at the same time, in whatever process, one gets the record.
        """


class MemoryTickets:
    """Tickets in the memory of one process.

    Args:
        limit: how many are kept, 1 to 1000000; beyond it the oldest goes. One takes about a kilobyte.

    Raises:
        ConfigurationError: an impossible limit; or several workers, each of which would know its own tickets
            only. ``WEB_CONCURRENCY`` and the command line of uvicorn, gunicorn, hypercorn, granian and
            fastapi say so at once; workers of one parent notice each other when they start.

    *Does not* notice several machines, or several containers with one worker each.

    Example:
        >>> import asyncio
        >>> async def twice() -> list[str | None]:
        ...     store = MemoryTickets()
        ...     await store.put(b"digest", "{}", ends_at=30, now=0)
        ...     return [await store.take(b"digest"), await store.take(b"digest")]
        >>> asyncio.run(twice())
        ['{}', None]
    """

    def __init__(self, limit: int = DEFAULT_LIMIT) -> None:
        if type(limit) is not int or not 1 <= limit <= 1_000_000:
            raise ConfigurationError("limit of MemoryTickets must be a whole number, 1 to 1000000")
        refuse_several_workers()
        self._limit = limit
        self._name = ""
        self._process: int | None = None
        self._held: dict[bytes, tuple[str, float]] = {}
        self._lock = Lock()

    def start(self, name: str | None = None) -> None:
        """Makes this process the one that has the tickets.

        Args:
            name: of the API whose tickets these are; workers of another one do not count.

        Raises:
            ConfigurationError: another worker of the same parent has them.
        """
        self._name = name or self._name
        process = claim_process(self._name)
        if process != self._process:
            # A fork begins with a copy of what its parent had: that would be every ticket twice.
            self._process, self._held, self._lock = process, {}, Lock()

    async def put(self, digest: bytes, record: str, *, ends_at: float, now: float) -> None:
        """Keeps one entry; see ``TicketStore``."""
        self.start()
        with self._lock:
            while self._held:
                oldest = next(iter(self._held))
                if self._held[oldest][1] > now and len(self._held) < self._limit:
                    break
                del self._held[oldest]
            self._held[digest] = record, ends_at

    async def take(self, digest: bytes) -> str | None:
        """Takes one entry out; see ``TicketStore``."""
        if self._process != getpid():
            return None
        with self._lock:
            found = self._held.pop(digest, None)
        return found and found[0]


class RedisTickets:
    """Tickets in Redis 6.2 or newer, or Valkey; for any number of processes.

    Needs the extra ``redis``: ``pip install 'jwt-auth-bridge[redis]'``.

    Args:
        client: of ``redis.asyncio``; it stays the app's, which closes it. Give it a ``socket_timeout``.
        prefix: of every key.

    Raises:
        ConfigurationError: no client, or one that blocks.

    The server forgets an entry at its end by itself. The user needs ``+set +getdel`` on the prefix.

    *Does not* wait for replicas: where a fail-over brings back a replica that has not seen a ticket redeemed,
    that ticket is good a second time, within its 30 seconds.

    Example:
        >>> from redis.asyncio import Redis
        >>> store = RedisTickets(Redis.from_url("redis://localhost:6379/0", socket_timeout=2))
    """

    def __init__(self, client: "Redis", *, prefix: str = _PREFIX) -> None:
        if not iscoroutinefunction(getattr(client, "execute_command", None)):
            raise ConfigurationError("RedisTickets takes a client of redis.asyncio, which does not block")
        if not isinstance(prefix, str) or not prefix:
            raise ConfigurationError("prefix of RedisTickets must be a text that no other key begins with")
        self._client: Any = client
        self._prefix = prefix

    async def put(self, digest: bytes, record: str, *, ends_at: float, now: float) -> None:
        """Keeps one entry; see ``TicketStore``."""
        kept = await self._client.set(
            self._key(digest), record, px=max(1, ceil((ends_at - now) * 1000)), nx=True
        )
        if not kept:
            raise RuntimeError("Redis has kept no ticket")

    async def take(self, digest: bytes) -> str | bytes | None:
        """Takes one entry out; see ``TicketStore``."""
        try:
            found: str | bytes | None = await self._client.getdel(self._key(digest))
        except UnicodeDecodeError:
            return None  # a client with decode_responses, and no record of ours; it is gone now
        return found

    def _key(self, digest: bytes) -> str:
        return self._prefix + digest.hex()


class PostgresTickets:
    """Tickets in a table of PostgreSQL; for any number of processes.

    Needs the extra ``sqlalchemy`` and a driver that does not block, such as asyncpg. Works through pgbouncer.
    The table is made by a migration; see ``ddl``. The app's role needs SELECT, INSERT and DELETE on it.

    Args:
        engine: of the app, asynchronous.
        table: its name: lower-case letters, digits and ``_``, at most 47.
        schema: where it is; by default where the role's search path leads.

    Raises:
        ConfigurationError: no such engine, or no such name.

    Ended rows are taken away when tickets are issued.

    Example:
        >>> from sqlalchemy.ext.asyncio import create_async_engine
        >>> store = PostgresTickets(create_async_engine("postgresql+asyncpg://api@localhost/app"))
    """

    def __init__(
        self, engine: "AsyncEngine", *, table: str = DEFAULT_TABLE, schema: str | None = None
    ) -> None:
        said = "PostgresTickets takes an AsyncEngine of SQLAlchemy that leads to PostgreSQL"
        try:
            from sqlalchemy import text  # noqa: PLC0415
            from sqlalchemy.ext.asyncio import AsyncEngine  # noqa: PLC0415
        except ModuleNotFoundError as error:
            raise ConfigurationError(
                f"{said}, which needs {error.name}: pip install 'jwt-auth-bridge[sqlalchemy]'"
            ) from None
        if not isinstance(engine, AsyncEngine) or engine.dialect.name != "postgresql":
            raise ConfigurationError(said)
        self._engine = engine
        self._text: Callable[[str], Any] = text
        self._table = _qualified(table, schema)

    @staticmethod
    def ddl(table: str = DEFAULT_TABLE, schema: str | None = None) -> tuple[str, ...]:
        r"""Gives the statements that make the table and its index, for a migration.

        The table is UNLOGGED: after a crash of the server it is empty, and a standby never has its rows, so
        that no redeemed ticket comes back.

        Args:
            table: as for ``PostgresTickets``.
            schema: as for ``PostgresTickets``.

        Returns:
            Statements without a semicolon, each for one ``op.execute``.

        Raises:
            ConfigurationError: no such name.

        Example:
            >>> print(*PostgresTickets.ddl(), sep=";\n")
            CREATE UNLOGGED TABLE "jwt_bridge_ticket" (
              digest bytea PRIMARY KEY,
              ends_at double precision NOT NULL,
              record text NOT NULL
            );
            CREATE INDEX "jwt_bridge_ticket_ends_at" ON "jwt_bridge_ticket" (ends_at)
        """
        name = _qualified(table, schema)
        return (
            f"CREATE UNLOGGED TABLE {name} (\n  digest bytea PRIMARY KEY,\n"
            "  ends_at double precision NOT NULL,\n  record text NOT NULL\n)",
            f'CREATE INDEX "{table}_ends_at" ON {name} (ends_at)',
        )

    async def put(self, digest: bytes, record: str, *, ends_at: float, now: float) -> None:
        """Keeps one entry; see ``TicketStore``."""
        # One process at a time: two that take many rows away, each in its order, would block each other.
        clear = (
            f"DELETE FROM {self._table} WHERE ends_at <= :now"  # noqa: S608
            f" AND (SELECT pg_try_advisory_xact_lock({_LOCK}, {crc32(self._table.encode()) & 0x7FFFFFFF}))"
        )
        keep = f"INSERT INTO {self._table} (digest, ends_at, record) VALUES (:digest, :ends_at, :record)"  # noqa: S608
        async with self._begin() as connection:
            await connection.execute(self._text(clear), {"now": float(now)})
            await connection.execute(
                self._text(keep), {"digest": digest, "ends_at": float(ends_at), "record": record}
            )

    async def take(self, digest: bytes) -> str | None:
        """Takes one entry out; see ``TicketStore``."""
        take = f"DELETE FROM {self._table} WHERE digest = :digest RETURNING record"  # noqa: S608
        async with self._begin() as connection:
            found: str | None = (await connection.execute(self._text(take), {"digest": digest})).scalar()
        return found

    def _begin(self) -> Any:
        # Two that take the same row: at this level the second one finds it gone, above it there is an error.
        return self._engine.execution_options(isolation_level="READ COMMITTED").begin()


def _qualified(table: str, schema: str | None) -> str:
    for name in (table,) if schema is None else (schema, table):
        # 47: PostgreSQL cuts names at 63, and the index's has more.
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise ConfigurationError(
                "table and schema of PostgresTickets are names of lower-case letters, digits and _,"
                " at most 47 characters"
            )
    return f'"{table}"' if schema is None else f'"{schema}"."{table}"'
