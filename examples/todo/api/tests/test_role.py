"""What the API's role may do in the database is exactly what the service does."""

import asyncpg
import pytest
from conftest import Databases, execute, fetch, migrate, run, set_up


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


def test_the_role_owns_nothing_and_may_only_touch_rows(databases: Databases):
    rows = run(
        fetch(
            databases.api,
            """SELECT privilege, has_table_privilege('api.task', privilege) AS granted
               FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER'])
               AS privilege""",
        )
    )
    granted = {row["privilege"] for row in rows if row["granted"]}
    assert granted == {"SELECT", "INSERT", "UPDATE", "DELETE"}
    owned = "SELECT relname FROM pg_class WHERE pg_get_userbyid(relowner) = current_user"
    assert run(fetch(databases.api, owned)) == []


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
