"""The mistakes that people make, one app each: the start is refused with the route, its place and the fix."""

import functools
import inspect
import logging
import os
import re
from typing import Annotated

import kit
import pytest
from fastapi import APIRouter, Depends, FastAPI, Path, Query, Request, WebSocket
from kit import bearer, call
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import PlainTextResponse
from starlette.routing import BaseRoute, Host, Mount, Route, Router, WebSocketRoute
from starlette.staticfiles import StaticFiles
from ways import guard

from jwt_auth_bridge import ConfigurationError, Principal

HERE = os.path.relpath(__file__)


async def tasks():
    return "never"


async def plain(request: Request):
    return PlainTextResponse("never")


async def opaque(scope, receive, send):
    await PlainTextResponse("never")(scope, receive, send)


def line_of(function):
    return f"{HERE}:{inspect.getsourcelines(function)[1]} {function.__name__}"


def guarded_router(bridge, prefix="/api/{user_id}"):
    router = APIRouter(prefix=prefix, dependencies=guard(bridge, "path_user"))
    router.get("/ok")(tasks)
    return router


# Each mistake builds an app and gives: the public list, what is named, and a part of the fix.


def a_route_forgotten(app, bridge):
    app.include_router(guarded_router(bridge))
    app.get("/api/tasks")(tasks)
    return (), "GET /api/tasks asks nobody for a token", "Depends(bridge.current_user)"


def a_route_with_the_user_forgotten(app, bridge):
    app.include_router(guarded_router(bridge))
    app.put("/api/{user_id}/tasks")(tasks)
    return (), "PUT /api/{user_id}/tasks asks nobody", "Depends(bridge.path_user)"


def one_method_forgotten(app, bridge):
    app.get("/api/{user_id}", dependencies=guard(bridge, "path_user"))(tasks)
    app.delete("/api/{user_id}")(tasks)
    return (), "DELETE /api/{user_id} asks nobody", "Depends(bridge.path_user)"


def one_method_of_two_listed(app, bridge):
    app.api_route("/ping", methods=["GET", "POST"])(tasks)
    return ["GET /ping"], "POST /ping asks nobody", 'public=["POST /ping"]'


def head_on_its_own(app, bridge):
    app.get("/ping")(tasks)
    app.head("/ping")(tasks)
    return ["GET /ping"], "HEAD /ping asks nobody", 'public=["HEAD /ping"]'


def options_on_its_own(app, bridge):
    app.options("/ping", dependencies=[])(tasks)
    return (), "OPTIONS /ping asks nobody", 'public=["OPTIONS /ping"]'


def the_user_not_compared(app, bridge):
    app.get("/api/{user_id}", dependencies=guard(bridge, "current_user"))(tasks)
    return (
        (),
        "GET /api/{user_id} has {user_id} in its path and current_user does not compare",
        "bridge.path_user",
    )


def the_user_only_optional(app, bridge):
    app.get("/api/{user_id}", dependencies=guard(bridge, "optional_user"))(tasks)
    return (), "has {user_id} in its path and optional_user does not compare it", "bridge.path_user"


def the_user_with_a_convertor_not_compared(app, bridge):
    app.get("/api/{user_id:path}", dependencies=guard(bridge, "current_user"))(tasks)
    return (), "GET /api/{user_id:path} has {user_id} in its path", "bridge.path_user"


def the_user_with_a_convertor_compared(app, bridge):
    app.get("/api/{user_id:path}", dependencies=guard(bridge, "path_user"))(tasks)
    return (), "its path has no plain {user_id}", "without a convertor"


def the_user_under_another_name(app, bridge):
    app.get("/api/{userId}/tasks", dependencies=guard(bridge, "current_user"))(tasks)
    return (), "has {userId} in its path, which reads like {user_id},", "name it {user_id}"


def the_user_renamed_by_an_alias(app, bridge):
    @app.get("/api/{user_id}/tasks", dependencies=guard(bridge, "current_user"))
    async def tasks(owner: Annotated[str, Path(alias="user_id")]):
        return owner

    return (), "GET /api/{user_id}/tasks has {user_id} in its path", "bridge.path_user"


