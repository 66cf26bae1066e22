"""What the audit lets pass: public routes by exact name, FastAPI's documentation, guards of any bridge."""

import functools
import re
from typing import Annotated

import kit
import pytest
from fastapi import APIRouter, Depends, FastAPI, WebSocket
from kit import BAD, bearer, call, post
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Host, Mount, Route
from starlette.staticfiles import StaticFiles
from ways import guard

from jwt_auth_bridge import ConfigurationError, Principal
from jwt_auth_bridge._fastapi_audit import NONE, survey

STARTED = [{"type": "lifespan.startup.complete"}, {"type": "lifespan.shutdown.complete"}]
HAS_FRONTENDS = hasattr(FastAPI, "frontend")


async def fine():
    return "fine"


async def plain(request: Request):
    return PlainTextResponse("plain")


def everything(bridge, folder="."):
    """An app of every kind of route, all of them right."""
    app = FastAPI(openapi_url="/api.json", docs_url="/manual", redoc_url=None)
    app.get("/healthz")(fine)
    app.api_route("/both", methods=["GET", "POST"], include_in_schema=False)(fine)
    app.get("/me", dependencies=guard(bridge, "current_user"))(fine)
    app.get("/maybe", dependencies=guard(bridge, "optional_user"))(fine)
    app.get("/profiles/{user_id}")(fine)

    @app.websocket("/live")
    async def live(socket: WebSocket): ...

    router = APIRouter(prefix="/api/{user_id}", dependencies=guard(bridge, "path_user"))
    router.get("/tasks")(fine)
    router.delete("/tasks/{task_id}")(fine)
    app.include_router(router)
    app.add_route("/plain", plain)
    app.router.routes.append(Route("/all", type("All", (HTTPEndpoint,), {})))
    app.mount("/static", StaticFiles(directory=folder))
    app.mount(
        "/admin", Starlette(routes=[Route("/a", plain), Mount("/m", app=StaticFiles(directory=folder))])
    )
    inner = FastAPI()
    inner.get("/healthz")(fine)
    inner.get("/{user_id}", dependencies=guard(bridge, "path_user"))(fine)
    app.mount("/inner", inner)
    host = FastAPI(openapi_url=None)
    host.get("/healthz")(fine)
    app.router.routes.append(Host("x.example.com", app=host))
    return app


PUBLIC = [
    "GET /healthz",
    "GET /both",
    "POST /both",
    "GET /profiles/{user_id}",
    "WS /live",
    "GET /plain",
    "ANY /all",
    "MOUNT /static",
    "MOUNT /admin",
    "GET /inner/healthz",
    "GET //x.example.com/healthz",
]


def test_everything_right_starts_and_serves(bridge):
    app = everything(bridge)
    bridge.protect(app, public=PUBLIC)
    assert kit.start(app) == STARTED
    bridge.audit(app)
    paths = ("/healthz", "/both", "/profiles/bob", "/plain", "/manual", "/api.json", "/inner/docs", "/maybe")
    for path in (*paths, "/admin/a"):
        assert call(app, "GET", path).status == 200, path
    assert post(app, "/both").status == 200
    assert call(app, "HEAD", "/plain").status == 200
    assert call(app, "GET", "/me").refused_as("MissingTokenError")
    assert call(app, "GET", "/api/alice/tasks", BAD).refused_as("InvalidTokenError")
    assert call(app, "GET", "/api/bob/tasks", bearer()).refused_as("ForbiddenError")
    assert call(app, "GET", "/api/alice/tasks", bearer()).json() == "fine"
    assert call(app, "GET", "/inner/bob", bearer()).refused_as("ForbiddenError")


@pytest.mark.parametrize("missing", PUBLIC)
def test_each_entry_is_needed(bridge, missing):
    app = everything(bridge)
    named = r"(MOUNT /admin/m|GET /admin/a) " if missing == "MOUNT /admin" else re.escape(missing) + " "
    with pytest.raises(ConfigurationError, match=named):
        bridge.audit(app, public=[one for one in PUBLIC if one != missing])


