"""One way to ask for a user's rows, in a process of its own: takes orders from ``scope.py``, gives times.

An order is one line of JSON: ``["turn", shape, rows, count]`` runs a query that often and answers in seconds;
``["plan", shape, rows]`` answers with the names of the indexes by which PostgreSQL runs it.
"""

# ruff: noqa: PLC0415 - who asks without the module must not import it
import asyncio
import gc
import hashlib
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy import String, Text, event, func, select
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

SIZES = (1_000, 1_000_000)
ROLES = {"bench_bypass": "BYPASSRLS", "bench_confined": "NOBYPASSRLS"}
"""Roles, and whether row-level security speaks to them."""
HAND, IMPORTED, SCOPE = "hand-written where", "the same, module imported", "scope"
UNDER, ALONE, BOTH = "RLS under the where", "RLS without it", "scope and RLS"
WAYS = {
    HAND: ((), "bench_bypass"),
    IMPORTED: (("module",), "bench_bypass"),
    SCOPE: (("module", "scope"), "bench_bypass"),
    UNDER: (("setting",), "bench_confined"),
    ALONE: (("setting", "no where"), "bench_confined"),
    BOTH: (("module", "scope"), "bench_confined"),
}
"""Ways to ask: what they do, and as whom they connect."""
LIST, KEY, WHOLE = "ten rows", "one row by its key", "a whole transaction with ten rows"
SETTING, NOTHING = "set_config", "SELECT 1"
SHAPES = {
    LIST: (SIZES, tuple(WAYS)),
    KEY: (SIZES, tuple(WAYS)),
    WHOLE: (SIZES[-1:], tuple(WAYS)),
    SETTING: (SIZES[-1:], (HAND,)),
    NOTHING: (SIZES[-1:], (HAND,)),
}
"""What is run, on tables of how many rows, in which ways."""

USER = hashlib.md5(b"7").hexdigest()


def table_of(rows: int) -> str:
    return f"task_{rows}"


def make_model(rows: int, does: tuple[str, ...]) -> Any:
    class Base(DeclarativeBase):
        pass

    class Task(Base):
        __tablename__ = table_of(rows)
        id: Mapped[UUID] = mapped_column(primary_key=True)
        user_id: Mapped[str] = mapped_column(String(255))
        title: Mapped[str] = mapped_column(String(200))
        description: Mapped[str] = mapped_column(Text)
        completed: Mapped[bool]
        created_at: Mapped[datetime]
        updated_at: Mapped[datetime]

    if "scope" in does:
        from jwt_auth_bridge.sqlalchemy import owned

        owned(Task, "user_id")
    return Task


class Asker:
    """Asks in one way: a statement is built, executed, and its objects are dropped, as a request does it."""

    def __init__(self, does: tuple[str, ...], url: str) -> None:
        self.does, self.url = does, url
        if "module" in does:
            import jwt_auth_bridge.sqlalchemy  # noqa: F401
        self.engine = create_async_engine(url.replace("postgresql:", "postgresql+asyncpg:"), pool_size=1)
        self.models = {rows: make_model(rows, does) for rows in SIZES}
        self.keys: dict[int, UUID] = {}

    def session(self) -> AsyncSession:
        session = AsyncSession(self.engine)
        if "scope" in self.does:
            from jwt_auth_bridge import Principal
            from jwt_auth_bridge.sqlalchemy import scope

            scope(session, Principal.for_subject(USER))
        return session

    async def enter(self, session: AsyncSession) -> None:
        """What has to come before the first query; a scoped session does it by itself."""
        if "setting" in self.does:
            await session.execute(select(func.set_config("app.user_id", USER, True)))

    def statement(self, shape: str, rows: int, key: UUID | None = None) -> Any:
        Task = self.models[rows]
        query = select(Task)
        if not {"scope", "no where"} & {*self.does}:
            query = query.where(Task.user_id == USER)
        if shape == KEY:
            return query.where(Task.id == key)
        return query.order_by(Task.created_at, Task.id).limit(50)

    async def key(self, rows: int) -> UUID:
        if rows in self.keys:
            return self.keys[rows]
        async with self.session() as session:
            await self.enter(session)
            found = (await session.scalars(self.statement(LIST, rows))).all()
            self.keys[rows] = found[3].id
        return self.keys[rows]

    async def turn(self, shape: str, rows: int, count: int) -> float:
        """Runs something some times; but for a whole transaction, within one that is open already."""
        if shape == WHOLE:
            return await self.timed(lambda: self.transaction(rows), count)
        if shape in (SETTING, NOTHING):
            # By the connection, as the scope does it.
            async with self.engine.connect() as connection:
                asked = func.set_config("app.user_id", USER, True) if shape == SETTING else 1
                return await self.timed(lambda: connection.execute(select(asked)), count)
        key = await self.key(rows) if shape == KEY else None
        async with self.session() as session:
            await self.enter(session)

            async def ask() -> None:
                found = (await session.scalars(self.statement(shape, rows, key))).all()
                assert len(found) == (1 if key else 10), len(found)

            return await self.timed(ask, count)

    async def transaction(self, rows: int) -> None:
        async with self.session() as session:
            await self.enter(session)
            found = (await session.scalars(self.statement(LIST, rows))).all()
            assert len(found) == 10, len(found)
            await session.commit()

    async def timed(self, run: Callable[[], Awaitable[object]], count: int) -> float:
        await run()
        gc.collect()
        gc.freeze()
        gc.disable()
        try:
            began = time.perf_counter()
            for _ in range(count):
                await run()
            return time.perf_counter() - began
        finally:
            gc.enable()

    async def plan(self, shape: str, rows: int) -> list[str]:
        """The indexes in PostgreSQL's plan of the very statement that is sent, as the role that sends it."""
        key = await self.key(rows)
        sent: list[tuple[str, Any]] = []

        def note(_connection: Any, _cursor: Any, sql: str, values: Any, *_: Any) -> None:
            sent.append((sql, values))

        event.listen(self.engine.sync_engine, "before_cursor_execute", note)
        async with self.session() as session:
            await self.enter(session)
            await session.scalars(self.statement(shape, rows, key))
        event.remove(self.engine.sync_engine, "before_cursor_execute", note)
        sql, values = sent[-1]
        connection = await asyncpg.connect(self.url)
        try:
            async with connection.transaction():
                await connection.execute("SELECT set_config('app.user_id', $1, true)", USER)
                found = json.loads(await connection.fetchval(f"EXPLAIN (FORMAT JSON) {sql}", *values))
        finally:
            await connection.close()
        nodes = list(plan_nodes(found[0]["Plan"]))
        if any(node["Node Type"] == "Seq Scan" for node in nodes):
            raise SystemExit(f"this reads a whole table: {sql}")
        return sorted({node["Index Name"] for node in nodes if "Index Name" in node})


def plan_nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("Plans", ()):
        yield from plan_nodes(child)


async def main() -> None:
    asker = Asker(WAYS[sys.argv[1]][0], os.environ["SCOPE_URL"])
    for line in iter(sys.stdin.readline, ""):
        order, *arguments = json.loads(line)
        answer = await {"turn": asker.turn, "plan": asker.plan}[order](*arguments)
        print(json.dumps(answer), flush=True)
    await asker.engine.dispose()


if __name__ == "__main__":
    asyncio.run(main())
