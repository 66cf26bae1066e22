"""Tickets before a real server: what its log says of them, and the command that lists routes."""

import asyncio
import contextlib
import json
import logging
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Annotated

import kit
import pytest
import ticket_kit
import uvicorn
import websockets
from fastapi import Body, Depends, FastAPI
from ticket_kit import EVENTS, LIVE

from jwt_auth_bridge.fastapi import Bridge
from jwt_auth_bridge.testing import TokenFactory, as_user, assert_isolated
from jwt_auth_bridge.tickets import MemoryTickets


@pytest.fixture(autouse=True)
def one_worker(monkeypatch):
    monkeypatch.delenv("WEB_CONCURRENCY", raising=False)


@contextlib.contextmanager
def serving(app, **options):
    """Runs an app under uvicorn with its logs on; gives the port, and what it logged."""
    lines, handler = [], logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())
    names = ("uvicorn.access", "uvicorn.error")
    for name in names:
        logging.getLogger(name).addHandler(handler)
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_config=None, log_level="info", access_log=True, lifespan="on", **options)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield listener.getsockname()[1], lines
    finally:
        server.should_exit = True
        thread.join(20)
        for name in names:
            logging.getLogger(name).removeHandler(handler)
        assert not thread.is_alive()


def buy(port, path):
    body = json.dumps({"path": path}).encode()
    lines = [
        f"Authorization: Bearer {kit.token()}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
    ]
    got = kit.send(port, "POST", "/api/tickets", *lines, body=body)
    assert got.status == 201, got.body
    return got.json()["ticket"]


async def dial(port, url):
    try:
        async with websockets.connect(f"ws://127.0.0.1:{port}{url}") as connection:
            return await connection.recv()
    except websockets.InvalidStatus as refused:
        return refused.response.status_code


@pytest.mark.filterwarnings("ignore")  # the older of the two says that it is old
@pytest.mark.parametrize("implementation", ["auto", "websockets"])
def test_no_ticket_is_in_the_server_s_log(implementation):
    app = ticket_kit.app_with(ticket_kit.make_bridge())
    with serving(app, ws=implementation) as (port, lines):
        tickets = {path: buy(port, path) for path in (LIVE, EVENTS, "/api/bob/live", "/api/bob/events")}
        stream = "Accept: text/event-stream"

        async def dial_all():
            assert await dial(port, f"{LIVE}?ticket={tickets[LIVE]}&a=1") == "alice?a=1"
            assert await dial(port, f"{LIVE}?ticket={tickets[LIVE]}&a=2") == 401
            assert await dial(port, f"/api/bob/live?tick%65t={tickets['/api/bob/live']}&a=3") == 403
            assert await dial(port, f"/nowhere?ticket={tickets[LIVE]}&a=4") in (403, 404)

        asyncio.run(dial_all())
        for url, status in (
            (f"{EVENTS}?ticket={tickets[EVENTS]}&a=5", 200),
            (f"{EVENTS}?ticket={tickets[EVENTS]}&a=6", 401),
            (f"/api/bob/events?ticket={tickets['/api/bob/events']}&a=7", 403),
            (f"/nowhere?ticket={tickets[EVENTS]}&a=8", 404),
        ):
            assert kit.send(port, "GET", url, stream).status == status
        assert kit.send(port, "GET", f"/nowhere?ticket={tickets[EVENTS]}&a=9").status == 404
    said = "\n".join(lines)
    # Each line is there, without it.
    assert [number for number in range(1, 10) if f"a={number}" not in said] == []
    for ticket in tickets.values():
        assert ticket not in said
    assert "ticket=" not in said
    assert "tick%65t" not in said


def test_the_test_kit_plays_the_route_like_any_other():
    factory = TokenFactory()
    bridge = Bridge(**factory.bridge_options())
    app, rows = FastAPI(), {}
    app.include_router(bridge.tickets(MemoryTickets()))

    @app.post("/api/{user_id}/tasks", dependencies=[Depends(bridge.path_user)])
    async def add(user_id: str, title: Annotated[str, Body(embed=True)]) -> list[str]:
        rows.setdefault(user_id, []).append(title)
        return rows[user_id]

    @app.get("/api/{user_id}/tasks", dependencies=[Depends(bridge.path_user)])
    async def tasks(user_id: str) -> list[str]:
        return rows.get(user_id, [])

    app.include_router(ticket_kit.live_router(bridge))
    bridge.protect(app)
    report = assert_isolated(app, factory=factory)
    assert report.ok
    assert "POST /api/tickets" in report.operations
    with as_user(app, "alice"):
        got = asyncio.run(ticket_kit.abuy(app, LIVE, ("x", "y")))
        assert ticket_kit.dial(app, f"{LIVE}?ticket={got.json()['ticket']}") == "alice?"


MAIN = """
from fastapi import Depends, FastAPI
from jwt_auth_bridge.fastapi import Bridge
from jwt_auth_bridge.tickets import MemoryTickets

bridge = Bridge(issuer="https://a.example", audience="https://b.example", secret={secret!r})
app = FastAPI(openapi_url=None)
app.include_router(bridge.tickets(MemoryTickets()))

@app.websocket("/api/{{user_id}}/live", dependencies=[Depends(bridge.path_user)])
async def live(): ...

bridge.protect(app)
"""


@pytest.fixture
def main(tmp_path):
    (tmp_path / "main.py").write_text(MAIN.format(secret=kit.signer.SECRET))
    environ = {name: value for name, value in os.environ.items() if name != "WEB_CONCURRENCY"}
    source = Path(__file__).parents[2] / "src"
    environ["PYTHONPATH"] = os.pathsep.join(
        [str(tmp_path), *filter(None, [environ.get("PYTHONPATH", str(source))])]
    )
    return tmp_path, environ


def test_the_command_that_lists_routes_knows_it(main):
    folder, environ = main
    command = [sys.executable, "-m", "jwt_auth_bridge", "routes", "main:app"]
    done = subprocess.run(
        command, cwd=folder, env=environ, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines()]
    assert rows[1][:3] == ["POST", "/api/tickets", "current_user"]
    assert rows[1][-1] == "create_ticket"
    assert rows[2][:3] == ["WS", "/api/{user_id}/live", "path_user"]