def the_user_of_another_name_than_the_guards(app, bridge):
    app.get("/api/{owner}/tasks", dependencies=guard(bridge, "path_user"))(tasks)
    return (
        (),
        "GET /api/{owner}/tasks is guarded by path_user, but its path has no plain {user_id}",
        "name the",
    )


def the_user_became_a_query_parameter(app, bridge):
    @app.get("/tasks", dependencies=guard(bridge, "path_user"))
    async def tasks(user_id: str): ...

    return (), "GET /tasks is guarded by path_user, but its path has no plain {user_id}", "name the parameter"


def the_user_also_a_query_parameter(app, bridge):
    @app.get("/api/{user_id}/tasks", dependencies=guard(bridge, "path_user"))
    async def tasks(owner: Annotated[str, Query(alias="user_id")]): ...

    return (), "takes user_id from the query", "use what the guard gives"


def the_user_in_a_mounts_prefix(app, bridge):
    inner = FastAPI(dependencies=guard(bridge, "current_user"))
    inner.get("/tasks")(tasks)
    app.mount("/api/{user_id}", inner)
    return (), "GET /api/{user_id}/tasks has {user_id} in its path", "bridge.path_user"


def a_guard_without_depends(app, bridge):
    @app.get("/tasks", dependencies=guard(bridge, "current_user"))
    async def tasks(user=bridge.current_user): ...

    return (), "GET /tasks lets the caller write the parameter user of tasks", "Annotated[Principal, Depends("


def a_path_guard_without_depends(app, bridge):
    @app.get("/api/{user_id}/tasks", dependencies=guard(bridge, "path_user"))
    async def tasks(user: Annotated[Principal, bridge.path_user]): ...

    return (), "lets the caller write the parameter user of tasks", "no Depends stands there"


def a_principal_without_depends(app, bridge):
    @app.post("/tasks", dependencies=guard(bridge, "current_user"))
    async def tasks(user: Principal): ...

    return (
        (),
        "POST /tasks lets the caller write the parameter user of tasks",
        "Annotated[Principal, Depends(",
    )


def a_principal_or_nothing_without_depends(app, bridge):
    @app.post("/tasks", dependencies=guard(bridge, "current_user"))
    async def tasks(user: Principal | None = None): ...

    return (
        (),
        "POST /tasks lets the caller write the parameter user of tasks",
        "Annotated[Principal, Depends(",
    )


def a_principal_without_depends_in_a_dependency(app, bridge):
    async def service(user: "Principal"): ...

    @app.post("/tasks", dependencies=guard(bridge, "current_user"))
    async def tasks(found: Annotated[object, Depends(service)]): ...

    return (
        (),
        "POST /tasks lets the caller write the parameter user of service",
        "Annotated[Principal, Depends(",
    )


def nothing_but_a_guard_without_depends(app, bridge):
    @app.get("/tasks")
    async def tasks(user=bridge.current_user): ...

    return (), "GET /tasks asks nobody for a token", "Depends(bridge.current_user)"


def a_guard_that_the_function_calls(app, bridge):
    @app.get("/tasks")
    async def tasks(request: Request):
        return (await bridge.current_user(request)).subject

    return (), "GET /tasks asks nobody for a token", "Depends(bridge.current_user)"


def a_router_included_twice(app, bridge):
    router = APIRouter()
    router.get("/tasks")(tasks)
    app.include_router(router, prefix="/in", dependencies=guard(bridge, "current_user"))
    app.include_router(router, prefix="/out")
    return (), "GET /out/tasks asks nobody", 'public=["GET /out/tasks"]'


def a_router_in_a_router_included_twice(app, bridge):
    router, outer = APIRouter(), APIRouter()
    router.get("/tasks")(tasks)
    outer.include_router(router, prefix="/in", dependencies=guard(bridge, "current_user"))
    outer.include_router(router, prefix="/out")
    app.include_router(outer, prefix="/v1")
    return (), "GET /v1/out/tasks asks nobody", 'public=["GET /v1/out/tasks"]'


def a_route_that_is_not_in_the_schema(app, bridge):
    app.get("/debug", include_in_schema=False)(tasks)
    return (), "GET /debug asks nobody", 'public=["GET /debug"]'


def a_websocket(app, bridge):
    @app.websocket("/live")
    async def tasks(socket: WebSocket): ...

    return (), "WS /live asks nobody", 'public=["WS /live"]'


