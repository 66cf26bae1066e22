"""What a request pays in FastAPI: a bare route, ours, and HTTPBearer with PyJWT, sync and async. Prints JSON.

In process over ASGI, and under uvicorn on loopback with a small load generator of its own process.
"""

import asyncio
import json
import statistics
import subprocess
import sys
import time
from typing import Annotated, Any

import jwt
import uvicorn
from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from tokens import AUDIENCE, ISSUER, LEEWAY, REQUIRED, SECRET, USER, token

from jwt_auth_bridge.fastapi import Bridge
from jwt_auth_bridge.keys import derive_key

KEY = derive_key(SECRET, AUDIENCE)
ROUTES = ("bare", "ours", "async", "sync")
NAMES = {
    "bare": "bare route",
    "ours": "bridge.path_user",
    "async": "async HTTPBearer + PyJWT",
    "sync": "sync HTTPBearer + PyJWT",
}


def check(user_id: str, credentials: HTTPAuthorizationCredentials) -> dict[str, Any]:
    """What people write by hand: decode, then compare."""
    try:
        claims: dict[str, Any] = jwt.decode(
            credentials.credentials,
            KEY,
            algorithms=["HS256"],
            issuer=ISSUER,
            audience=AUDIENCE,
            leeway=LEEWAY,
            options={"require": REQUIRED},
        )
    except jwt.PyJWTError:
        raise HTTPException(401, headers={"WWW-Authenticate": "Bearer"}) from None
    if claims["user_id"] != user_id:
        raise HTTPException(403)
    return claims


def ours_app() -> FastAPI:
    """The whole of ours: the guard, and the layer that ``protect`` puts around the app."""
    app, bridge = FastAPI(), Bridge(issuer=ISSUER, audience=AUDIENCE, secret=SECRET)
    bridge.protect(app)

    @app.get("/ours/{user_id}", dependencies=[Depends(bridge.path_user)])
    async def ours(user_id: str) -> dict[str, str]:
        return {"id": user_id}

    return app


def plain_app() -> FastAPI:
    """What others have, an app without any of ours: nothing, and HTTPBearer with PyJWT."""
    app, scheme = FastAPI(), HTTPBearer()
    Credentials = Annotated[HTTPAuthorizationCredentials, Depends(scheme)]

    async def asynchronous(user_id: str, credentials: Credentials) -> dict[str, Any]:
        return check(user_id, credentials)

    def synchronous(user_id: str, credentials: Credentials) -> dict[str, Any]:
        return check(user_id, credentials)

    @app.get("/bare/{user_id}")
    async def bare(user_id: str) -> dict[str, str]:
        return {"id": user_id}

    @app.get("/async/{user_id}", dependencies=[Depends(asynchronous)])
    async def with_async(user_id: str) -> dict[str, str]:
        return {"id": user_id}

    @app.get("/sync/{user_id}", dependencies=[Depends(synchronous)])
    async def with_sync(user_id: str) -> dict[str, str]:
        return {"id": user_id}

    return app


def make_apps() -> dict[str, FastAPI]:
    """The app of each route."""
    plain = plain_app()
    return {name: ours_app() if name == "ours" else plain for name in ROUTES}


def scope(path: str, headers: list[tuple[bytes, bytes]]) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": headers,
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 2),
        "state": {},
    }


async def in_process(rounds: int = 25, requests: int = 200) -> dict[str, float]:
    apps = make_apps()
    headers = [(b"host", b"localhost"), (b"authorization", f"Bearer {token()}".encode())]
    statuses: list[int] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    turns: dict[str, list[float]] = {name: [] for name in ROUTES}
    for number in range(rounds + 2):
        for name in ROUTES[:: -1 if number % 2 else 1]:
            began = time.perf_counter()
            for _ in range(requests):
                await apps[name](scope(f"/{name}/{USER}", headers), receive, send)
            if number > 1:
                turns[name].append((time.perf_counter() - began) / requests * 1e6)
    assert set(statuses) == {200}, set(statuses)
    return {NAMES[name]: statistics.median(values) for name, values in turns.items()}


LOAD = """
import asyncio, sys, time
port, path, token, count = int(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
request = f"GET {path} HTTP/1.1\\r\\nHost: localhost\\r\\nAuthorization: Bearer {token}\\r\\n\\r\\n".encode()
async def one():
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(count // 8):
        writer.write(request)
        head = await reader.readuntil(b"\\r\\n\\r\\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split(b"\\r\\n")[0]))
    writer.close()
async def main():
    began = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(8)))
    print((time.perf_counter() - began) / (count // 8 * 8) * 1e6)
asyncio.run(main())
"""


async def under_uvicorn(rounds: int = 7, requests: int = 1600) -> dict[str, float]:
    ports: dict[str, int] = {}
    running: dict[FastAPI, tuple[uvicorn.Server, asyncio.Task[None]]] = {}
    for name, app in make_apps().items():
        if app not in running:
            config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", access_log=False)
            server = uvicorn.Server(config)
            running[app] = server, asyncio.create_task(server.serve())
            while not server.started:
                await asyncio.sleep(0.01)
        ports[name] = running[app][0].servers[0].sockets[0].getsockname()[1]
    turns: dict[str, list[float]] = {name: [] for name in ROUTES}
    for number in range(rounds):
        for name in ROUTES[:: -1 if number % 2 else 1]:
            arguments = [sys.executable, "-c", LOAD, ports[name], f"/{name}/{USER}", token(), requests]
            load = await asyncio.create_subprocess_exec(*map(str, arguments), stdout=subprocess.PIPE)
            output, _ = await load.communicate()
            turns[name].append(float(output))
    for server, serving in running.values():
        server.should_exit = True
        await serving
    return {NAMES[name]: statistics.median(values) for name, values in turns.items()}


if __name__ == "__main__":
    json.dump(
        {"in process": asyncio.run(in_process()), "under uvicorn": asyncio.run(under_uvicorn())}, sys.stdout
    )
