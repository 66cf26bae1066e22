"""Two walls between users, and each holds alone: the query scope, and row-level security.

A test build switches the scope off in the one place where the app puts it on; row-level security is taken
out of a database of its own. With both off, the test that finds nothing otherwise must find every leak.
"""

import inspect

import pytest
from conftest import ALICE, AUDIENCE, BOB, ISSUER, PLAYED, SECRET, Databases, execute, fetch, run
from fastapi import Depends
from sqlalchemy import delete, event, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.testclient import TestClient

import todo_api.database
from jwt_auth_bridge import Principal
from jwt_auth_bridge.sqlalchemy import ScopeError, unscoped_sessions
from jwt_auth_bridge.testing import IsolationError, TokenFactory, assert_isolated
from todo_api import service
from todo_api.app import create_app
from todo_api.database import Database
from todo_api.models import Task
from todo_api.settings import Settings

TASKS = f"/api/{ALICE}/tasks"
BOBS = f"/api/{BOB}/tasks"
RLS = "SELECT relrowsecurity FROM pg_class WHERE oid = 'api.task'::regclass"


@pytest.fixture
def build(bridge, settings, monkeypatch):
    """Builds the app on a database, by choice without the query scope, and without naming the user."""

    def build(databases: Databases, *, scoped: bool, named: bool = True, **options):
        run(execute(databases.owner, "TRUNCATE api.task"))
        database = Database(databases.api, **options)
        if not scoped:
            unscoped_sessions(database.engine, name="a test build without the query scope")
            monkeypatch.setattr(todo_api.database, "scope", forgotten(named=named))
        changed = Settings(database_url=databases.api, web_origin=settings.web_origin)
        return create_app(changed, bridge, database), database

    return build


def forgotten(*, named: bool):
    """In place of ``scope``: new rows get their owner, transactions perhaps their user, queries nothing."""

    def plain(session: AsyncSession, principal: Principal) -> AsyncSession:
        def stamp(session, _context, _instances):
            for row in session.new:
                row.user_id = principal.subject

        def name(_session, _transaction, connection):
            connection.execute(select(func.set_config("app.user_id", principal.subject, True)))

        event.listen(session.sync_session, "before_flush", stamp)
        if named:
            event.listen(session.sync_session, "after_begin", name)
        return session

    return plain


def play(app):
    return assert_isolated(
        app,
        factory=TokenFactory(ISSUER, AUDIENCE, SECRET),
        users=(ALICE, BOB),
        **PLAYED,
    )


# Each alone


def test_row_level_security_alone(build, databases: Databases):
    app, _database = build(databases, scoped=False)
    assert run(fetch(databases.owner, RLS))[0][0] is True
    assert play(app).ok


def test_the_query_scope_alone(build, unwalled: Databases):
    app, _database = build(unwalled, scoped=True)
    assert run(fetch(unwalled.owner, RLS))[0][0] is False
    assert play(app).ok
    plant = f"INSERT INTO api.task (user_id, title) VALUES ('{BOB}', 'his')"
    run(execute(unwalled.owner, plant))
    assert len(run(fetch(unwalled.api, "SELECT * FROM api.task WHERE title = 'his'"))) == 1, "no wall is here"


def test_with_both_off_every_leak_is_reported(build, unwalled: Databases):
    app, _database = build(unwalled, scoped=False, named=False)
    with pytest.raises(IsolationError) as caught:
        play(app)
    found = {(finding.operation, finding.reason) for finding in caught.value.report.findings}
    assert {operation for operation, _reason in found} >= {
        "GET /api/{user_id}/tasks",
        "GET /api/{user_id}/tasks/{task_id}",
        "PUT /api/{user_id}/tasks/{task_id}",
        "PATCH /api/{user_id}/tasks/{task_id}",
        "DELETE /api/{user_id}/tasks/{task_id}",
        "PATCH /api/{user_id}/tasks/{task_id}/complete",
    }
    assert {reason for _operation, reason in found} >= {"foreign_data", "changed"}


# Nobody's session


def test_a_session_that_nobody_scoped_cannot_touch_tasks(databases: Databases, unwalled: Databases):
    async def attempt(url):
        database = Database(url)
        try:
            for statement in (select(Task), delete(Task), update(Task).values(title="x")):
                async with AsyncSession(database.engine) as session:
                    with pytest.raises(ScopeError):
                        await session.execute(statement)
            async with AsyncSession(database.engine) as session:
                session.add(Task(user_id=ALICE, title="x"))
                with pytest.raises(ScopeError):
                    await session.flush()
        finally:
            await database.close()

    for databases_ in databases, unwalled:
        run(attempt(databases_.api))