def a_websocket_with_the_user(app, bridge):
    @app.websocket("/live/{user_id}", dependencies=guard(bridge, "current_user"))
    async def tasks(socket: WebSocket): ...

    return (), "WS /live/{user_id} has {user_id} in its path", "bridge.path_user"


def a_plain_route(app, bridge):
    app.add_route("/plain", plain)
    return (), "GET /plain is a plain Starlette route", 'public=["GET /plain"]'


def a_plain_route_of_a_guarded_app(app, bridge):
    inner = FastAPI(dependencies=guard(bridge, "current_user"))
    inner.add_route("/plain", plain, methods=["POST"])
    app.mount("/in", inner)
    return (), "POST /in/plain is a plain Starlette route", "make it a route of FastAPI"


def a_plain_route_below_a_guarded_router(app, bridge):
    router = guarded_router(bridge)
    router.add_route("/plain", plain)
    app.include_router(router)
    # Such a route has not even the router's own prefix.
    return (), "GET /plain is a plain Starlette route", "make it a route of FastAPI"


def a_plain_route_below_a_guarded_include(app, bridge):
    router = APIRouter()
    router.add_route("/plain", plain)
    app.include_router(router, prefix="/api/{user_id}", dependencies=guard(bridge, "path_user"))
    return (), "GET /api/{user_id}/plain is a plain Starlette route", "make it a route of FastAPI"


def a_plain_route_for_all_methods(app, bridge):
    class Everything(HTTPEndpoint): ...

    app.router.routes.append(Route("/all", Everything))
    return ["GET /all"], "ANY /all is a plain Starlette route", 'public=["ANY /all"]'


def a_plain_websocket(app, bridge):
    async def tasks(socket): ...

    app.router.routes.append(WebSocketRoute("/live", tasks))
    return (), "WS /live is a plain Starlette route", 'public=["WS /live"]'


def a_mount_of_files(app, bridge):
    app.mount("/static", StaticFiles(directory="."))
    return (), "MOUNT /static leads to what no guard can be seen in", 'public=["MOUNT /static"]'


def a_mount_at_the_root(app, bridge):
    app.mount("/", StaticFiles(directory="."))
    return (), "MOUNT / leads to what no guard can be seen in", 'public=["MOUNT /"]'


def a_mount_of_a_function(app, bridge):
    app.mount("/raw", opaque)
    return (), "MOUNT /raw leads to what no guard can be seen in", f"({line_of(opaque)})"


def a_mount_of_starlette(app, bridge):
    app.mount("/in", Starlette(routes=[Mount("/more", routes=[Route("/plain", plain)])]))
    return (), "GET /in/more/plain is a plain Starlette route", 'public=["GET /in/more/plain"]'


def a_mounted_app_is_not_guarded_by_the_app_above(app, bridge):
    inner, outer = FastAPI(), FastAPI(dependencies=guard(bridge, "current_user"))
    inner.get("/tasks")(tasks)
    outer.mount("/inner", inner)
    app.mount("/outer", outer)
    return (), "GET /outer/inner/tasks asks nobody", 'public=["GET /outer/inner/tasks"]'


def a_mounted_app_with_middlewares_of_its_own(app, bridge):
    inner = FastAPI()
    inner.get("/tasks")(tasks)
    inner.add_middleware(CORSMiddleware)
    app.mount("/in", CORSMiddleware(inner))
    return (), "GET /in/tasks asks nobody", 'public=["GET /in/tasks"]'


def a_mount_with_middlewares(app, bridge):
    class Hides:
        def __init__(self, inside):
            self.inside = inside

    from starlette.middleware import Middleware

    inner = FastAPI()
    inner.get("/tasks")(tasks)
    app.router.routes.append(Mount("/in", app=inner, middleware=[Middleware(Hides)]))
    return (), "GET /in/tasks asks nobody", 'public=["GET /in/tasks"]'


def a_wrapped_app_that_can_not_be_read(app, bridge):
    inner = FastAPI(dependencies=guard(bridge, "current_user"))
    app.mount("/in", functools.partial(inner))
    return (), "MOUNT /in leads to what no guard can be seen in", "it must guard itself"


