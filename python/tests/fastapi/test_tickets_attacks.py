"""What somebody tries with tickets: again, at the same time, elsewhere, with more, with less."""

import asyncio
import json
import threading
from typing import Annotated

import kit
import pytest
import ticket_kit
from fastapi import Depends, FastAPI, Request, WebSocket
from kit import bearer
from ticket_kit import EVENTS, LIVE, STREAM, adial, alisten, app_with, buy, dial, listen

import signer
from jwt_auth_bridge import Principal
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


# Again


@pytest.mark.parametrize(("connect", "path"), [(adial, LIVE), (alisten, EVENTS)])
def test_fifty_at_once_and_one_is_let_in(app, connect, path):
    ticket = buy(app, path)

    async def everybody():
        return await asyncio.gather(*(connect(app, f"{path}?ticket={ticket}") for _ in range(50)))

    found = asyncio.run(everybody())
    assert [one for one in found if one == "alice?"] == ["alice?"]
    assert sum(one.refused_as("InvalidTokenError") for one in found if one != "alice?") == 49


def test_from_many_threads_one_is_let_in(bridge):
    app, found = app_with(bridge), []
    tickets = [buy(app) for _ in range(20)]

    def try_all():
        found.extend(dial(app, f"{LIVE}?ticket={ticket}") for ticket in tickets)

    threads = [threading.Thread(target=try_all) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(found) == 160
    assert found.count("alice?") == 20


def test_a_request_within_the_request_is_let_in_nowhere_else(bridge):
    app = app_with(bridge)

    @app.get("/api/{user_id}/outer", dependencies=[Depends(bridge.path_user)])
    async def outer(request: Request):
        answers = []
        for path, query in ((EVENTS, None), (EVENTS, request.state.ticket)):
            changed = {"path": path, "raw_path": path.encode(), "path_params": {}}
            if query:
                changed["query_string"] = b"ticket=" + query
            got = await kit.acall(app, "GET", path, scope={**request.scope, **changed})
            answers.append(got.status)
        return answers

    ticket = buy(app, "/api/alice/outer")
    got = listen(app, f"/api/alice/outer?ticket={ticket}", state={"ticket": ticket.encode()})
    assert json.loads(got) == [401, 400]


# More and less than one credential


@pytest.mark.parametrize(("connect", "path"), [(dial, LIVE), (listen, EVENTS)])
def test_two_credentials_are_400_and_use_nothing_up(app, connect, path, refusals):
    ticket, other = buy(app, path), buy(app, path)
    for query, headers in (
        (f"ticket={ticket}", [bearer()]),
        (f"ticket={ticket}", [kit.BAD]),
        (f"ticket={ticket}", [("authorization", "Bearer")]),
        (f"ticket={ticket}", [bearer(), bearer()]),
        ("ticket=", [bearer()]),
        (f"ticket={ticket}&ticket={ticket}", []),
        (f"ticket={ticket}&ticket={other}", []),
        (f"ticket={ticket}&ticket=", []),
        (f"ticket={ticket}&%74icket={other}", []),
        (f"ticket&a=1&ticket={ticket}", []),
    ):
        assert connect(app, f"{path}?{query}", *headers).refused_as("InvalidRequestError")
    codes = [code for *_, code in refusals()]
    assert codes[2:4] == ["authorization_malformed", "authorization_repeated"]
    assert {*codes[:2], *codes[4:]} == {"ticket_repeated"}
    assert connect(app, f"{path}?ticket={ticket}") == "alice?"


def test_a_proxy_s_password_is_no_second_credential(app):
    for value in ("Basic YTpi", "Digest x", ""):
        assert dial(app, f"{LIVE}?ticket={buy(app)}", ("authorization", value)) == "alice?"


@pytest.mark.parametrize(
    "value",
    [
        "",
        "x",
        "a" * 43,
        "a" * 42,
        "a" * 44,
        "a" * 60_000,
        "%00",
        "%ff" * 43,
        "{ticket}%20",
        "{ticket}=",
        "{ticket}+",
    ],
)
def test_what_is_no_ticket_is_401(app, value):
    ticket = buy(app)
    value = value.replace("{ticket}", ticket)
    for connect, path in ((dial, LIVE), (listen, EVENTS)):
        assert connect(app, f"{path}?ticket={value}").refused_as("InvalidTokenError")
    assert dial(app, f"{LIVE}?ticket={ticket}") == "alice?"


def test_a_token_is_no_ticket_and_a_ticket_no_token(app, bridge):
    assert dial(app, f"{LIVE}?ticket={kit.token()}").refused_as("InvalidTokenError")
    ticket = buy(app)
    assert dial(app, LIVE, ("authorization", f"Bearer {ticket}")).refused_as("InvalidTokenError")
    for at in (f"/api/tickets?ticket={ticket}", "/api/tickets"):
        got = asyncio.run(ticket_kit.abuy(app, LIVE, STREAM, at=at))
        assert got.refused_as("MissingTokenError")
    # What the store keeps opens nothing either.
    key = next(iter(bridge._desk.store._held))
    assert dial(app, f"{LIVE}?ticket={signer.base64url(key)}").refused_as("InvalidTokenError")
    assert dial(app, f"{LIVE}?ticket={ticket}") == "alice?"


# Elsewhere


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "HEAD"])
def test_elsewhere_it_is_no_credential_and_is_hidden_all_the_same(bridge, method):
    app = app_with(bridge)
    ticket = buy(app, "/api/alice/plain")
    url = f"/api/alice/plain?a=1&ticket={ticket}&ticket=17"
    stream = () if method == "GET" else (STREAM,)
    got = listen(app, url, method=method, stream=stream)
    assert got.refused_as("MissingTokenError") if method != "HEAD" else got.status == 401
    assert got.query == b"a=1&ticket=17"
    # The token alone counts here, and the app's own parameter of that name is the app's.
    assert kit.call(app, "POST", url, bearer()).json() == {"a": "1", "ticket": "17"}
    assert len(bridge._desk.store._held) == 1


