"""The guards as dependencies: who is let through and who is refused."""

import re
from typing import Annotated

import kit
import pytest
from fastapi import APIRouter, Depends, FastAPI
from kit import BAD, EXPIRED, bearer, call, post, token

import signer
from jwt_auth_bridge import Principal

GUARDED = ["/me", "/one/alice", "/api/alice/tasks"]


@pytest.mark.parametrize("path", GUARDED)
def test_no_credential_is_401_with_a_bare_challenge(app, path, refusals):
    assert call(app, "GET", path).refused_as("MissingTokenError")
    assert [entry[3] for entry in refusals()] == ["token_missing"]


@pytest.mark.parametrize("path", [*GUARDED, "/maybe"])
@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("Bearer bad", "token_malformed"),
        ("Bearer " + "A" * 9000, "token_malformed"),
        ("Bearer " + "Ab1" * 10 + "xy", "token_opaque"),
        ("Bearer " + "Ab1" * 10 + "xy." + "Q" * 43 + "%3D", "token_opaque"),
        ("Bearer " + token(**EXPIRED), "token_expired"),
        ("Bearer " + token(jti="B" * 22).rpartition(".")[0] + token()[-44:], "signature_invalid"),
        ("Bearer " + kit.other_token(), "key_not_found"),
    ],
)
def test_a_bad_token_is_401_that_says_no_more(app, path, value, code, refusals, caplog):
    got = call(app, "GET", path, ("authorization", value))
    assert got.refused_as("InvalidTokenError")
    assert [entry[3] for entry in refusals()] == [code]
    assert value.split()[1] not in caplog.text


@pytest.mark.parametrize("path", [*GUARDED, "/maybe"])
@pytest.mark.parametrize(
    ("values", "code"),
    [
        (["Bearer"], "authorization_malformed"),
        (["Bearer "], "authorization_malformed"),
        (["bearer"], "authorization_malformed"),
        (["Bearer\t" + token()], "authorization_malformed"),
        (["Bearer " + token() + " x"], "authorization_malformed"),
        (["Bearer " + token() + ","], "authorization_malformed"),
        ([b"Bearer \xff\xfe"], "authorization_malformed"),
        (["Bearer " + token() + ", Bearer " + token()], "authorization_malformed"),
        (["Basic YTpi, Bearer " + token()], "authorization_repeated"),
        (["Bearer " + token(), "Bearer " + token()], "authorization_repeated"),
        (["Basic YTpi", "Bearer " + token()], "authorization_repeated"),
        (["", "Bearer " + token()], "authorization_repeated"),
    ],
)
def test_a_header_sent_wrongly_is_400(app, path, values, code, refusals):
    got = call(app, "GET", path, *(("authorization", value) for value in values))
    assert got.refused_as("InvalidRequestError")
    assert [entry[3] for entry in refusals()] == [code]


NO_BEARER = ["", "Basic YTpi", "Token x", "Bearerx y", b"B\xe9arer x", '"Bearer x"', "DPoP x"]


@pytest.mark.parametrize("value", NO_BEARER)
def test_another_scheme_is_no_credential(app, value):
    for path in GUARDED:
        assert call(app, "GET", path, ("authorization", value)).refused_as("MissingTokenError")
    got = call(app, "GET", "/maybe", ("authorization", value))
    assert (got.status, got.json()) == (200, None)


@pytest.mark.parametrize("value", ["Bearer {}", "bearer {}", "BEARER {}", "bEaReR   {}", "\t Bearer {} \t"])
def test_a_good_token_is_let_through(app, value, refusals):
    header = ("authorization", value.format(token()))
    assert call(app, "GET", "/me", header).json() == {
        "subject": "alice",
        "session": "session-1",
        "exp": signer.NOW + 300,
    }
    assert call(app, "GET", "/maybe", header).json() == "alice"
    assert call(app, "GET", "/one/alice", header).json() == "alice"
    assert call(app, "GET", "/api/alice/tasks", header).json() == ["alice"]
    assert refusals() == []


def test_optional_gives_none_only_without_a_credential(app, refusals):
    got = call(app, "GET", "/maybe")
    assert (got.status, got.json(), refusals()) == (200, None, [])


def test_a_token_elsewhere_is_no_credential(app):
    good = token()
    got = call(
        app,
        "GET",
        f"/me?access_token={good}&token={good}",
        ("cookie", f"token={good}; better-auth.session_token={good}"),
        ("x-authorization", f"Bearer {good}"),
        ("proxy-authorization", f"Bearer {good}"),
        body=f"access_token={good}".encode(),
    )
    assert got.refused_as("MissingTokenError")


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_another_users_path_is_403_on_every_method(app, method, refusals):
    assert call(app, method, "/one/bob", bearer("alice")).refused_as("ForbiddenError")
    assert refusals() == [("INFO", method, "/one/{user_id}", "path_user_mismatch")]


@pytest.mark.parametrize("header", [[], [BAD], [("authorization", "Bearer")], [bearer(**EXPIRED)]])
def test_403_never_comes_before_the_token(app, header):
    assert call(app, "GET", "/api/bob/tasks", *header).status in (400, 401)


@pytest.mark.parametrize(
    ("subject", "path"),
    [
        ("alice", "/api/Alice/tasks"),
        ("alice", "/api/alice%00/tasks"),
        ("alice", "/api/ alice/tasks"),
        ("alice", "/api/alice /tasks"),
        ("alice", "/api/%61lice/tasks"),  # what a double-encoded path is once a server has decoded it
        ("caf\u00e9", "/api/cafe\u0301/tasks"),
        ("cafe\u0301", "/api/caf\u00e9/tasks"),
        ("\ufb01", "/api/fi/tasks"),
        ("alice", "/api/\u0430lice/tasks"),
        ("alice", "/api/*/tasks"),
        ("alice", "/api/../tasks"),
        ("alice", "/api/None/tasks"),
    ],
)
def test_the_path_is_compared_exactly(app, subject, path):
    assert call(app, "GET", path, bearer(subject)).refused_as("ForbiddenError")


