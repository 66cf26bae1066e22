"""`protect`: the decision falls before a body is read, wherever the route comes from."""

import gc
from typing import Annotated

import kit
import pytest
from fastapi import Depends, FastAPI, HTTPException, Request
from kit import BAD, EXPIRED, bearer, call, post
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.cors import CORSMiddleware
from ways import (
    HOST,
    MALFORMED,
    WAYS,
    endpoint,
    guard,
    nested,
    on_include,
    on_mount_in_included_router,
    on_mount_of_starlette,
    on_mounted_router,
    on_route,
)

from jwt_auth_bridge import Principal


@pytest.mark.parametrize("style", [guard, nested])
@pytest.mark.parametrize("name", ["current_user", "optional_user", "path_user"])
@pytest.mark.parametrize(
    ("headers", "answer", "code"),
    [
        ([BAD], "InvalidTokenError", "token_malformed"),
        ([bearer(**EXPIRED)], "InvalidTokenError", "token_expired"),
        ([("authorization", "Bearer")], "InvalidRequestError", "authorization_malformed"),
        ([bearer(), bearer()], "InvalidRequestError", "authorization_repeated"),
    ],
)
def test_a_bad_credential_is_refused_unread(bridge, way, style, name, headers, answer, code, refusals):
    app, url = way(bridge, style(bridge, name))
    got = post(app, url.format("alice"), HOST, *headers, body=[MALFORMED, b"x" * 1000])
    assert got.refused_as(answer)
    assert got.reads == 0
    assert [entry[3] for entry in refusals()] == [code]


@pytest.mark.parametrize("style", [guard, nested])
@pytest.mark.parametrize("name", ["current_user", "path_user"])
def test_no_credential_is_refused_unread(bridge, way, style, name, refusals):
    app, url = way(bridge, style(bridge, name))
    got = post(app, url.format("alice"), HOST, body=MALFORMED)
    assert got.refused_as("MissingTokenError")
    assert got.reads == 0
    ((_, method, route, code),) = refusals()
    assert (method, code) == ("POST", "token_missing")
    assert "alice" not in route
    assert route.endswith("/x")


@pytest.mark.parametrize("style", [guard, nested])
def test_another_users_path_is_refused_unread(bridge, way, style, refusals):
    app, url = way(bridge, style(bridge, "path_user"))
    got = post(app, url.format("bob"), HOST, bearer("alice"), body=MALFORMED)
    assert got.refused_as("ForbiddenError")
    assert got.reads == 0
    assert [entry[3] for entry in refusals()] == ["path_user_mismatch"]


@pytest.mark.parametrize("style", [guard, nested])
@pytest.mark.parametrize("name", ["current_user", "optional_user", "path_user"])
def test_a_good_credential_is_let_through(bridge, way, style, name, refusals):
    app, url = way(bridge, style(bridge, name))
    good = post(app, url.format("alice"), HOST, bearer(), body=[b'{"a":', b"1}"])
    assert (good.status, good.json()) == (200, {"a": 1})
    assert post(app, url.format("alice"), HOST, bearer(), body=MALFORMED).status == 422
    assert refusals() == []


def test_no_credential_goes_on_where_it_is_optional(bridge, way, refusals):
    app, url = way(bridge, guard(bridge, "optional_user"))
    for headers in ([], [("authorization", "Basic YTpi")]):
        assert post(app, url.format("alice"), HOST, *headers).json() == {"a": 1}
        assert post(app, url.format("alice"), HOST, *headers, body=MALFORMED).status == 422
    assert refusals() == []


def test_an_unguarded_route_is_left_alone(bridge, way):
    app, url = way(bridge, [])
    for headers in ([], [BAD], [bearer(), bearer()]):
        assert post(app, url.format("alice"), HOST, *headers).json() == {"a": 1}
        assert post(app, url.format("alice"), HOST, *headers, body=MALFORMED).status == 422


OWNED = [
    way
    for way in WAYS
    # No app of ours owns the route there, or it is not at hand.
    if way not in (on_mounted_router, on_mount_of_starlette, on_mount_in_included_router)
]


@pytest.mark.parametrize("way", OWNED)
def test_overrides_are_those_of_the_app_that_owns_the_route(bridge, way):
    async def carol():
        return Principal("carol", None, "t", 0, 1, {})

    app, url = way(bridge, guard(bridge, "path_user"))
    inner = next((r.app for r in app.routes if isinstance(getattr(r, "app", None), FastAPI)), None)
    owner = inner or app
    if inner is not None:
        app.dependency_overrides[bridge.path_user] = carol
        assert post(app, url.format("bob"), HOST, body=MALFORMED).status == 401
    owner.dependency_overrides[bridge.path_user] = carol
    assert post(app, url.format("bob"), HOST).json() == {"a": 1}
    assert post(app, url.format("bob"), HOST, body=MALFORMED).status == 422
    owner.dependency_overrides.clear()
    assert post(app, url.format("bob"), HOST, body=MALFORMED).status == 401


