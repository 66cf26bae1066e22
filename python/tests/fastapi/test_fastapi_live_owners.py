"""Whose an open connection is: a ticket's, nobody's, a test's; below mounts, and with two bridges."""

import asyncio

import pytest
from fastapi import APIRouter, Depends, FastAPI, WebSocket
from kit import bearer, make_bridge, other_token, token
from live_kit import ALICE, END, Api, ask_ticket, later, opened, renewal, run, seconds
from starlette.routing import Mount

import signer
from jwt_auth_bridge import Principal
from jwt_auth_bridge.tickets import MemoryTickets


@pytest.fixture
def api():
    return Api()


def test_an_optional_user_without_a_token_has_no_end_and_can_not_be_renewed(api, refusals):
    async def play():
        async with opened(api.app, "/maybe") as wire:
            await asyncio.sleep(10_000)
            wire.say("hello")
            assert await wire.texts(1) == ["hello"]
            wire.renew(**later(10_000))
            assert await wire.is_closed(), "and no token reaches the endpoint"
        assert api.heard == ["hello"]
        async with opened(api.app, "/maybe", bearer("alice", **later(10_000))) as wire:
            assert await wire.is_closed()
            assert seconds() == 10_000 + END

    run(play)
    assert [entry[3] for entry in refusals()] == ["renewal_mismatch", "token_expired"]


def test_a_public_websocket_is_left_alone():
    api = Api(protected=False)

    @api.app.websocket("/public")
    async def public(socket: WebSocket):
        await api.echo(socket)

    api.bridge.protect(api.app, public=["WS /public"])

    async def play():
        async with opened(api.app, "/public", ALICE) as wire:
            await asyncio.sleep(10_000)
            wire.say(text := renewal("x"))
            assert await wire.texts(1) == [text]
            wire.leave()

    run(play)


@pytest.mark.parametrize("guard", ["current_user", "path_user"])
def test_who_is_acted_by_a_test_has_no_token_that_could_end(api, guard):
    async def carol():
        return Principal("carol", None, "t", 0, 1, {})

    path = "/of/carol" if guard == "path_user" else "/echo"
    api.app.dependency_overrides[api.bridge.current_user] = carol

    async def play():
        async with opened(api.app, path) as wire:
            await asyncio.sleep(10_000)
            wire.renew("whatever the app's own client sends")
            wire.say("hello")
            assert await wire.texts(1) == ["hello"]
            wire.leave()
        assert api.heard == ["hello"]

    run(play)


def test_one_that_a_ticket_opened_is_renewed_by_a_token_of_its_session(api, refusals):
    api.app.include_router(api.bridge.tickets(MemoryTickets()))

    async def play():
        await asyncio.sleep(100)
        async with opened(api.app, "/of/alice", query=await ask_ticket(api, "/of/alice")) as wire:
            await asyncio.sleep(100)
            wire.renew(**later(200))
            assert await wire.is_closed()
            assert seconds() == END + 200
        api.clock.offset = -seconds()
        async with opened(api.app, "/of/alice", query=await ask_ticket(api, "/of/alice")) as wire:
            wire.renew(token("bob"))
            assert await wire.is_closed()
            assert seconds() == END + 200
        async with opened(api.app, "/of/alice", query=await ask_ticket(api, "/of/alice")) as wire:
            assert await wire.is_closed()
            assert seconds() == 2 * END + 200

    run(play)
    assert [entry[3] for entry in refusals()] == ["token_expired", "renewal_mismatch", "token_expired"]


def on_mounts(bridge, api):
    app, inner = FastAPI(), FastAPI(dependencies=[Depends(bridge.path_user)])
    inner.add_api_websocket_route("/ws", api.echo)
    app.mount("/api/{user_id}", inner)
    bridge.protect(app)
    return app


def on_an_app_that_protects_itself(bridge, api):
    app, inner = FastAPI(), FastAPI(dependencies=[Depends(bridge.path_user)])
    inner.add_api_websocket_route("/ws", api.echo)
    bridge.protect(inner)
    app.mount("/api/{user_id}", inner)
    return app


