"""What is never mixed up: two users, two bridges, two requests in one, an app and the apps it mounts."""

import asyncio
from typing import Annotated

import kit
import pytest
from fastapi import Depends, FastAPI, HTTPException, Request
from kit import BAD, api, bearer, call, post
from starlette.responses import JSONResponse, PlainTextResponse

from jwt_auth_bridge import Principal

# Two users, two bridges, two requests in one


def test_users_interleaved_on_one_loop_never_see_each_other(bridge):
    app = FastAPI(dependencies=[Depends(bridge.current_user)])
    bridge.protect(app)

    async def slow():
        for _ in range(5):
            await asyncio.sleep(0)

    @app.post("/{user_id}", dependencies=[Depends(slow)])
    async def endpoint(
        body: list[int], request: Request, user: Annotated[Principal, Depends(bridge.path_user)]
    ):
        await slow()
        again = await bridge.current_user(request)
        return [user.subject, again.subject, *body]

    async def one(number):
        user, path = f"user-{number % 7}", f"user-{number % 3}"
        got = await kit.acall(
            app,
            "POST",
            f"/{path}",
            ("content-type", "application/json"),
            bearer(user),
            body=[b"[", str(number).encode(), b"]"],
        )
        if user == path:
            assert got.json() == [user, user, number]
        else:
            assert got.refused_as("ForbiddenError")

    async def everyone():
        await asyncio.gather(*map(one, range(300)))

    asyncio.run(everyone())


@pytest.mark.parametrize("protected", [False, True])
def test_two_bridges_on_one_app_do_not_share_what_they_verified(bridge, protected):
    other = kit.make_bridge(audience=kit.OTHER_AUDIENCE)
    app = FastAPI()
    app.add_api_route("/a", lambda: "a", methods=["POST"], dependencies=[Depends(bridge.current_user)])
    app.add_api_route("/b", lambda: "b", methods=["POST"], dependencies=[Depends(other.current_user)])

    @app.post("/ab")
    async def both(
        body: dict,
        a: Annotated[Principal | None, Depends(bridge.optional_user)],
        b: Annotated[Principal | None, Depends(other.optional_user)],
    ):
        return "never"

    if protected:
        bridge.protect(app)
        other.protect(app)
    elsewhere = ("authorization", f"Bearer {kit.other_token()}")
    assert post(app, "/a", bearer()).json() == "a"
    assert post(app, "/b", elsewhere).json() == "b"
    for path, header in (("/a", elsewhere), ("/b", bearer()), ("/ab", bearer()), ("/ab", elsewhere)):
        assert post(app, path, header).refused_as("InvalidTokenError")
    schemes = app.openapi()["components"]["securitySchemes"]
    assert len(schemes) == 1


def test_a_scope_copied_for_another_header_is_verified_anew(bridge, refusals):
    app = FastAPI()
    bridge.protect(app)

    @app.get("/api/{user_id}/inner", dependencies=[Depends(bridge.path_user)])
    async def inner(user: Annotated[Principal, Depends(bridge.current_user)]):
        return user.subject

    @app.get("/api/{user_id}/outer", dependencies=[Depends(bridge.path_user)])
    async def outer(request: Request):
        answers = []
        for path, headers in (
            ("/api/alice/inner", None),
            ("/api/bob/inner", None),
            ("/api/carol/inner", None),
            ("/api/bob/inner", [bearer("bob")]),
            ("/api/alice/inner", [bearer("bob")]),
            ("/api/alice/inner", [BAD]),
            ("/api/alice/inner", []),
            ("/api/alice/inner", [bearer(), bearer()]),
        ):
            copied = dict(request.scope, path=path, raw_path=path.encode(), path_params={})
            if headers is not None:
                copied["headers"] = [(kit.raw(k), kit.raw(v)) for k, v in headers]
            answers.append((await kit.acall(app, "GET", path, scope=copied)).status)
        return answers

    assert call(app, "GET", "/api/alice/outer", bearer("alice")).json() == [
        200,
        403,
        403,
        200,
        403,
        401,
        401,
        400,
    ]
    assert len(refusals()) == 6


