"""A real PostgreSQL, a database of its own, the real role's rights, and tokens as the issuer makes them."""

import base64
import json
import logging
import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest
from fastapi import FastAPI
from proxy import Proxy
from starlette.testclient import TestClient

from jwt_auth_bridge.fastapi import Bridge
from jwt_auth_bridge.sqlalchemy import rls_policy
from todo_api.app import create_app
from todo_api.database import Database
from todo_api.models import Task
from todo_api.settings import Settings

API = Path(__file__).parents[1]
ROOT = API.parents[2]
SECRET = "k3Zq9vT1xW7pL0sD5fG8hJ2nB4mC6rY+uQeAoI/tX1E="
ISSUER = "http://localhost:3000"
AUDIENCE = "http://localhost:8000"
ALICE = "alice00000000000000000000000000A"
BOB = "bob0000000000000000000000000000B"
PLAYED = {
    "public": [("GET", "/healthz")],
    # What a schema does not say: a path where a ticket is of use.
    "examples": {"POST /api/tickets": {"body": lambda user: {"path": f"/api/{user}/tasks/live"}}},
}
"""What ``assert_isolated`` is to know of the API."""


@dataclass(frozen=True)
class Databases:
    """Two ways into the same database."""

    owner: str
    api: str


def run(coroutine):
    import asyncio

    return asyncio.run(coroutine)


async def execute(url: str, *statements: str) -> None:
    connection = await asyncpg.connect(url, timeout=10)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def fetch(url: str, query: str, *values: object) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(url, timeout=10)
    try:
        return await connection.fetch(query, *values)
    finally:
        await connection.close()


@pytest.fixture(scope="session")
def databases() -> Iterator[Databases]:
    """A fresh database with Better Auth's schema next door, set up and migrated as ``npm start`` does it."""
    with fresh_databases() as fresh:
        yield fresh


@pytest.fixture(scope="session")
def unwalled() -> Iterator[Databases]:
    """Another one, without row-level security."""
    with fresh_databases() as fresh:
        run(execute(fresh.owner, *rls_policy(Task).disable))
        yield fresh


@contextmanager
def fresh_databases() -> Iterator[Databases]:
    server = os.environ.get("TEST_DATABASE_URL") or os.environ.get("DATABASE_URL")
    if not server:
        pytest.fail(
            "These tests need a PostgreSQL: run npm test, which starts one, or set TEST_DATABASE_URL to the "
            "URL of a superuser on a server that may get a database and roles for the tests."
        )
    name = f"todo_test_{secrets.token_hex(6)}"
    login, password = f"{name}_api", secrets.token_hex(16)
    run(execute(server, f"CREATE DATABASE {name}"))
    parts = urlsplit(server)
    host = parts.netloc.rpartition("@")[2]
    owner = parts._replace(path=f"/{name}").geturl()
    api = parts._replace(path=f"/{name}", netloc=f"{login}:{password}@{host}").geturl()
    try:
        set_up("provision(owner, { apiUrl, envFile: null })", owner, api)
        run(
            execute(
                owner,
                'CREATE TABLE auth."user" (id text PRIMARY KEY, email text)',
                "INSERT INTO auth.\"user\" VALUES ('alice', 'alice@example.com')",
            )
        )
        migrate(owner)
        set_up("settleRights(owner, apiUrl)", owner, api)
        yield Databases(owner=owner, api=api)
    finally:
        run(execute(server, f"DROP DATABASE {name} WITH (FORCE)", f"DROP ROLE IF EXISTS {login}"))


def set_up(call: str, owner: str, api: str) -> None:
    """Let the real set-up make schemas, role and rights; the role has a name that nobody else uses."""
    done = try_set_up(call, owner, api)
    assert done.returncode == 0, done.stderr


