"""A ticket in place of a token, on a WebSocket and on an EventSource: what it opens, when, and where."""

import asyncio
import json
import logging
from typing import Annotated

import kit
import pytest
import ticket_kit
from fastapi import Depends, FastAPI, WebSocket
from kit import bearer, call
from starlette.applications import Starlette
from starlette.routing import Mount
from ticket_kit import EVENTS, LIVE, abuy, app_with, buy, dial, listen

import signer
from jwt_auth_bridge import ConfigurationError, Principal
from jwt_auth_bridge.tickets import MemoryTickets


@pytest.fixture(autouse=True)
def one_worker(monkeypatch):
    monkeypatch.delenv("WEB_CONCURRENCY", raising=False)


@pytest.fixture
def bridge():
    return ticket_kit.make_bridge()


@pytest.fixture(params=[False, True], ids=["bare", "protected"])
def app(request, bridge):
    return app_with(bridge, request.param)


@pytest.fixture(params=[(dial, LIVE), (listen, EVENTS)], ids=["websocket", "events"])
def way(request):
    return request.param


def test_a_ticket_opens_a_websocket_and_a_stream_once(app, way, refusals):
    connect, path = way
    ticket = buy(app, path)
    assert len(ticket) == 43
    assert connect(app, f"{path}?ticket={ticket}") == "alice?"
    assert connect(app, f"{path}?ticket={ticket}").refused_as("InvalidTokenError")
    assert connect(app, path).refused_as("MissingTokenError")
    method = "WEBSOCKET" if connect is dial else "GET"
    route = "/api/{user_id}" + path.removeprefix("/api/alice")
    assert refusals() == [
        ("INFO", method, route, "ticket_invalid"),
        ("INFO", method, route, "token_missing"),
    ]


def test_what_is_answered_and_to_whom(app):
    got = asyncio.run(abuy(app, LIVE))
    assert (got.status, got.header("cache-control"), set(got.json())) == (
        201,
        "no-store",
        {"ticket", "expires_in"},
    )
    assert got.json()["expires_in"] == 30
    assert len({buy(app) for _ in range(50)}) == 50
    for headers, name in (
        ([("x", "y")], "MissingTokenError"),
        ([kit.BAD], "InvalidTokenError"),
        ([bearer(**{"iat": signer.NOW - 600, "exp": signer.NOW - 300})], "InvalidTokenError"),
        ([bearer(), bearer()], "InvalidRequestError"),
    ):
        assert asyncio.run(abuy(app, LIVE, *headers)).refused_as(name)


def test_nobody_s_body_is_read_before_it_is_known_who_asks(bridge):
    app = app_with(bridge, protected=True)
    got = call(app, "POST", "/api/tickets", kit.BAD, body=[b'{"path":'] * 1000)
    assert got.refused_as("InvalidTokenError")
    assert got.reads == 0


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"path": ""},
        {"path": "api/alice/live"},
        {"path": "/api/alice/live?x=1"},
        {"path": "/api/alice/live#x"},
        {"path": "/ä"},
        {"path": "/a b"},
        {"path": "/a\nb"},
        {"path": "/a%"},
        {"path": "/a%2"},
        {"path": "/a%zz"},
        {"path": "/%ff"},
        {"path": "/%ed%a0%80"},
        {"path": "/" + "a" * 2048},
        {"path": 7},
        {"path": None},
        {"path": ["/"]},
        {"path": "/", "user": "bob"},
    ],
)
def test_no_path_no_ticket(app, body):
    got = call(
        app,
        "POST",
        "/api/tickets",
        ("content-type", "application/json"),
        bearer(),
        body=json.dumps(body).encode(),
    )
    assert got.status == 422
    assert b"detail" in got.body


def test_the_longest_path(app):
    assert asyncio.run(abuy(app, "/" + "a" * 2047)).status == 201


def test_the_principal_is_the_token_s(bridge):
    app, met = FastAPI(), []
    app.include_router(bridge.tickets(MemoryTickets()))

    @app.websocket("/live")
    async def live(socket: WebSocket, user: Annotated[Principal, Depends(bridge.current_user)]):
        met.append(user)
        await socket.accept()
        await socket.send_text("?")

    deep = [[[{"__proto__": [1.5, "\x00😀", None, True]}]]]
    claims = {"sid": "session-7", "exp": signer.NOW + 299.5, "act": {"sub": "root"}, "odd": deep}
    header = bearer("älice-😀", **claims)
    assert dial(app, f"/live?ticket={buy(app, '/live', header)}") == "?"
    assert dial(app, "/live", header) == "?"
    assert met[0] == met[1]
    assert (met[0].subject, met[0].session_id, met[0].expires_at) == ("älice-😀", "session-7", claims["exp"])
    with pytest.raises(TypeError):
        met[0].claims["sub"] = "bob"


