"""A WebSocket lives no longer than its token, whatever its endpoint does."""

import asyncio
from typing import Annotated

import anyio
import pytest
from fastapi import Depends, WebSocket
from kit import bearer
from live_kit import ALICE, END, Api, opened, run, seconds
from starlette.websockets import WebSocketDisconnect

import signer
from jwt_auth_bridge import Principal


@pytest.fixture
def api():
    return Api()


# The end of the token


def test_it_is_closed_when_its_token_ends_and_the_endpoint_is_told(api, refusals):
    async def play():
        async with opened(api.app, "/echo", ALICE) as wire:
            wire.say("hello")
            assert await wire.texts(1) == ["hello"]
            assert await wire.is_closed()
            assert seconds() == END
        assert wire.error is None
        assert api.ends == [(1008, END)]

    run(play)
    assert refusals() == [("INFO", "WEBSOCKET", "/echo", "token_expired")]


@pytest.mark.parametrize(("leeway", "end"), [(0, 300.0), (60, 360.0)])
def test_the_leeway_counts_as_it_does_for_a_request(leeway, end):
    api = Api(leeway=leeway)

    async def play():
        async with opened(api.app, "/echo", ALICE) as wire:
            assert await wire.is_closed()
            assert seconds() == end

    run(play)


def test_an_endpoint_that_only_sends_ends_and_leaves_no_error(api):
    async def play():
        async with opened(api.app, "/talks", ALICE) as wire:
            assert await wire.texts(4) == ["0.0", "100.0", "200.0", "300.0"]
            assert await wire.is_closed()
            assert seconds() == END
            await asyncio.sleep(100)
        assert wire.error is None
        assert wire.quiet()

    run(play)


def test_an_endpoint_that_does_neither_is_closed_and_left_to_itself(api):
    async def play():
        async with opened(api.app, "/idle", ALICE, over=False) as wire:
            assert await wire.is_closed()
            assert seconds() == END
            await asyncio.sleep(50)
            assert not wire.task.done()

    run(play)


def test_without_protect_nothing_ends_it():
    api = Api(protected=False)

    async def play():
        async with opened(api.app, "/echo", ALICE, over=False) as wire:
            await asyncio.sleep(10_000)
            wire.say("still here")
            assert await wire.texts(1) == ["still here"]

    run(play)


def test_a_token_that_ends_while_the_endpoint_makes_up_its_mind_opens_nothing():
    api = Api()

    async def slow():
        await asyncio.sleep(END)

    @api.app.websocket("/slow", dependencies=[Depends(api.bridge.current_user), Depends(slow)])
    async def endpoint(socket: WebSocket):
        await api.echo(socket)

    async def play():
        async with opened(api.app, "/slow", ALICE, accepted=False) as wire:
            assert (await wire.next())["type"] == "websocket.close"
        assert wire.error is None
        assert wire.quiet()

    run(play)


# What the endpoint may do


def test_messages_that_came_before_the_end_and_were_not_read_are_not_given_after_it():
    api = Api()

    @api.app.websocket("/late")
    async def late(socket: WebSocket, user: Annotated[Principal, Depends(api.bridge.current_user)]):
        await socket.accept()
        await asyncio.sleep(END + 5)
        for _ in range(2):
            api.heard.append(await socket._receive())

    async def play():
        async with opened(api.app, "/late", ALICE) as wire:
            for text in "abc":
                wire.say(text)
            assert await wire.is_closed()
            await asyncio.sleep(10)
        assert [one["type"] for one in api.heard] == ["websocket.disconnect"] * 2

    run(play)


def test_no_more_than_two_messages_are_read_ahead(api):
    async def play():
        async with opened(api.app, "/idle", ALICE, over=False) as wire:
            for number in range(100):
                wire.say(str(number))
            await asyncio.sleep(1)
            assert wire.incoming.qsize() == 98
            assert await wire.is_closed(), "and the end still comes"

    run(play)


def test_after_the_end_the_endpoint_may_close_and_a_send_is_an_error():
    api = Api()

    @api.app.websocket("/stubborn")
    async def stubborn(socket: WebSocket, user: Annotated[Principal, Depends(api.bridge.current_user)]):
        await socket.accept()
        message = await socket._receive()
        api.ends.append(message["code"])
        with pytest.raises(OSError, match="has ended"):
            await socket._send({"type": "websocket.send", "text": "secret"})
        with pytest.raises(WebSocketDisconnect):
            await socket.send_text("secret")
        await socket._send({"type": "websocket.close", "code": 1000})
        api.ends.append("still there")

    async def play():
        async with opened(api.app, "/stubborn", ALICE) as wire:
            assert await wire.is_closed()
        assert wire.error is None
        assert wire.quiet()
        assert api.ends == [1008, "still there"]

    run(play)


