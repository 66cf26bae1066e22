"""Every way in which a guard and a route come together; each gives the app and the URL for a user."""

from typing import Annotated

import fastapi
from fastapi import APIRouter, Body, Depends, FastAPI
from kit import call
from starlette.applications import Starlette
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.routing import Host, Mount

MALFORMED = b'{"a": '
HOST = ("host", "x.example.com")


async def endpoint(body: Annotated[dict, Body()]):
    return body


class Guarded(list):
    """Dependencies, and whether they compare the path's user: a path that has one must have it compared."""

    def __init__(self, dependency, name):
        super().__init__([Depends(dependency)])
        self.user = "{user_id}" if name == "path_user" else "{who}"


def guard(bridge, name):
    return Guarded(getattr(bridge, name), name)


def user_in(dependencies):
    return getattr(dependencies, "user", "{who}")


def protect(bridge, app, dependencies, path="/api/{who}/x", public=()):
    """Lists the way's route as public where nothing guards it."""
    bridge.protect(app, public=[*public, *([] if dependencies else [f"POST {path}"])])


def nested(bridge, name):
    """A user's own dependency of two floors above the guard."""

    async def lower(user: Annotated[object, Depends(getattr(bridge, name))]):
        return user

    async def upper(user: Annotated[object, Depends(lower)]):
        return user

    return Guarded(upper, name)


def on_app(bridge, dependencies):
    app = FastAPI(dependencies=dependencies)
    protect(bridge, app, dependencies)
    app.post(f"/api/{user_in(dependencies)}/x")(endpoint)
    return app, "/api/{}/x"


def on_route(bridge, dependencies):
    app = FastAPI()
    protect(bridge, app, dependencies)
    app.post(f"/api/{user_in(dependencies)}/x", dependencies=dependencies)(endpoint)
    return app, "/api/{}/x"


def on_router(bridge, dependencies):
    app, router = FastAPI(), APIRouter(prefix=f"/api/{user_in(dependencies)}", dependencies=dependencies)
    router.post("/x")(endpoint)
    app.include_router(router)
    protect(bridge, app, dependencies)
    return app, "/api/{}/x"


def on_include(bridge, dependencies):
    app, router = FastAPI(), APIRouter()
    router.post("/x")(endpoint)
    app.include_router(router, prefix="/open/{who}")
    app.include_router(router, prefix=f"/api/{user_in(dependencies)}", dependencies=dependencies)
    protect(bridge, app, dependencies, public=["POST /open/{who}/x"])
    return app, "/api/{}/x"


def on_outer_include(bridge, dependencies):
    app, outer, inner = FastAPI(), APIRouter(prefix="/api"), APIRouter(prefix=f"/{user_in(dependencies)}")
    inner.post("/x")(endpoint)
    outer.include_router(inner)
    app.include_router(outer, dependencies=dependencies)
    protect(bridge, app, dependencies)
    return app, "/api/{}/x"


def on_outer_router(bridge, dependencies):
    app, outer, inner = FastAPI(), APIRouter(dependencies=dependencies), APIRouter()
    inner.post("/x")(endpoint)
    outer.include_router(inner, prefix=f"/api/{user_in(dependencies)}")
    app.include_router(outer)
    protect(bridge, app, dependencies)
    return app, "/api/{}/x"


def on_mounted_app(bridge, dependencies):
    app, inner = FastAPI(), FastAPI(dependencies=dependencies)
    inner.post(f"/{user_in(dependencies)}/x")(endpoint)
    app.mount("/api", inner)
    protect(bridge, app, dependencies)
    return app, "/api/{}/x"


def on_mount_with_the_user(bridge, dependencies):
    app, inner, router = FastAPI(), FastAPI(), APIRouter()
    router.post("/x")(endpoint)
    inner.include_router(router, dependencies=dependencies)
    app.mount(f"/api/{user_in(dependencies)}", inner)
    protect(bridge, app, dependencies)
    return app, "/api/{}/x"


