"""More than the user's ID in a path: other claims, roles, typed IDs, and whom a test acts as."""

import asyncio
import sys
from typing import Annotated
from uuid import UUID

import kit
import pytest
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request
from kit import BAD, bearer, call, post
from ways import MALFORMED, endpoint

from jwt_auth_bridge import ConfigurationError, Principal

ONE = "6fa459ea-ee8a-4ca4-894e-db77e160355e"


def org_app(bridge, protected=True):
    app = FastAPI()
    org = bridge.path_claim("org_id", claim="org")
    router = APIRouter(prefix="/orgs/{org_id}", dependencies=[Depends(org)])
    router.post("/x")(endpoint)

    @router.get("/me")
    async def me(org_id: str, user: Annotated[Principal, Depends(org)]):
        return [org_id, user.subject]

    app.include_router(router)
    if protected:
        bridge.protect(app)
    return app


# path_claim


@pytest.mark.parametrize("protected", [False, True])
def test_a_claim_is_held_against_the_path(bridge, protected, refusals):
    app = org_app(bridge, protected)
    assert call(app, "GET", "/orgs/acme/me", bearer(org="acme")).json() == ["acme", "alice"]
    assert call(app, "GET", "/orgs/acme/me").refused_as("MissingTokenError")
    assert call(app, "GET", "/orgs/acme/me", BAD).refused_as("InvalidTokenError")
    assert call(app, "GET", "/orgs/acme/me", bearer(org="umbrella")).refused_as("ForbiddenError")
    assert refusals()[-1] == ("INFO", "GET", "/orgs/{org_id}/me", "path_claim_mismatch")
    assert len(refusals()) == 3


@pytest.mark.parametrize(
    ("path", "claims"),
    [
        ("acme", {}),
        ("acme", {"org": None}),
        ("acme", {"org": ["acme"]}),
        ("acme", {"org": {"acme": True}}),
        ("acme", {"org": "Acme"}),
        ("acme", {"org": "acme "}),
        ("acme", {"org": ""}),
        ("acme", {"orgs": "acme"}),
        ("alice", {"org": "acme"}),
        ("7", {"org": 7}),
        ("7.0", {"org": 7.0}),
        ("True", {"org": True}),
        ("None", {"org": None}),
        ("*", {"org": "acme"}),
    ],
)
def test_only_the_same_text_is_the_same(bridge, path, claims):
    assert call(org_app(bridge), "GET", f"/orgs/{path}/me", bearer(**claims)).refused_as("ForbiddenError")


def test_a_claim_is_decided_before_the_body_is_read(bridge, refusals):
    app = org_app(bridge)
    for headers, answer in (([], "MissingTokenError"), ([bearer(org="x")], "ForbiddenError")):
        got = post(app, "/orgs/acme/x", *headers, body=MALFORMED)
        assert got.refused_as(answer)
        assert got.reads == 0
    assert post(app, "/orgs/acme/x", bearer(org="acme"), body=MALFORMED).status == 422
    assert len(refusals()) == 2


def test_a_path_without_the_claims_place_is_403_where_nothing_audits(bridge):
    app = FastAPI()
    for path in ("/x", "/y/{org_id:path}", "/z/{other}"):
        org = bridge.path_claim("org_id", claim="org")
        app.get(path, dependencies=[Depends(org)])(lambda: "never")
    for path in ("/x", "/y/acme", "/z/acme"):
        assert call(app, "GET", path).refused_as("MissingTokenError")
        assert call(app, "GET", path, bearer(org="acme")).refused_as("ForbiddenError")


def test_user_and_claim_stand_beside_each_other(bridge, refusals):
    app = FastAPI()
    both = [Depends(bridge.path_user), Depends(bridge.path_claim("org_id", claim="org"))]
    app.post("/{user_id}/in/{org_id}", dependencies=both)(endpoint)
    bridge.protect(app)
    assert post(app, "/alice/in/acme", bearer(org="acme")).json() == {"a": 1}
    for path in ("/bob/in/acme", "/alice/in/umbrella", "/bob/in/umbrella"):
        assert post(app, path, bearer(org="acme"), body=MALFORMED).refused_as("ForbiddenError")
    assert [entry[3] for entry in refusals()] == [
        "path_user_mismatch",
        "path_claim_mismatch",
        "path_user_mismatch",
    ]
    names = [one["name"] for one in app.openapi()["paths"]["/{user_id}/in/{org_id}"]["post"]["parameters"]]
    assert names == ["user_id", "org_id"]