# Overrides


@pytest.mark.parametrize("protected", [False, True])
def test_overrides_replace_a_guard(bridge, protected):
    app = api(bridge, protected)
    carol = Principal("carol", None, "t", 0, 1, {})
    for guard in (bridge.current_user, bridge.optional_user, bridge.path_user):
        app.dependency_overrides[guard] = lambda: carol
    assert call(app, "GET", "/me").json()["subject"] == "carol"
    assert call(app, "GET", "/maybe", BAD).json() == "carol"
    assert call(app, "GET", "/one/bob").json() == "carol"
    assert call(app, "GET", "/api/bob/tasks").json() == ["bob"]
    del app.dependency_overrides[bridge.path_user]
    # Whoever replaces the caller alone is still held against the path.
    assert call(app, "GET", "/api/bob/tasks").status == 403
    assert call(app, "GET", "/api/carol/tasks").json() == ["carol"]
    del app.dependency_overrides[bridge.current_user]
    assert call(app, "GET", "/api/carol/tasks").status == 401
    app.dependency_overrides.clear()
    assert call(app, "GET", "/me").status == 401


def test_guards_are_stable_and_distinct(bridge):
    for name in ("current_user", "optional_user", "path_user"):
        assert getattr(bridge, name) is getattr(bridge, name)
        assert getattr(bridge, name) != getattr(kit.make_bridge(), name)
    assert len({bridge.current_user, bridge.optional_user, bridge.path_user}) == 3


# Answers inside apps that have handlers of their own


def test_an_apps_general_handler_does_not_change_the_answer(bridge):
    app = api(bridge)

    @app.exception_handler(HTTPException)
    async def envelope(request, error):
        return JSONResponse({"mine": True}, 418)

    app.add_api_route("/teapot", lambda: (_ for _ in ()).throw(HTTPException(404)))
    assert call(app, "GET", "/me").refused_as("MissingTokenError")
    assert call(app, "GET", "/teapot").status == 418


@pytest.mark.parametrize("protected", [False, True])
def test_an_apps_handler_for_the_status_is_its_own_choice(bridge, protected):
    app = api(bridge, protected)

    @app.exception_handler(401)
    async def mine(request, error):
        return PlainTextResponse("mine", error.status_code, error.headers)

    got = call(app, "GET", "/me")
    assert (got.status, got.body, got.header("www-authenticate")) == (401, b"mine", "Bearer")


def test_under_protect_no_handler_takes_the_status_or_the_challenge_away(bridge):
    challenge = {"www-authenticate": "Bearer", "cache-control": "no-store"}
    for answer in (
        PlainTextResponse("please sign in", 401),
        PlainTextResponse("", 302),
        PlainTextResponse("welcome", 200, challenge),
    ):
        app = api(bridge, protected=True)
        app.add_exception_handler(401, lambda request, error, answer=answer: answer)
        assert call(app, "GET", "/me").refused_as("MissingTokenError")
        assert post(app, "/one/alice").refused_as("MissingTokenError")


def test_mounted_apps_answer_exactly_too(bridge):
    inner = api(bridge)
    app = FastAPI()
    app.mount("/sub", inner)
    assert call(app, "GET", "/sub/me").refused_as("MissingTokenError")
    assert call(app, "GET", "/sub/me", BAD).refused_as("InvalidTokenError")
    assert call(app, "GET", "/sub/api/bob/tasks", bearer()).refused_as("ForbiddenError")


def test_a_refusal_is_an_http_exception_for_those_who_call_a_guard(bridge):
    app = FastAPI()

    @app.get("/")
    async def endpoint(request: Request):
        try:
            return (await bridge.current_user(request)).subject
        except HTTPException as refused:
            return [refused.status_code, refused.detail, refused.headers["www-authenticate"]]

    bridge.protect(app, public=["GET /"])
    assert call(app, "GET", "/", bearer()).json() == "alice"
    assert call(app, "GET", "/").json() == [401, "Not authenticated", "Bearer"]