def on_mount_in_included_router(bridge, dependencies):
    app, inner, router = FastAPI(), FastAPI(dependencies=dependencies), APIRouter()
    inner.post("/x")(endpoint)
    router.mount(f"/{user_in(dependencies)}", inner)
    app.include_router(router, prefix="/api")
    protect(bridge, app, dependencies)
    return app, "/api/{}/x"


def on_mounted_router(bridge, dependencies):
    app, router = FastAPI(), APIRouter(dependencies=dependencies)
    router.post("/x")(endpoint)
    app.mount(f"/api/{user_in(dependencies)}", router)
    protect(bridge, app, dependencies)
    return app, "/api/{}/x"


def on_mounted_app_that_protects_itself(bridge, dependencies):
    app, inner = FastAPI(), FastAPI(dependencies=dependencies)
    inner.post("/x")(endpoint)
    app.mount(f"/api/{user_in(dependencies)}", inner)
    protect(bridge, inner, dependencies, "/x")
    return app, "/api/{}/x"


def on_both_protected(bridge, dependencies):
    app, url = on_mounted_app_that_protects_itself(bridge, dependencies)
    protect(bridge, app, dependencies)
    return app, url


def on_mount_of_starlette(bridge, dependencies):
    app, inner = FastAPI(), FastAPI(dependencies=dependencies)
    inner.post("/x")(endpoint)
    app.mount("/api", Starlette(routes=[Mount(f"/{user_in(dependencies)}", app=inner)]))
    protect(bridge, app, dependencies)
    return app, "/api/{}/x"


def on_host(bridge, dependencies):
    app, inner = FastAPI(), FastAPI(dependencies=dependencies)
    inner.post(f"/api/{user_in(dependencies)}/x")(endpoint)
    app.router.routes.append(Host("{anything}", app=inner))
    protect(bridge, app, dependencies, "//{anything}/api/{who}/x")
    return app, "/api/{}/x"


def behind_another_middleware(bridge, dependencies):
    """BaseHTTPMiddleware wraps what `receive` raises; it stands inside the mount, outside the app."""

    async def passing(request, call_next):
        return await call_next(request)

    app, inner = FastAPI(), FastAPI(dependencies=dependencies)
    inner.post("/x")(endpoint)
    inner.add_middleware(BaseHTTPMiddleware, dispatch=passing)
    app.mount(f"/api/{user_in(dependencies)}", inner)
    app.add_middleware(BaseHTTPMiddleware, dispatch=passing)
    protect(bridge, app, dependencies)
    app.add_middleware(BaseHTTPMiddleware, dispatch=passing)
    return app, "/api/{}/x"


def added_later(bridge, dependencies):
    app = FastAPI()
    protect(bridge, app, dependencies, public=["GET /first"])
    app.get("/first")(lambda: "first")
    if dependencies:  # what is listed must be there from the start
        assert call(app, "GET", "/first").status == 200
    router = APIRouter(prefix=f"/api/{user_in(dependencies)}")
    router.post("/x", dependencies=dependencies)(endpoint)
    app.include_router(router)
    return app, "/api/{}/x"


WAYS = [
    on_app,
    on_route,
    on_router,
    on_include,
    on_outer_include,
    on_outer_router,
    on_mounted_app,
    on_mount_with_the_user,
    on_mount_in_included_router,
    on_mounted_router,
    on_mounted_app_that_protects_itself,
    on_both_protected,
    on_mount_of_starlette,
    on_host,
    behind_another_middleware,
    added_later,
]
# Older versions drop a mount from a router that is included: there is nothing to protect.
MOUNTS_IN_ROUTERS = tuple(map(int, fastapi.__version__.split(".")[:2])) >= (0, 137)
if not MOUNTS_IN_ROUTERS:
    WAYS.remove(on_mount_in_included_router)
