"""What the two walls cost per query: the query scope, and row-level security. Prints JSON.

Needs DATABASE_URL of a superuser. Each way to ask is a process of its own, ``scope_worker.py``, so
that the hand-written query pays nothing for a module that it does not import; they take turns on the same
tables. A role that bypasses row-level security meets no policy, so that one table does for all.
"""

import asyncio
import contextlib
import json
import os
import secrets
import statistics
import subprocess
import sys
from operator import truediv
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
from scope_worker import HAND, KEY, LIST, ROLES, SHAPES, SIZES, WAYS, table_of

from jwt_auth_bridge.sqlalchemy import rls_policy

GENERATIONS = 3
"""How often all processes are started anew: no luck of one process decides."""
ROUNDS = 24
SECONDS = 0.012
"""How long a turn lasts, about."""
ROWS_PER_USER = 10

CREATE = """
CREATE TABLE {table} (
    id uuid NOT NULL DEFAULT gen_random_uuid(), user_id varchar(255) NOT NULL, title varchar(200) NOT NULL,
    description text NOT NULL DEFAULT '', completed boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL DEFAULT clock_timestamp());
INSERT INTO {table} (user_id, title, created_at)
    SELECT md5((n % {users})::text), 'Task ' || n, timestamptz '2026-01-01' + n * interval '1 second'
    FROM generate_series(1, {rows}) AS n;
ALTER TABLE {table} ADD PRIMARY KEY (id);
CREATE INDEX {table}_owner ON {table} (user_id, created_at, id);
GRANT SELECT ON {table} TO {roles};
"""


class Worker:
    """One process that asks in one way, and waits for its turns."""

    def __init__(self, way: str, url: str) -> None:
        program = [sys.executable, str(Path(__file__).with_name("scope_worker.py")), way]
        self.process = subprocess.Popen(
            program,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "SCOPE_URL": url},
        )

    def ask(self, *order: object) -> Any:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise SystemExit(f"the process that was asked {order} ended: its words stand above")
        return json.loads(answer)

    def end(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait(10)


async def prepare(url: str) -> dict[str, str]:
    """Makes tables and roles; gives each way the URL that it connects by."""
    password = secrets.token_hex(16)
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("DROP DATABASE IF EXISTS scope WITH (FORCE)")
        await connection.execute("CREATE DATABASE scope")
        for role, more in ROLES.items():
            with contextlib.suppress(asyncpg.DuplicateObjectError):
                await connection.execute(f"CREATE ROLE {role}")
            await connection.execute(f"ALTER ROLE {role} LOGIN PASSWORD '{password}' {more}")
    finally:
        await connection.close()
    parts = urlsplit(url)
    connection = await asyncpg.connect(parts._replace(path="/scope").geturl())
    try:
        for rows in SIZES:
            table, users = table_of(rows), rows // ROWS_PER_USER
            await connection.execute(
                CREATE.format(table=table, rows=rows, users=users, roles=", ".join(ROLES))
            )
            for statement in rls_policy(table, "user_id").enable:
                await connection.execute(statement)
            await connection.execute(f"VACUUM ANALYZE {table}")
    finally:
        await connection.close()
    place = f"{parts.hostname}:{parts.port}/scope"
    return {way: f"postgresql://{role}:{password}@{place}" for way, (_, role) in WAYS.items()}


async def sequential_scans(url: str) -> int:
    """How often a whole table was read; the counts come in when the other connections have gone."""
    connection = await asyncpg.connect(urlsplit(url)._replace(path="/scope").geturl())
    others = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'scope' AND pid <> pg_backend_pid()"
    try:
        while await connection.fetchval(others):
            await asyncio.sleep(0.05)
        return await connection.fetchval("SELECT sum(seq_scan)::int FROM pg_stat_user_tables")
    finally:
        await connection.close()


def measure(urls: dict[str, str]) -> dict[str, Any]:
    """Gives medians by what is run and by way, and the plans.

    Times are microseconds for one run. Ratios are to the hand-written query of the same round, because what
    slows the machine for a moment lasts longer than a round.
    """
    runs = [(shape, rows, ways) for shape, (sizes, ways) in SHAPES.items() for rows in sizes]
    turns: dict[tuple[str, int, str], list[float]] = {}
    plans: dict[str, set[str]] = {}
    for generation in range(GENERATIONS):
        workers = {way: Worker(way, url) for way, url in urls.items()}
        counts = {}
        for shape, rows, ways in runs:
            for way in ways:
                if generation == 0 and shape in (LIST, KEY):
                    plans.setdefault(f"{shape}, {rows:,} rows", set()).update(
                        workers[way].ask("plan", shape, rows)
                    )
                once = min(workers[way].ask("turn", shape, rows, 10) for _ in range(2)) / 10
                counts[shape, rows, way] = max(5, round(SECONDS / once))
        for number in range(ROUNDS):
            for shape, rows, ways in runs:
                for way in ways[:: -1 if number % 2 else 1]:
                    count = counts[shape, rows, way]
                    took = workers[way].ask("turn", shape, rows, count)
                    turns.setdefault((shape, rows, way), []).append(took / count * 1e6)
        for worker in workers.values():
            worker.end()
    times: dict[str, dict[str, float]] = {}
    ratios: dict[str, dict[str, float]] = {}
    for (shape, rows, way), values in turns.items():
        name, by_hand = f"{shape}, {rows:,} rows", turns[shape, rows, HAND]
        times.setdefault(name, {})[way] = statistics.median(values)
        ratios.setdefault(name, {})[way] = statistics.median(map(truediv, values, by_hand))
    return {"times": times, "ratios": ratios, "plans": {name: sorted(found) for name, found in plans.items()}}


def main() -> None:
    url = os.environ["DATABASE_URL"]
    urls = asyncio.run(prepare(url))
    before = asyncio.run(sequential_scans(url))
    figures = measure(urls)
    scans = asyncio.run(sequential_scans(url)) - before
    if scans:
        raise SystemExit(f"{scans} queries read a whole table: an index must answer all of them")
    json.dump({**figures, "sequential scans": scans}, sys.stdout)


if __name__ == "__main__":
    main()
