"""The database goes away in every way it can: 503 with Retry-After, and back again without a restart."""

import asyncio
import threading
import time
from contextlib import AsyncExitStack

import asyncpg
import pytest
from conftest import ALICE, Databases, execute, fetch, run
from sqlalchemy import select

from jwt_auth_bridge import Principal
from todo_api.database import POOL_OVERFLOW, POOL_SIZE, Database, DatabaseUnavailableError
from todo_api.models import Task

TASKS = f"/api/{ALICE}/tasks"


def assert_unavailable(answer):
    assert answer.status_code == 503, answer.text
    assert answer.headers["retry-after"] == "5"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json() == {
        "detail": "The database is unavailable, try again",
        "error": "temporarily_unavailable",
    }


def assert_back(client, headers):
    assert client.get(TASKS, headers=headers).status_code == 200


@pytest.mark.parametrize("warm", [True, False], ids=["with a pool", "from the start"])
def test_a_refused_connection(proxied, proxy, alice, warm):
    if warm:
        assert_back(proxied, alice)
    proxy.refuse()
    for _request in range(3):
        assert_unavailable(proxied.get(TASKS, headers=alice))
    assert_unavailable(proxied.post(TASKS, json={"title": "x"}, headers=alice))
    proxy.listen()
    assert_back(proxied, alice)


def test_connections_that_were_cut_while_idle_are_not_noticed(proxied, proxy, alice):
    assert_back(proxied, alice)
    proxy.cut()
    assert_back(proxied, alice)


@pytest.mark.parametrize("warm", [True, False], ids=["with a pool", "from the start"])
def test_a_database_that_hangs(proxied, proxy, alice, warm):
    if warm:
        assert_back(proxied, alice)
    proxy.hang()
    started = time.monotonic()
    assert_unavailable(proxied.get(TASKS, headers=alice))
    assert time.monotonic() - started < 5
    proxy.flow()
    assert_back(proxied, alice)


@pytest.mark.parametrize("how", ["cut", "terminate", "lock"])
def test_a_loss_in_the_middle_of_a_statement(proxied, proxy, alice, databases: Databases, how):
    """A lock on the table makes a statement wait; then its connection ends, or its patience."""

    async def lose(started: threading.Event):
        holder = await asyncpg.connect(databases.owner)
        try:
            async with holder.transaction():
                await holder.execute("LOCK TABLE api.task IN ACCESS EXCLUSIVE MODE")
                started.set()
                waiting = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                while not (rows := await holder.fetch(waiting)):
                    await asyncio.sleep(0.01)
                if how == "terminate":
                    await holder.fetch("SELECT pg_terminate_backend($1)", rows[0]["pid"])
                elif how == "cut":
                    await asyncio.to_thread(proxy.cut)
                # A backend that waits for a lock does not notice that its client is gone.
                while how != "cut" and await holder.fetch(waiting):
                    await asyncio.sleep(0.01)
        finally:
            await holder.close()

    assert_back(proxied, alice)
    started = threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(lose(started)))
    thread.start()
    started.wait(10)
    answer = proxied.post(TASKS, json={"title": "lost"}, headers=alice)
    thread.join(20)
    assert not thread.is_alive()
    assert_unavailable(answer)
    assert_back(proxied, alice)


def test_a_pool_that_is_exhausted(databases: Databases):
    async def exhaust():
        database = Database(databases.api, patience=0.2)
        alice = Principal.for_subject(ALICE)
        async with AsyncExitStack() as held:
            for _connection in range(POOL_SIZE + POOL_OVERFLOW):
                session = await held.enter_async_context(database.transaction(alice))
                await session.execute(select(Task.id))
            with pytest.raises(DatabaseUnavailableError):
                async with database.transaction(alice) as session:
                    await session.execute(select(Task.id))
        await database.close()

    run(exhaust())


def test_a_table_that_is_not_there_yet(client, alice, databases: Databases):
    run(execute(databases.owner, "ALTER TABLE api.task RENAME TO later"))
    try:
        assert_unavailable(client.get(TASKS, headers=alice))
    finally:
        run(execute(databases.owner, "ALTER TABLE api.later RENAME TO task"))
    assert_back(client, alice)


def test_a_role_that_may_not_sign_in(client, alice, databases: Databases):
    login = run(fetch(databases.api, "SELECT current_user AS name"))[0]["name"]
    run(
        execute(
            databases.owner,
            f"ALTER ROLE {login} NOLOGIN",
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{login}'",
        )
    )
    try:
        assert_unavailable(client.get(TASKS, headers=alice))
    finally:
        run(execute(databases.owner, f"ALTER ROLE {login} LOGIN"))
    assert_back(client, alice)


def test_the_token_is_judged_before_the_database(proxied, proxy, alice):
    proxy.refuse()
    assert proxied.get(TASKS).status_code == 401
    assert proxied.get("/api/somebody-else/tasks", headers=alice).status_code == 403
    assert proxied.get("/api/me", headers=alice).status_code == 200
    assert proxied.get("/healthz").status_code == 200