def test_an_open_and_a_guarded_include_of_one_router_are_told_apart(bridge):
    app, _ = on_include(bridge, guard(bridge, "current_user"))
    assert post(app, "/open/alice/x", body=MALFORMED).status == 422
    assert post(app, "/api/alice/x", body=MALFORMED).status == 401


def test_an_override_may_itself_depend_on_a_guard(bridge):
    def original():
        return None

    async def replaced(user: Annotated[Principal, Depends(bridge.current_user)]):
        return user

    app = FastAPI()
    app.post("/x", dependencies=[Depends(original)])(endpoint)
    bridge.protect(app, public=["POST /x"])
    assert post(app, "/x").status == 200
    app.dependency_overrides[original] = replaced
    got = post(app, "/x", body=MALFORMED)
    assert got.refused_as("MissingTokenError")
    assert got.reads == 0


def test_a_router_that_no_app_owns_has_no_overrides(bridge):
    app, url = on_mounted_router(bridge, guard(bridge, "current_user"))
    app.dependency_overrides[bridge.current_user] = lambda: None
    got = post(app, url.format("alice"), body=MALFORMED)
    assert got.refused_as("MissingTokenError")
    assert got.reads == 0


def test_an_override_that_goes_round_in_circles_ends(bridge):
    async def wrapped(user: Annotated[Principal, Depends(bridge.current_user)]):
        return user

    app, url = on_route(bridge, guard(bridge, "current_user"))
    app.dependency_overrides[bridge.current_user] = wrapped
    with pytest.raises(RecursionError):
        post(app, url.format("alice"))


# Whatever else is wrong, a caller without a good token learns nothing


def test_another_dependency_does_not_answer_first(bridge, refusals):
    async def no_such_row():
        raise HTTPException(404, "no such row")

    async def wants_a_number(limit: int):
        return limit

    app = FastAPI()
    first = [Depends(no_such_row), Depends(wants_a_number)]
    app.get("/get/{user_id}", dependencies=[*first, Depends(bridge.path_user)])(lambda: "never")
    app.post("/post/{user_id}", dependencies=[*first, Depends(bridge.path_user)])(endpoint)
    bridge.protect(app)
    for method, path in (("GET", "/get/alice"), ("POST", "/post/alice")):
        assert call(app, method, path).refused_as("MissingTokenError")
        assert call(app, method, path, BAD).refused_as("InvalidTokenError")
        assert call(app, method, path, bearer("bob")).refused_as("ForbiddenError")
        assert call(app, method, path, bearer("alice")).json() == {"detail": "no such row"}
    assert len(refusals()) == 6


def test_a_guard_that_let_another_request_through_decides_on_this_one(bridge, refusals):
    """A guard that has been asked is not asked again as the answer begins: about this scope, and no other."""

    name, value = bearer()
    good = [(name.encode(), value.encode())]

    async def asks_about_another(request: Request):
        await bridge.current_user(Request({**request.scope, "headers": good}))
        raise HTTPException(418)

    app = FastAPI()
    guards = [Depends(asks_about_another), Depends(bridge.current_user)]
    app.add_api_route("/x", lambda: "never", dependencies=guards)
    bridge.protect(app)
    assert call(app, "GET", "/x").refused_as("MissingTokenError")
    assert [entry[3] for entry in refusals()] == ["token_missing"]
    assert call(app, "GET", "/x", bearer()).status == 418


def test_a_guard_that_was_not_reached_is_asked_as_the_answer_begins(bridge, refusals):
    """One guard has let the request through, another dependency answers before the next guard is asked."""

    def impatient():
        raise HTTPException(418)

    app = FastAPI()
    guards = [Depends(bridge.current_user), Depends(impatient), Depends(bridge.path_user)]
    app.add_api_route("/{user_id}/x", lambda: "never", dependencies=guards)
    bridge.protect(app)
    assert call(app, "GET", "/bob/x", bearer()).refused_as("ForbiddenError")
    assert call(app, "GET", "/alice/x", bearer()).status == 418
    assert [entry[3] for entry in refusals()] == ["path_user_mismatch"]