def test_the_same_guard_is_the_same_object_and_may_be_overridden(bridge):
    org = bridge.path_claim("org_id", claim="org")
    assert org is bridge.path_claim("org_id", claim="org")
    assert org is not bridge.path_claim("org_id", claim="team")
    assert org is not kit.make_bridge().path_claim("org_id", claim="org")
    app = org_app(bridge)
    app.dependency_overrides[org] = lambda: Principal("carol", None, "t", 0, 1, {})
    assert call(app, "GET", "/orgs/acme/me").json() == ["acme", "carol"]


@pytest.mark.parametrize(
    ("name", "claim"),
    [("user_id", "sub"), ("", "org"), ("org id", "org"), ("org:path", "org"), (None, "org"), ("org_id", "")],
)
def test_a_claim_that_can_not_be_meant_is_an_error(bridge, name, claim):
    with pytest.raises(ConfigurationError, match="path_claim"):
        bridge.path_claim(name, claim=claim)


# require


def admin(user):
    return user.claims.get("role") == "admin"


async def slowly_admin(user):
    await asyncio.sleep(0)
    return admin(user)


@pytest.mark.parametrize("predicate", [admin, slowly_admin])
@pytest.mark.parametrize("protected", [False, True])
def test_a_role_is_asked_for(bridge, predicate, protected, refusals, caplog):
    app = FastAPI()
    admins = bridge.require(predicate, reason="administrators only")

    @app.get("/admin")
    async def panel(user: Annotated[Principal, Depends(admins)]):
        return user.subject

    app.post("/admin", dependencies=[Depends(admins)])(endpoint)
    if protected:
        bridge.protect(app)
    assert call(app, "GET", "/admin", bearer(role="admin")).json() == "alice"
    assert call(app, "GET", "/admin").refused_as("MissingTokenError")
    assert call(app, "GET", "/admin", BAD).refused_as("InvalidTokenError")
    got = call(app, "GET", "/admin", bearer(role="user"))
    assert got.refused_as("ForbiddenError")
    assert b"administrators" not in got.body
    assert refusals()[-1] == ("INFO", "GET", "/admin", "requirement_failed")
    assert caplog.records[-1].getMessage().endswith("Reason: administrators only")
    assert len(refusals()) == 3
    refused = post(app, "/admin", bearer(role="user"), body=MALFORMED)
    assert refused.status == (403 if protected else 422)
    assert not protected or refused.reads == 0


@pytest.mark.parametrize("answer", ["false", "true", 1, 0, None, [], ["admin"], object(), Exception("no")])
def test_nothing_but_true_is_a_yes(bridge, answer):
    app = FastAPI()
    app.get("/x", dependencies=[Depends(bridge.require(lambda user: answer, reason="never"))])(lambda: "no")
    bridge.protect(app)
    assert call(app, "GET", "/x", bearer()).refused_as("ForbiddenError")


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("answer", [True, False])
def test_it_is_asked_once_per_request(bridge, method, answer):
    asked = []

    def predicate(user):
        asked.append(user.subject)
        return answer

    app = FastAPI()
    one = bridge.require(predicate, reason="once")

    @app.api_route("/x", methods=["GET", "POST"], dependencies=[Depends(one)], operation_id="x")
    async def x(user: Annotated[Principal, Depends(one)]):
        return "ok"

    bridge.protect(app)
    assert call(app, method, "/x", bearer()).status == (200 if answer else 403)
    assert asked == ["alice"]
    assert call(app, method, "/x", bearer("bob")).status == (200 if answer else 403)
    assert asked == ["alice", "bob"]
    assert call(app, method, "/x").status == 401
    assert len(asked) == 2


