"""What every store promises: an entry comes out once, whoever asks, and nothing else ever does."""

import asyncio
import json
import secrets
import socket

import pytest
from redis.asyncio import Redis
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from jwt_auth_bridge import ConfigurationError
from jwt_auth_bridge.tickets import MemoryTickets, PostgresTickets, RedisTickets

NOW = 1_800_000_000.25
RECORD = json.dumps({"path": "/api/ünï/\x00", "claims": "{}"})


def digest():
    return secrets.token_bytes(32)


def as_text(found):
    return found.decode() if isinstance(found, bytes) else found


def put(store, key, record=RECORD, ends_at=NOW + 30, now=NOW):
    return store.put(key, record, ends_at=ends_at, now=now)


def test_an_entry_comes_out_once(stores):
    async def run():
        async with stores() as (store,):
            one, other = digest(), digest()
            await put(store, one)
            await put(store, other, "{}")
            assert as_text(await store.take(one)) == RECORD
            assert await store.take(one) is None
            assert as_text(await store.take(other)) == "{}"
            assert await store.take(digest()) is None

    asyncio.run(run())


def test_of_fifty_at_once_one_gets_it(stores):
    async def run():
        async with stores(processes=5) as several:
            for _ in range(20):
                key = digest()
                await put(several[0], key)
                found = await asyncio.gather(*(store.take(key) for store in several * 10))
                assert len(found) == 50
                assert [as_text(one) for one in found if one is not None] == [RECORD]

    asyncio.run(run())


def test_nothing_is_mixed_up_however_many_there_are(stores):
    async def run():
        async with stores(processes=3) as several:
            keys = [digest() for _ in range(200)]
            await asyncio.gather(*(put(several[at % 3], key, f'{{"n":{at}}}') for at, key in enumerate(keys)))
            found = await asyncio.gather(*(several[(at + 1) % 3].take(key) for at, key in enumerate(keys)))
            assert [as_text(one) for one in found] == [f'{{"n":{at}}}' for at in range(200)]

    asyncio.run(run())


# Memory


def test_memory_forgets_the_oldest_and_the_ended():
    async def run():
        store = MemoryTickets(limit=3)
        keys = [digest() for _ in range(5)]
        for key in keys[:4]:
            await put(store, key)
        assert [as_text(await store.take(key)) for key in keys[:2]] == [None, RECORD]
        await put(store, keys[4], ends_at=NOW + 60, now=NOW + 31)
        assert len(store._held) == 1
        assert await store.take(keys[2]) is None
        assert await store.take(keys[4]) == RECORD

    asyncio.run(run())


@pytest.mark.parametrize("limit", [0, -1, 1.5, "9", True, None, 1_000_001])
def test_memory_refuses_an_impossible_limit(limit):
    with pytest.raises(ConfigurationError, match="limit"):
        MemoryTickets(limit)


# Redis


def test_redis_is_told_when_to_forget(redis_stores):
    class Recorder:
        async def execute_command(self, *args): ...

        async def set(self, *args, **options):
            said.append((args, options))
            return True

    said = []
    store = RedisTickets(Recorder())
    asyncio.run(put(store, b"\x01" * 32, ends_at=NOW + 0.0004))
    asyncio.run(put(store, b"\x02" * 32))
    assert said == [
        (("jwt-bridge-ticket:" + "01" * 32, RECORD), {"px": 1, "nx": True}),
        (("jwt-bridge-ticket:" + "02" * 32, RECORD), {"px": 30_000, "nx": True}),
    ]


def test_redis_with_a_client_that_decodes(redis_stores):
    async def run():
        async with redis_stores(decode_responses=True) as (store,):
            one, odd = digest(), digest()
            await put(store, one)
            assert await store.take(one) == RECORD
            await put(store, odd, b"\xff\xfe")
            assert await store.take(odd) is None
            assert await store.take(odd) is None

    asyncio.run(run())


def test_redis_never_replaces_an_entry(redis_stores):
    async def run():
        async with redis_stores() as (store,):
            key = digest()
            await put(store, key)
            with pytest.raises(RuntimeError):
                await put(store, key, "{}")
            assert as_text(await store.take(key)) == RECORD

    asyncio.run(run())


def test_redis_refuses_what_is_no_client_that_does_not_block():
    from redis import Redis as Blocking

    for client in (Blocking(), None, "redis://localhost", object()):
        with pytest.raises(ConfigurationError, match=r"redis\.asyncio"):
            RedisTickets(client)
    for prefix in ("", None, 7):
        with pytest.raises(ConfigurationError, match="prefix"):
            RedisTickets(Redis(), prefix=prefix)


