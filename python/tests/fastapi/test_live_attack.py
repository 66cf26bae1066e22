"""What somebody tries on a handshake and on what is open: to hear more than a refusal, to outlast a token."""

import asyncio
import contextlib
import logging
from typing import Annotated

import pytest
import ways
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request, WebSocket, WebSocketException
from kit import Got, bearer, make_bridge, token
from live_kit import ALICE, END, Api, later, opened, run, seconds, streamed
from starlette.responses import StreamingResponse
from starlette.websockets import WebSocketDisconnect

from jwt_auth_bridge import Principal

DENIAL = "websocket.http.response"


# Before it is open


async def absent():
    raise HTTPException(404, "no such room")


async def full():
    raise WebSocketException(1013, "the room is full")


async def eager(socket: WebSocket):
    await socket._send({"type": "websocket.accept"})
    while True:
        await socket._send({"type": "websocket.send", "text": "what is said in this room"})


@pytest.mark.parametrize("extensions", [[DENIAL], []], ids=["answers", "closes"])
@pytest.mark.parametrize("first", [absent, full, eager])
def test_what_comes_before_the_guard_says_nothing_to_whom_it_would_refuse(first, extensions, refusals):
    """A room that exists, a room that does not: HTTP does not tell a stranger either."""
    bridge, app, seen = make_bridge(), FastAPI(), []

    @app.websocket("/rooms/{room}", dependencies=[Depends(first), Depends(bridge.current_user)])
    async def endpoint(socket: WebSocket):
        seen.append(socket)

    bridge.protect(app)

    async def play():
        async with opened(app, "/rooms/1", accepted=False, extensions=extensions) as wire:
            start = await wire.next()
            if extensions:
                body = await wire.next()
                assert Got(start["status"], start["headers"], body["body"]).refused_as("MissingTokenError")
            else:
                assert (start["type"], start["code"], start["reason"]) == ("websocket.close", 1008, "")
        assert wire.error is None
        assert wire.quiet()

    run(play)
    assert seen == []
    assert refusals() == [("INFO", "WEBSOCKET", "/rooms/{room}", "token_missing")]


def test_whoever_may_come_in_hears_what_comes_before_the_guard():
    bridge, app = make_bridge(), FastAPI()

    @app.websocket("/rooms/{room}", dependencies=[Depends(absent), Depends(bridge.current_user)])
    async def endpoint(socket: WebSocket): ...

    bridge.protect(app)

    async def play():
        async with opened(app, "/rooms/1", ALICE, accepted=False, extensions=[DENIAL]) as wire:
            assert (await wire.next())["status"] == 404

    run(play)


@pytest.mark.parametrize("build", ways.WAYS, ids=lambda build: build.__name__)
@pytest.mark.parametrize("name", ["current_user", "path_user"])
def test_every_way_of_guarding_refuses_and_ends_a_websocket_too(monkeypatch, build, name):
    """The ways of the tests of requests, with a WebSocket in place of each POST."""
    api = Api(protected=False)

    def websocket(self, path, **options):
        def add(_):
            async def endpoint(socket: WebSocket):
                await api.echo(socket)

            return self.websocket(path, **options)(endpoint)

        return add

    for kind in (FastAPI, APIRouter):
        monkeypatch.setattr(kind, "post", websocket)
    judge_public = ways.protect

    def protect(bridge, app, dependencies, path="", public=()):
        judge_public(bridge, app, dependencies, path, [one.replace("POST", "WS") for one in public])

    monkeypatch.setattr(ways, "protect", protect)
    app, url = build(api.bridge, ways.guard(api.bridge, name))
    path, host = url.format("alice"), ways.HOST

    async def play():
        refused = [[host]] + ([[host, bearer("bob")]] if name == "path_user" else [])
        for headers in refused:
            async with opened(app, path, *headers, accepted=False) as wire:
                assert (await wire.next("websocket.close"))["code"] == 1008
            assert wire.quiet()
        async with opened(app, path, ALICE, host) as wire:
            wire.renew(**later(0))
            wire.say("hello")
            assert await wire.texts(1) == ["hello"]
            assert await wire.is_closed()
            assert seconds() == END
        assert wire.error is None

    run(play)
    assert api.heard == ["hello"]


# Past the end


def copying(app):
    """A middleware put around a mounted app by hand, that hands on a copy of the scope, as many do."""

    class Copying:
        def __init__(self):
            self.app = app

        async def __call__(self, scope, receive, send):
            await app(dict(scope), receive, send)

    return Copying()


@pytest.fixture
def below_a_copy():
    api = Api(protected=False)
    allowed = api.allowed = [True]
    may = api.bridge.require(lambda _: allowed[0], reason="who still may")

    @api.app.websocket("/asks", dependencies=[Depends(may)])
    async def asks(socket: WebSocket):
        await api.echo(socket)

    api.inner, api.app = api.app, FastAPI()
    api.app.mount("/sub", copying(api.inner))
    api.bridge.protect(api.app)
    return api


@pytest.mark.parametrize("path", ["/sub/echo", "/sub/talks", "/sub/of/alice"])
def test_a_websocket_below_a_copied_scope_ends(below_a_copy, path, refusals):
    async def play():
        async with opened(below_a_copy.app, path, ALICE) as wire:
            assert await wire.is_closed()
            assert seconds() == END

    run(play)
    assert refusals() == [("INFO", "WEBSOCKET", path[4:].replace("alice", "{user_id}"), "token_expired")]