@pytest.mark.parametrize(
    ("accept", "is_stream"),
    [
        ("text/event-stream", True),
        ("Text/Event-Stream", True),
        ("text/html, text/event-stream;q=0.5", True),
        ("*/*", False),
        ("text/*", False),
        ("text/event-stream-x", False),
        ("application/json", False),
    ],
)
def test_which_get_is_an_event_source(app, accept, is_stream):
    got = listen(app, f"{EVENTS}?ticket={buy(app, EVENTS)}", stream=[("accept", accept)])
    assert got == "alice?" if is_stream else got.refused_as("MissingTokenError")


@pytest.mark.parametrize(
    ("query", "left"),
    [
        ("ticket={}", ""),
        ("a=%20+1&ticket={}&b", "a=%20+1&b"),
        ("&&ticket={}&;x=ticket", "&&;x=ticket"),
        ("%74%69cket={}", ""),
        ("tickets={}&Ticket=x&ticket={}", None),
    ],
)
def test_the_rest_of_the_query_is_left_as_it_is(bridge, query, left):
    app = app_with(bridge)
    ticket = buy(app, EVENTS)
    found = listen(app, f"{EVENTS}?{query.replace('{}', ticket)}")
    assert found == f"alice?{f'tickets={ticket}&Ticket=x' if left is None else left}"


def test_where_no_route_is_it_is_hidden_by_protect(bridge):
    app = app_with(bridge)
    for path in ("/nowhere", "/api/alice/nowhere", "/api/tickets", "/docs"):
        got = listen(app, f"{path}?ticket={buy(app, path)}&a=1", stream=())
        assert getattr(got, "query", b"a=1") == b"a=1"
        assert listen(app, f"{path}?ticket=short&a=1").query == b"a=1" if path != "/docs" else True


@pytest.mark.parametrize("protected", [False, True])
def test_two_bridges_in_one_app(bridge, protected):
    other = ticket_kit.make_bridge(audience=kit.OTHER_AUDIENCE)
    app = FastAPI()
    app.include_router(bridge.tickets(MemoryTickets()))
    app.include_router(other.tickets(MemoryTickets()), prefix="/other")

    def serve(path, *guards):
        async def endpoint(socket: WebSocket):
            await socket.accept()
            await socket.send_text("in")
            await socket.close()

        app.add_api_websocket_route(path, endpoint, dependencies=[Depends(guard) for guard in guards])

    serve("/a", bridge.current_user)
    serve("/b", other.current_user)
    serve("/both", bridge.current_user, other.current_user)
    if protected:
        bridge.protect(app)
        other.protect(app)
    elsewhere = ("authorization", f"Bearer {kit.other_token()}")

    def ticket(of, path):
        if of is bridge:
            return buy(app, path)
        got = asyncio.run(
            ticket_kit.abuy(app, path.removeprefix("/other"), elsewhere, at="/other/api/tickets")
        )
        return got.json()["ticket"]

    assert dial(app, f"/a?ticket={ticket(bridge, '/a')}") == "in"
    assert dial(app, f"/b?ticket={ticket(other, '/b')}") == "in"
    for of, path in ((bridge, "/b"), (other, "/a"), (bridge, "/both"), (other, "/both")):
        assert dial(app, f"{path}?ticket={ticket(of, path)}").refused_as("InvalidTokenError")
    got = asyncio.run(ticket_kit.abuy(app, "/a", elsewhere))
    assert got.refused_as("InvalidTokenError")


def test_two_bridges_that_share_a_store():
    store = MemoryTickets()
    bridge, other = ticket_kit.make_bridge(), ticket_kit.make_bridge(audience=kit.OTHER_AUDIENCE)
    one, two = app_with(bridge, store=store), app_with(other, store=store)
    assert dial(two, f"{LIVE}?ticket={buy(one)}").refused_as("InvalidTokenError")
    another = app_with(ticket_kit.make_bridge(issuer="https://evil.example"), store=store)
    assert dial(another, f"{LIVE}?ticket={buy(one)}").refused_as("InvalidTokenError")


@pytest.mark.parametrize("protected", [False, True])
def test_who_may_be_nobody_and_who_must_be_asked_more(bridge, protected):
    app = FastAPI()
    app.include_router(bridge.tickets(MemoryTickets()))
    admin = bridge.require(lambda user: user.claims.get("role") == "admin", reason="admins only")

    @app.websocket("/maybe")
    async def maybe(socket: WebSocket, user: Annotated[Principal | None, Depends(bridge.optional_user)]):
        await socket.accept()
        await socket.send_text(user.subject if user else "nobody")
        await socket.close()

    @app.websocket("/admin", dependencies=[Depends(admin)])
    async def only_admins(socket: WebSocket):
        await socket.accept()
        await socket.send_text("in")
        await socket.close()

    if protected:
        bridge.protect(app)
    assert dial(app, "/maybe") == "nobody"
    ticket = buy(app, "/maybe")
    assert dial(app, f"/maybe?ticket={ticket}") == "alice"
    assert dial(app, f"/maybe?ticket={ticket}").refused_as("InvalidTokenError")
    assert dial(app, "/maybe?ticket=").refused_as("InvalidTokenError")
    assert dial(app, f"/admin?ticket={buy(app, '/admin')}").refused_as("ForbiddenError")
    assert dial(app, f"/admin?ticket={buy(app, '/admin', bearer(role='admin'))}") == "in"