def test_a_dependency_that_reads_the_body_reads_nothing(bridge):
    seen = []

    async def store(request: Request):
        seen.append(await request.body())

    app = FastAPI()
    app.post("/x", dependencies=[Depends(store), Depends(bridge.current_user)])(lambda: "ok")
    bridge.protect(app)
    assert post(app, "/x").refused_as("MissingTokenError")
    assert seen == []
    assert post(app, "/x", bearer(), body=b"data").json() == "ok"
    assert seen == [b"data"]


# Starlette 0.38's BaseHTTPMiddleware leaves streams open when an exception passes through it.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("swallow", [False, True])
def test_what_stands_in_between_can_not_alter_a_refusal(bridge, swallow, refusals):
    """A mounted app whose middleware or dependency turns the refusal into something else."""

    async def store(request: Request):
        if swallow:
            try:
                await request.body()
            except Exception:
                raise HTTPException(500, "broken") from None
        await request.body()

    async def passing(request, call_next):
        return await call_next(request)

    app, inner = FastAPI(), FastAPI()
    inner.post("/x", dependencies=[Depends(store), Depends(bridge.current_user)])(lambda: "ok")
    inner.add_middleware(BaseHTTPMiddleware, dispatch=passing)
    app.mount("/m", inner)
    bridge.protect(app)
    got = post(app, "/m/x")
    assert got.refused_as("MissingTokenError")
    assert got.reads == 0
    assert len(refusals()) == 1
    assert post(app, "/m/x", bearer()).json() == "ok"
    gc.collect()


def test_a_middleware_that_reads_first_changes_the_order_not_the_answer(bridge):
    async def reads(request, call_next):
        await request.body()
        return await call_next(request)

    app, inner = FastAPI(), FastAPI(dependencies=guard(bridge, "current_user"))
    inner.post("/x")(endpoint)
    inner.add_middleware(BaseHTTPMiddleware, dispatch=reads)
    app.mount("/m", inner)
    bridge.protect(app)
    assert post(app, "/m/x", body=MALFORMED).refused_as("MissingTokenError")
    assert post(app, "/m/x", BAD, body=MALFORMED).refused_as("InvalidTokenError")
    assert post(app, "/m/x", bearer(), body=MALFORMED).status == 422
    assert post(app, "/m/x", bearer()).json() == {"a": 1}


def test_errors_of_the_app_are_not_swallowed(bridge):
    async def broken():
        raise LookupError("a bug")

    app = FastAPI()
    app.get("/x", dependencies=[Depends(broken), Depends(bridge.current_user)])(lambda: "never")
    bridge.protect(app)
    with pytest.raises(LookupError):
        call(app, "GET", "/x")


def test_errors_of_a_mounted_app_are_not_swallowed_but_not_shown(bridge):
    async def broken():
        raise LookupError("a bug")

    app, inner = FastAPI(), FastAPI()
    inner.get("/x", dependencies=[Depends(broken), Depends(bridge.current_user)])(lambda: "never")
    app.mount("/m", inner)
    bridge.protect(app)
    got = kit.Got()
    with pytest.raises(LookupError):
        call(app, "GET", "/m/x", got=got)
    assert got.refused_as("MissingTokenError")


def test_a_refusal_in_place_of_another_answer_passes_the_apps_middleware(bridge):
    """CORS: a browser on another origin sees no answer that lacks its headers."""

    async def no_such_row():
        raise HTTPException(404, "no such row")

    app = FastAPI()
    app.get("/x", dependencies=[Depends(no_such_row), Depends(bridge.current_user)])(lambda: "never")
    app.add_middleware(CORSMiddleware, allow_origins=["https://web.example.com"])
    bridge.protect(app)
    got = call(app, "GET", "/x", ("origin", "https://web.example.com"))
    assert got.refused_as("MissingTokenError")
    assert got.header("access-control-allow-origin") == "https://web.example.com"


def test_paths_without_a_route_and_methods_without_one_are_left_alone(bridge):
    app, _ = on_route(bridge, guard(bridge, "path_user"))
    assert call(app, "GET", "/nothing", BAD).status == 404
    assert call(app, "PUT", "/api/alice/x", BAD).status == 405
    assert call(app, "POST", "/api/alice/x/", BAD).status == 307
    assert call(app, "GET", "/openapi.json", BAD).status == 200


def test_a_streamed_body_is_read_once_decided(bridge):
    app = FastAPI()

    @app.post("/x")
    async def endpoint(request: Request, user: Annotated[Principal, Depends(bridge.current_user)]):
        return [chunk.decode() async for chunk in request.stream() if chunk]

    bridge.protect(app)
    assert post(app, "/x", bearer(), body=[b"a", b"b", b"c"]).json() == ["a", "b", "c"]
    assert post(app, "/x", BAD, body=[b"a"]).reads == 0