def try_set_up(call: str, owner: str, api: str) -> subprocess.CompletedProcess[str]:
    script = f"""
        const {{ provision, settleRights }} = await import(process.env.SET_UP);
        const {{ OWNER: owner, API: apiUrl }} = process.env;
        await {call};
    """
    node = shutil.which("node")
    assert node, "These tests need Node.js, which makes the database's roles: install Node.js 20.9 or newer."
    return subprocess.run(
        [node, "--input-type=module", "-e", script],
        env={
            **os.environ,
            "SET_UP": (ROOT / "scripts" / "database.mjs").as_uri(),
            "OWNER": owner,
            "API": api,
        },
        capture_output=True,
        text=True,
        check=False,
    )


def migrate(owner: str, *arguments: str) -> None:
    command = [sys.executable, "-m", "alembic", "-c", str(API / "alembic.ini")]
    done = subprocess.run(
        [*command, *(arguments or ("upgrade", "head"))],
        env={**os.environ, "DATABASE_URL": owner},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture
def bridge() -> Bridge:
    return Bridge(issuer=ISSUER, audience=AUDIENCE, secret=SECRET)


@pytest.fixture
def settings(databases: Databases) -> Settings:
    return Settings(database_url=databases.api, web_origin="http://localhost:3000")


@pytest.fixture
def app(settings: Settings, bridge: Bridge) -> FastAPI:
    return create_app(settings, bridge)


@pytest.fixture
def client(app: FastAPI, databases: Databases) -> Iterator[TestClient]:
    run(execute(databases.owner, "TRUNCATE api.task"))
    with TestClient(app) as client:
        yield client


@pytest.fixture
def proxy(databases: Databases) -> Iterator[Proxy]:
    parts = urlsplit(databases.api)
    proxy = Proxy(parts.hostname or "127.0.0.1", parts.port or 5432)
    proxy.start()
    yield proxy
    proxy.stop()


@pytest.fixture
def proxied(settings: Settings, bridge: Bridge, databases: Databases, proxy: Proxy) -> Iterator[TestClient]:
    """The API with a proxy between it and the database, and little patience."""
    database = Database(proxy.url(databases.api), patience=0.5)
    with TestClient(create_app(settings, bridge, database)) as client:
        yield client


@pytest.fixture(autouse=True)
def nothing_unexpected(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """The last resort exists and is never needed."""
    yield
    hit = [record for record in caplog.get_records("call") if record.levelno >= logging.ERROR]
    assert not hit, [record.getMessage() for record in hit]


@pytest.fixture
def as_user(bridge: Bridge) -> Callable[[str], dict[str, str]]:
    """Headers of a request of one user."""

    def headers(user: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {token(bridge, user)}"}

    return headers


@pytest.fixture
def alice(as_user: Callable[[str], dict[str, str]]) -> dict[str, str]:
    return as_user(ALICE)


@pytest.fixture
def bob(as_user: Callable[[str], dict[str, str]]) -> dict[str, str]:
    return as_user(BOB)


def token(bridge: Bridge, user: str) -> str:
    """An access token as the issuer makes it, built from the contract alone."""
    import hashlib
    import hmac

    info = f"jwt-auth-bridge/v1/HS256/{AUDIENCE}".encode()
    extracted = hmac.digest(bytes(32), SECRET.encode(), hashlib.sha256)
    key = hmac.digest(extracted, info + b"\x01", hashlib.sha256)
    now = int(time.time())
    header = {"alg": "HS256", "typ": "at+jwt", "kid": bridge.key_ids[0]}
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": user,
        "user_id": user,
        "client_id": ISSUER,
        "sid": "session",
        "jti": secrets.token_urlsafe(16),
        "iat": now,
        "exp": now + 300,
    }
    signed = f"{_segment(header)}.{_segment(claims)}"
    signature = hmac.digest(key, signed.encode(), hashlib.sha256)
    return f"{signed}.{_base64url(signature)}"


def _segment(value: dict[str, object]) -> str:
    return _base64url(json.dumps(value).encode())


def _base64url(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