def test_every_kind_of_entry_is_in_the_table(bridge):
    rows, strays = survey(everything(bridge), [bridge], public=PUBLIC)
    assert strays == []
    assert [row for row in rows if row.faults or row.guard == NONE] == []
    table = {f"{row.method} {row.path}": row.guard for row in rows}
    assert {name for name, by in table.items() if by == "public"} == {
        *PUBLIC,
        "GET /admin/a",
        "MOUNT /admin/m",
    } - {"MOUNT /admin"}
    assert {name for name, by in table.items() if by == "docs"} == {
        "GET /api.json",
        "GET /manual",
        "GET /docs/oauth2-redirect",
        *(f"GET /inner/{name}" for name in ("openapi.json", "docs", "docs/oauth2-redirect", "redoc")),
    }
    assert table["GET /api/{user_id}/tasks"] == table["GET /inner/{user_id}"] == "path_user"
    assert (table["GET /me"], table["GET /maybe"]) == ("current_user", "optional_user")


def test_openapi_says_the_same_as_the_guards(bridge):
    app = everything(bridge)
    admin = bridge.require(lambda user: True, reason="administrators only")
    app.get("/admins", dependencies=[Depends(admin)])(fine)
    app.get("/orgs/{org_id}", dependencies=[Depends(bridge.path_claim("org_id", claim="org"))])(fine)
    app.get("/numbers/{user_id}", dependencies=[Depends(bridge.path_user_as(int))])(fine)
    rows, _ = survey(app, [bridge], public=PUBLIC)
    table = {f"{row.method} {row.path}": row.guard for row in rows}
    seen = 0
    for path, item in app.openapi()["paths"].items():
        for method, operation in item.items():
            is_guarded = table[f"{method.upper()} {path}"] not in ("public", "docs")
            assert operation.get("security", []) == ([{"bearer": []}] if is_guarded else []), path
            seen += is_guarded
    assert seen == 7


# The list


@pytest.mark.parametrize(
    "public",
    [
        "GET /healthz",
        ["/healthz"],
        ["GET"],
        ["GET healthz"],
        ["get /healthz"],
        ["GET  /healthz"],
        ["GET /healthz "],
        ["GET,POST /healthz"],
        ["GET /a b"],
        [("GET", "/healthz")],
        [None],
        None,
        7,
    ],
)
def test_a_list_that_can_not_be_meant_is_refused_at_once(bridge, public):
    with pytest.raises(ConfigurationError, match="public takes a list"):
        bridge.protect(FastAPI(), public=public)
    if public is not None:
        with pytest.raises(ConfigurationError, match="public takes a list"):
            bridge.audit(FastAPI(), public=public)


def test_two_lists_for_one_app_are_refused(bridge):
    app = FastAPI()
    app.get("/a")(fine)
    bridge.protect(app, public=["GET /a"])
    bridge.protect(app)
    bridge.protect(app, public=["GET /a", "GET /a"])
    with pytest.raises(ConfigurationError, match="another public list"):
        bridge.protect(app, public=["GET /b"])
    assert call(app, "GET", "/a").json() == "fine"


def test_auditing_something_else_is_an_error(bridge):
    for thing in (APIRouter(), Starlette(), None):
        with pytest.raises(ConfigurationError, match="FastAPI app"):
            bridge.audit(thing)


def test_the_lists_of_two_bridges_count_together(bridge):
    other, app = kit.make_bridge(audience=kit.OTHER_AUDIENCE), FastAPI()
    app.get("/a")(fine)
    app.get("/b")(fine)
    app.get("/c/{user_id}", dependencies=guard(other, "path_user"))(fine)
    bridge.protect(app, public=["GET /a"])
    other.protect(app, public=["GET /b"])
    assert kit.start(app) == STARTED
    assert (call(app, "GET", "/a").status, call(app, "GET", "/b").status) == (200, 200)
    assert call(app, "GET", "/c/alice", bearer()).status == 401


def test_a_mounted_app_that_protects_itself_brings_its_list(bridge):
    app, inner = FastAPI(), FastAPI()
    inner.get("/")(fine)
    inner.mount("/", StaticFiles(directory="."))
    inner.get("/tasks", dependencies=guard(bridge, "path_user"))(fine)
    bridge.protect(inner, public=["GET /", "MOUNT /"])
    app.mount("/api/{user_id}", inner)
    bridge.protect(app)
    assert kit.start(app) == STARTED
    assert call(app, "GET", "/api/bob/").json() == "fine"


