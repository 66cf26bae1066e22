"""Thousands of random operations of several users through few connections, and a model of whose is what.

Workers take turns at being one of the users, so that every connection of the pool serves all of them. Their
transactions commit, roll back to savepoints, fail in the middle, are cancelled where they stand, and lose
their connections to ``pg_terminate_backend``. Each user must see exactly the rows that the model has, and
afterwards exactly these must be there: what one did is never found in another's rows.

``SCOPE_TEST_POOLER=postgresql://host:port`` runs the same through a pooler in transaction mode, in front of
the same server; it must pass on any role and database (pgbouncer: ``* = host=… port=…`` and ``auth_query``).
``SCOPE_TEST_TRANSACTIONS`` makes it longer, ``SCOPE_TEST_SEED`` another one.
"""

import asyncio
import os
import random
import uuid
from collections import Counter
from contextlib import suppress
from urllib.parse import urlsplit

import pytest
from scope_kit import attached, principal
from scope_models import Project, Task
from scope_places import engine_for
from sqlalchemy import delete, event, func, insert, select, text, update
from sqlalchemy.exc import DBAPIError, InvalidRequestError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload
from sqlalchemy.orm.exc import StaleDataError

from jwt_auth_bridge.sqlalchemy import ScopeError, scope, unscoped_sessions

USERS = ("alice", "bob", "carol")
WORKERS = 5
CONNECTIONS = 2
TRANSACTIONS = int(os.environ.get("SCOPE_TEST_TRANSACTIONS", "400"))
SEED = int(os.environ.get("SCOPE_TEST_SEED", "5"))

PLANNED = (ScopeError, StaleDataError, InvalidRequestError, DBAPIError)
"""How an attempt at another's rows may end."""


class PlannedError(Exception):
    """A transaction fails in the middle."""


class User:
    """What one user must see: the key and the title of each project, committed."""

    def __init__(self, name):
        self.name = name
        self.rows = {}
        self.turn = asyncio.Lock()


