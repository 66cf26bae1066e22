"""Mistakes by place: includes, WebSockets, plain routes, mounts, hosts, defaults.

Each builds an app and gives: the public list, what is named, and a part of the fix.
"""

import functools

from fastapi import APIRouter, FastAPI, WebSocket
from mistakes_kit import guarded_router, line_of, opaque, plain, tasks
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import BaseRoute, Host, Mount, Route, Router, WebSocketRoute
from starlette.staticfiles import StaticFiles
from ways import guard


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