def test_claims_as_deep_as_a_token_may_have_them(bridge):
    app, deep = app_with(bridge), "bottom"
    for _ in range(63):
        deep = [deep]
    assert dial(app, f"{LIVE}?ticket={buy(app, LIVE, bearer(deep=deep))}") == "alice?"


# When


def test_thirty_seconds(app, bridge, way):
    connect, path = way
    early, late = buy(app, path), buy(app, path)
    bridge.clock.now += 29.75
    assert connect(app, f"{path}?ticket={early}") == "alice?"
    bridge.clock.now += 0.25
    assert connect(app, f"{path}?ticket={late}").refused_as("InvalidTokenError")


def test_no_longer_than_its_token(app, bridge):
    """A token is good until its end and the leeway of ten seconds, and so is what it buys."""
    header = bearer(exp=signer.NOW + 5)
    got = asyncio.run(abuy(app, LIVE, header))
    assert got.json()["expires_in"] == 14
    other = buy(app, LIVE, header)
    bridge.clock.now = signer.NOW + 14.99
    assert dial(app, f"{LIVE}?ticket={got.json()['ticket']}") == "alice?"
    assert asyncio.run(abuy(app, LIVE, header)).json()["expires_in"] == 0
    bridge.clock.now = signer.NOW + 15
    assert dial(app, f"{LIVE}?ticket={other}").refused_as("InvalidTokenError")
    assert asyncio.run(abuy(app, LIVE, header)).refused_as("InvalidTokenError")


def test_a_clock_that_goes_back(app, bridge):
    ticket = buy(app)
    bridge.clock.now -= 5
    assert dial(app, f"{LIVE}?ticket={ticket}") == "alice?"


# Where


def test_its_own_path_only_and_another_burns_it(app, way):
    connect, path = way
    ticket = buy(app, LIVE if path == EVENTS else EVENTS)
    assert connect(app, f"{path}?ticket={ticket}").refused_as("InvalidTokenError")
    other, own = (dial, LIVE) if connect is listen else (listen, EVENTS)
    assert other(app, f"{own}?ticket={ticket}").refused_as("InvalidTokenError")


def test_another_user_s_path_is_403(app, refusals):
    assert dial(app, f"/api/bob/live?ticket={buy(app, '/api/bob/live')}").refused_as("ForbiddenError")
    assert refusals() == [("INFO", "WEBSOCKET", "/api/{user_id}/live", "path_user_mismatch")]


@pytest.mark.parametrize(
    ("asked", "path", "good"),
    [
        ("/api/%61lice/live", LIVE, True),
        ("/api%2falice%2Flive", LIVE, True),
        ("/api/%C3%A4/live", "/api/ä/live", True),
        ("/api/%2561lice/live", LIVE, False),
        ("/api/%2561lice/live", "/api/%61lice/live", True),
        ("/api/alice/live/", LIVE, False),
        ("//api/alice/live", LIVE, False),
        ("/api/alice/./live", LIVE, False),
        ("/api/bob/../alice/live", LIVE, False),
        ("/api/ALICE/live", LIVE, False),
        ("/api/alice/live%00", LIVE, False),
        ("/api/a%CC%88/live", "/api/ä/live", False),
        ("/", LIVE, False),
    ],
)
def test_the_path_is_decoded_once_and_compared_exactly(bridge, asked, path, good):
    app = app_with(bridge, store=MemoryTickets())
    user = path.split("/")[2]
    got = dial(app, f"{path}?ticket={buy(app, asked, bearer(user))}")
    assert got == f"{user}?" if good else got.refused_as("InvalidTokenError")


