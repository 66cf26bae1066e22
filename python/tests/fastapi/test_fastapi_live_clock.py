"""A clock that is set, or a machine that slept: noticed at the next message, or within a minute."""

import asyncio
from typing import Annotated

import pytest
from fastapi import Depends, WebSocket
from live_kit import ALICE, END, Api, opened, run, seconds

from jwt_auth_bridge import Principal


@pytest.fixture
def api():
    return Api()


def test_a_clock_that_is_set_is_noticed_at_the_next_message_in_either_direction(api):
    async def play():
        async with opened(api.app, "/echo", ALICE) as wire:
            api.clock.offset = END
            wire.say("too late")
            assert await wire.is_closed()
            assert seconds() == 0
        assert (api.heard, api.ends) == ([], [(1008, 0.0)])
        api.clock.offset = 0
        async with opened(api.app, "/talks", ALICE) as wire:
            await asyncio.sleep(99)
            api.clock.offset = END
            assert await wire.texts(1) == ["0.0"]
            assert await wire.is_closed()
            assert seconds() == 100, "the timer asks at 120"

    run(play)


def test_a_clock_that_is_set_is_noticed_by_an_endpoint_that_takes_what_came_before(api):
    @api.app.websocket("/late")
    async def late(socket: WebSocket, user: Annotated[Principal, Depends(api.bridge.current_user)]):
        await socket.accept()
        await asyncio.sleep(10)
        api.heard.append((await socket._receive())["type"])

    async def play():
        async with opened(api.app, "/late", ALICE) as wire:
            wire.say("early")
            await asyncio.sleep(5)
            api.clock.offset = END
            assert await wire.is_closed()
            assert seconds() == 10
        assert api.heard == ["websocket.disconnect"]

    run(play)


def test_a_clock_that_is_set_is_noticed_at_a_message_to_an_endpoint_that_does_not_care(api):
    async def play():
        async with opened(api.app, "/idle", ALICE, over=False) as wire:
            api.clock.offset = END
            wire.say("x")
            assert await wire.is_closed()
            assert seconds() == 0
            for _ in range(3):
                wire.say("never read")
            await asyncio.sleep(10)
            assert wire.incoming.qsize() == 3

    run(play)


def test_a_clock_that_is_set_is_noticed_within_a_minute_by_itself(api):
    async def play():
        async with opened(api.app, "/idle", ALICE, over=False) as wire:
            await asyncio.sleep(30)
            api.clock.offset = END
            assert await wire.is_closed()
            assert seconds() == 60
        async with opened(api.app, "/idle", ALICE, accepted=False) as wire:
            assert (await wire.next())["type"] == "websocket.close", "an ended token opens nothing"

    run(play)


def test_a_clock_that_is_set_back_closes_nothing_early(api):
    async def play():
        async with opened(api.app, "/echo", ALICE) as wire:
            await asyncio.sleep(100)
            api.clock.offset = -50
            assert await wire.is_closed()
            assert seconds() == END + 50

    run(play)