def test_without_the_scope_and_without_a_user_there_is_nothing(build, databases: Databases, alice):
    app, _database = build(databases, scoped=False, named=False)
    run(execute(databases.owner, f"INSERT INTO api.task (user_id, title) VALUES ('{ALICE}', 'hers')"))
    with TestClient(app) as client:
        assert client.get(TASKS, headers=alice).json() == []
        assert client.post(TASKS, json={"title": "x"}, headers=alice).status_code == 503
    assert len(run(fetch(databases.owner, "SELECT * FROM api.task"))) == 1


def test_the_service_names_no_owner():
    source = inspect.getsource(service)
    assert "user_id" not in source
    assert "subject" not in source


# One connection for all


def test_a_connection_remembers_nobody(build, bridge, databases: Databases, alice, bob):
    """Not even for a route that forgets everything: alice's transaction took her name with it."""
    app, database = build(databases, scoped=True, pool_size=1, pool_overflow=0)

    async def forgetful():
        async with AsyncSession(database.engine) as session:
            rows = await session.execute(text("SELECT title FROM api.task"))
            user = await session.scalar(text("SELECT current_setting('app.user_id', true)"))
            served_by = await session.scalar(text("SELECT pg_backend_pid()"))
            return {"titles": list(rows.scalars()), "user": user, "served_by": served_by}

    guard = [Depends(bridge.path_user)]
    app.add_api_route("/api/{user_id}/forgetful", forgetful, dependencies=guard)
    with TestClient(app) as client:
        served_by = client.get(f"/api/{BOB}/forgetful", headers=bob).json()["served_by"]
        for who, path, headers in (("alice", TASKS, alice), ("bob", BOBS, bob)):
            assert client.post(path, json={"title": f"of {who}"}, headers=headers).status_code == 201
        ends = [
            lambda: client.get(TASKS, headers=alice),
            lambda: client.post(TASKS, json={"title": "more"}, headers=alice),
            lambda: client.delete(f"{TASKS}/{'0' * 32}", headers=alice),  # rolled back
        ]
        for end in ends:
            end()
            seen = client.get(f"/api/{BOB}/forgetful", headers=bob).json()
            assert seen == {"titles": [], "user": "", "served_by": served_by}
            end()
            assert [task["title"] for task in client.get(BOBS, headers=bob).json()] == ["of bob"]


def test_pgbouncer_finds_no_prepared_statement(databases: Databases):
    """With one, the next transaction would ask another server connection for it."""

    async def kept(url):
        database = Database(url, pool_size=1, pool_overflow=0)
        principal = Principal.for_subject(ALICE)
        for _again in range(2):
            async with database.transaction(principal) as session:
                await session.scalars(select(Task))
        async with AsyncSession(database.engine) as session:
            count = await session.scalar(text("SELECT count(*) FROM pg_prepared_statements WHERE name <> ''"))
        await database.close()
        return count

    assert run(kept(databases.api)) > 0
    assert run(kept(f"{databases.api}?pgbouncer=true")) == 0
    assert run(kept(f"{databases.api}?sslmode=disable&pgbouncer=true")) == 0


# What pierces both walls


def test_a_unique_value_is_answered_like_a_missing_row(client, alice, databases: Databases, caplog):
    """No constraint of the table's own can be hit from outside; one that is added some day must not tell."""
    run(execute(databases.owner, "CREATE UNIQUE INDEX one_title ON api.task (user_id, title)"))
    try:
        first, second = (client.post(TASKS, json={"title": "once"}, headers=alice) for _ in range(2))
        changed = client.post(TASKS, json={"title": "other"}, headers=alice).json()
        renamed = client.patch(f"{TASKS}/{changed['id']}", json={"title": "once"}, headers=alice)
        missing = client.get(f"{TASKS}/{'0' * 32}", headers=alice)
    finally:
        run(execute(databases.owner, "DROP INDEX api.one_title"))
    assert first.status_code == 201
    for answer in second, renamed:
        assert (answer.status_code, answer.content) == (404, missing.content)
        assert answer.headers == missing.headers
    assert caplog.text.count("A constraint refused a statement: SQLSTATE 23505") == 2
    assert "once" not in caplog.text