def test_what_a_predicate_raises_is_no_pass(bridge):
    def broken(user):
        raise LookupError("a bug")

    app = FastAPI()
    app.get("/x", dependencies=[Depends(bridge.require(broken, reason="broken"))])(lambda: "never")
    bridge.protect(app)
    with pytest.raises(LookupError):
        call(app, "GET", "/x", bearer())
    assert (
        kit.test_client(app, raise_server_exceptions=False).get("/x", headers=[bearer()]).status_code == 500
    )
    assert call(app, "GET", "/x").refused_as("MissingTokenError")


def test_the_answer_for_one_user_is_not_the_answer_for_another(bridge):
    """A scope copied for a request within the request, with another user's header."""
    only_alice = bridge.require(lambda user: user.subject == "alice", reason="alice")
    app = FastAPI()
    bridge.protect(app)

    @app.get("/inner", dependencies=[Depends(only_alice)])
    async def inner():
        return "ok"

    @app.get("/outer", dependencies=[Depends(only_alice)])
    async def outer(request: Request):
        copied = dict(request.scope, path="/inner", headers=[(b"authorization", bearer("bob")[1].encode())])
        return (await kit.acall(app, "GET", "/inner", scope=copied)).status

    assert call(app, "GET", "/outer", bearer("alice")).json() == 403


def test_a_requirement_that_can_not_be_meant_is_an_error(bridge):
    for predicate, reason in (
        (None, "x"),
        (True, "x"),
        (admin, ""),
        (admin, " "),
        (admin, None),
        (admin, "a\nb"),
    ):
        with pytest.raises(ConfigurationError, match="require"):
            bridge.require(predicate, reason=reason)


# path_user_as


def typed_app(bridge, kind, protected=True):
    app = FastAPI()

    @app.get("/api/{user_id}")
    async def me(user_id: Annotated[kind, Depends(bridge.path_user_as(kind))]):
        return [type(user_id).__name__, str(user_id)]

    app.post("/api/{user_id}", dependencies=[Depends(bridge.path_user_as(kind))])(endpoint)
    if protected:
        bridge.protect(app)
    return app


@pytest.mark.parametrize("protected", [False, True])
@pytest.mark.parametrize(
    ("kind", "user"),
    [(int, "7"), (int, "0"), (int, "-7"), (int, "9007199254740993"), (int, "9" * 255), (UUID, ONE)],
)
def test_the_subject_is_given_in_the_routes_type(bridge, protected, kind, user):
    app = typed_app(bridge, kind, protected)
    assert call(app, "GET", f"/api/{user}", bearer(user)).json() == [kind.__name__, user]
    assert call(app, "GET", f"/api/{user}").refused_as("MissingTokenError")
    assert call(app, "GET", f"/api/{user}", bearer("8")).refused_as("ForbiddenError")
    assert call(app, "GET", "/api/8", bearer(user)).refused_as("ForbiddenError")


@pytest.mark.parametrize(
    ("kind", "user"),
    [
        (int, "07"),
        (int, "+7"),
        (int, "-0"),
        (int, "7_0"),
        (int, " 7"),
        (int, "7 "),
        (int, "٧"),
        (int, "７"),
        (int, "7.0"),
        (int, "1e3"),
        (int, "0x7"),
        (int, "true"),
        (int, "alice"),
        (UUID, ONE.upper()),
        (UUID, ONE.replace("-", "")),
        (UUID, f"{{{ONE}}}"),
        (UUID, f"urn:uuid:{ONE}"),
        (UUID, ONE[:-1]),
        (UUID, "alice"),
    ],
)
def test_what_does_not_read_back_the_same_is_refused_before_the_body(bridge, kind, user, refusals):
    app = typed_app(bridge, kind)
    got = post(app, f"/api/{user}", bearer(user), body=MALFORMED)
    assert got.refused_as("ForbiddenError")
    assert got.reads == 0
    assert refusals() == [("INFO", "POST", "/api/{user_id}", "subject_type_mismatch")]


def test_another_spelling_in_the_path_is_another_user(bridge):
    app = typed_app(bridge, int)
    for path in ("07", "+7", "7.0", "%207", "７"):
        assert call(app, "GET", f"/api/{path}", bearer("7")).refused_as("ForbiddenError")
    upper = typed_app(bridge, UUID)
    assert call(upper, "GET", f"/api/{ONE.upper()}", bearer(ONE)).refused_as("ForbiddenError")


