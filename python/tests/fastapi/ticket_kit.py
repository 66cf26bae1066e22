"""What the tests of tickets share: an app with live routes, and connections that carry a ticket."""

import asyncio
from typing import Annotated

import kit
from fastapi import APIRouter, Depends, FastAPI, Request, WebSocket
from fastapi.responses import StreamingResponse

import signer
from jwt_auth_bridge import Principal
from jwt_auth_bridge.tickets import MemoryTickets

STREAM = ("accept", "text/event-stream")
LIVE = "/api/alice/live"
EVENTS = "/api/alice/events"


class Clock:
    now = signer.NOW + 0.5

    def __call__(self):
        return self.now


def make_bridge(**changes):
    bridge = kit.make_bridge(**{"clock": Clock(), **changes})
    bridge.clock = bridge._verifier._clock
    return bridge


def live_router(bridge):
    """A WebSocket and a stream that say who was let in, and with which query."""
    router = APIRouter(prefix="/api/{user_id}", dependencies=[Depends(bridge.path_user)])

    @router.websocket("/live")
    async def live(socket: WebSocket, user: Annotated[Principal, Depends(bridge.current_user)]):
        await socket.accept()
        await socket.send_text(f"{user.subject}?{socket.scope['query_string'].decode()}")
        await socket.close()

    @router.get("/events")
    async def events(request: Request, user: Annotated[Principal, Depends(bridge.current_user)]):
        query = request.scope["query_string"].decode()
        return StreamingResponse(iter([f"data: {user.subject}?{query}\n\n"]), media_type="text/event-stream")

    @router.api_route("/plain", methods=["GET", "POST", "HEAD", "PUT", "DELETE"], include_in_schema=False)
    async def plain(request: Request):
        return {name: value for name, value in request.query_params.items() if name in ("a", "ticket")}

    return router


def app_with(bridge, protected=True, store=None):
    app = FastAPI()
    app.include_router(bridge.tickets(store or MemoryTickets()))
    app.include_router(live_router(bridge))
    if protected:
        bridge.protect(app)
    return app


async def abuy(app, path, *headers, at="/api/tickets", **scope):
    body = b'{"path":%b}' % kit.json.dumps(path).encode()
    kind = ("content-type", "application/json")
    return await kit.acall(app, "POST", at, kind, *(headers or [kit.bearer()]), body=body, scope=scope)


def buy(app, path=LIVE, *headers, **scope):
    """Asks for a ticket, with alice's token unless told otherwise."""
    got = asyncio.run(abuy(app, path, *headers, **scope))
    assert got.status == 201, got.body
    return got.json()["ticket"]


async def adial(app, url, *headers, **changes):
    """Opens a WebSocket; gives the text that came, or the answer by which it was refused."""
    sent, events = [], [{"type": "websocket.connect"}]

    async def receive():
        return events.pop(0) if events else {"type": "websocket.disconnect", "code": 1005}

    async def send(message):
        sent.append(message)

    path, _, query = url.partition("?")
    scope = {
        "type": "websocket",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": [(kit.raw(name), kit.raw(value)) for name, value in headers],
        "subprotocols": [],
        "extensions": {"websocket.http.response": {}},
        **changes,
    }
    await app(scope, receive, send)
    assert b"ticket" not in scope["query_string"]
    if sent[0]["type"] == "websocket.accept":
        return sent[1]["text"]
    return kit.denial(sent)


def dial(*args, **changes):
    return asyncio.run(adial(*args, **changes))


async def alisten(app, url, *headers, method="GET", stream=(STREAM,), **changes):
    """Opens a stream of server-sent events; gives its data, or the answer by which it was refused."""
    got, asked = kit.Got(), []

    async def receive():
        if asked:
            await asyncio.Event().wait()  # the client stays
        asked.append(True)
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        if message["type"] == "http.response.start":
            got.status, got.headers = message["status"], list(message["headers"])
        else:
            got.body += message.get("body", b"")

    path, _, query = url.partition("?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": [(kit.raw(name), kit.raw(value)) for name, value in (*stream, *headers)],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
        **changes,
    }
    await asyncio.wait_for(app(scope, receive, send), 20)
    got.query = scope["query_string"]
    return got.body.decode().removeprefix("data: ").strip() if got.status == 200 else got


def listen(*args, **changes):
    return asyncio.run(alisten(*args, **changes))
