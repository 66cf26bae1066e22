"""Row-level security on a real PostgreSQL: the setting's life, the roles, and what only this wall can see."""

import asyncpg
import pytest
from scope_kit import ALICE, BOB, HIS, MINE, principal
from scope_models import Foreign, Preference, Project, Task, User
from scope_places import OWNED, engine_for
from sqlalchemy import Column, MetaData, String, Table, create_engine, event, func, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from jwt_auth_bridge._sqlalchemy_scope import SESSIONS, Scope
from jwt_auth_bridge.errors import ConfigurationError
from jwt_auth_bridge.sqlalchemy import rls_policy, scope, unscoped_sessions

CURRENT = select(func.current_setting("app.user_id", True)).select_from(User).limit(1)


@pytest.fixture(autouse=True)
def nothing_of_bob_s_changes(walled):
    yield
    assert not walled.changes()


def raw(place, role, *statements, user=None):
    """Rows as a role gets them with the driver alone, in one transaction, perhaps as a user."""

    async def fetch():
        connection = await asyncpg.connect(place.urls[role])
        try:
            async with connection.transaction():
                if user is not None:
                    await connection.execute("SELECT set_config('app.user_id', $1, true)", user)
                return [await connection.fetch(statement) for statement in statements][-1]
        finally:
            await connection.close()

    return place.runner.run(fetch())


# The statements


def test_the_statements():
    policy = rls_policy(Task)
    assert policy.enable == (
        "ALTER TABLE task ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE task FORCE ROW LEVEL SECURITY",
        "CREATE POLICY jwt_auth_bridge_owner ON task"
        " USING (user_id = NULLIF((SELECT current_setting('app.user_id', true)), ''))"
        " WITH CHECK (user_id = NULLIF((SELECT current_setting('app.user_id', true)), ''))",
        "ALTER TABLE task ADD CONSTRAINT jwt_auth_bridge_owner_not_empty CHECK (user_id <> '')",
    )
    assert policy.disable == (
        "ALTER TABLE task DROP CONSTRAINT jwt_auth_bridge_owner_not_empty",
        "DROP POLICY jwt_auth_bridge_owner ON task",
        "ALTER TABLE task NO FORCE ROW LEVEL SECURITY",
        "ALTER TABLE task DISABLE ROW LEVEL SECURITY",
    )
    assert policy == rls_policy(Task.__table__) == rls_policy("task", "user_id")
    assert "(owner = NULLIF" in rls_policy(Foreign).enable[2], "the column's own name, not its key"


def test_names_are_quoted():
    table = Table('or"der', MetaData(), Column("%User:id", String), schema="My schema")
    enable = rls_policy(table, "%User:id").enable
    assert enable[0] == 'ALTER TABLE "My schema"."or""der" ENABLE ROW LEVEL SECURITY'
    assert "(\"%User:id\" <> '')" in enable[3]
    assert rls_policy('or"der', "%User:id", schema="My schema").enable == enable


@pytest.mark.parametrize(
    "arguments",
    [(User,), (User, "owner"), ("task",), (None,), (3, "x"), (Session, "x"), (select(Task), "user_id")],
)
def test_what_has_no_owner_column(arguments):
    with pytest.raises(ConfigurationError):
        rls_policy(*arguments)


def test_they_can_be_undone_and_done_again(walled):
    async def run():
        async with walled.owner.begin() as connection:
            for table in OWNED:
                policy = rls_policy(table)
                for statement in (*policy.disable, *policy.enable):
                    await connection.exec_driver_sql(statement)

    walled.runner.run(run())
    test_nobody_sees_nothing(walled, "api")


# Who is confined


@pytest.mark.parametrize("role", ["api", "owner"])
def test_nobody_sees_nothing(walled, role):
    for user in None, "", "carol", "ALICE", "alice ", "%", "' OR ''='":
        for table in OWNED:
            assert raw(walled, role, f"SELECT * FROM {table.name}", user=user) == []


@pytest.mark.parametrize("role", ["api", "owner"])
def test_a_user_sees_and_changes_one_s_own(walled, role):
    for table in OWNED:
        rows = raw(walled, role, f"SELECT * FROM {table.name}", user=ALICE)
        assert rows
        assert not [row for row in rows if BOB in map(str, row.values())]
    assert raw(walled, role, "UPDATE task SET title = 'changed' RETURNING user_id", user=ALICE) == [(ALICE,)]
    assert raw(walled, role, "DELETE FROM foreign_task RETURNING owner", user=ALICE) == [(ALICE,)]


