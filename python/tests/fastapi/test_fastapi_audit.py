"""`protect` at start: how it is installed, and the routes that have no place for the user."""

import logging
import subprocess
import sys
from pathlib import Path

import kit
import pytest
from fastapi import APIRouter, Body, Depends, FastAPI, Header, Query
from kit import bearer, call, post
from starlette.applications import Starlette
from ways import (
    MALFORMED,
    MOUNTS_IN_ROUTERS,
    endpoint,
    guard,
    nested,
    on_route,
)

import signer
from jwt_auth_bridge import ConfigurationError

# Installing it


def test_protecting_twice_changes_nothing(bridge, refusals):
    app, url = on_route(bridge, guard(bridge, "path_user"))
    bridge.protect(app)
    assert len(app.user_middleware) == 1
    kit.make_bridge().protect(app)
    assert len(app.user_middleware) == 2
    assert post(app, url.format("alice")).status == 401
    assert len(refusals()) == 1
    bridge.protect(app)


def test_protecting_too_late_is_an_error(bridge):
    app = FastAPI()
    call(app, "GET", "/")
    with pytest.raises(ConfigurationError, match="too late"):
        bridge.protect(app)


def test_protecting_something_else_is_an_error(bridge):
    for thing in (APIRouter(), Starlette(), None, "app"):
        with pytest.raises(ConfigurationError, match="FastAPI app"):
            bridge.protect(thing)


def test_audience_and_key_ids_are_logged_once_at_start(bridge, caplog):
    caplog.set_level(logging.INFO, logger="jwt_auth_bridge")
    app, _ = on_route(bridge, [])
    kit.start(app)
    call(app, "GET", "/")
    lines = [r.getMessage() for r in caplog.records if r.name == "jwt_auth_bridge"]
    assert lines == [f"issuer {signer.ISSUER}, audience {signer.AUDIENCE}, key IDs {signer.KID}"]
    assert signer.SECRET not in caplog.text


# Routes that have no place for the user

WRONG = ["/tasks", "/tasks/{owner}", "/t/{user_id:int}", "/t/{user_id:path}", "/t/{user_id:float}"]


def wrong_direct(app, bridge, path):
    app.get(path, dependencies=nested(bridge, "path_user"))(lambda: "never")


def wrong_included(app, bridge, path):
    router = APIRouter(dependencies=guard(bridge, "path_user"))
    router.get(path)(lambda: "never")
    app.include_router(router, prefix="/in")


def wrong_include(app, bridge, path):
    router, outer = APIRouter(), APIRouter()
    router.get(path)(lambda: "never")
    outer.include_router(router)
    app.include_router(outer, dependencies=guard(bridge, "path_user"))


def wrong_mounted(app, bridge, path):
    inner = FastAPI(dependencies=guard(bridge, "path_user"))
    inner.get(path)(lambda: "never")
    app.mount("/m/{other}", inner)


def wrong_mounted_in_included(app, bridge, path):
    router = APIRouter()
    wrong_mounted(router, bridge, path)
    app.include_router(router, prefix="/in")


def wrong_websocket(app, bridge, path):
    router = APIRouter(dependencies=guard(bridge, "path_user"))

    @router.websocket(path)
    async def socket(): ...

    app.include_router(router, prefix="/in")


WRONG_WAYS = [
    wrong_direct,
    wrong_included,
    wrong_include,
    wrong_mounted,
    wrong_mounted_in_included,
    wrong_websocket,
]
if not MOUNTS_IN_ROUTERS:
    WRONG_WAYS.remove(wrong_mounted_in_included)


@pytest.mark.parametrize("path", WRONG)
@pytest.mark.parametrize("wrong", WRONG_WAYS)
def test_a_wrong_route_stops_the_start(bridge, wrong, path, caplog):
    app = FastAPI()
    wrong(app, bridge, path)
    bridge.protect(app)
    failed, raised = kit.start(app)
    assert failed == {"type": "lifespan.startup.failed", "message": str(raised)}
    assert f"{path} is guarded by path_user" in str(raised)
    assert "{user_id}" in str(raised)
    assert str(raised) in caplog.text


@pytest.mark.parametrize("wrong", WRONG_WAYS)
def test_a_wrong_route_fails_every_request_where_nothing_starts(bridge, wrong, caplog):
    app = FastAPI()
    app.get("/fine")(lambda: "fine")
    wrong(app, bridge, "/tasks")
    bridge.protect(app, public=["GET /fine"])
    client = kit.test_client(app, raise_server_exceptions=False)
    for _ in range(2):
        assert client.get("/fine").status_code == 500
        assert client.get("/tasks").status_code == 500
    assert "is guarded by path_user" in caplog.text
    with pytest.raises(ConfigurationError):
        kit.test_client(app).get("/fine")