def on_both(bridge, api):
    app = on_an_app_that_protects_itself(bridge, api)
    bridge.protect(app)
    return app


def on_a_mounted_router(bridge, api):
    app, router = FastAPI(), APIRouter(dependencies=[Depends(bridge.path_user)])
    router.add_api_websocket_route("/ws", api.echo)
    app.router.routes.append(Mount("/api/{user_id}", app=router))
    bridge.protect(app)
    return app


@pytest.mark.parametrize("build", [on_mounts, on_an_app_that_protects_itself, on_both, on_a_mounted_router])
def test_below_a_mount(api, build, refusals):
    async def echo(socket: WebSocket):
        await Api.echo(api, socket)

    api.echo = echo
    app = build(api.bridge, api)

    async def play():
        async with opened(app, "/api/alice/ws", ALICE) as wire:
            await asyncio.sleep(200)
            wire.renew(**later(200))
            wire.say("hello")
            assert await wire.texts(1) == ["hello"]
            assert await wire.is_closed()
            assert seconds() == END + 200
        async with opened(app, "/api/alice/ws", bearer(**later(510))) as wire:
            wire.renew(token("bob", **later(510)))
            assert await wire.is_closed()
        assert api.heard == ["hello"]

    run(play)
    assert [entry[3] for entry in refusals()] == ["token_expired", "renewal_mismatch"]


def test_two_bridges_on_one_route_are_both_renewed_and_the_stricter_one_closes(api, refusals):
    strict = make_bridge(clock=api.clock, leeway=0, path_parameter="owner")

    @api.app.websocket("/two", dependencies=[Depends(api.bridge.current_user), Depends(strict.current_user)])
    async def endpoint(socket: WebSocket):
        await api.echo(socket)

    strict.protect(api.app)

    async def play():
        async with opened(api.app, "/two", ALICE) as wire:
            await asyncio.sleep(200)
            wire.renew(**later(200))
            wire.say("hello")
            assert await wire.texts(1) == ["hello"]
            assert await wire.is_closed()
            assert seconds() == 500, "without leeway"
        assert (api.heard, api.ends) == (["hello"], [(1008, 500.0)])
        async with opened(api.app, "/two", bearer(**later(500))) as wire:
            wire.renew(token("bob", **later(500)))
            assert await wire.is_closed()

    run(play)
    assert {entry[3] for entry in refusals()} == {"token_expired", "renewal_mismatch"}


def test_two_bridges_of_one_app_each_mind_their_own_routes(api):
    other = make_bridge(clock=api.clock, audience="https://other.example.com", leeway=0)

    @api.app.websocket("/other", dependencies=[Depends(other.current_user)])
    async def endpoint(socket: WebSocket):
        await api.echo(socket)

    other.protect(api.app)

    async def play():
        mine = ("authorization", f"Bearer {other_token()}")
        async with opened(api.app, "/other", mine) as wire, opened(api.app, "/echo", ALICE) as first:
            assert await wire.is_closed()
            assert seconds() == 300
            assert first.quiet()
            first.renew(**later(300))
            assert await first.is_closed()
            assert seconds() == END + 300
        async with opened(api.app, "/other", mine, accepted=False) as wire:
            assert (await wire.next())["type"] == "websocket.close"
        async with opened(api.app, "/echo", bearer(**later(610))) as wire:
            wire.renew(other_token())
            assert await wire.is_closed(), "another API's token renews nothing here"

    run(play)


def test_a_session_without_an_id_is_renewed_by_its_users_token_without_one(api):
    async def play():
        none = {"sid": signer.ABSENT}
        async with opened(api.app, "/echo", bearer(**none)) as wire:
            await asyncio.sleep(200)
            wire.renew(**later(200, **none))
            assert await wire.is_closed()
            assert seconds() == END + 200
        async with opened(api.app, "/echo", bearer(**later(510, **none))) as wire:
            wire.renew(**later(510))
            assert await wire.is_closed()
            assert seconds() == END + 200

    run(play)
