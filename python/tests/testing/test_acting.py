"""``as_user``: tests without a token, by the one override of ``bridge.current_user``."""

from typing import Annotated

import kit
import pytest
from fastapi import APIRouter, Body, Depends, FastAPI
from hook import make_bridge
from starlette.middleware.cors import CORSMiddleware

from jwt_auth_bridge import ConfigurationError, Principal
from jwt_auth_bridge.testing import TokenFactory, as_user


@pytest.fixture
def bridge(factory):
    return make_bridge(**factory.bridge_options())


def make_app(bridge, protected=True):
    app = FastAPI()

    @app.get("/me")
    async def me(user: Annotated[Principal, Depends(bridge.current_user)]):
        return {"user": user.subject, "session": user.session_id, **user.claims}

    @app.get("/maybe")
    async def maybe(user: Annotated[Principal | None, Depends(bridge.optional_user)]):
        return user and user.subject

    router = APIRouter(prefix="/api/{user_id}", dependencies=[Depends(bridge.path_user)])

    @router.post("/tasks")
    async def tasks(user_id: str, body: Annotated[dict, Body()]):
        return user_id

    app.include_router(router)
    if protected:
        bridge.protect(app)
    return app


def statuses(app, user="alice"):
    calls = (("GET", "/me"), ("GET", "/maybe"), ("POST", f"/api/{user}/tasks"))
    return [
        kit.call(app, method, path, ("content-type", "application/json"), body=b"{}").status
        for method, path in calls
    ]


@pytest.mark.parametrize("protected", [False, True])
def test_every_guard_knows_the_user_and_the_path_is_still_compared(bridge, protected):
    app = make_app(bridge, protected)
    assert statuses(app) == [401, 200, 401]
    with as_user(app, "alice") as alice:
        assert kit.call(app, "GET", "/me").json()["user"] == alice.subject == "alice"
        assert kit.call(app, "GET", "/maybe").json() == "alice"
        assert statuses(app, "alice") == [200, 200, 200]
        assert statuses(app, "bob") == [200, 200, 403]
    assert statuses(app) == [401, 200, 401]


def test_another_users_path_is_refused_before_the_body_is_read(bridge):
    app = make_app(bridge)
    with as_user(app, "alice"):
        got = kit.post(app, "/api/bob/tasks", body=b"{")
        assert got.refused_as("ForbiddenError")
        assert got.reads == 0
        assert kit.post(app, "/api/alice/tasks", body=b"{").status == 422


def test_what_the_request_says_of_itself_is_not_read(bridge, factory):
    app = make_app(bridge)
    with as_user(app, "alice"):
        for value in (factory.authorization("bob"), "Bearer x.y.z", "Basic eDp5"):
            assert kit.call(app, "GET", "/me", ("authorization", value)).json()["user"] == "alice"
            assert kit.call(app, "GET", "/maybe", ("authorization", value)).json() == "alice"


def test_the_principal_is_as_one_of_a_token(bridge, factory):
    with as_user(make_app(bridge), "alice", session_id="s-1", claims={"org": "acme"}) as alice:
        verified = bridge._verifier.verify(factory.token("alice", session_id="s-1", claims={"org": "acme"}))
        assert alice.claims.keys() == verified.claims.keys()
        assert {**alice.claims, "jti": 0, "iat": 0, "exp": 0} == {
            **verified.claims,
            "jti": 0,
            "iat": 0,
            "exp": 0,
        }
        assert (alice.session_id, alice.expires_at - alice.issued_at) == ("s-1", 300)


def test_a_principal_may_be_given_whole(bridge):
    app = make_app(bridge)
    with as_user(app, Principal("carol", None, "t", 0, 1, {"org": "x"})) as carol:
        assert kit.call(app, "GET", "/me").json() == {"user": "carol", "session": None, "org": "x"}
        assert carol.token_id == "t"


def test_everything_is_as_before_after_an_exception(bridge):
    app = make_app(bridge)

    def before():
        return Principal("before", None, "t", 0, 1, {})

    app.dependency_overrides[bridge.current_user] = before
    with pytest.raises(ZeroDivisionError), as_user(app, "alice"):
        raise ZeroDivisionError
    assert app.dependency_overrides == {bridge.current_user: before}
    app.dependency_overrides.clear()
    with pytest.raises(ZeroDivisionError), as_user(app, "alice"):
        raise ZeroDivisionError
    assert app.dependency_overrides == {}


