"""Where the tests' rows are: SQLite in a file, and a real PostgreSQL, with and without row-level security.

A place opens sessions, forgets what a test changed, and says what is there, whoever it belongs to. On
PostgreSQL everything goes through asyncpg, and there are three roles: a superuser, the owner of the tables
(whom only FORCE confines), and the API's.
"""

import asyncio
import secrets
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import asyncpg
import scope_kit as kit
import scope_models as models
from sqlalchemy import create_engine, event, func, select
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session

from jwt_auth_bridge.sqlalchemy import rls_policy, scope, unscoped_sessions

OWNED = [model.__table__ for model in (models.Project, models.Task, models.Tag, models.Preference)]
OWNED += [models.Item.__table__, models.Note.__table__, models.task_tag, models.foreign]


class Place:
    """What both have in common."""

    rows: dict

    def fill(self):
        def again(session):
            for table in reversed(models.Base.metadata.sorted_tables):
                session.execute(table.delete())
            kit.fill(session)

        self.unscoped(again)
        self.rows = self.unscoped(kit.snapshot)

    def changes(self):
        """What is different of what is not Alice's; whatever is different at all is put back."""
        rows = self.unscoped(kit.snapshot)
        if rows == self.rows:
            return {}
        before, after = kit.not_mine(self.rows), kit.not_mine(rows)
        self.fill()
        return {table: after[table] for table in after if after[table] != before[table]}

    def attempt(self, run, work):
        """Gives what ``work`` saw, how it ended, and whether anything of Bob's was seen or changed."""
        seen = error = None
        try:
            seen = run(work)
        except Exception as caught:
            error = caught
        changed = self.changes()
        return seen, error, "BOB" in repr(seen) or bool(changed)


class SqlitePlace(Place):
    """A file, so that the engine with leave to do without is one of its own."""

    name = "sqlite"

    def __init__(self, folder):
        url = f"sqlite:///{folder / 'test.db'}"
        self.engine, admin = create_engine(url), create_engine(url)
        self.engines = self.engine, admin
        self._unscoped = unscoped_sessions(admin, name="tests")
        models.Base.metadata.create_all(admin)
        self.fill()

    def unscoped(self, work):
        return self._run(self._unscoped("tests"), work)

    def plain(self, work):
        return self._run(Session(self.engine), work)

    def scoped(self, work, user=kit.ALICE):
        return self._run(scope(Session(self.engine), kit.principal(user)), work)

    @staticmethod
    def _run(session, work):
        with session:
            seen = work(session)
            session.commit()
        return seen

    def close(self):
        for engine in self.engines:
            engine.dispose()


@dataclass
class Server:
    """A PostgreSQL and the loop that everything about it runs in."""

    url: str
    runner: asyncio.Runner
    names: list[str] = field(default_factory=list)

    def execute(self, *statements, database=None):
        async def execute():
            connection = await asyncpg.connect(at(self.url, database=database))
            try:
                for statement in statements:
                    await connection.execute(statement)
            finally:
                await connection.close()

        self.runner.run(execute())


def at(url, *, database=None, user=None, password=None):
    """The same server, another database, another role."""
    parts = urlsplit(url)
    if database:
        parts = parts._replace(path=f"/{database}")
    if user:
        parts = parts._replace(netloc=f"{user}:{password}@{parts.netloc.rpartition('@')[2]}")
    return parts.geturl()


def engine_for(url, **options):
    return create_async_engine(url.replace("postgresql://", "postgresql+asyncpg://"), **options)


class PostgresPlace(Place):
    """A database of its own on a server, with or without row-level security."""

    def __init__(self, server: Server, *, walled: bool):
        self.server, self.runner = server, server.runner
        self.name = name = f"scope_{secrets.token_hex(6)}"
        password = secrets.token_hex(16)
        self.roles = {"owner": f"{name}_owner", "api": f"{name}_api"}
        server.execute(
            *(f"CREATE ROLE {role} LOGIN PASSWORD '{password}'" for role in self.roles.values()),
            f"CREATE DATABASE {name} OWNER {self.roles['owner']}",
        )
        self.admin = engine_for(at(server.url, database=name))
        self.urls = {
            role: at(server.url, database=name, user=user, password=password)
            for role, user in self.roles.items()
        }
        self.engine, self.owner = engine_for(self.urls["api"]), engine_for(self.urls["owner"])
        self._unscoped = unscoped_sessions(self.admin, name="tests")
        self.runner.run(self._create(walled))
        self.fill()

    async def _create(self, walled):
        async with self.owner.begin() as connection:
            await connection.run_sync(models.Base.metadata.create_all)
            for table in OWNED if walled else ():
                for statement in rls_policy(table).enable:
                    await connection.exec_driver_sql(statement)
            for what in "TABLES", "SEQUENCES":
                await connection.exec_driver_sql(
                    f"GRANT ALL ON ALL {what} IN SCHEMA public TO {self.roles['api']}"
                )

    def unscoped(self, work):
        return self.runner.run(self._run(self._unscoped("tests"), work))

    def plain(self, work):
        return self.runner.run(self._run(AsyncSession(self.engine), work))

    def scoped(self, work, user=kit.ALICE, engine=None):
        session = scope(AsyncSession(engine or self.engine), kit.principal(user))
        return self.runner.run(self._run(session, work))

    def confined_by_the_database_alone(self, role):
        """Sessions that the scope knows nothing of; their transactions begin as those of a scoped one."""
        engine = engine_for(self.urls[role])
        unscoped = unscoped_sessions(engine, name="no scope")

        def run(work):
            session = unscoped("row-level security alone")

            @event.listens_for(session.sync_session, "after_begin")
            def enter(_session, _transaction, connection):
                connection.execute(select(func.set_config("app.user_id", kit.ALICE, True)))

            try:
                return self.runner.run(self._run(session, work))
            finally:
                self.runner.run(engine.dispose())

        return run

    @staticmethod
    async def _run(session, work):
        async with session:
            seen = await session.run_sync(work)
            await session.commit()
        return seen

    def close(self):
        for engine in self.admin, self.engine, self.owner:
            self.runner.run(engine.dispose())
        self.server.execute(
            f"DROP DATABASE {self.name} WITH (FORCE)", *(f"DROP ROLE {role}" for role in self.roles.values())
        )