def test_a_mounted_app_knows_the_user_of_its_mount(bridge, caplog):
    """Alone it can not know: its own start is never run, and the path comes with the request."""
    app, inner = FastAPI(), FastAPI()
    inner.get("/tasks", dependencies=guard(bridge, "current_user"))(fine)
    bridge.protect(inner)
    app.mount("/api/{user_id}", inner)
    app.mount("/mine", inner)
    assert call(app, "GET", "/mine/tasks", bearer()).json() == "fine"
    with pytest.raises(ConfigurationError, match=r"has \{user_id\} in its path"):
        call(app, "GET", "/api/alice/tasks", bearer())
    assert call(app, "GET", "/mine/tasks", bearer()).json() == "fine"


# Documentation


@pytest.mark.parametrize(
    "urls",
    [
        {},
        {"openapi_url": None},
        {"docs_url": None, "redoc_url": None},
        {
            "openapi_url": "/v1/schema",
            "docs_url": "/",
            "redoc_url": "/r",
            "swagger_ui_oauth2_redirect_url": "/o",
        },
        {"swagger_ui_oauth2_redirect_url": None},
    ],
)
def test_the_documentation_of_fastapi_is_known(bridge, urls):
    app = FastAPI(**urls)
    app.mount("/below", FastAPI(**urls))
    bridge.protect(app)
    assert kit.start(app) == STARTED


def test_documentation_may_be_guarded_and_may_be_listed(bridge):
    app = FastAPI(docs_url=None)
    app.get("/docs", dependencies=guard(bridge, "current_user"), include_in_schema=False)(fine)
    bridge.protect(app, public=["GET /openapi.json"])
    assert call(app, "GET", "/docs").status == 401
    assert call(app, "GET", "/openapi.json").status == 200


# What FastAPI made of it


def test_a_guard_counts_wherever_it_stands(bridge):
    async def service(user: Annotated[Principal, Depends(bridge.current_user)]):
        return user

    app, outer, router = FastAPI(), APIRouter(), APIRouter()
    app.get("/a", dependencies=[Depends(service)])(fine)
    router.get("/b")(fine)
    outer.include_router(router, dependencies=[Depends(service)])
    app.include_router(outer)
    app.mount("/in", CORSMiddleware(FastAPI(dependencies=[Depends(service)]), allow_origins=["*"]))
    bridge.audit(app)


def test_an_app_mounted_below_itself_ends(bridge):
    app = FastAPI()
    app.mount("/again", app)
    bridge.protect(app)
    assert kit.start(app) == STARTED


def test_the_place_of_a_function_is_found_through_what_is_around_it(bridge):
    def logged(function):
        @functools.wraps(function)
        async def inner(*args, **kwargs): ...

        return inner

    class Callable:
        async def __call__(self): ...

    app = FastAPI()
    app.get("/a")(logged(fine))
    app.get("/b")(functools.partial(fine))
    app.get("/c")(Callable())
    app.get("/d")(print)
    where = {row.path: row.where for row in survey(app, [bridge])[0]}
    line = fine.__code__.co_firstlineno
    assert where["/a"] == where["/b"]
    assert where["/a"].endswith(f"test_fastapi_public.py:{line} fine")
    assert re.search(r"test_fastapi_public\.py:\d+ Callable$", where["/c"])
    assert where["/d"] == "print"


if HAS_FRONTENDS:

    def test_a_frontend_is_a_mount(bridge, tmp_path):
        (tmp_path / "index.html").write_text("hello")
        app, router, open_router = (
            FastAPI(),
            APIRouter(dependencies=guard(bridge, "current_user")),
            APIRouter(),
        )
        app.frontend("/web", directory=tmp_path)
        router.frontend("/mine", directory=tmp_path)
        open_router.frontend("/", directory=tmp_path)
        app.include_router(router)
        app.include_router(open_router, prefix="/open")
        with pytest.raises(ConfigurationError, match=r"(?s)MOUNT /web leads .*MOUNT /open/ leads ") as raised:
            bridge.audit(app)
        assert "/mine" not in str(raised.value)
        bridge.protect(app, public=["MOUNT /web", "MOUNT /open/"])
        assert kit.start(app) == STARTED
        client, me = kit.test_client(app), dict([bearer()])
        assert client.get("/web/index.html").text == client.get("/open/").text == "hello"
        assert client.get("/mine/index.html").status_code == 401
        assert client.get("/mine/index.html", headers=me).text == "hello"
        app.frontend("/later", directory=tmp_path)
        with pytest.raises(ConfigurationError, match="MOUNT /later leads"):
            client.get("/web/index.html")
