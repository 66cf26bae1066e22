"""Open pages are told that tasks have changed: their own user's, and no more than that."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import asynccontextmanager, closing

import httpx
import pytest
from conftest import ALICE, API, AUDIENCE, BOB, ISSUER, SECRET
from starlette.websockets import WebSocketDisconnect

from jwt_auth_bridge import Principal
from todo_api.live import Changes

TASKS = f"/api/{ALICE}/tasks"
EVENTS, LIVE = f"{TASKS}/events", f"{TASKS}/live"
CHANGED = {"tasks": "changed"}


def test_whoever_listens_is_told_of_their_own_users_changes_and_a_burst_is_one():
    async def play():
        changes = Changes()
        alice, bob = Principal.for_subject(ALICE), Principal.for_subject(BOB)
        first, second, his = changes.watch(alice), changes.watch(alice), changes.watch(bob)
        for watch in first, second, his:
            await anext(watch)  # at once
        for _burst in range(3):
            changes.tell(alice)
        for watch in first, second:
            await anext(watch)
        waiting = [asyncio.ensure_future(anext(watch)) for watch in (first, his)]
        await asyncio.sleep(0)
        assert [one.done() for one in waiting] == [False, False]
        changes.tell(bob)
        await waiting[1]
        assert not waiting[0].done()
        waiting[0].cancel()
        await asyncio.gather(waiting[0], return_exceptions=True)
        for watch in second, his:
            await watch.aclose()
        assert changes._listeners == {}, "whoever went is forgotten"

    asyncio.run(play())


@asynccontextmanager
async def streaming(app, path, headers):
    """The answer's status, and a queue of what comes of it, straight from the app."""
    came: asyncio.Queue = asyncio.Queue()
    gone = asyncio.Event()

    async def receive():
        await gone.wait()
        return {"type": "http.disconnect"}

    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 50000),
        "server": ("testserver", 80),
    }
    answering = asyncio.create_task(app(scope, receive, came.put))
    try:
        start = await asyncio.wait_for(came.get(), 10)
        yield start["status"], came
    finally:
        gone.set()
        await asyncio.wait_for(answering, 10)


def test_events_come_at_once_and_after_every_change(app, client, alice, bob):
    async def event(came):
        message = await asyncio.wait_for(came.get(), 10)
        return dict(line.split(": ", 1) for line in message["body"].decode().splitlines() if line)

    async def write(*arguments, expected=None, **options):
        answer = await asyncio.to_thread(client.request, *arguments, **options)
        assert answer.is_success if expected is None else answer.status_code == expected
        return answer

    async def play():
        async with streaming(app, EVENTS, alice) as (status, came):
            assert status == 200
            assert await event(came) == {"event": "tasks", "data": '"changed"'}
            await write("POST", f"/api/{BOB}/tasks", json={"title": "his"}, headers=bob)
            task = (await write("POST", TASKS, json={"title": "hers"}, headers=alice)).json()
            await event(came)
            path = f"{TASKS}/{task['id']}"
            for method, rest, body in (
                ("PUT", "", {"title": "put"}),
                ("PATCH", "", {"title": "patched"}),
                ("PATCH", "/complete", {}),
                ("DELETE", "", None),
            ):
                await write(method, path + rest, json=body, headers=alice)
                await event(came)
            await write("DELETE", path, headers=alice, expected=404)
            await write("GET", TASKS, headers=alice)
            assert came.empty(), "neither bob's task, nor a change that was none, nor a look"

    # The events are made in the loop that the client's requests run in.
    client.portal.call(play)


def test_a_socket_is_told_the_same(client, alice, bob):
    with client.websocket_connect(LIVE, headers=alice) as live:
        assert live.receive_json() == CHANGED
        client.post(f"/api/{BOB}/tasks", json={"title": "his"}, headers=bob)
        live.send_text("what a page says is of no interest")
        client.post(TASKS, json={"title": "hers"}, headers=alice)
        assert live.receive_json() == CHANGED
    with client.websocket_connect(LIVE, headers=alice) as live:
        assert live.receive_json() == CHANGED


@pytest.mark.parametrize("path", [EVENTS, LIVE])
def test_only_the_user_is_told(client, bob, path):
    for headers, status in (({}, 401), ({"Authorization": "Bearer x.y.z"}, 401), (bob, 403)):
        if path == EVENTS:
            assert client.get(path, headers=headers).status_code == status
        else:
            with pytest.raises(WebSocketDisconnect), client.websocket_connect(path, headers=headers):
                pass


def test_a_server_that_is_told_to_end_does_not_wait_for_streams(as_user):
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("BETTER_AUTH_")}
    server = subprocess.Popen(
        [sys.executable, "-m", "uvicorn", "todo_api.main:app", "--host", "127.0.0.1", "--port", str(port)],
        cwd=API,
        env={
            **clean,
            "BETTER_AUTH_SECRET": SECRET,
            "BETTER_AUTH_URL": ISSUER,
            "JWT_BRIDGE_AUDIENCE": AUDIENCE,
            "API_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/todo",
            "WEB_ORIGIN": "http://localhost:3000",
        },
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stderr
        while "Uvicorn running" not in (line := server.stderr.readline()):
            assert line, "it ended while starting"
        url = f"http://127.0.0.1:{port}{EVENTS}"
        with httpx.stream("GET", url, headers=as_user(ALICE), timeout=10) as answer:
            lines = answer.iter_lines()
            assert [next(lines), json.loads(next(lines).removeprefix("data: "))] == [
                "event: tasks",
                "changed",
            ]
            # Without --timeout-graceful-shutdown it would wait as long as the stream lasts.
            server.send_signal(signal.SIGTERM)
            assert list(lines) == [""]
        _, said = server.communicate(timeout=10)
        assert "ERROR" not in said
        assert "Application shutdown complete" in said
    finally:
        server.kill()
        server.wait()