def served_below(bridge, how, protected):
    """The same app in several places: gives it, its root, and where it is asked."""
    app = app_with(bridge, protected)
    if how == "mounted":
        outer = FastAPI()
        outer.mount("/v1", app)
        return outer, "", "/v1"
    if how == "mounted twice":
        return Starlette(routes=[Mount("/x", app=Starlette(routes=[Mount("/v1", app=app)]))]), "", "/x/v1"
    if how == "root in the path":  # as uvicorn --root-path gives it
        return app, "/v1", "/v1"
    if how == "root taken off":  # by a proxy that says so
        return app, "/v1", ""
    inner = FastAPI()
    inner.include_router(ticket_kit.live_router(bridge))
    outer = FastAPI()
    outer.include_router(bridge.tickets(bridge._desk.store))
    outer.mount("/sub", inner)
    if protected:
        bridge.protect(outer)
    return outer, "", "/sub"


@pytest.mark.parametrize("protected", [False, True])
@pytest.mark.parametrize("how", ["mounted", "mounted twice", "root in the path", "root taken off"])
def test_wherever_the_app_stands(bridge, how, protected):
    app, root, prefix = served_below(bridge, how, protected)
    for path in (LIVE, "/v1" + LIVE, prefix + LIVE + "x"):
        got = asyncio.run(abuy(app, path, at=f"{prefix}/api/tickets", root_path=root))
        ticket = got.json()["ticket"]
        found = dial(app, f"{prefix}{LIVE}?ticket={ticket}", root_path=root)
        # The path is the one below the app that sold the ticket, as below the client's base URL.
        assert found == "alice?" if path == LIVE else found.refused_as("InvalidTokenError")


@pytest.mark.parametrize("protected", [False, True])
def test_live_routes_of_an_app_that_is_mounted_below(bridge, protected):
    app, _, prefix = served_below(bridge, "sub", protected)
    assert dial(app, f"{prefix}{LIVE}?ticket={buy(app, prefix + LIVE)}") == "alice?"
    assert dial(app, f"{prefix}{LIVE}?ticket={buy(app, LIVE)}").refused_as("InvalidTokenError")


# Set-up


def test_more_apps_of_one_bridge_have_one_store(bridge):
    store = MemoryTickets()
    one, other = app_with(bridge, store=store), app_with(bridge, store=store)
    assert dial(other, f"{LIVE}?ticket={buy(one)}") == "alice?"
    with pytest.raises(ConfigurationError, match="another store"):
        bridge.tickets(MemoryTickets())


@pytest.mark.parametrize("store", [None, "redis://localhost", {}, MemoryTickets])
def test_no_store_no_tickets(bridge, store):
    with pytest.raises(ConfigurationError, match="store"):
        bridge.tickets(store)


def test_the_route_is_guarded_and_listed(bridge, caplog):
    app = app_with(bridge)
    bridge.audit(app)
    assert {type(one) for one in kit.start(app)} == {dict}
    operation = app.openapi()["paths"]["/api/tickets"]["post"]
    assert operation["security"] == [{"bearer": []}]
    answer = operation["responses"]["201"]["content"]["application/json"]["schema"]
    assert answer == {"$ref": "#/components/schemas/Ticket"}


def test_whoever_a_test_acts_as_gets_a_ticket_and_needs_none(bridge):
    app = app_with(bridge)
    app.dependency_overrides[bridge.current_user] = lambda: Principal.for_subject("alice")
    got = asyncio.run(abuy(app, LIVE, ("x", "y")))
    assert (got.status, got.json()["expires_in"]) == (201, 30)
    assert dial(app, f"{LIVE}?ticket={got.json()['ticket']}") == "alice?"
    assert dial(app, LIVE) == "alice?"
    assert dial(app, "/api/bob/live").refused_as("ForbiddenError")


def test_without_tickets_nothing_is_taken_for_one(refusals):
    bridge = ticket_kit.make_bridge()
    app = FastAPI()
    app.include_router(ticket_kit.live_router(bridge))
    bridge.protect(app)
    got = call(app, "GET", f"/api/alice/plain?ticket={'a' * 43}", bearer())
    assert got.json() == {"ticket": "a" * 43}
    assert call(app, "GET", f"{EVENTS}?ticket={'a' * 43}", ticket_kit.STREAM).refused_as("MissingTokenError")


def test_nothing_secret_is_logged(app, caplog):
    caplog.set_level(logging.DEBUG)
    ticket = buy(app)
    dial(app, f"/api/bob/live?ticket={ticket}")
    dial(app, f"{LIVE}?ticket={ticket}&ticket={ticket}")
    dial(app, f"{LIVE}?ticket={ticket}", bearer())
    said = str([vars(record) for record in caplog.records])
    assert "ticket_repeated" in said
    assert ticket not in said
    assert "alice" not in said.replace("/api/alice", "")