def a_host(app, bridge):
    inner = FastAPI()
    inner.get("/tasks")(tasks)
    app.router.routes.append(Host("{name}.example.com", app=inner))
    return ["GET /tasks"], "GET //{name}.example.com/tasks asks nobody", "GET //{name}.example.com/tasks"


def an_opaque_host(app, bridge):
    app.router.routes.append(Host("x.example.com", app=opaque))
    return (), "MOUNT //x.example.com leads to", 'public=["MOUNT //x.example.com"]'


def a_user_in_a_host(app, bridge):
    inner = FastAPI(dependencies=guard(bridge, "current_user"))
    inner.get("/tasks")(tasks)
    app.router.routes.append(Host("{user_id}.example.com", app=inner))
    return (), "has {user_id} in its path", "bridge.path_user"


def a_kind_of_route_that_nobody_knows(app, bridge):
    class Strange(BaseRoute):
        path = "/strange"

    app.router.routes.append(Strange())
    return (), "MOUNT /strange leads to what no guard can be seen in", 'public=["MOUNT /strange"]'


def a_default_that_answers_everything(app, bridge):
    app.router.default = opaque
    return (), "MOUNT / leads to what no guard can be seen in", f"({line_of(opaque)})"


def a_mounted_router_with_a_default(app, bridge):
    app.mount("/in", Router(default=opaque))
    return (), "MOUNT /in/ leads to what no guard can be seen in", 'public=["MOUNT /in/"]'


def a_page_at_the_address_of_the_docs(app, bridge):
    app.router.routes.clear()
    app.get("/docs")(tasks)
    return (), "GET /docs asks nobody", 'public=["GET /docs"]'


def a_plain_page_at_the_address_of_the_docs(app, bridge):
    app.router.routes.clear()
    app.add_route("/openapi.json", plain)
    return (), "GET /openapi.json is a plain Starlette route", 'public=["GET /openapi.json"]'


def the_docs_at_another_address(app, bridge):
    app.add_route("/more", app.routes[0].endpoint)
    return (), "GET /more is a plain Starlette route", 'public=["GET /more"]'


def a_listed_route_that_does_not_exist(app, bridge):
    app.get("/x", dependencies=guard(bridge, "current_user"))(tasks)
    return (
        ["GET /healthz"],
        "GET /healthz is listed as public, but there is no such route",
        "take it off the list",
    )


def a_listed_route_with_a_slash_too_many(app, bridge):
    app.get("/healthz")(tasks)
    return (
        ["GET /healthz/"],
        "GET /healthz/ is listed as public, but there is no such route",
        "GET /healthz asks",
    )


def a_listed_route_of_another_method(app, bridge):
    app.post("/healthz")(tasks)
    return (
        ["GET /healthz"],
        "GET /healthz is listed as public, but there is no such",
        "POST /healthz asks nobody",
    )


def a_listed_route_without_its_prefix(app, bridge):
    router = APIRouter(prefix="/v1")
    router.get("/healthz")(tasks)
    app.include_router(router)
    return ["GET /healthz"], "GET /healthz is listed as public, but there is no such", "GET /v1/healthz asks"


def a_listed_route_in_other_words(app, bridge):
    app.get("/items/{item_id:int}")(tasks)
    return (
        ["GET /items/{item_id}"],
        "GET /items/{item_id} is listed as public, but",
        "GET /items/{item_id:int} asks",
    )


def a_listed_route_that_is_guarded(app, bridge):
    app.get("/x", dependencies=guard(bridge, "current_user"))(tasks)
    return ["GET /x"], "GET /x is listed as public, but is guarded by current_user", "take it off the list"


def a_listed_mount_that_does_not_exist(app, bridge):
    return (
        ["MOUNT /static"],
        "MOUNT /static is listed as public, but there is no such",
        "take it off the list",
    )


def a_listed_mount_of_an_app_of_fastapis(app, bridge):
    inner = FastAPI()
    inner.get("/tasks")(tasks)
    app.mount("/in", inner)
    return (
        ["MOUNT /in"],
        "MOUNT /in is listed as public, but routes of FastAPI are below",
        "GET /in/tasks asks",
    )