@pytest.mark.parametrize("version", ["2.3", "2.4"])
def test_a_stream_below_a_copied_scope_ends(below_a_copy, version):
    async def play():
        async with streamed(below_a_copy.app, "/sub/events", ALICE, spec_version=version) as wire:
            await asyncio.sleep(END + 1)
            assert wire.closed

    run(play)


@pytest.mark.parametrize("still", [True, False])
def test_below_a_copied_scope_the_guards_are_asked_again(below_a_copy, still):
    async def play():
        async with opened(below_a_copy.app, "/sub/asks", ALICE) as wire:
            await asyncio.sleep(100)
            below_a_copy.allowed[0] = still
            wire.renew(**later(100))
            assert await wire.is_closed()
            assert seconds() == (END + 100 if still else 100)

    run(play)


def test_a_request_within_a_request_ends_neither_early_nor_late():
    """A copy of the scope that another user's request was made of says nothing about the outer one."""
    api = Api(protected=False)
    outer = FastAPI()

    @outer.get("/outer")
    async def ask(request: Request, user: Annotated[Principal, Depends(api.bridge.current_user)]):
        scope = {**request.scope, "path": "/file", "headers": [(b"authorization", inner.encode())]}
        sent = []

        async def send(message):
            sent.append(message)

        for changed in (scope, {**scope, "headers": []}):
            with contextlib.suppress(ExceptionGroup):
                await api.app(changed, request.receive, send)
        assert [one["status"] for one in sent if "status" in one] == [200, 401]
        return StreamingResponse(api.tick(), media_type="text/event-stream")

    api.bridge.protect(outer)
    inner = f"Bearer {token('bob', **later(-200))}"

    async def play():
        async with streamed(outer, "/outer", ALICE, started=False) as wire:
            await wire.next("http.response.start")
            begun = seconds()
            await wire.task
            assert (begun < 1000, seconds()) == (True, max(begun, END))

    run(play)


def test_who_goes_before_it_is_accepted_leaves_nobody_waiting():
    """An endpoint that does not mind is told once more: else it would wait for ever, with nobody there."""
    api = Api()

    @api.app.websocket("/careless")
    async def careless(socket: WebSocket, user: Annotated[Principal, Depends(api.bridge.current_user)]):
        with contextlib.suppress(OSError, WebSocketDisconnect):
            await socket.accept()
        api.heard.append((await socket._receive())["type"])

    async def play():
        async with opened(api.app, "/careless", ALICE, accepted=False) as wire:
            wire.gone = True
            wire.leave()

    run(play)
    assert api.heard == ["websocket.disconnect"]


class Full(logging.Handler):
    """What writes the log and raises: a handler whose author did not expect a full disk."""

    def emit(self, record):
        raise OSError("no space left on device")


@contextlib.contextmanager
def full_disk():
    logger, handler = logging.getLogger("jwt_auth_bridge"), Full()
    logger.addHandler(handler)
    # A timer that raises is what the loop reports, and not what this is about.
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)
    try:
        yield
    finally:
        logger.removeHandler(handler)


@pytest.mark.parametrize("path", ["/idle", "/echo", "/talks"])
def test_a_log_that_can_not_be_written_keeps_nothing_open(path, refusals):
    api = Api()

    async def play():
        async with opened(api.app, path, ALICE, over=False) as wire:
            with full_disk():
                await asyncio.sleep(END + 1)
            assert wire.closed

    run(play)


@pytest.mark.parametrize("how", ["bad token", "broken guard"])
def test_a_bad_renewal_of_which_nothing_can_be_logged_closes(how, monkeypatch, refusals):
    api = Api()

    async def play():
        async with opened(api.app, "/idle", ALICE, over=False) as wire:
            if how == "broken guard":
                monkeypatch.setattr(api.bridge, "_authenticate", None)
            with full_disk():
                wire.renew("bad")
                await asyncio.sleep(1)
            assert wire.closed

    run(play)


def test_who_waits_for_more_of_a_body_hears_of_the_end():
    """A request whose body is not over while its answer is an event stream: nothing more comes in."""
    api, heard = Api(), []

    @api.app.post("/duplex")
    async def duplex(request: Request, user: Annotated[Principal, Depends(api.bridge.current_user)]):
        async def answer():
            yield "data: begun\n\n"
            while (message := await request.receive())["type"] == "http.request":
                heard.append(message["body"])

        return StreamingResponse(answer(), media_type="text/event-stream")

    async def play():
        async with streamed(
            api.app, "/duplex", ALICE, method="POST", spec_version="2.4", started=False
        ) as wire:
            assert wire.incoming.get_nowait()["body"] == b"", "the app did not yet run"
            for body in (b"one", b"two"):
                wire.incoming.put_nowait({"type": "http.request", "body": body, "more_body": True})
            await asyncio.sleep(END + 1)
            assert wire.closed
            wire.incoming.put_nowait({"type": "http.request", "body": b"late", "more_body": True})

    run(play)
    assert heard == [b"one", b"two"]
