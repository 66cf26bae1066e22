"""Row-level security comes to a table that is in use, by an owner who is no superuser, and goes again."""

from urllib.parse import urlsplit

import pytest
from conftest import ALICE, BOB, execute, fetch, fresh_databases, migrate, run

TASKS = "SELECT * FROM api.task ORDER BY id"
WALLS = """SELECT relrowsecurity, relforcerowsecurity,
                  (SELECT count(*) FROM pg_policy WHERE polrelid = c.oid),
                  (SELECT count(*) FROM pg_constraint WHERE conrelid = c.oid AND contype = 'c'),
                  (SELECT pg_get_constraintdef(oid) FROM pg_constraint
                   WHERE conrelid = c.oid AND contype = 'p')
           FROM pg_class c WHERE oid = 'api.task'::regclass"""


@pytest.fixture
def database():
    """Its administrator's URL, and its owner's; the table is as migration 0001 left it."""
    with fresh_databases() as fresh:
        parts = urlsplit(fresh.owner)
        name = f"{parts.path[1:]}_owner"
        migrate(fresh.owner, "downgrade", "0001")
        run(
            execute(
                fresh.owner,
                f"CREATE ROLE {name} LOGIN PASSWORD 'owner'",
                f"GRANT USAGE, CREATE ON SCHEMA api TO {name}",
                f"ALTER TABLE api.task OWNER TO {name}",
                f"ALTER TABLE api.alembic_version OWNER TO {name}",
                f"INSERT INTO api.task (user_id, title) VALUES ('{ALICE}', 'hers'), ('{BOB}', 'his')",
            )
        )
        try:
            yield (
                fresh.owner,
                parts._replace(netloc=f"{name}:owner@{parts.netloc.rpartition('@')[2]}").geturl(),
            )
        finally:
            run(execute(fresh.owner, f"DROP OWNED BY {name} CASCADE", f"DROP ROLE {name}"))


def test_every_task_survives_both_ways(database):
    administrator, owner = database
    tasks = run(fetch(administrator, TASKS))
    without = run(fetch(administrator, WALLS))
    assert len(run(fetch(owner, TASKS))) == 2
    assert [tuple(row) for row in without] == [(False, False, 0, 0, "PRIMARY KEY (id)")]
    for _again in range(2):
        migrate(owner)
        assert [tuple(row) for row in run(fetch(administrator, WALLS))] == [
            (True, True, 1, 1, "PRIMARY KEY (user_id, id)")
        ]
        assert run(fetch(administrator, TASKS)) == tasks
        assert run(fetch(owner, TASKS)) == [], "the owner is confined too"
        migrate(owner, "downgrade", "0001")
        assert run(fetch(administrator, WALLS)) == without
        assert run(fetch(administrator, TASKS)) == tasks