def test_blocks_stand_in_each_other(bridge):
    app = make_app(bridge)
    with as_user(app, "alice"):
        with as_user(app, "bob"):
            assert kit.call(app, "GET", "/me").json()["user"] == "bob"
        assert kit.call(app, "GET", "/me").json()["user"] == "alice"


def test_the_target_may_be_overridden_by_hand_also_asynchronously(bridge):
    app = make_app(bridge)

    async def carol():
        return Principal("carol", None, "t", 0, 1, {})

    app.dependency_overrides[bridge.current_user] = carol
    assert kit.call(app, "GET", "/me").json()["user"] == "carol"
    assert kit.call(app, "GET", "/maybe").json() == "carol"
    assert (statuses(app, "carol")[2], statuses(app, "alice")[2]) == (200, 403)


@pytest.mark.parametrize(
    "override",
    [lambda: None, lambda: "carol", lambda name="carol": name],
    ids=["nothing", "no principal", "with a parameter"],
)
def test_an_override_that_only_fastapi_understands_opens_no_other_guard(bridge, override):
    app = make_app(bridge)
    app.dependency_overrides[bridge.current_user] = override
    assert kit.post(app, "/api/carol/tasks").refused_as("MissingTokenError")
    assert kit.call(app, "GET", "/maybe").json() is None


@pytest.mark.parametrize("protect", ["outer", "inner", "both", "neither"])
def test_mounted_apps_are_reached(bridge, protect):
    outer, inner = FastAPI(), make_app(bridge, protect in ("inner", "both"))
    outer.mount("/v1", CORSMiddleware(inner, allow_origins=["https://x.example"]))
    if protect in ("outer", "both"):
        bridge.protect(outer)
    with as_user(outer, "alice"):
        assert kit.call(outer, "GET", "/v1/me").json()["user"] == "alice"
        assert kit.post(outer, "/v1/api/alice/tasks", body=b"{}").status == 200
        assert kit.post(outer, "/v1/api/bob/tasks", body=b"{}").status == 403
    assert kit.call(outer, "GET", "/v1/me").status == 401
    assert inner.dependency_overrides == {}


def test_an_app_in_middlewares_is_reached(bridge):
    app = CORSMiddleware(make_app(bridge), allow_origins=["https://x.example"])
    with as_user(app, "alice"):
        assert kit.call(app, "GET", "/me").json()["user"] == "alice"


def test_a_mounted_bare_router_goes_on_asking_for_a_token(bridge):
    app, router = FastAPI(), APIRouter(dependencies=[Depends(bridge.current_user)])
    router.get("/x")(lambda: "x")
    app.mount("/bare", router)
    with as_user(app, "alice", bridge=bridge):
        assert kit.call(app, "GET", "/bare/x").status == 401


def test_of_two_bridges_one_is_named_and_the_other_goes_on_asking(bridge):
    other = make_bridge(**TokenFactory(audience="https://other.example.com").bridge_options())
    app = make_app(bridge)
    app.get("/other", dependencies=[Depends(other.current_user)])(lambda: "other")
    with pytest.raises(ConfigurationError, match="several bridges"), as_user(app, "alice"):
        pass
    with as_user(app, "alice", bridge=bridge):
        assert kit.call(app, "GET", "/me").json()["user"] == "alice"
        assert kit.call(app, "GET", "/other").status == 401
        with as_user(app, "bob", bridge=other):
            assert kit.call(app, "GET", "/me").json()["user"] == "alice"
            assert kit.call(app, "GET", "/other").status == 200


def test_an_app_without_a_bridge_is_a_mistake():
    for app in (FastAPI(), print):
        with pytest.raises(ConfigurationError, match="no route of this app"), as_user(app, "alice"):
            pass


def test_a_user_that_no_token_could_name_is_a_mistake(bridge):
    with pytest.raises(ConfigurationError, match="claim_malformed"), as_user(make_app(bridge), ""):
        pass


def test_a_refusal_under_an_override_is_logged_once(bridge, caplog):
    caplog.set_level("DEBUG", logger="jwt_auth_bridge")
    app = make_app(bridge)
    with as_user(app, "alice"):
        kit.post(app, "/api/bob/tasks", body=b"{}")
    assert [record.code for record in caplog.records if hasattr(record, "code")] == ["path_user_mismatch"]
