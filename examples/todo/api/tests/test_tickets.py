"""A browser's WebSocket sends no header: it comes with a ticket, which any process redeems, once."""

import asyncio
import hashlib

import asyncpg
import httpx
import pytest
from conftest import ALICE, AUDIENCE, BOB, ISSUER, SECRET, Databases, execute, fetch, run
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from jwt_auth_bridge.fastapi import Bridge
from todo_api.app import create_app
from todo_api.database import Database

LIVE = f"/api/{ALICE}/tasks/live"
ROWS = "SELECT * FROM api.jwt_bridge_ticket"


@pytest.fixture(autouse=True)
def no_tickets(databases: Databases):
    run(execute(databases.owner, "TRUNCATE api.jwt_bridge_ticket"))


def ask(client, headers, path=LIVE) -> str:
    answer = client.post("/api/tickets", json={"path": path}, headers=headers)
    assert (answer.status_code, answer.headers["cache-control"]) == (201, "no-store")
    assert answer.json()["expires_in"] == 30
    return answer.json()["ticket"]


def assert_refused(client, target):
    with pytest.raises(WebSocketDisconnect), client.websocket_connect(target):
        pass


def test_a_ticket_opens_one_socket(client, alice):
    target = f"{LIVE}?ticket={ask(client, alice)}"
    with client.websocket_connect(target) as live:
        assert live.receive_json() == {"tasks": "changed"}
        client.post(f"/api/{ALICE}/tasks", json={"title": "hers"}, headers=alice)
        assert live.receive_json() == {"tasks": "changed"}
    assert_refused(client, target)


def test_a_ticket_opens_one_event_source(client, alice):
    """Told by the list: an event source has no end that this client could wait for."""
    ticket, accept = ask(client, alice, f"/api/{ALICE}/tasks"), {"Accept": "text/event-stream"}
    target = f"/api/{ALICE}/tasks?ticket={ticket}"
    assert client.get(target).status_code == 401, "a plain GET is no place for it"
    assert client.get(target, headers=accept).status_code == 200
    assert client.get(target, headers=accept).status_code == 401


def test_another_process_redeems_it(settings, client, alice):
    another = Bridge(issuer=ISSUER, audience=AUDIENCE, secret=SECRET)
    with TestClient(create_app(settings, another)) as other:
        target = f"{LIVE}?ticket={ask(client, alice)}"
        with other.websocket_connect(target) as live:
            assert live.receive_json() == {"tasks": "changed"}
        assert_refused(client, target)


def test_it_is_good_at_its_path_only_and_an_attempt_uses_it_up(client, alice, bob):
    ticket = ask(client, alice)
    assert_refused(client, f"/api/{BOB}/tasks/live?ticket={ticket}")
    assert_refused(client, f"{LIVE}?ticket={ticket}")
    # Asked for by bob, alice's path is as closed to him as with his token.
    assert_refused(client, f"{LIVE}?ticket={ask(client, bob)}")


def test_only_its_hash_is_stored_and_nothing_stays(client, alice, databases: Databases):
    ticket = ask(client, alice)
    (row,) = run(fetch(databases.owner, ROWS))
    assert row["digest"] == hashlib.sha256(ticket.encode()).digest()
    assert ticket not in str(dict(row))
    with client.websocket_connect(f"{LIVE}?ticket={ticket}"):
        assert run(fetch(databases.owner, ROWS)) == []


def test_without_a_token_there_is_none(client):
    assert client.post("/api/tickets", json={"path": LIVE}).status_code == 401
    assert client.post("/api/tickets", content=b"{").status_code == 401


def test_an_outage_is_503(proxied, proxy, alice, caplog):
    proxy.refuse()
    answer = proxied.post("/api/tickets", json={"path": LIVE}, headers=alice)
    assert answer.status_code == 503
    assert "retry-after" in answer.headers
    caplog.clear()  # a store that fails is logged as an error


def test_strangers_who_ask_for_tickets_take_no_connection_of_the_tasks(
    settings, bridge, alice, databases: Databases
):
    """A lookup that hangs, and the one connection that tasks have is free."""
    tasks = f"/api/{ALICE}/tasks"

    async def both():
        app = create_app(settings, bridge, Database(databases.api, pool_size=1, pool_overflow=0))
        owner = await asyncpg.connect(databases.owner)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=AUDIENCE) as client,
        ):
            lock = owner.transaction()
            await lock.start()
            await owner.execute("LOCK TABLE api.jwt_bridge_ticket")
            guess = {"ticket": "A" * 43}, {"Accept": "text/event-stream"}
            stranger = asyncio.create_task(client.get(tasks, params=guess[0], headers=guess[1]))
            while not await owner.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
                await asyncio.sleep(0)
            answer = await client.get(tasks, headers=alice)
            await lock.rollback()
            await owner.close()
            return answer.status_code, (await stranger).status_code

    assert run(both()) == (200, 401)
