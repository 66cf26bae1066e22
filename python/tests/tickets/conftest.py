"""The stores of the tests: memory, a PostgreSQL, and a Redis: a real one where the environment names it."""

import contextlib
import os
import secrets
import sys
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

import databases  # noqa: E402 - they are found there
import redis_stand_in  # noqa: E402
from redis.asyncio import Redis  # noqa: E402
from sqlalchemy import text  # noqa: E402
from sqlalchemy.ext.asyncio import create_async_engine  # noqa: E402

from jwt_auth_bridge.tickets import MemoryTickets, PostgresTickets, RedisTickets  # noqa: E402


@pytest.fixture(autouse=True)
def one_worker(monkeypatch):
    """A machine that builds may say otherwise."""
    monkeypatch.delenv("WEB_CONCURRENCY", raising=False)


@pytest.fixture(scope="session")
def postgres_url():
    with databases.postgres() as url:
        yield url.replace("postgresql://", "postgresql+asyncpg://")


@pytest.fixture(scope="session")
def redis_url():
    if url := os.environ.get("TEST_REDIS_URL"):
        yield url
        return
    with redis_stand_in.serving() as port:
        yield f"redis://127.0.0.1:{port}/0?protocol=2"


@contextlib.asynccontextmanager
async def in_memory(request, processes):
    store = MemoryTickets()
    yield [store] * processes


@contextlib.asynccontextmanager
async def in_redis(request, processes, **options):
    prefix = f"test-{secrets.token_hex(4)}:"
    clients = [Redis.from_url(request.getfixturevalue("redis_url"), **options) for _ in range(processes)]
    try:
        yield [RedisTickets(client, prefix=prefix) for client in clients]
    finally:
        for client in clients:
            await client.aclose()


@contextlib.asynccontextmanager
async def in_postgres(request, processes, **options):
    url, schema = request.getfixturevalue("postgres_url"), f"test_{secrets.token_hex(4)}"
    engines = [create_async_engine(url, **options) for _ in range(processes)]
    try:
        async with engines[0].begin() as connection:
            for statement in (f"CREATE SCHEMA {schema}", *PostgresTickets.ddl(schema=schema)):
                await connection.execute(text(statement))
        yield [PostgresTickets(engine, schema=schema) for engine in engines]
    finally:
        async with engines[0].begin() as connection:
            await connection.execute(text(f"DROP SCHEMA {schema} CASCADE"))
        for engine in engines:
            await engine.dispose()


@pytest.fixture(params=[in_memory, in_redis, in_postgres], ids=["memory", "redis", "postgres"])
def stores(request):
    """Opens one kind of store in as many processes as asked; each has connections of its own."""
    return lambda processes=1, **options: request.param(request, processes, **options)


@pytest.fixture
def redis_stores(request):
    return lambda processes=1, **options: in_redis(request, processes, **options)


@pytest.fixture
def postgres_stores(request):
    return lambda processes=1, **options: in_postgres(request, processes, **options)
