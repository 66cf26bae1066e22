"""The audit at every request: routes that are added later, anywhere, what that costs, and what is logged."""

import logging
import timeit

import pytest
from fastapi import APIRouter, FastAPI
from kit import bearer, call
from starlette.applications import Starlette
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Host, Mount
from ways import guard

from jwt_auth_bridge import ConfigurationError
from jwt_auth_bridge._fastapi_audit import survey
from jwt_auth_bridge._fastapi_protect import Protection


async def fine():
    return "fine"


def router_in(app):
    router = APIRouter()
    app.include_router(router, prefix="/r")
    return router


def router_in_a_router(app):
    inner = APIRouter()
    router_in(app).include_router(inner, prefix="/i")
    return inner


def mounted(app):
    inner = FastAPI()
    app.mount("/m", inner)
    return inner


def mounted_in_middlewares(app):
    inner = FastAPI()
    app.mount("/m", CORSMiddleware(inner))
    return inner


def router_in_a_mounted_app(app):
    return router_in(mounted(app))


def mounted_starlette(app):
    inner = FastAPI()
    app.mount("/s", Starlette(routes=[Mount("/t", app=inner)]))
    return inner


def below_a_host(app):
    inner = FastAPI()
    app.router.routes.append(Host("{any}", app=inner))
    return inner


@pytest.mark.parametrize(
    "place",
    [
        lambda app: app,
        router_in,
        router_in_a_router,
        mounted,
        mounted_in_middlewares,
        router_in_a_mounted_app,
        mounted_starlette,
        below_a_host,
    ],
)
def test_a_route_added_later_anywhere_is_judged_at_the_next_request(bridge, place, caplog):
    app = FastAPI()
    app.get("/fine", dependencies=guard(bridge, "current_user"))(fine)
    where = place(app)
    where.get("/first", dependencies=guard(bridge, "current_user"))(fine)
    bridge.protect(app)
    assert call(app, "GET", "/fine", bearer()).json() == "fine"
    where.get("/second", dependencies=guard(bridge, "current_user"))(fine)
    assert call(app, "GET", "/fine", bearer()).json() == "fine"
    where.get("/third")(fine)
    # Before 0.137 an included router is copied: what is added to it later is not served at all.
    if any(row.path.endswith("/third") for row in survey(app, [bridge])[0]):
        with pytest.raises(ConfigurationError, match=r"GET .*/third asks nobody"):
            call(app, "GET", "/fine", bearer())
    else:
        assert place in (router_in, router_in_a_router, router_in_a_mounted_app)
        assert call(app, "GET", "/r/third").status == 404


def test_a_route_that_takes_another_s_place_is_judged(bridge):
    app = FastAPI()
    app.get("/fine", dependencies=guard(bridge, "current_user"))(fine)
    bridge.protect(app)
    assert call(app, "GET", "/fine", bearer()).json() == "fine"
    other = FastAPI()
    other.get("/other")(fine)
    app.router.routes[-1] = other.routes[-1]
    with pytest.raises(ConfigurationError, match="GET /other asks nobody"):
        call(app, "GET", "/fine", bearer())


def test_the_check_of_each_request_costs_next_to_nothing(bridge):
    app = FastAPI()
    for number in range(8):
        router = APIRouter(prefix=f"/r{number}", dependencies=guard(bridge, "current_user"))
        for method in ("get", "post", "put", "delete"):
            getattr(router, method)("/x")(fine)
        app.include_router(router)
    layer = Protection(app, bridge=bridge, owner=app, public=())
    scope = {"type": "http"}
    layer.audit(scope)
    seconds = min(timeit.repeat(lambda: layer.audit(scope), number=1000, repeat=5)) / 1000
    assert seconds < 20e-6


def test_faults_are_logged_once_and_hold_no_secret(bridge, caplog):
    app = FastAPI()
    app.get("/a")(fine)
    bridge.protect(app)
    for _ in range(3):
        with pytest.raises(ConfigurationError):
            call(app, "GET", "/a", bearer())
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.getMessage().startswith("1 fault in the app's routes:\n  GET /a asks nobody for a token: ")
    assert bearer()[1] not in caplog.text