def test_all_wrong_routes_are_named_at_once(bridge):
    app = FastAPI()
    for path in ("/one", "/two"):
        wrong_direct(app, bridge, path)
    bridge.protect(app)
    with pytest.raises(ConfigurationError, match=r"(?s)2 faults .*GET /one .*\n  GET /two "):
        call(app, "GET", "/one")


def test_a_wrong_route_added_later_fails_every_request(bridge):
    app, url = on_route(bridge, guard(bridge, "path_user"))
    assert post(app, url.format("alice"), bearer()).status == 200
    wrong_included(app, bridge, "/tasks")
    with pytest.raises(ConfigurationError):
        post(app, url.format("alice"), bearer())


def test_a_wrong_route_added_later_below_a_mount_fails_every_request(bridge, caplog):
    app, inner = FastAPI(), FastAPI(dependencies=guard(bridge, "path_user"))
    app.mount("/m", inner)
    bridge.protect(app)
    assert call(app, "GET", "/m/x").status == 404
    inner.post("/x")(endpoint)
    for _ in range(2):
        with pytest.raises(ConfigurationError, match="POST /m/x is guarded by path_user"):
            post(app, "/m/x", bearer(), body=MALFORMED)
    assert len([r for r in caplog.records if r.levelno == logging.ERROR]) == 1


def test_right_routes_start(bridge, way):
    for name in ("path_user", "current_user"):
        app, _ = way(bridge, guard(bridge, name))
        if not app.middleware_stack:
            assert kit.start(app) == [
                {"type": "lifespan.startup.complete"},
                {"type": "lifespan.shutdown.complete"},
            ]


def test_an_overridden_guard_does_not_hide_a_wrong_route(bridge):
    app = FastAPI()
    wrong_direct(app, bridge, "/tasks")
    bridge.protect(app)
    app.dependency_overrides[bridge.path_user] = lambda: None
    with pytest.raises(ConfigurationError):
        call(app, "GET", "/tasks")


SERVER = """
import sys
sys.path[:0] = {path!r}
import kit, uvicorn
from fastapi import Depends, FastAPI
bridge = kit.make_bridge()
app = FastAPI()
app.get("/tasks", dependencies=[Depends(bridge.path_user)])(lambda: "never")
bridge.protect(app)
uvicorn.run(app, port=0)
"""


def test_a_wrong_route_ends_uvicorn_with_the_sentence():
    path = [str(Path(__file__).parent), str(Path(__file__).parents[1]), *sys.path]
    ended = subprocess.run(
        [sys.executable, "-c", SERVER.format(path=path)],
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )
    assert ended.returncode not in (0, None)
    assert "/tasks is guarded by path_user, but its path has no plain {user_id}" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_forgotten_protect_is_said_once(bridge, caplog):
    caplog.set_level(logging.INFO, logger="jwt_auth_bridge")
    app = FastAPI()
    app.get("/tasks", dependencies=guard(bridge, "current_user"))(lambda: "fine")
    for _ in range(2):
        call(app, "GET", "/tasks")
    warnings = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert len(warnings) == 1
    assert warnings[0].startswith("bridge.protect(app) was not called: ")


# The same name from elsewhere: `?user_id=bob` behind a path that is alice's


def from_query_below_mount(app, bridge):
    inner = FastAPI(dependencies=guard(bridge, "path_user"))

    @inner.get("/tasks")
    async def tasks(user_id: str):
        return {"data of": user_id}

    app.mount("/api/{user_id}", inner)


def from_query_by_alias(app, bridge):
    @app.get("/api/{user_id}/tasks", dependencies=guard(bridge, "path_user"))
    async def tasks(owner: str = Query(alias="user_id")):
        return {"data of": owner}


def from_header_of_a_dependency(app, bridge):
    async def owner(said: str = Header(alias="user_id")):
        return said

    @app.get("/api/{user_id}/tasks", dependencies=guard(bridge, "path_user"))
    async def tasks(owner: str = Depends(owner)):
        return {"data of": owner}


def from_body(app, bridge):
    @app.post("/api/{user_id}/tasks", dependencies=guard(bridge, "path_user"))
    async def tasks(title: str = Body(), owner: str = Body(alias="user_id")):
        return {"data of": owner}


@pytest.mark.parametrize(
    ("second_source", "named"),
    [
        (from_query_below_mount, "query"),
        (from_query_by_alias, "query"),
        (from_header_of_a_dependency, "header"),
        (from_body, "body"),
    ],
)
def test_a_second_source_of_the_user_stops_the_start(bridge, second_source, named):
    app = FastAPI()
    second_source(app, bridge)
    bridge.protect(app)
    _, raised = kit.start(app)
    assert f"takes user_id from the {named}" in str(raised)


def test_a_query_of_the_same_name_is_nothing_to_other_guards(bridge):
    app = FastAPI()

    @app.get("/tasks", dependencies=guard(bridge, "current_user"))
    async def tasks(user_id: str): ...

    bridge.protect(app)
    assert kit.start(app)[0]["type"] == "lifespan.startup.complete"