@pytest.mark.parametrize("role", ["api", "owner"])
@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO tag (user_id, title) VALUES ('bob', 'new')",
        "INSERT INTO foreign_task (owner, title) VALUES ('', 'new')",
        "UPDATE foreign_task SET owner = 'bob'",
        "INSERT INTO foreign_task (id, owner) VALUES (2, 'alice') ON CONFLICT (id) DO UPDATE SET title = 'x'",
        "COPY tag (user_id, title) FROM PROGRAM 'echo'",
        "TRUNCATE task CASCADE",
    ],
)
def test_a_row_is_never_another_s(walled, role, statement):
    if "TRUNCATE" in statement:
        if role == "owner":
            return  # TRUNCATE is the owner's right; the docs say so
        raw(walled, "owner", f"REVOKE TRUNCATE ON ALL TABLES IN SCHEMA public FROM {walled.roles['api']}")
    with pytest.raises((asyncpg.InsufficientPrivilegeError, asyncpg.CheckViolationError)):
        raw(walled, role, statement, user=ALICE)


def test_an_owner_is_never_empty(walled):
    """Not even by whom row-level security does not bind: the empty setting would be that user."""
    with pytest.raises(DBAPIError, match="not_empty"):
        walled.unscoped(
            lambda session: session.execute(
                Preference.__table__.insert().values(user_id="", name="x", title="x")
            )
        )


def test_references_and_unique_keys_tell_more_than_queries(walled):
    """Why keys begin with the owner: with a key of its own, a row answers that it exists."""
    with pytest.raises(asyncpg.UniqueViolationError):
        raw(
            walled,
            "api",
            f"INSERT INTO foreign_task (id, owner, title) VALUES ({HIS}, 'alice', 'x')",
            user=ALICE,
        )
    for project in (HIS, 999_999):
        with pytest.raises(asyncpg.ForeignKeyViolationError):
            raw(
                walled,
                "api",
                f"INSERT INTO task (user_id, title, body, project_id) VALUES ('alice', '', '', {project})",
                user=ALICE,
            )


# The setting's life


def test_the_setting_lives_as_long_as_a_transaction(walled):
    async def work():
        engine = engine_for(walled.urls["api"], pool_size=1, max_overflow=0)
        async with scope(AsyncSession(engine), principal(ALICE)) as session:
            for end in session.commit, session.rollback, session.close, session.reset:
                assert await session.scalar(CURRENT) == ALICE
                async with session.begin_nested() as savepoint:
                    assert await session.scalar(CURRENT) == ALICE
                    await savepoint.rollback()
                assert await session.scalar(CURRENT) == ALICE
                await end()
        async with engine.connect() as connection:
            assert await connection.scalar(CURRENT) == "", "empty, not null, once it was set"
            assert (await connection.execute(text("SELECT * FROM task"))).all() == []
        async with scope(AsyncSession(engine), principal(BOB)) as session:
            assert await session.scalar(CURRENT) == BOB
            assert [task.title for task in await session.scalars(select(Task))] == ["BOB task"]
        await engine.dispose()

    walled.runner.run(work())


def test_the_setting_is_made_once_for_a_transaction(walled):
    statements = []

    def listen(_connection, _cursor, statement, *_):
        statements.append("set_config" in statement)

    event.listen(walled.engine.sync_engine, "before_cursor_execute", listen)

    def work(session):
        session.scalars(select(Task)).all()
        with session.begin_nested():
            session.scalars(select(Task)).all()

    try:
        walled.scoped(work)
    finally:
        event.remove(walled.engine.sync_engine, "before_cursor_execute", listen)
    assert statements[0] is True
    assert sum(statements) == 1


def test_a_failed_transaction_leaves_nothing(walled):
    async def work():
        engine = engine_for(walled.urls["api"], pool_size=1, max_overflow=0)
        session = scope(AsyncSession(engine), principal(ALICE))
        session.add(Project(id=MINE, title="there is one already"))
        with pytest.raises(DBAPIError):
            await session.flush()
        await session.rollback()
        assert await session.scalar(CURRENT) == ALICE
        await session.close()
        async with engine.connect() as connection:
            assert await connection.scalar(CURRENT) == ""
        await engine.dispose()

    walled.runner.run(work())


