"""What the tests of live connections share: time that passes by itself, a server's side of a connection.

On this loop nobody waits: when there is nothing else to do, the time of the next timer has come. Where even
that is missing, everybody waits for ever, and the test says so.
"""

import asyncio
import json
import selectors
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Depends, FastAPI, WebSocket
from kit import acall, bearer, make_bridge, raw, token
from starlette.responses import StreamingResponse
from starlette.websockets import WebSocketDisconnect

import signer
from jwt_auth_bridge import Principal

ALICE = bearer()
END = 310.0
"""Seconds after which a token of the kit's has ended: five minutes, and the leeway."""


class _Selector(selectors.DefaultSelector):
    now = 0.0

    def select(self, timeout=None):
        ready = super().select(0)
        if not ready and timeout is None:
            raise AssertionError("everybody waits for ever")
        if not ready:
            self.now += max(timeout, 0)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self):
        self.virtual = _Selector()
        super().__init__(self.virtual)

    def time(self):
        return self.virtual.now


class Clock:
    """The wall's clock: goes with the loop, and can be set."""

    offset = 0.0

    def __call__(self):
        return signer.NOW + self.offset + asyncio.get_running_loop().time()


def run(play):
    """Runs a test's coroutine; nothing may be left behind, no task and no timer."""

    async def tidy():
        await play()
        for _ in range(3):
            await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        timers = [one for one in asyncio.get_running_loop()._scheduled if not one.cancelled()]
        assert timers == [], timers

    loop, said = VirtualLoop(), []
    loop.set_exception_handler(lambda _, context: said.append(context))
    try:
        loop.run_until_complete(tidy())
    finally:
        loop.close()
    assert said == [], said


def seconds():
    return round(asyncio.get_running_loop().time(), 3)


class Gone(OSError):
    """What uvicorn's ClientDisconnected is."""


class Wire:
    """A server's side of one connection."""

    def __init__(self):
        self.incoming = asyncio.Queue()
        self.sent = asyncio.Queue()
        self.reads = asyncio.Event()  # what the client does
        self.reads.set()
        self.gone = self.closed = False
        self.error = None

    async def receive(self):
        message = await self.incoming.get()
        if isinstance(message, Exception):
            raise message
        if message["type"].endswith("disconnect"):
            self.gone = True
        return message

    async def send(self, message):
        await self.reads.wait()
        if self.gone:
            raise Gone
        if self.closed:
            raise RuntimeError(f"Unexpected ASGI message {message['type']!r}")
        last = message["type"] == "http.response.body" and not message.get("more_body", False)
        self.closed = last or message["type"] == "websocket.close"
        self.sent.put_nowait(message)

    def say(self, text):
        self.incoming.put_nowait({"type": "websocket.receive", "text": text})

    def renew(self, value=None, **changes):
        self.say(renewal(value, **changes))

    def leave(self, code=1001):
        self.incoming.put_nowait({"type": "websocket.disconnect", "code": code, "reason": ""})

    async def texts(self, count):
        return [(await self.next("websocket.send"))["text"] for _ in range(count)]

    async def next(self, kind=None):
        message = await self.sent.get()
        assert kind is None or message["type"] == kind, message
        return message

    async def is_closed(self, code=1008):
        while (message := await self.next())["type"] != "websocket.close":
            pass
        assert message["code"] == code
        return True

    def quiet(self):
        return self.sent.empty()


def renewal(value=None, **changes):
    value = token("alice", **changes) if value is None else value
    return json.dumps({"type": "jwt-auth-bridge.renew", "token": value})


async def ask_ticket(api, path, user="alice"):
    """Gets a ticket for a token; gives the query string that holds it."""
    headers = (bearer(user), ("content-type", "application/json"))
    body = json.dumps({"path": path}).encode()
    got = await acall(api.app, "POST", "/api/tickets", *headers, body=body)
    assert got.status == 201, got.body
    return b"ticket=" + got.json()["ticket"].encode()


def later(by, **changes):
    """Claims of a token that was issued so many seconds later."""
    return {"iat": signer.NOW + by, "exp": signer.NOW + by + 300, **changes}