@pytest.mark.parametrize("code", [1000, 4000])
def test_an_endpoint_that_closes_has_the_last_word(code, refusals):
    api = Api()

    @api.app.websocket("/brief")
    async def brief(socket: WebSocket, user: Annotated[Principal, Depends(api.bridge.current_user)]):
        await socket.accept()
        await socket.close(code)
        await asyncio.sleep(END + 1)

    async def play():
        async with opened(api.app, "/brief", ALICE, over=False) as wire:
            assert await wire.is_closed(code)
            await asyncio.sleep(END + 2)
        assert wire.quiet()

    run(play)
    assert refusals() == []


def test_the_waiting_of_an_endpoint_can_be_cancelled_and_no_message_is_lost():
    api = Api()

    @api.app.websocket("/beats")
    async def beats(socket: WebSocket, user: Annotated[Principal, Depends(api.bridge.current_user)]):
        await socket.accept()
        for _ in range(20):
            try:
                api.heard.append(await asyncio.wait_for(socket.receive_text(), 1))
            except TimeoutError:
                with anyio.move_on_after(1):
                    api.heard.append(await socket.receive_text())

    async def play():
        async with opened(api.app, "/beats", ALICE, over=False) as wire:
            for number in range(10):
                await asyncio.sleep(1.5)
                wire.say(str(number))
            await asyncio.sleep(1)
        assert api.heard == [str(number) for number in range(10)]

    run(play)


def test_reader_and_writer_of_one_task_group_both_end():
    api = Api()

    @api.app.websocket("/both")
    async def both(socket: WebSocket, user: Annotated[Principal, Depends(api.bridge.current_user)]):
        await socket.accept()

        async def write():
            while True:
                await socket.send_text("tick")
                await asyncio.sleep(1)

        async def read():
            while True:
                await socket.receive_text()

        async with asyncio.TaskGroup() as group:
            group.create_task(write())
            group.create_task(read())

    async def play():
        async with opened(api.app, "/both", ALICE) as wire:
            assert await wire.is_closed()
        assert wire.error is None

    run(play)


def test_an_error_of_the_endpoint_stays_an_error():
    api = Api()

    @api.app.websocket("/broken")
    async def broken(socket: WebSocket, user: Annotated[Principal, Depends(api.bridge.current_user)]):
        await socket.accept()
        try:
            await socket.receive_text()
        finally:
            raise LookupError("a bug")

    async def play():
        async with opened(api.app, "/broken", ALICE) as wire:
            await asyncio.sleep(END)
        assert isinstance(wire.error, LookupError)

    run(play)


# The other side


def test_a_client_that_leaves_is_gone_and_its_timer_with_it(api, refusals):
    async def play():
        async with opened(api.app, "/echo", ALICE) as wire:
            await asyncio.sleep(100)
            wire.leave(1001)
        assert api.ends == [(1001, 100.0)]
        async with opened(api.app, "/idle", ALICE, over=False) as wire:
            wire.leave()
            await asyncio.sleep(2 * END)
        assert wire.quiet()

    run(play)
    assert refusals() == []


def test_a_client_that_leaves_is_the_same_error_to_the_endpoint_as_ever():
    api = Api(every=10)

    async def play():
        async with opened(api.app, "/talks", ALICE) as wire:
            wire.leave()
        assert isinstance(wire.error, WebSocketDisconnect)

    run(play)


def test_a_client_that_left_unnoticed_makes_no_noise(api):
    async def play():
        async with opened(api.app, "/idle", ALICE, over=False) as wire:
            wire.gone = True
            await asyncio.sleep(END + 1)
        assert wire.quiet()

    run(play)


def test_a_client_that_reads_nothing_frees_the_endpoint_after_some_patience(api):
    async def play():
        async with opened(api.app, "/echo", ALICE) as wire:
            wire.say("x")
            wire.reads.clear()
            await wire.task
            assert seconds() == END + 5
        assert wire.quiet()

    run(play)


def test_a_server_that_breaks_is_heard(api):
    async def play():
        async with opened(api.app, "/echo", ALICE) as wire:
            wire.incoming.put_nowait(LookupError("broken"))
        assert isinstance(wire.error, LookupError)

    run(play)


@pytest.mark.parametrize("when", [0, 100, END, END + 2])
@pytest.mark.parametrize("path", ["/echo", "/talks", "/idle"])
def test_a_server_that_stops_leaves_nothing_running(api, path, when):
    async def play():
        async with opened(api.app, path, ALICE, over=False) as wire:
            if when > END:
                wire.reads.clear()  # in the midst of the last message
            await asyncio.sleep(when)
            wire.task.cancel()
            await asyncio.gather(wire.task, return_exceptions=True)

    run(play)


def test_a_second_session_of_the_same_user_has_an_end_of_its_own(api):
    async def play():
        short = bearer("alice", exp=signer.NOW + 100)
        async with opened(api.app, "/echo", ALICE) as long, opened(api.app, "/echo", short) as wire:
            assert await wire.is_closed()
            assert seconds() == 110
            assert long.quiet()
            assert await long.is_closed()
            assert seconds() == END

    run(play)
