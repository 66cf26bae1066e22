"""A stream of server-sent events ends with its token; the client comes back with a newer one."""

import asyncio
from importlib.util import find_spec
from typing import Annotated

import pytest
from fastapi import Depends, FastAPI, Request
from fastapi.responses import StreamingResponse
from kit import BAD, bearer
from live_kit import ALICE, END, Api, ask_ticket, opened, run, seconds, streamed
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.gzip import GZipMiddleware

from jwt_auth_bridge import Principal
from jwt_auth_bridge.tickets import MemoryTickets

VERSIONS = ["2.3", "2.4"]


@pytest.fixture
def api():
    return Api()


@pytest.fixture(params=VERSIONS)
def version(request):
    """Of ASGI: before 2.4 what is sent too late is dropped, and `receive` says so; since then it raises."""
    return request.param


async def events(wire):
    """All bodies until the answer is complete."""
    found = []
    while (message := await wire.next("http.response.body")).get("more_body"):
        found.append(message["body"])
    assert not message.get("body")
    return found


@pytest.mark.parametrize("path", ["/events", "/maybe-events"])
def test_it_ends_when_its_token_ends(api, version, path, caplog, refusals):
    async def play():
        async with streamed(api.app, path, ALICE, spec_version=version) as wire:
            assert len(await events(wire)) == 4
            assert seconds() == END
        assert wire.error is None
        assert wire.quiet()
        assert len(api.ends) == 1

    run(play)
    assert refusals() == [("DEBUG", "GET", path, "token_expired")]


def test_one_that_says_nothing_ends_too(api):
    async def play():
        async with streamed(api.app, "/silent", ALICE) as wire:
            assert len(await events(wire)) == 1
        assert seconds() == END
        assert api.ends == [("stream", END)]

    run(play)


def test_a_clock_that_is_set_is_noticed_at_the_next_event(api, version):
    async def play():
        async with streamed(api.app, "/events", ALICE, spec_version=version) as wire:
            await asyncio.sleep(99)
            api.clock.offset = END
            assert len(await events(wire)) == 1
            assert seconds() == 100

    run(play)


def test_without_a_token_without_protect_and_for_other_answers_there_is_no_end(api):
    bare = Api(protected=False)

    async def play():
        for app, path, headers in (
            (api.app, "/maybe-events", []),
            (bare.app, "/events", [ALICE]),
        ):
            async with streamed(app, path, *headers, over=False) as wire:
                await asyncio.sleep(10_000)
                assert wire.sent.qsize() >= 100
            api.clock.offset = bare.clock.offset = -seconds()
        async with streamed(api.app, "/file", ALICE) as wire:
            assert len(await events(wire)) == 8

    run(play)


def test_a_test_that_acts_as_a_user_sees_no_end(api):
    async def carol():
        return Principal("carol", None, "t", 0, 1, {})

    api.app.dependency_overrides[api.bridge.current_user] = carol

    async def play():
        async with streamed(api.app, "/events", over=False) as wire:
            await asyncio.sleep(10_000)
            assert wire.sent.qsize() >= 100

    run(play)


def test_a_bad_token_is_refused_as_for_every_request(api):
    async def play():
        async with streamed(api.app, "/events", BAD, started=False) as wire:
            assert (await wire.next())["status"] == 401
            assert (await wire.next())["type"] == "http.response.body"

    run(play)


def test_a_stream_that_ends_by_itself_is_left_alone(api, version):
    @api.app.get("/short", dependencies=[Depends(api.bridge.current_user)])
    async def short():
        return StreamingResponse(api.tick(count=2), media_type="text/event-stream")

    async def play():
        async with streamed(api.app, "/short", ALICE, spec_version=version) as wire:
            assert len(await events(wire)) == 2
            assert seconds() == 200
        assert wire.quiet()

    run(play)


def test_one_whose_length_is_known_is_sent_to_its_end(api):
    @api.app.get("/length", dependencies=[Depends(api.bridge.current_user)])
    async def length():
        headers = {"content-length": "42"}
        return StreamingResponse(api.tick(count=5), media_type="text/event-stream", headers=headers)

    async def play():
        async with streamed(api.app, "/length", ALICE) as wire:
            assert len(await events(wire)) == 5
            assert seconds() == 500

    run(play)


def test_a_token_that_ends_before_the_first_event(api, version):
    @api.app.get("/slow", dependencies=[Depends(api.bridge.current_user)])
    async def slow():
        await asyncio.sleep(END + 1)
        return StreamingResponse(api.tick(), media_type="text/event-stream")

    async def play():
        async with streamed(api.app, "/slow", ALICE, spec_version=version) as wire:
            assert await events(wire) == []
        assert wire.error is None

    run(play)


def test_an_endpoint_that_asks_is_told(api):
    @api.app.get("/asks", dependencies=[Depends(api.bridge.current_user)])
    async def asks(request: Request):
        async def tick():
            while not await request.is_disconnected():
                yield "data: x\n\n"
                await asyncio.sleep(100)
            api.ends.append("told")

        return StreamingResponse(tick(), media_type="text/event-stream")

    async def play():
        async with streamed(api.app, "/asks", ALICE, spec_version="2.4") as wire:
            assert len(await events(wire)) == 4
        assert (api.ends, wire.error) == (["told"], None)

    run(play)


