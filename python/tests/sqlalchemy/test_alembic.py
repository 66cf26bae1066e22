"""The operations and the filter of ``jwt_auth_bridge.alembic``."""

import io

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.operations import Operations
from scope_places import engine_for
from sqlalchemy import Column, MetaData, String, Table, create_engine, text
from sqlalchemy.pool import NullPool

from jwt_auth_bridge.alembic import DisableOwnerRls, EnableOwnerRls, leave_better_auth
from jwt_auth_bridge.errors import ConfigurationError
from jwt_auth_bridge.sqlalchemy import rls_policy

ODD = 'we:ird "%" \\:table'


def migrate(server, work):
    async def run():
        engine = engine_for(server.url, poolclass=NullPool)
        async with engine.connect() as connection:
            result = await connection.run_sync(lambda plain: work(MigrationContext.configure(plain)))
            await connection.rollback()
        await engine.dispose()
        return result

    return server.runner.run(run())


@pytest.mark.parametrize("name", ["migrated", ODD])
def test_enable_and_disable(server, name):
    def work(context):
        op = Operations(context)
        connection = context.connection
        op.execute("CREATE SCHEMA odd")
        op.create_table(name, Column("user:id", String), schema="odd")
        state = text("SELECT relrowsecurity, relforcerowsecurity FROM pg_class WHERE relname = :name")
        policies = text("SELECT qual FROM pg_policies WHERE tablename = :name")
        op.enable_owner_rls(name, column="user:id", schema="odd")
        enabled = (
            connection.execute(state, {"name": name}).one(),
            connection.scalars(policies, {"name": name}).all(),
        )
        op.disable_owner_rls(name, column="user:id", schema="odd")
        disabled = (
            connection.execute(state, {"name": name}).one(),
            connection.scalars(policies, {"name": name}).all(),
        )
        op.enable_owner_rls(name, column="user:id", schema="odd")
        return enabled, disabled

    (enabled, (qual,)), disabled = migrate(server, work)
    assert enabled == (True, True)
    assert "NULLIF(( SELECT current_setting('app.user_id'::text, true) AS current_setting), ''::text)" in qual
    assert disabled == ((False, False), [])


def test_offline_the_statements_are_printed():
    out = io.StringIO()
    context = MigrationContext.configure(
        dialect_name="postgresql", opts={"as_sql": True, "output_buffer": out}
    )
    Operations(context).enable_owner_rls("task", column="user_id")
    Operations(context).disable_owner_rls("task", column="user_id")
    policy = rls_policy("task", "user_id")
    assert [line for line in out.getvalue().split(";\n\n") if line] == [*policy.enable, *policy.disable]


def test_each_is_the_other_reversed():
    there = EnableOwnerRls("task", "user_id", "api")
    back = there.reverse()
    assert (type(back), back.table, back.column, back.schema) == (DisableOwnerRls, "task", "user_id", "api")
    again = back.reverse()
    assert (type(again), again.table, again.column, again.schema) == (
        EnableOwnerRls,
        "task",
        "user_id",
        "api",
    )


@pytest.fixture
def database():
    """Better Auth's tables beside the app's, of which one is not in the models any more."""
    engine = create_engine("sqlite://")
    with engine.connect() as connection:
        for name in "user", "session", "account", "verification", "jwks", "member", "app", "old":
            connection.execute(text(f'CREATE TABLE "{name}" (id TEXT PRIMARY KEY, email TEXT)'))
        connection.execute(text("CREATE INDEX by_email ON session (email)"))
        yield connection
    engine.dispose()


def dropped(connection, include_object):
    metadata = MetaData()
    Table("app", metadata, Column("id", String, primary_key=True), Column("email", String))
    context = MigrationContext.configure(connection, opts={"include_object": include_object})
    return sorted({item[1].name for item in compare_metadata(context, metadata) if item[0] == "remove_table"})


def test_autogenerate_leaves_better_auth_alone(database):
    assert "session" in dropped(database, None), "or there is nothing to keep it from"
    assert dropped(database, leave_better_auth()) == ["member", "old"]
    assert dropped(database, leave_better_auth(tables=["member"])) == ["old"]


def test_a_schema_is_left_alone_as_a_whole():
    include_object = leave_better_auth(schema="auth")
    metadata = MetaData()
    theirs, ours, nowhere = (Table("user", metadata, schema=schema) for schema in ("auth", "api", None))
    assert [include_object(table, "user", "table", True, None) for table in (theirs, ours, nowhere)] == [
        False,
        True,
        True,
    ]
    column = Column("id", String)
    Table("plugin", metadata, column, schema="auth")
    assert include_object(column, "id", "column", True, None) is False
    assert leave_better_auth()(ours, "user", "table", True, None) is True
    assert leave_better_auth()(object(), "x", "sequence", True, None) is True


def test_schema_or_names():
    with pytest.raises(ConfigurationError):
        leave_better_auth(schema="auth", tables=["member"])
