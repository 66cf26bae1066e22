"""A WebSocket is refused before it is accepted."""

import pytest
from fastapi import Depends, FastAPI, WebSocket
from kit import BAD, Got, bearer, make_bridge
from live_kit import ALICE, Api, opened, run


@pytest.fixture
def api():
    return Api()


@pytest.mark.parametrize(
    ("path", "headers", "answer", "code"),
    [
        ("/of/alice", [], "MissingTokenError", "token_missing"),
        ("/of/alice", [BAD], "InvalidTokenError", "token_malformed"),
        ("/of/alice", [bearer("bob")], "ForbiddenError", "path_user_mismatch"),
        ("/of/alice", [ALICE, ALICE], "InvalidRequestError", "authorization_repeated"),
        ("/maybe", [BAD], "InvalidTokenError", "token_malformed"),
    ],
)
def test_who_may_not_is_refused_before_it_is_accepted(api, path, headers, answer, code, refusals):
    async def play():
        async with opened(
            api.app, path, *headers, accepted=False, extensions=["websocket.http.response"]
        ) as wire:
            start, body = await wire.next(), await wire.next()
            got = Got(start["status"], start["headers"], body["body"])
            assert got.refused_as(answer)
        async with opened(api.app, path, *headers, accepted=False) as wire:
            close = await wire.next("websocket.close")
            assert close["code"] == 1008
        assert wire.quiet()

    run(play)
    assert [entry[3] for entry in refusals()] == [code, code]


def test_who_accepts_without_asking_whether_anybody_is_there_accepts_nobody():
    """Starlette receives before it accepts; a dependency that sends by itself does not."""
    bridge, app, seen = make_bridge(), FastAPI(), []

    async def eager(socket: WebSocket):
        await socket._send({"type": "websocket.accept"})

    @app.websocket("/ws", dependencies=[Depends(eager), Depends(bridge.current_user)])
    async def endpoint(socket: WebSocket):
        seen.append(socket)

    bridge.protect(app)

    async def play():
        async with opened(app, "/ws", accepted=False) as wire:
            assert (await wire.next("websocket.close"))["code"] == 1008
        assert wire.quiet()

    run(play)
    assert seen == []