def test_a_client_that_leaves_is_gone(api):
    async def play():
        async with streamed(api.app, "/events", ALICE) as wire:
            await asyncio.sleep(150)
            wire.incoming.put_nowait({"type": "http.disconnect"})
        assert api.ends == [("stream", 150.0)]

    run(play)


def test_a_client_that_reads_nothing_frees_the_endpoint_after_some_patience(api, version):
    async def play():
        async with streamed(api.app, "/events", ALICE, spec_version=version) as wire:
            await asyncio.sleep(150)
            wire.reads.clear()
            await wire.task
        assert seconds() == (END + 5)
        assert len(api.ends) == 1

    run(play)


def test_a_stream_in_a_great_hurry_ends_too(api):
    """Its endpoint never waits for anything: what is dropped must give the others their turn."""
    ticks = []

    async def hurry():
        while True:
            ticks.append(1)
            if len(ticks) == 50:
                api.clock.offset = END
            assert len(ticks) < 1000
            yield b"data: x\n\n"

    @api.app.get("/hurry", dependencies=[Depends(api.bridge.current_user)])
    async def endpoint():
        return StreamingResponse(hurry(), media_type="text/event-stream")

    async def play():
        async with streamed(api.app, "/hurry", ALICE) as wire:
            assert len(await events(wire)) == 49
        assert wire.error is None

    run(play)


@pytest.mark.parametrize("when", [0, 100, END, END + 2])
def test_a_server_that_stops_leaves_nothing_running(api, when, version):
    async def play():
        async with streamed(api.app, "/events", ALICE, over=False, spec_version=version) as wire:
            if when > END:
                wire.reads.clear()
            await asyncio.sleep(when)
            wire.task.cancel()
            await asyncio.gather(wire.task, return_exceptions=True)

    run(play)


async def passing(request, call_next):
    return await call_next(request)


def between_outside(api):
    api.app.add_middleware(BaseHTTPMiddleware, dispatch=passing)
    return api.app, "/events"


def between_inside(api):
    app, inner = FastAPI(), FastAPI(dependencies=[Depends(api.bridge.current_user)])

    @inner.get("/events")
    async def endpoint():
        return StreamingResponse(api.tick(), media_type="text/event-stream")

    inner.add_middleware(BaseHTTPMiddleware, dispatch=passing)
    app.mount("/m", inner)
    api.bridge.protect(app)
    return app, "/m/events"


def compressed(api):
    api.app.add_middleware(GZipMiddleware, minimum_size=1)
    return api.app, "/events"


def protected_twice(api):
    app = FastAPI()
    app.mount("/m", api.app)
    api.bridge.protect(app)
    return app, "/m/events"


@pytest.mark.parametrize("build", [between_outside, between_inside, compressed, protected_twice])
def test_whatever_stands_in_between(api, build, version):
    app, path = build(api)

    async def play():
        async with streamed(app, path, ALICE, spec_version=version) as wire:
            while (await wire.next("http.response.body")).get("more_body"):
                pass
            assert seconds() == END
        assert wire.error is None
        assert wire.quiet()
        assert len(api.ends) == 1

    run(play)


def test_a_streamed_answer_to_a_post_ends_too(api):
    @api.app.post("/ask")
    async def ask(question: dict, user: Annotated[Principal, Depends(api.bridge.current_user)]):
        return StreamingResponse(api.tick(every=7, count=10_000), media_type="text/event-stream")

    async def play():
        headers = (ALICE, ("content-type", "application/json"))
        async with streamed(api.app, "/ask", *headers, method="POST", started=False) as wire:
            wire.incoming._queue.clear()
            for body, more in ((b'{"a"', True), (b":1}", False)):
                wire.incoming.put_nowait({"type": "http.request", "body": body, "more_body": more})
            await wire.next("http.response.start")
            assert len(await events(wire)) == 45
        assert api.ends == [("stream", END)]

    run(play)


def test_one_that_a_ticket_opened_ends_with_the_ticket_s_token(api):
    api.app.include_router(api.bridge.tickets(MemoryTickets()))

    async def play():
        await asyncio.sleep(100)
        query = await ask_ticket(api, "/events")
        accept = ("accept", "text/event-stream")
        async with streamed(api.app, "/events", accept, query=query) as wire:
            await events(wire)
            assert seconds() == END

    run(play)


def test_a_stream_and_a_socket_of_one_session_end_together(api):
    async def play():
        async with streamed(api.app, "/events", bearer()) as stream, opened(api.app, "/echo", ALICE) as wire:
            await events(stream)
            assert await wire.is_closed()
            assert seconds() == END

    run(play)


if find_spec("fastapi.sse"):  # since FastAPI 0.135

    def test_fastapis_own_event_source_ends(api):
        from fastapi.sse import EventSourceResponse, ServerSentEvent

        @api.app.get("/own", response_class=EventSourceResponse)
        async def own(user: Annotated[Principal, Depends(api.bridge.current_user)]):
            for number in range(1000):
                yield ServerSentEvent(data=number)
                await asyncio.sleep(100)

        async def play():
            async with streamed(api.app, "/own", ALICE) as wire:
                found = await events(wire)
                assert seconds() == END
                assert len([one for one in found if b"data" in one]) == 4
            assert wire.error is None

        run(play)