def a_listed_route_where_a_mount_is(app, bridge):
    app.mount("/static", StaticFiles(directory="."))
    return ["GET /static"], "GET /static is listed as public, but there is no such", "MOUNT /static leads"


def an_open_and_a_guarded_route_at_one_path(app, bridge):
    app.get("/x")(tasks)
    app.get("/x", dependencies=guard(bridge, "current_user"))(tasks)
    return ["GET /x"], "GET /x is listed as public, but is guarded by current_user", line_of(tasks)


def a_claim_not_compared(app, bridge):
    app.get("/orgs/{org_id}/a", dependencies=[Depends(bridge.path_claim("org_id", claim="org"))])(tasks)
    app.get("/orgs/{org_id}/b", dependencies=guard(bridge, "current_user"))(tasks)
    return (), "GET /orgs/{org_id}/b has {org_id} in its path", "bridge.path_claim('org_id', claim='org')"


def a_claim_without_a_place(app, bridge):
    app.get("/orgs", dependencies=[Depends(bridge.path_claim("org_id", claim="org"))])(tasks)
    return (), "is guarded by path_claim(org_id), but its path has no plain {org_id}", "name the parameter"


def a_role_in_place_of_the_user(app, bridge):
    admin = bridge.require(lambda user: True, reason="administrators only")
    app.get("/api/{user_id}", dependencies=[Depends(admin)])(tasks)
    return (), "require(administrators only) does not compare it", "give it another name"


MISTAKES = [
    found
    for name, found in list(globals().items())
    if inspect.isfunction(found) and list(inspect.signature(found).parameters) == ["app", "bridge"]
]


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.__name__)
def test_a_mistake_stops_the_start_and_every_request(bridge, mistake, caplog):
    app = FastAPI()
    public, named, fix = mistake(app, bridge)
    bridge.protect(app, public=public)
    failed, raised = kit.start(app)
    assert failed == {"type": "lifespan.startup.failed", "message": str(raised)}
    assert named in str(raised)
    assert fix in str(raised)
    client = kit.test_client(app, raise_server_exceptions=False)
    for path in ("/x", "/docs", "/"):
        assert client.get(path, headers=dict([bearer()])).status_code == 500
    assert [r.getMessage() for r in caplog.records if r.levelno == logging.ERROR] == [str(raised)]
    with pytest.raises(ConfigurationError, match=re.escape(named)):
        bridge.audit(app)


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.__name__)
def test_a_mistake_is_found_by_a_plain_call_too(bridge, mistake):
    app = FastAPI()
    public, named, fix = mistake(app, bridge)
    with pytest.raises(ConfigurationError) as raised:
        bridge.audit(app, public=public)
    assert named in str(raised.value)
    assert fix in str(raised.value)


# A list can not be given later; the routes of the docs are taken away; a default is no route.
LATER = [
    one
    for one in MISTAKES
    if not re.search("listed|head_on|address_of|a_default_that|at_one_path", one.__name__)
]


@pytest.mark.parametrize("mistake", LATER, ids=lambda mistake: mistake.__name__)
def test_a_mistake_made_later_fails_the_next_request(bridge, mistake):
    app = FastAPI()
    bridge.protect(app)
    assert call(app, "GET", "/nothing").status == 404
    mistake(app, bridge)
    with pytest.raises(ConfigurationError):
        call(app, "GET", "/nothing")


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.__name__)
def test_overrides_do_not_hide_a_mistake(bridge, mistake):
    app = FastAPI()
    public, named, _ = mistake(app, bridge)
    for one in (bridge.current_user, bridge.path_user, bridge.optional_user, tasks, plain):
        app.dependency_overrides[one] = Depends(bridge.path_user).dependency
    with pytest.raises(ConfigurationError, match=re.escape(named)):
        bridge.audit(app, public=public)


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.__name__)
def test_a_mistake_in_a_mounted_app_is_found_too(bridge, mistake):
    app, inner = FastAPI(), FastAPI()
    public, named, _ = mistake(inner, bridge)
    bridge.protect(inner, public=public)
    app.mount("/below", inner)
    with pytest.raises(ConfigurationError) as raised:
        bridge.audit(app)
    method, path, *said = named.split(" ")
    if path.startswith("/"):
        named = " ".join([method, "/below" + path, *said])
    assert named in str(raised.value)
