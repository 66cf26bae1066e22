"""The places of the tests: SQLite, and a PostgreSQL, their own or the one that the environment names."""

import asyncio
import sys
from pathlib import Path

import pytest
import sqlalchemy

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

import databases  # noqa: E402 - they are found there
import scope_places as places  # noqa: E402

# SQLModel has not come to SQLAlchemy 2.1 yet; the suite runs with 2.0 as well, and it is there.
collect_ignore = [] if sqlalchemy.__version__.startswith("2.0.") else ["test_scope_sqlmodel.py"]


@pytest.fixture(scope="session")
def server():
    """The server at ``TEST_DATABASE_URL`` or ``DATABASE_URL``, as a superuser, else one that ends with us."""
    with databases.postgres() as url, asyncio.Runner() as runner:
        yield places.Server(url, runner)


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
