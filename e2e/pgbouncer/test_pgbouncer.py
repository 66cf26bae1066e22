"""One server connection, many clients: what one user's transaction set is not there for the next one.

``npm run test:system -- pgbouncer`` runs this, beside the randomized test of python/tests/sqlalchemy, with a
PostgreSQL, and a pgbouncer in transaction mode that has one server connection for each database and role. It
runs it once more with a copy of the package whose setting lives as long as the connection: then it must fail.
"""
# ruff: noqa: ANN001, ANN002, ANN003, ANN201, ANN202, D101, D103, PT012, PT018, S101, S311

import asyncio
import os
import random
import secrets
import uuid
from urllib.parse import urlsplit

import asyncpg
import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from jwt_auth_bridge import Principal
from jwt_auth_bridge.sqlalchemy import OwnedBy, rls_policy, scope

CLIENTS = 6
TURNS = 40
USERS = ("alice", "bob")
STATE = text(
    "SELECT pg_backend_pid(), current_setting('app.user_id', true), array(SELECT user_id::text FROM memo)"
)


class Base(DeclarativeBase):
    pass


class Memo(OwnedBy("user_id"), Base):
    __tablename__ = "memo"
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[str]


class FailedError(Exception):
    pass


def at(url, place=None, **parts):
    """The same server, or the one at ``place``, with another database and role."""
    there = urlsplit(place or url)
    own = urlsplit(url)
    user = f"{parts['role']}:{parts['password']}" if parts else own.netloc.rpartition("@")[0]
    path = f"/{parts['role']}" if parts else own.path
    return own._replace(netloc=f"{user}@{there.hostname}:{there.port}", path=path).geturl()


def connect(url):
    """An engine with one client connection, as behind a pooler in transaction mode."""
    return create_async_engine(
        url.replace("postgresql://", "postgresql+asyncpg://"),
        pool_size=1,
        max_overflow=0,
        connect_args={
            "statement_cache_size": 0,
            "prepared_statement_cache_size": 0,
            "prepared_statement_name_func": lambda: f"__{uuid.uuid4()}__",
        },
    )


async def execute(url, *statements):
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


@pytest.fixture(scope="module")
def runner():
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="module")
def clients(runner):
    """Clients that stay connected to the pooler, as one role that only row-level security confines."""
    server, pooler = os.environ.get("TEST_DATABASE_URL"), os.environ.get("SCOPE_TEST_POOLER")
    assert server and pooler, "These tests need a pooler: npm run test:system -- pgbouncer starts one."
    role, password = f"pooled_{secrets.token_hex(6)}", secrets.token_hex(16)
    there = {"role": role, "password": password}
    run = runner.run
    run(execute(server, f"CREATE ROLE {role} LOGIN PASSWORD '{password}'"))
    run(execute(server, f"CREATE DATABASE {role} OWNER {role}"))
    run(
        execute(
            at(server, **there),
            "CREATE TABLE memo (id int PRIMARY KEY, user_id varchar NOT NULL)",
            "INSERT INTO memo VALUES (1, 'alice'), (2, 'bob'), (3, 'bob')",
            *rls_policy(Memo).enable,
        )
    )
    engines = [connect(at(server, pooler, **there)) for _ in range(CLIENTS)]
    yield engines
    for engine in engines:
        run(engine.dispose())
    run(execute(server, f"DROP DATABASE {role} WITH (FORCE)"))
    run(execute(server, f"DROP ROLE {role}"))


def session_of(user, client):
    return scope(AsyncSession(client), Principal.for_subject(user))


async def see(session, user):
    """Within a scope everybody sees all of their own, and nothing else."""
    owners = [memo.user_id for memo in await session.scalars(select(Memo))]
    assert owners == [user] * USERS.index(user) + [user]


async def nobody_there(client):
    """A client without a scope finds no user in the connection, and so no row."""
    async with client.connect() as connection:
        server, user, owners = (await connection.execute(STATE)).one()
    assert user in (None, ""), f"the setting outlived its transaction: {user}"
    assert owners == []
    return server


async def commit(client):
    async with session_of("alice", client) as session:
        await see(session, "alice")
        await session.commit()


async def commit_a_second_transaction(client):
    async with session_of("alice", client) as session:
        for _ in range(2):
            await see(session, "alice")
            await session.commit()


async def roll_back(client):
    async with session_of("alice", client) as session:
        await see(session, "alice")
        await session.rollback()


async def close(client):
    async with session_of("alice", client) as session:
        await see(session, "alice")


async def roll_back_to_a_savepoint(client):
    async with session_of("alice", client) as session:
        savepoint = await session.begin_nested()
        await see(session, "alice")
        await savepoint.rollback()
        await session.commit()


async def fail_in_the_program(client):
    with pytest.raises(FailedError):
        async with session_of("alice", client) as session:
            await see(session, "alice")
            raise FailedError


async def fail_in_the_database(client):
    async with session_of("alice", client) as session:
        session.add(Memo(id=2))  # there is one, and it is Bob's
        with pytest.raises(IntegrityError):
            await session.flush()


async def be_cancelled(client):
    began = asyncio.Event()

    async def wait():
        async with session_of("alice", client) as session:
            await see(session, "alice")
            began.set()
            await asyncio.Event().wait()

    running = asyncio.ensure_future(wait())
    await began.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


ENDS = [
    commit,
    commit_a_second_transaction,
    roll_back,
    close,
    roll_back_to_a_savepoint,
    fail_in_the_program,
    fail_in_the_database,
    be_cancelled,
]


def test_all_clients_have_one_server_connection(runner, clients):
    """Or nothing here proves anything."""

    async def work():
        opened = [client.connect() for client in clients]
        for connection in opened:
            await connection.start()
        servers = set()
        for _ in range(2):
            for connection in opened:
                servers.add((await connection.execute(STATE)).one()[0])
                await connection.rollback()
        for connection in opened:
            await connection.close()
        return servers

    assert len(runner.run(work())) == 1


@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.__name__)
def test_no_setting_outlives_its_transaction(runner, clients, end):
    async def work():
        await end(clients[0])
        server = await nobody_there(clients[1])
        async with session_of("bob", clients[2]) as session:
            await see(session, "bob")
        assert await nobody_there(clients[0]) == server, "another connection proves nothing"

    runner.run(work())


def test_clients_that_take_turns_find_nothing_of_each_other(runner, clients):
    chance = random.Random(5)

    async def play(client):
        for _ in range(TURNS):
            user = chance.choice((*USERS, None))
            if user is None:
                await nobody_there(client)
                continue
            async with session_of(user, client) as session:
                for _ in range(2):  # others come in between
                    await see(session, user)
                    await chance.choice((session.commit, session.rollback))()

    async def work():
        async with asyncio.TaskGroup() as group:
            for client in clients:
                group.create_task(play(client))

    runner.run(work())
