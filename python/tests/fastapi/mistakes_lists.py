"""Mistakes with the public list and with pages that look like FastAPI's documentation.

Each builds an app and gives: the public list, what is named, and a part of the fix.
"""

from fastapi import APIRouter, FastAPI
from mistakes_kit import line_of, plain, tasks
from starlette.staticfiles import StaticFiles
from ways import guard


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