def test_typed_guards_are_stable_and_in_openapi(bridge):
    assert bridge.path_user_as(int) is bridge.path_user_as(int)
    assert bridge.path_user_as(int) is not bridge.path_user_as(UUID)
    (parameter,) = typed_app(bridge, UUID).openapi()["paths"]["/api/{user_id}"]["get"]["parameters"]
    assert (parameter["name"], parameter["in"], parameter["schema"]["format"]) == ("user_id", "path", "uuid")
    for kind in (str, bool, float, None, "int", UUID(ONE)):
        with pytest.raises(ConfigurationError, match="path_user_as"):
            bridge.path_user_as(kind)


# session


def test_a_session_s_dependency_is_a_guard(bridge):
    def get_session():
        raise AssertionError("no session is opened for a stranger")

    app = FastAPI()
    app.post("/x", dependencies=[Depends(bridge.session(get_session))])(endpoint)
    by_path = bridge.session(get_session, user=bridge.path_user)
    app.get("/y/{user_id}", dependencies=[Depends(by_path)])(lambda: "never")
    bridge.protect(app)
    assert post(app, "/x", body=MALFORMED).refused_as("MissingTokenError")
    assert call(app, "GET", "/y/bob", bearer()).refused_as("ForbiddenError")


def test_a_session_without_sqlalchemy_is_a_sentence(bridge, monkeypatch):
    for name in [name for name in sys.modules if name.startswith(("sqlalchemy", "jwt_auth_bridge._sqla"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "jwt_auth_bridge.sqlalchemy", raising=False)
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)
    with pytest.raises(ConfigurationError, match=r"needs sqlalchemy: pip install"):
        bridge.session(lambda: None)


# Whom a test acts as


@pytest.mark.parametrize("protected", [False, True])
def test_every_guard_asks_about_the_user_that_a_test_acts_as(bridge, protected):
    app = FastAPI()
    app.get("/orgs/{org_id}", dependencies=[Depends(bridge.path_claim("org_id", claim="org"))])(lambda: "ok")
    app.get("/admin", dependencies=[Depends(bridge.require(admin, reason="admins"))])(lambda: "ok")
    app.get("/n/{user_id}", dependencies=[Depends(bridge.path_user_as(int))])(lambda: "ok")
    if protected:
        bridge.protect(app)
    seven = Principal("7", None, "t", 0, 1, {"org": "acme", "role": "admin"})
    paths = ("/orgs/acme", "/orgs/other", "/admin", "/n/7", "/n/8")
    assert [call(app, "GET", path).status for path in paths] == [401] * 5
    app.dependency_overrides[bridge.current_user] = lambda: seven
    assert [call(app, "GET", path).status for path in paths] == [200, 403, 200, 200, 403]
    app.dependency_overrides[bridge.current_user] = lambda: Principal("x", None, "t", 0, 1, {})
    assert [call(app, "GET", path).status for path in paths] == [403] * 5
    app.dependency_overrides.clear()
    assert [call(app, "GET", path).status for path in paths] == [401] * 5


def test_no_request_can_say_whom_it_acts_as(bridge):
    app = kit.api(bridge, protected=True)
    names = ("x-user", "x-acting-as", "dependency_overrides", bridge._key)
    headers = [(name, "alice") for name in names]
    for extra in (
        {},
        {"dependency_overrides": {bridge.current_user: lambda: "alice"}},
        {"state": {"user": "alice"}},
    ):
        assert call(app, "GET", "/me?user=alice", *headers, scope=extra).refused_as("MissingTokenError")
        assert call(app, "GET", "/api/alice/tasks", *headers, scope=extra).refused_as("MissingTokenError")


def test_a_guard_that_is_called_answers_as_before(bridge):
    app = FastAPI()

    @app.get("/x")
    async def x(request: Request):
        try:
            return (await bridge.require(admin, reason="admins")(request)).subject
        except HTTPException as refused:
            return refused.status_code

    assert call(app, "GET", "/x", bearer(role="admin")).json() == "alice"
    assert call(app, "GET", "/x", bearer()).json() == 403