@asynccontextmanager
async def opened(app, path, *headers, query=b"", accepted=True, over=True, extensions=()):
    """Opens a WebSocket into an app; at the end the app must have returned by itself."""
    wire = Wire()
    wire.scope = {
        "type": "websocket",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "scheme": "ws",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query,
        "headers": [(raw(name), raw(value)) for name, value in headers],
        "subprotocols": [],
        "extensions": {name: {} for name in extensions},
    }
    wire.incoming.put_nowait({"type": "websocket.connect"})
    async with running(app, wire, over):
        if accepted:
            await wire.next("websocket.accept")
        yield wire


@asynccontextmanager
async def streamed(app, path, *headers, method="GET", query=b"", spec_version="2.3", over=True, started=True):
    """Asks an app for events; at the end the app must have returned by itself."""
    wire = Wire()
    wire.scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": spec_version},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query,
        "headers": [(raw(name), raw(value)) for name, value in headers],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 2),
    }
    wire.incoming.put_nowait({"type": "http.request", "body": b"", "more_body": False})
    async with running(app, wire, over):
        if started:
            assert (await wire.next("http.response.start"))["status"] == 200
        yield wire


@asynccontextmanager
async def running(app, wire, over):
    wire.task = asyncio.create_task(app(wire.scope, wire.receive, wire.send))
    try:
        yield wire
        if over:
            await asyncio.wait({wire.task}, timeout=100)
            assert wire.task.done(), "the app still runs"
            wire.error = None if wire.task.cancelled() else wire.task.exception()
    finally:
        if not wire.task.done():
            wire.task.cancel()
        await asyncio.gather(wire.task, return_exceptions=True)


class Api:
    """An app with an endpoint of each habit, and what became of them."""

    def __init__(self, protected=True, every=100, **options):
        self.clock = Clock()
        self.bridge = make_bridge(clock=self.clock, **options)
        self.heard, self.ends = [], []
        self.app = FastAPI()
        user = Annotated[Principal, Depends(self.bridge.current_user)]
        maybe = Annotated[Principal | None, Depends(self.bridge.optional_user)]

        @self.app.websocket("/echo")
        async def echo(socket: WebSocket, user: user):
            await self.echo(socket)

        @self.app.websocket("/maybe")
        async def maybe_echo(socket: WebSocket, user: maybe):
            await self.echo(socket)

        @self.app.websocket("/of/{user_id}", dependencies=[Depends(self.bridge.path_user)])
        async def of_user(socket: WebSocket):
            await self.echo(socket)

        @self.app.websocket("/talks")
        async def talks(socket: WebSocket, user: user):
            await socket.accept()
            while True:
                await socket.send_text(str(seconds()))
                await asyncio.sleep(every)

        @self.app.websocket("/idle")
        async def idle(socket: WebSocket, user: user):
            await socket.accept()
            await asyncio.sleep(10_000)

        @self.app.get("/events")
        async def events(user: user):
            return StreamingResponse(self.tick(), media_type="text/event-stream")

        @self.app.get("/maybe-events")
        async def maybe_events(user: maybe):
            return StreamingResponse(self.tick(), media_type="text/event-stream")

        @self.app.get("/silent")
        async def silent(user: user):
            return StreamingResponse(self.tick(every=100_000), media_type="text/event-stream; charset=utf-8")

        @self.app.get("/file")
        async def file(user: user):
            return StreamingResponse(self.tick(count=8), media_type="text/plain")

        if protected:
            self.bridge.protect(self.app)

    async def echo(self, socket):
        await socket.accept()
        try:
            while True:
                text = await socket.receive_text()
                self.heard.append(text)
                await socket.send_text(text)
        except WebSocketDisconnect as left:
            self.ends.append((left.code, seconds()))

    async def tick(self, every=100, count=1000):
        try:
            for _ in range(count):
                yield f"data: {seconds()}\n\n"
                await asyncio.sleep(every)
        finally:
            self.ends.append(("stream", seconds()))
