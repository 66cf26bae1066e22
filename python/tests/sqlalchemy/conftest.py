"""The places of the tests: SQLite, and a PostgreSQL, their own or the one that the environment names."""

import asyncio
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

import scope_places as places  # noqa: E402 - it is found there

# SQLModel has not come to SQLAlchemy 2.1 yet; the suite runs with 2.0 as well, and it is there.
collect_ignore = [] if sqlalchemy.__version__.startswith("2.0.") else ["test_scope_sqlmodel.py"]

ROOT = Path(__file__).parents[3]
START = """
const { startPostgres } = await import(process.env.POSTGRES);
const postgres = await startPostgres({ temporary: true });
process.stdin.on("end", () => postgres.dispose().then(() => process.exit(0))).resume();
console.log(postgres.url);
"""


@pytest.fixture(scope="session")
def server():
    """The server at ``TEST_DATABASE_URL`` or ``DATABASE_URL``, as a superuser, else one that ends with us."""
    url = os.environ.get("TEST_DATABASE_URL") or os.environ.get("DATABASE_URL")
    started = None
    if not url:
        node = shutil.which("node")
        assert node, "These tests need a PostgreSQL: install Node.js 20.9 or newer, or set TEST_DATABASE_URL."
        started = subprocess.Popen(
            [node, "--input-type=module", "-e", START],
            env={**os.environ, "POSTGRES": (ROOT / "scripts" / "postgres.mjs").as_uri()},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        url = started.stdout.readline().strip()
        assert url, "PostgreSQL did not start: run npm ci, or set TEST_DATABASE_URL to a superuser's URL."
    with asyncio.Runner() as runner:
        yield places.Server(url, runner)
    if started:
        started.communicate()


@pytest.fixture(scope="session")
def sqlite(tmp_path_factory):
    place = places.SqlitePlace(tmp_path_factory.mktemp("sqlite"))
    yield place
    place.close()


@pytest.fixture(scope="session")
def postgres(server):
    """Without row-level security: the scope stands alone."""
    place = places.PostgresPlace(server, walled=False)
    yield place
    place.close()


@pytest.fixture(scope="session")
def walled(server):
    """With row-level security on every owned table."""
    place = places.PostgresPlace(server, walled=True)
    yield place
    place.close()


@pytest.fixture(params=["sqlite", "postgres"])
def place(request):
    """Either, without row-level security."""
    return request.getfixturevalue(request.param)