class World:
    """The users, the database, and what has happened."""

    def __init__(self, place, engine, open_session, seed):
        self.place, self.engine, self.open_session = place, engine, open_session
        self.chance = random.Random(seed)
        self.users = [User(name) for name in USERS]
        self.begun = 0
        self.count = Counter()
        self.admin = unscoped_sessions(place.admin, name="the random test's eyes")

    async def truth(self, user=None):
        """What is really there."""
        async with self.admin("what is really there") as session:
            rows = (await session.execute(select(Project.id, Project.user_id, Project.title))).all()
        assert all(title.startswith(f"{owner}/") for _, owner, title in rows), "one wrote into another's row"
        return {key: title for key, owner, title in rows if user is None or owner == user.name}

    async def work(self):
        while self.begun < TRANSACTIONS:
            self.begun += 1
            user = self.chance.choice(self.users)
            async with user.turn:
                await self.transaction(user)

    async def transaction(self, user):
        wanted = dict(user.rows)
        running = asyncio.ensure_future(self.one(user, wanted))
        end = self.chance.random()
        if end < 0.15:
            for _ in range(self.chance.randrange(60)):
                await asyncio.sleep(0)
            running.cancel()
            self.count["cancelled"] += 1
        elif end < 0.2:
            await self.kill()
        try:
            await running
            user.rows = wanted
        except PlannedError:
            self.count["failed on purpose"] += 1
        except (asyncio.CancelledError, DBAPIError, OSError) as error:
            # Whether it was committed, only the database knows; it was all or nothing.
            assert isinstance(error, asyncio.CancelledError) or is_outage(error), repr(error)
            found = await self.truth(user)
            assert found in (user.rows, wanted), "not all and not nothing"
            user.rows = found
            self.count["ended by force"] += 1

    async def kill(self):
        """Ends one of the connections that the users share, wherever it stands."""
        backends = (
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE usename = :role AND pid <> pg_backend_pid() ORDER BY random() LIMIT 1"
        )
        async with self.place.admin.connect() as connection:
            self.count["killed"] += len(
                (await connection.execute(text(backends), {"role": self.place.roles["api"]})).all()
            )

    async def one(self, user, wanted):
        """One transaction; ``wanted`` is what the user must see next, and nothing else."""
        async with self.open_session(user.name) as session:
            for _ in range(self.chance.randrange(1, 9)):
                if self.chance.random() < 0.2:
                    await self.nested(session, user, wanted)
                else:
                    await self.step(session, user, wanted)
            if self.chance.random() < 0.15:
                raise PlannedError
            await session.commit()
            if self.chance.random() < 0.2:  # goes on in a new transaction of the same session
                await self.look(session, user, wanted)

    async def nested(self, session, user, wanted):
        before = dict(wanted)
        savepoint = await session.begin_nested()
        await self.step(session, user, wanted)
        if self.chance.random() < 0.5:
            await savepoint.rollback()
            wanted.clear()
            wanted.update(before)
        else:
            await savepoint.commit()
        self.count["savepoints"] += 1

    async def step(self, session, user, wanted):
        steps = self.look, self.get, self.add, self.change, self.change_all, self.remove, self.trespass
        step = self.chance.choice(steps)
        self.count[step.__name__] += 1
        await step(session, user, wanted)

    async def look(self, session, user, wanted):
        query = select(Project).options(selectinload(Project.tasks)).execution_options(populate_existing=True)
        projects = (await session.scalars(query)).all()
        assert {project.id: project.title for project in projects} == wanted, user.name
        assert {task.user_id for project in projects for task in project.tasks} <= {user.name}

    async def get(self, session, user, wanted):
        key = self.any_key()
        project = await session.get(Project, key, populate_existing=True)
        assert (project and project.title) == wanted.get(key)

    async def add(self, session, user, wanted):
        title = f"{user.name}/{uuid.uuid4()}"
        if self.chance.random() < 0.5:
            project = Project(title=title, tasks=[Task(title=title)])
            session.add(project)
            await session.flush()
            key = project.id
        else:
            new = insert(Project).values(title=title, user_id=user.name).returning(Project.id)
            key = await session.scalar(new)
        wanted[key] = title

    async def change(self, session, user, wanted):
        if wanted:
            key = self.chance.choice(sorted(wanted))
            project = await session.get(Project, key)
            project.title = wanted[key] = f"{user.name}/{uuid.uuid4()}"
            await session.flush()

    async def change_all(self, session, user, wanted):
        """No condition: as wide as an UPDATE can be."""
        title = f"{user.name}/{uuid.uuid4()}"
        await session.execute(
            update(Project).values(title=title), execution_options={"synchronize_session": False}
        )
        wanted.update(dict.fromkeys(wanted, title))

    async def remove(self, session, user, wanted):
        keys = {self.any_key() for _ in range(3)}
        session.expunge_all()
        for model, column in ((Task, Task.project_id), (Project, Project.id)):
            gone = delete(model).where(column.in_(keys)).execution_options(synchronize_session=False)
            await session.execute(gone)
        for key in keys:
            wanted.pop(key, None)

    async def trespass(self, session, user, wanted):
        """What the scope refuses or the database does, within a savepoint that takes it back."""
        other = self.chance.choice([each for each in self.users if each is not user])
        key = self.chance.choice(sorted(other.rows) or [1])
        session.expunge_all()

        async def write_his():
            attached(session.sync_session, Project, key).title = f"{user.name}/trespassed"
            await session.flush()

        async def delete_his():
            await session.execute(delete(Task))
            await session.delete(attached(session.sync_session, Project, key))
            await session.flush()

        async def add_as_him():
            session.add(Project(title=f"{user.name}/trespassed", user_id=other.name))
            await session.flush()

        async def give():
            await session.execute(update(Project).values(user_id=other.name))

        async def read_his():
            await session.refresh(attached(session.sync_session, Project, key))

        async def read_all():
            rows = (await session.execute(text("SELECT user_id FROM project"))).scalars().all()
            assert set(rows) <= {user.name}

        attempt = self.chance.choice([write_his, delete_his, add_as_him, give, read_his, read_all])
        savepoint = await session.begin_nested()
        try:
            await attempt()
        except PLANNED as error:
            if is_outage(error):
                raise
        session.expunge_all()
        with suppress(InvalidRequestError):  # the flush ended it
            await savepoint.rollback()

    def any_key(self):
        keys = [key for user in self.users for key in user.rows]
        return self.chance.choice(sorted(keys)) if keys else 1