def test_without_a_transaction_there_is_no_setting_and_no_row(walled):
    async def work():
        engine = engine_for(walled.urls["api"], isolation_level="AUTOCOMMIT")
        async with scope(AsyncSession(engine), principal(ALICE)) as session:
            assert (await session.scalars(select(Task))).all() == []
        await engine.dispose()

    walled.runner.run(work())


def test_a_value_that_postgres_can_not_hold_fails_closed(walled):
    """``scope`` refuses it; this is what happens if it ever came through."""

    async def work():
        session = AsyncSession(walled.engine)
        SESSIONS[session.sync_session] = Scope("alice\0")
        for _ in range(2):
            with pytest.raises(DBAPIError):
                await session.scalars(select(Task))
        await session.close()

    walled.runner.run(work())


def test_other_databases_get_no_setting(sqlite):
    statements = []
    engine = create_engine(sqlite.engine.url)
    event.listen(engine, "before_cursor_execute", lambda *arguments: statements.append(arguments[2]))
    with scope(Session(engine), principal(ALICE)) as session:
        session.scalars(select(Task)).all()
    assert len(statements) == 1
    engine.dispose()


# What the scope can not see, this wall stops


def unseen_engine_text(session):
    engine = session.get_bind()
    with engine.connect() as connection:
        return connection.execute(text("SELECT title FROM task")).all()


def unseen_driver_connection(session):
    connection = session.get_transaction().connection(None)
    cursor = connection.connection.cursor()
    cursor.execute("SELECT title FROM task")
    return cursor.fetchall()


def unseen_operator(session):
    return session.scalars(
        select(User.name).where(
            User.id.op("= '' OR EXISTS (SELECT FROM task WHERE title = 'BOB task') OR 'x' =")("")
        )
    ).all() and ["BOB"]


def unseen_function(session):
    return session.execute(select(User.id, func.titles())).all()


def unseen_view(session):
    view = Table("invoking_view", MetaData(), Column("title", String))
    return session.execute(select(User.id, view.c.title).join(view, User.id == ALICE)).all()


UNSEEN = [unseen_engine_text, unseen_driver_connection, unseen_operator, unseen_function, unseen_view]


@pytest.fixture(scope="module")
def helpers(postgres, walled):
    for place in postgres, walled:
        raw(
            place,
            "owner",
            "CREATE FUNCTION titles() RETURNS SETOF text LANGUAGE sql AS 'SELECT title FROM task'",
            "CREATE VIEW invoking_view WITH (security_invoker) AS SELECT * FROM task",
            "CREATE VIEW plain_view AS SELECT * FROM task",
            f"GRANT SELECT ON invoking_view, plain_view TO {place.roles['api']}",
        )


@pytest.mark.parametrize("look", UNSEEN)
def test_the_scope_alone_does_not_see_it(helpers, postgres, look):
    """The list in docs/isolation.md, which must be true as well."""

    def work(session):
        session.scalars(select(User.id)).all()
        return look(session)

    assert "BOB" in repr(postgres.scoped(work))


@pytest.mark.parametrize("look", UNSEEN)
def test_row_level_security_stops_it(helpers, walled, look):
    def work(session):
        session.scalars(select(User.id)).all()
        return look(session)

    assert "BOB" not in repr(walled.scoped(work))


def test_a_view_runs_as_its_owner_where_it_says_nothing(helpers, walled):
    """FORCE binds the owner here; a view of a superuser's would show everything."""
    assert raw(walled, "api", "SELECT title FROM plain_view", user=ALICE) == [("ALICE task",)]


def test_the_plan_uses_the_index(walled):
    """The setting is read once for a statement, and the index on the owner can serve it."""
    plan = raw(
        walled, "api", "SET LOCAL enable_seqscan = off", "EXPLAIN SELECT * FROM preference", user=ALICE
    )
    assert "Index Cond" in "\n".join(row[0] for row in plan)


def test_a_session_without_a_principal_gets_nothing_even_from_text(walled):
    assert walled.plain(lambda session: session.execute(text("SELECT * FROM task")).all()) == []


def test_unscoped_needs_a_role_of_its_own(walled):
    """The engine with leave to do without, as the API's role, sees nothing."""
    engine = engine_for(walled.urls["api"])
    unscoped = unscoped_sessions(engine, name="the API's own role")
    assert (
        walled.runner.run(
            walled._run(unscoped("nothing"), lambda session: session.scalars(select(Task)).all())
        )
        == []
    )
    walled.runner.run(engine.dispose())
