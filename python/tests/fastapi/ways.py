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


def guard(bridge, name):
    return [Depends(getattr(bridge, name))]


def nested(bridge, name):
    """A user's own dependency of two floors above the guard."""

    async def lower(user: Annotated[object, Depends(getattr(bridge, name))]):
        return user

    async def upper(user: Annotated[object, Depends(lower)]):
        return user

    return [Depends(upper)]


def on_app(bridge, dependencies):
    app = FastAPI(dependencies=dependencies)
    bridge.protect(app)
    app.post("/api/{user_id}/x")(endpoint)
    return app, "/api/{}/x"


def on_route(bridge, dependencies):
    app = FastAPI()
    bridge.protect(app)
    app.post("/api/{user_id}/x", dependencies=dependencies)(endpoint)
    return app, "/api/{}/x"


def on_router(bridge, dependencies):
    app, router = FastAPI(), APIRouter(prefix="/api/{user_id}", dependencies=dependencies)
    router.post("/x")(endpoint)
    app.include_router(router)
    bridge.protect(app)
    return app, "/api/{}/x"


def on_include(bridge, dependencies):
    app, router = FastAPI(), APIRouter()
    router.post("/x")(endpoint)
    app.include_router(router, prefix="/open/{user_id}")
    app.include_router(router, prefix="/api/{user_id}", dependencies=dependencies)
    bridge.protect(app)
    return app, "/api/{}/x"


def on_outer_include(bridge, dependencies):
    app, outer, inner = FastAPI(), APIRouter(prefix="/api"), APIRouter(prefix="/{user_id}")
    inner.post("/x")(endpoint)
    outer.include_router(inner)
    app.include_router(outer, dependencies=dependencies)
    bridge.protect(app)
    return app, "/api/{}/x"


def on_outer_router(bridge, dependencies):
    app, outer, inner = FastAPI(), APIRouter(dependencies=dependencies), APIRouter()
    inner.post("/x")(endpoint)
    outer.include_router(inner, prefix="/api/{user_id}")
    app.include_router(outer)
    bridge.protect(app)
    return app, "/api/{}/x"


def on_mounted_app(bridge, dependencies):
    app, inner = FastAPI(), FastAPI(dependencies=dependencies)
    inner.post("/{user_id}/x")(endpoint)
    app.mount("/api", inner)
    bridge.protect(app)
    return app, "/api/{}/x"


def on_mount_with_the_user(bridge, dependencies):
    app, inner, router = FastAPI(), FastAPI(), APIRouter()
    router.post("/x")(endpoint)
    inner.include_router(router, dependencies=dependencies)
    app.mount("/api/{user_id}", inner)
    bridge.protect(app)
    return app, "/api/{}/x"


def on_mount_in_included_router(bridge, dependencies):
    app, inner, router = FastAPI(), FastAPI(dependencies=dependencies), APIRouter()
    inner.post("/x")(endpoint)
    router.mount("/{user_id}", inner)
    app.include_router(router, prefix="/api")
    bridge.protect(app)
    return app, "/api/{}/x"


def on_mounted_router(bridge, dependencies):
    app, router = FastAPI(), APIRouter(dependencies=dependencies)
    router.post("/x")(endpoint)
    app.mount("/api/{user_id}", router)
    bridge.protect(app)
    return app, "/api/{}/x"


def on_mounted_app_that_protects_itself(bridge, dependencies):
    app, inner = FastAPI(), FastAPI(dependencies=dependencies)
    inner.post("/x")(endpoint)
    app.mount("/api/{user_id}", inner)
    bridge.protect(inner)
    return app, "/api/{}/x"


def on_both_protected(bridge, dependencies):
    app, url = on_mounted_app_that_protects_itself(bridge, dependencies)
    bridge.protect(app)
    return app, url


def on_mount_of_starlette(bridge, dependencies):
    app, inner = FastAPI(), FastAPI(dependencies=dependencies)
    inner.post("/x")(endpoint)
    app.mount("/api", Starlette(routes=[Mount("/{user_id}", app=inner)]))
    bridge.protect(app)
    return app, "/api/{}/x"


def on_host(bridge, dependencies):
    app, inner = FastAPI(), FastAPI(dependencies=dependencies)
    inner.post("/api/{user_id}/x")(endpoint)
    app.router.routes.append(Host("{anything}", app=inner))
    bridge.protect(app)
    return app, "/api/{}/x"


def behind_another_middleware(bridge, dependencies):
    """BaseHTTPMiddleware wraps what `receive` raises; it stands inside the mount, outside the app."""

    async def passing(request, call_next):
        return await call_next(request)

    app, inner = FastAPI(), FastAPI(dependencies=dependencies)
    inner.post("/x")(endpoint)
    inner.add_middleware(BaseHTTPMiddleware, dispatch=passing)
    app.mount("/api/{user_id}", inner)
    app.add_middleware(BaseHTTPMiddleware, dispatch=passing)
    bridge.protect(app)
    app.add_middleware(BaseHTTPMiddleware, dispatch=passing)
    return app, "/api/{}/x"


def added_later(bridge, dependencies):
    app = FastAPI()
    bridge.protect(app)
    app.get("/first")(lambda: "first")
    assert call(app, "GET", "/first").status == 200
    router = APIRouter(prefix="/api/{user_id}")
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