def is_outage(error):
    """The connection is gone: SQLSTATE classes 08 and 57, and asyncpg's own errors, which have none."""
    state = getattr(getattr(error, "orig", None), "sqlstate", None) or "08"
    return isinstance(error, OSError) or (isinstance(error, DBAPIError) and state[:2] in ("08", "57"))


def pooled(place):
    """The API's role, through few connections, or through the pooler that the environment names."""
    url, options = place.urls["api"], {}
    pooler = os.environ.get("SCOPE_TEST_POOLER")
    if pooler:
        own = urlsplit(url)
        credentials = own.netloc.rpartition("@")[0]
        url = own._replace(netloc=f"{credentials}@{urlsplit(pooler).netloc}").geturl()
        options["connect_args"] = {
            "statement_cache_size": 0,
            "prepared_statement_cache_size": 0,
            "prepared_statement_name_func": lambda: f"__{uuid.uuid4()}__",
        }
    return engine_for(url, pool_size=CONNECTIONS, max_overflow=0, pool_pre_ping=True, **options)


def scoped_by(engine):
    return lambda user: scope(AsyncSession(engine), principal(user))


def confined_by_the_database_alone(engine):
    unscoped = unscoped_sessions(engine, name="no scope")

    def open_session(user):
        session = unscoped("row-level security alone")

        @event.listens_for(session.sync_session, "after_begin")
        def enter(_session, transaction, connection):
            if not transaction.nested:
                connection.execute(select(func.set_config("app.user_id", user, True)))

        @event.listens_for(session.sync_session, "before_flush")
        def stamp(session, *_):
            for new in session.new:
                new.user_id = new.user_id or user

        return session

    return open_session


@pytest.mark.parametrize(
    ("fixture", "sessions"),
    [("postgres", scoped_by), ("walled", scoped_by), ("walled", confined_by_the_database_alone)],
    ids=["the scope alone", "both walls", "row-level security alone"],
)
@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning", "ignore::ResourceWarning")
def test_nobody_ever_meets_another_s_rows(request, fixture, sessions):
    count = play(request.getfixturevalue(fixture), sessions)
    assert (
        min(count[kind] for kind in ("cancelled", "killed", "savepoints", "failed on purpose", "trespass"))
        > 5
    )
    assert count["ended by force"] > 5


@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning", "ignore::ResourceWarning")
def test_without_a_wall_they_meet(postgres):
    """Or the model would not notice."""
    with pytest.raises(ExceptionGroup) as caught:
        play(postgres, confined_by_the_database_alone)
    assert caught.group_contains(AssertionError)


def play(place, sessions):
    engine = pooled(place)

    async def run():
        await place.engine.dispose()  # or its connections would be killed too
        async with place.admin.begin() as connection:
            await connection.execute(text("TRUNCATE project, task, tag, task_tag, comment, task_label"))
        world = World(place, engine, sessions(engine), SEED)
        try:
            async with asyncio.TaskGroup() as workers:
                for _ in range(WORKERS):
                    workers.create_task(world.work())
            assert await world.truth() == {k: title for user in world.users for k, title in user.rows.items()}
        finally:
            await engine.dispose()
        return world.count

    try:
        return place.runner.run(run())
    finally:
        place.fill()
