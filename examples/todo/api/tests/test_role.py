"""What the API's role may do in the database is exactly what the service does."""

import asyncpg
import pytest
from conftest import ALICE, BOB, Databases, execute, fetch, migrate, run, set_up, try_set_up


@pytest.mark.parametrize(
    "statement",
    [
        'SELECT * FROM auth."user"',
        "SELECT * FROM api.alembic_version",
        "CREATE TABLE api.mine (id int)",
        "CREATE TABLE public.mine (id int)",
        "CREATE TEMPORARY TABLE mine (id int)",
        "CREATE SCHEMA mine",
        "TRUNCATE api.task",
        "TRUNCATE api.jwt_bridge_ticket",
        "DROP TABLE api.task",
        "ALTER TABLE api.task ADD COLUMN mine text",
        "CREATE TRIGGER mine BEFORE UPDATE ON api.task EXECUTE FUNCTION suppress_redundant_updates_trigger()",
        "CREATE ROLE mine",
        "COPY api.task TO PROGRAM 'cat'",
    ],
)
def test_the_role_is_refused(databases: Databases, statement):
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        run(execute(databases.api, statement))


@pytest.mark.parametrize("table", ["api.task", "api.jwt_bridge_ticket"])
def test_the_role_owns_nothing_and_may_only_touch_rows(databases: Databases, table):
    rows = run(
        fetch(
            databases.api,
            """SELECT privilege, has_table_privilege($1, privilege) AS granted
               FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER'])
               AS privilege""",
            table,
        )
    )
    granted = {row["privilege"] for row in rows if row["granted"]}
    assert granted == {"SELECT", "INSERT", "UPDATE", "DELETE"}
    owned = "SELECT relname FROM pg_class WHERE pg_get_userbyid(relowner) = current_user"
    assert run(fetch(databases.api, owned)) == []


def test_row_level_security_binds_the_role(databases: Databases):
    """On, forced upon the table's owner as well, and by no right of the role's to be got round."""
    table = "SELECT relrowsecurity, relforcerowsecurity FROM pg_class WHERE oid = 'api.task'::regclass"
    assert [tuple(row) for row in run(fetch(databases.api, table))] == [(True, True)]
    role = """SELECT rolsuper, rolbypassrls, rolcreaterole, pg_has_role(relowner, 'MEMBER') AS is_owner
              FROM pg_roles, pg_class c WHERE rolname = current_user AND c.oid = 'api.task'::regclass"""
    assert [set(row.values()) for row in run(fetch(databases.api, role))] == [{False}]
    owner = run(fetch(databases.owner, "SELECT tableowner FROM pg_tables WHERE tablename = 'task'"))[0][0]
    for escape in (
        "SET row_security = off; SELECT * FROM api.task",
        f'SET ROLE "{owner}"',
        "ALTER TABLE api.task DISABLE ROW LEVEL SECURITY",
        "DROP POLICY jwt_auth_bridge_owner ON api.task",
        "ALTER ROLE CURRENT_USER BYPASSRLS",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            run(execute(databases.api, escape))


def test_the_role_sees_and_writes_one_users_rows_and_without_a_user_none(databases: Databases):
    async def rows(user):
        connection = await asyncpg.connect(databases.api)
        try:
            async with connection.transaction():
                if user is not None:
                    await connection.execute("SELECT set_config('app.user_id', $1, true)", user)
                return [row["user_id"] for row in await connection.fetch("SELECT user_id FROM api.task")]
        finally:
            await connection.close()

    plant = f"INSERT INTO api.task (user_id, title) VALUES ('{ALICE}', 'hers'), ('{BOB}', 'his')"
    run(execute(databases.owner, "TRUNCATE api.task", plant))
    seen = {user: run(rows(user)) for user in (ALICE, BOB, "carol", "", None)}
    assert seen == {ALICE: [ALICE], BOB: [BOB], "carol": [], "": [], None: []}
    name = f"SELECT set_config('app.user_id', '{ALICE}', false)"
    for statement in (plant, f"UPDATE api.task SET user_id = '{BOB}'"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
            run(execute(databases.api, name, statement))


def test_the_set_up_refuses_a_role_that_row_level_security_does_not_bind(databases: Databases):
    login = run(fetch(databases.api, "SELECT current_user AS name"))[0]["name"]
    run(execute(databases.owner, f"ALTER ROLE {login} BYPASSRLS"))
    try:
        done = try_set_up("provision(owner, { apiUrl, envFile: null })", databases.owner, databases.api)
    finally:
        run(execute(databases.owner, f"ALTER ROLE {login} NOBYPASSRLS"))
    assert done.returncode != 0
    assert "a plain role of its own" in done.stderr


def test_migrations_stay_in_their_schema(databases: Databases):
    """Down, up, and an autogenerate that has nothing to say about Better Auth's tables."""
    before = run(fetch(databases.owner, 'SELECT * FROM auth."user"'))
    migrate(databases.owner, "downgrade", "base")
    for _again in range(2):
        migrate(databases.owner)
        set_up("settleRights(owner, apiUrl)", databases.owner, databases.api)
    migrate(databases.owner, "check")
    assert run(fetch(databases.owner, 'SELECT * FROM auth."user"')) == before
    tables = run(
        fetch(databases.owner, "SELECT tablename FROM pg_tables WHERE schemaname = 'auth' ORDER BY 1")
    )
    assert [row["tablename"] for row in tables] == ["user"]
    versions = "SELECT schemaname FROM pg_tables WHERE tablename = 'alembic_version'"
    assert [row["schemaname"] for row in run(fetch(databases.owner, versions))] == ["api"]