# PostgreSQL


def test_postgres_takes_ended_rows_away_while_others_do(postgres_stores):
    async def run():
        async with postgres_stores(processes=4) as several:
            for turn in range(5):
                now = NOW + 60 * turn
                keys = [digest() for _ in range(80)]
                await asyncio.gather(
                    *(
                        put(several[at % 4], key, now=now, ends_at=now + 30 * (at % 2))
                        for at, key in enumerate(keys)
                    )
                )
                taken = await asyncio.gather(
                    *(several[at % 3].take(key) for at, key in enumerate(keys) if at % 2)
                )
                assert None not in taken

    asyncio.run(run())


def test_postgres_takes_ended_rows_away(postgres_stores):
    async def run():
        async with postgres_stores() as (store,):
            for _ in range(130):
                await put(store, digest())
            await put(store, digest(), ends_at=NOW + 61, now=NOW + 31)
            await put(store, digest(), ends_at=NOW + 61, now=NOW + 31)
            async with store._begin() as connection:
                rows = (await connection.execute(text(f"SELECT count(*) FROM {store._table}"))).scalar()
            assert rows == 2

    asyncio.run(run())


@pytest.mark.parametrize("level", ["SERIALIZABLE", "REPEATABLE READ", "AUTOCOMMIT"])
def test_postgres_whatever_the_engine_s_isolation(postgres_stores, level):
    async def run():
        async with postgres_stores(isolation_level=level) as (store,):
            for _ in range(10):
                key = digest()
                await put(store, key)
                found = await asyncio.gather(*(store.take(key) for _ in range(20)))
                assert [one for one in found if one is not None] == [RECORD]

    asyncio.run(run())


def test_postgres_needs_no_more_than_the_three_rights(postgres_stores, postgres_url):
    async def run():
        role, password = f"tickets_{secrets.token_hex(4)}", secrets.token_hex(16)
        async with postgres_stores() as (store,):
            schema = store._table.split(".")[0]
            async with store._begin() as connection:
                for statement in (
                    f"CREATE ROLE {role} LOGIN PASSWORD '{password}'",
                    f"GRANT USAGE ON SCHEMA {schema} TO {role}",
                    f"GRANT SELECT, INSERT, DELETE ON {store._table} TO {role}",
                ):
                    await connection.execute(text(statement))
            engine = create_async_engine(
                postgres_url.replace(postgres_url.split("://")[1].split("@")[0], f"{role}:{password}")
            )
            try:
                own = PostgresTickets(engine, schema=schema.strip('"'))
                key = digest()
                await put(own, key)
                assert await own.take(key) == RECORD
            finally:
                await engine.dispose()
                async with store._begin() as connection:
                    await connection.execute(text(f"DROP OWNED BY {role}"))
                    await connection.execute(text(f"DROP ROLE {role}"))

    asyncio.run(run())


def test_postgres_refuses_what_is_no_engine_and_no_name():
    from sqlalchemy import create_engine

    for engine in (None, create_engine("sqlite://"), "postgresql+asyncpg://localhost/x"):
        with pytest.raises(ConfigurationError, match="AsyncEngine"):
            PostgresTickets(engine)
    engine = create_async_engine("postgresql+asyncpg://localhost/x")
    for table in ("", "a b", 'x"; DROP TABLE task; --', "Tickets", "a.b", "x" * 48, None, "1x"):
        with pytest.raises(ConfigurationError, match="names of"):
            PostgresTickets(engine, table=table)
        with pytest.raises(ConfigurationError, match="names of"):
            PostgresTickets.ddl(table)
    with pytest.raises(ConfigurationError, match="names of"):
        PostgresTickets(engine, schema="a.b")


# Away


def test_a_store_that_is_away_raises():
    """Whatever it raises: the annex answers 503."""

    async def run():
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        client = Redis.from_url(f"redis://127.0.0.1:{port}", retry=None)
        engine = create_async_engine(f"postgresql+asyncpg://x:y@127.0.0.1:{port}/z")
        for store in (RedisTickets(client), PostgresTickets(engine)):
            for asked in (put(store, digest()), store.take(digest())):
                with pytest.raises(Exception, match=r"(?i)connect"):
                    await asked
        await client.aclose()
        await engine.dispose()

    asyncio.run(run())
