"""What the mistakes share: endpoints that must never answer, and a router that is right."""

import inspect
import os

from fastapi import APIRouter, Request
from starlette.responses import PlainTextResponse
from ways import guard

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
