"""What these tests share: bridges, tokens, an ASGI client that counts what is read, a real server."""

import asyncio
import contextlib
import json
import socket
import threading
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import uvicorn
from fastapi import APIRouter, Depends, FastAPI

import signer
from jwt_auth_bridge import ConfigurationError, Principal
from jwt_auth_bridge.fastapi import Bridge

REGISTRY = json.loads(
    (Path(__file__).parents[3] / "specs" / "001-jwt-auth-bridge" / "errors.json").read_text()
)
OTHER_AUDIENCE = "https://other.example.com"


def make_bridge(**changes):
    options = {
        "issuer": signer.ISSUER,
        "audience": signer.AUDIENCE,
        "secret": signer.SECRET,
        "clock": lambda: signer.NOW,
    }
    return Bridge(**{**options, **changes})


def api(bridge, protected=False, public=()):
    """Every guard on a route, the path guard on a router too."""
    app = FastAPI()

    @app.get("/me")
    async def me(user: Annotated[Principal, Depends(bridge.current_user)]):
        return {"subject": user.subject, "session": user.session_id, "exp": user.expires_at}

    @app.get("/maybe")
    async def maybe(user: Annotated[Principal | None, Depends(bridge.optional_user)]):
        return user and user.subject

    async def one(user: Annotated[Principal, Depends(bridge.path_user)]):
        return user.subject

    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        app.add_api_route("/one/{user_id}", one, methods=[method])

    router = APIRouter(prefix="/api/{user_id}", dependencies=[Depends(bridge.path_user)])

    @router.get("/tasks")
    async def tasks(user_id: str):
        return [user_id]

    app.include_router(router)
    if protected:
        bridge.protect(app, public=public)
    return app


def token(user="alice", **claims):
    return signer.sign(None, signer.claims(sub=user, **claims))


def other_token(user="alice"):
    """A token for the API of OTHER_AUDIENCE."""
    key = signer.hkdf(signer.SECRET, OTHER_AUDIENCE)
    return signer.sign(
        signer.header(kid=signer.thumbprint(key)), signer.claims(sub=user, aud=OTHER_AUDIENCE), key
    )


def bearer(user="alice", **claims):
    return ("authorization", f"Bearer {token(user, **claims)}")


EXPIRED = {"iat": signer.NOW - 600, "exp": signer.NOW - 300}
BAD = ("authorization", "Bearer bad.bad.bad")


@dataclass
class Got:
    status: int = 0
    headers: list = field(default_factory=list)
    body: bytes = b""
    reads: int = 0

    def json(self):
        return json.loads(self.body)

    def header(self, name):
        values = [value.decode() for key, value in self.headers if key == name.encode()]
        return ", ".join(values) if values else None

    def refused_as(self, name):
        """Whether this is, byte for byte, the answer of the registry for an error class."""
        answer = REGISTRY["answers"][name]
        assert self.status == answer["status"], (self.status, self.body)
        assert self.body.decode() == answer["body"]
        assert self.header("content-type") == "application/json"
        for header in ("www-authenticate", "cache-control", "retry-after"):
            assert self.header(header) == answer["headers"].get(header), header
        return True


async def acall(app, method, path, *headers, body=b"", scope=None, got=None):
    """Sends one request straight into an app and counts how often the app asked for the body."""
    got = got or Got()
    chunks = [body] if isinstance(body, bytes) else list(body)

    async def receive():
        got.reads += 1
        chunk = chunks.pop(0) if chunks else b""
        return {"type": "http.request", "body": chunk, "more_body": bool(chunks)}

    async def send(message):
        if message["type"] == "http.response.start":
            assert not got.status, "two answers"
            got.status, got.headers = message["status"], list(message["headers"])
        elif message["type"] == "http.response.body":
            got.body += message.get("body", b"")

    path, _, query = path.partition("?")
    await app(
        {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(raw(name).lower(), raw(value)) for name, value in headers],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
            **(scope or {}),
        },
        receive,
        send,
    )
    return got


def call(*args, **kwargs):
    return asyncio.run(acall(*args, **kwargs))


def post(app, path, *headers, body=b'{"a":1}', **kwargs):
    return call(app, "POST", path, ("content-type", "application/json"), *headers, body=body, **kwargs)


def connect(app, path, *headers, extensions=("websocket.http.response",)):
    """Opens a WebSocket straight into an app; gives everything that the app sent."""
    sent = []

    async def receive():
        return {"type": "websocket.connect"}

    async def send(message):
        sent.append(message)

    scope = {
        "type": "websocket",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(raw(name), raw(value)) for name, value in headers],
        "subprotocols": [],
        "extensions": {name: {} for name in extensions},
    }
    asyncio.run(app(scope, receive, send))
    return sent


def start(app):
    """Runs an app's lifespan as a server does, start and end; gives everything that the app sent."""
    sent, events = [], ["lifespan.startup", "lifespan.shutdown"]

    async def receive():
        return {"type": events.pop(0)}

    async def send(message):
        sent.append(message)

    async def run():
        try:
            await app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, receive, send)
        except ConfigurationError as error:
            sent.append(error)

    asyncio.run(run())
    return sent


def denial(sent):
    """The HTTP answer by which a WebSocket was refused."""
    start, body = sent[:2]
    assert (start["type"], body["type"]) == ("websocket.http.response.start", "websocket.http.response.body")
    return Got(start["status"], start["headers"], body["body"])


def test_client(app, **options):
    """Starlette's client, whose import warns on newer versions that httpx is not httpx2."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from fastapi.testclient import TestClient
    return TestClient(app, **options)


test_client.__test__ = False


def raw(text):
    return text if isinstance(text, bytes) else text.encode("latin-1")


@contextlib.contextmanager
def serving(app):
    """Runs an app under uvicorn on a free port. The socket listens first, so nobody waits for a start."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, lifespan="on"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(20)
        assert not thread.is_alive()


def exchange(port, request):
    """Sends raw bytes and reads until the server has answered and closed."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(request)
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
    return parse(received)


def parse(received):
    head, _, body = received.partition(b"\r\n\r\n")
    status, *lines = head.split(b"\r\n")
    headers = [(name.lower(), value.strip()) for name, _, value in (line.partition(b":") for line in lines)]
    return Got(int(status.split()[1]), headers, body)


def send(port, method, path, *lines, body=b""):
    """One HTTP/1.1 request with exactly these header lines, in bytes as given."""
    head = [f"{method} {path} HTTP/1.1".encode(), b"Host: x", b"Connection: close", *map(raw, lines)]
    return exchange(port, b"\r\n".join(head) + b"\r\n\r\n" + body)