def test_the_path_may_hold_any_subject_that_fits(app):
    for subject in ("7", "caf\u00e9", "a b", "a%2Fb", "\U0001f511", "..", "a;b=c"):
        assert call(app, "GET", f"/api/{subject}/tasks", bearer(subject)).json() == [subject]
    assert call(app, "GET", "/api/a/b/tasks", bearer("a/b")).status == 404


def test_methods_that_no_route_has(app):
    for method in ("HEAD", "OPTIONS", "TRACE"):
        assert call(app, method, "/me").status == 405
        assert call(app, method, "/me", BAD).status == 405


def test_verified_once_however_many_ask(bridge, monkeypatch):
    calls = []
    verify = bridge._verifier.verify_async
    monkeypatch.setattr(bridge._verifier, "verify_async", lambda text: calls.append(text) or verify(text))

    async def nested(user: Annotated[Principal, Depends(bridge.current_user)]):
        return user

    app = FastAPI(dependencies=[Depends(bridge.current_user)])
    bridge.protect(app)

    @app.post("/{user_id}", dependencies=[Depends(bridge.path_user), Depends(bridge.optional_user)])
    async def endpoint(
        body: dict,
        first: Annotated[Principal, Depends(nested)],
        second: Annotated[Principal, Depends(bridge.current_user, use_cache=False)],
    ):
        return first is second

    assert post(app, "/alice", bearer()).json() is True
    assert len(calls) == 1
    post(app, "/alice", BAD)
    assert len(calls) == 2


def test_no_thread_is_used(app, monkeypatch):
    def no_thread(*args, **kwargs):
        raise AssertionError("a thread hop")

    monkeypatch.setattr("anyio.to_thread.run_sync", no_thread)
    assert call(app, "GET", "/api/alice/tasks", bearer()).status == 200
    assert call(app, "GET", "/api/alice/tasks", BAD).status == 401


# What the path guard makes of a route that has no place for the user


@pytest.mark.parametrize(
    "path", ["/tasks", "/tasks/{owner}", "/t/{user_id:int}", "/t/{user_id:path}", "/t/{user_id:uuid}"]
)
@pytest.mark.parametrize("through", ["route", "router", "include"])
def test_a_path_without_the_user_is_403_and_an_error_in_the_log(bridge, path, through, refusals):
    app = FastAPI()
    guard = [Depends(bridge.path_user)]
    router = APIRouter(dependencies=guard if through == "router" else [])
    router.add_api_route(path, lambda: "never", dependencies=guard if through == "route" else [])
    app.include_router(router, prefix="/in", dependencies=guard if through == "include" else [])
    subject = "00000000-0000-4000-8000-000000000007" if "uuid" in path else "7"
    url = "/in" + path.partition("{")[0] + (subject if "{" in path else "")
    assert call(app, "GET", url).refused_as("MissingTokenError")
    assert call(app, "GET", url, BAD).refused_as("InvalidTokenError")
    assert call(app, "GET", url, bearer(subject)).refused_as("ForbiddenError")
    template = "/in" + re.sub(r":\w+", "", path)
    assert refusals()[-1] == ("ERROR", "GET", template, "path_user_missing")


@pytest.mark.parametrize("prefix", ["/u/{user_id}", "/{user_id}"])
def test_the_user_may_stand_in_a_mount_or_an_include_prefix(bridge, prefix):
    inner = FastAPI(dependencies=[Depends(bridge.path_user)])
    inner.add_api_route("/tasks", lambda: "ok")
    router = APIRouter()
    router.add_api_route("/tasks", lambda: "ok", dependencies=[Depends(bridge.path_user)])
    app = FastAPI()
    app.include_router(router, prefix="/r" + prefix)
    app.mount("/m" + prefix, inner)
    for start in ("/r", "/m"):
        url = start + prefix.format(user_id="alice") + "/tasks"
        assert call(app, "GET", url, bearer("alice")).json() == "ok"
        assert call(app, "GET", url, bearer("bob")).refused_as("ForbiddenError")
        assert call(app, "GET", url).refused_as("MissingTokenError")


def test_a_mount_prefix_that_spans_segments_is_no_plain_string(bridge, refusals):
    inner = FastAPI(dependencies=[Depends(bridge.path_user)])
    inner.add_api_route("/tasks", lambda: "never")
    app = FastAPI()
    app.mount("/m/{user_id:path}/end", inner)
    assert call(app, "GET", "/m/a/b/end/tasks", bearer("a/b")).refused_as("ForbiddenError")
    assert refusals()[-1][3] == "path_user_missing"


def test_the_parameter_may_have_another_name(refusals):
    bridge = kit.make_bridge(path_parameter="owner")
    app = FastAPI()

    @app.get("/{owner}/{user_id}")
    async def endpoint(user_id: str, user: Annotated[Principal, Depends(bridge.path_user)]):
        return [user.subject, user_id]

    bridge.protect(app)
    assert call(app, "GET", "/alice/bob", bearer()).json() == ["alice", "bob"]
    assert call(app, "GET", "/bob/alice", bearer()).refused_as("ForbiddenError")
    names = [p["name"] for p in app.openapi()["paths"]["/{owner}/{user_id}"]["get"]["parameters"]]
    assert sorted(names) == ["owner", "user_id"]
