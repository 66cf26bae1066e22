"""The user's name a second time, among a request's input: parameters, models' fields, of dependencies too.

Each form is served once without the audit, where it hands the endpoint the other's name, and then judged.
"""

import dataclasses
import json
from typing import Annotated, Any, ClassVar

import fastapi
import pydantic
import pytest
from fastapi import Body, Cookie, Depends, FastAPI, Form, Header, Query, WebSocket
from input_forms import IN_BODY, IN_QUERY, PATH, UNREAD, ByAlias, Named, Second, taking
from kit import bearer, call, post
from pydantic import AliasChoices, AliasPath, BaseModel, ConfigDict, Field, PrivateAttr
from ways import guard

from jwt_auth_bridge import ConfigurationError
from jwt_auth_bridge._fastapi_input import Taken, taken_elsewhere

# What the older versions say of aliases that they hand on to Pydantic.
pytestmark = pytest.mark.filterwarnings("ignore::pydantic.warnings.UnsupportedFieldAttributeWarning")


def refused(bridge, app, *parts):
    with pytest.raises(ConfigurationError) as raised:
        bridge.audit(app)
    for part in ("is guarded by path_user", "where a caller can write anybody's", *parts):
        assert part in str(raised.value)


@pytest.mark.parametrize("by", ["endpoint", "dependency"])
@pytest.mark.parametrize("form", IN_QUERY)
def test_a_field_in_the_query(bridge, form, by):
    kind, query = IN_QUERY[form]
    app = taking(kind, Query(), by=by, method="GET")(bridge)
    answer = call(app, "GET", f"/api/alice/x?{query}", bearer())
    assert answer.status == 422 if form in UNREAD else answer.json() == "bob"
    refused(bridge, app, "from the query", f"(a field of {kind.__name__})", "a model without that field")


@pytest.mark.parametrize("by", ["endpoint", "dependency"])
@pytest.mark.parametrize("form", IN_BODY)
def test_a_field_in_the_body(bridge, form, by):
    kind, body = IN_BODY[form]
    app = taking(kind, Body(), by=by)(bridge)
    answer = post(app, "/api/alice/x", bearer(), body=json.dumps(body).encode())
    assert answer.json() == "bob", answer.body
    refused(bridge, app, "from the body", "(a field of ", "a model without that field")


@pytest.mark.parametrize("by", ["endpoint", "dependency"])
@pytest.mark.parametrize(
    ("told", "named", "sent"),
    [
        (Header(), "header", ("user-id", "bob")),
        (Header(convert_underscores=False), "header", ("user_id", "bob")),
        (Cookie(), "cookie", ("cookie", "user_id=bob")),
    ],
)
def test_a_field_in_a_header_and_a_cookie(bridge, told, named, sent, by):
    app = taking(Named, told, by=by)(bridge)
    assert call(app, "POST", "/api/alice/x", bearer(), sent).json() == "bob"
    refused(bridge, app, f"takes user_id from the {named} (a field of Named)")


@pytest.mark.parametrize("by", ["endpoint", "dependency"])
def test_a_field_in_a_form(bridge, by, monkeypatch):
    """Judged, and not played: what reads forms, python-multipart, is not installed here."""
    monkeypatch.setattr("fastapi.dependencies.utils.ensure_multipart_is_installed", lambda: None)
    refused(bridge, taking(Named, Form(), by=by)(bridge), "takes user_id from the body (a field of Named)")


def test_a_body_of_several_parts(bridge):
    app = FastAPI()

    @app.post(PATH, dependencies=guard(bridge, "path_user"))
    async def add(one: Second, two: Named):
        return two.user_id

    body = json.dumps({"one": {}, "two": {"user_id": "bob"}}).encode()
    assert post(app, "/api/alice/x", bearer(), body=body).json() == "bob"
    refused(bridge, app, "takes user_id from the body (a field of Named)")


def test_a_websocket(bridge):
    app = FastAPI()

    @app.websocket(PATH, dependencies=guard(bridge, "path_user"))
    async def live(socket: WebSocket, given: Annotated[Named, Query()]): ...

    refused(bridge, app, "WS /api/{user_id}/x", "takes user_id from the query (a field of Named)")


def test_a_parameter_that_only_reads_like_the_user(bridge):
    """`{user_id}` stands in the path, `userId` in the function: FastAPI reads it from the query."""
    app = FastAPI()

    @app.get(PATH, dependencies=guard(bridge, "path_user"))
    async def tasks(userId: str):
        return userId

    assert call(app, "GET", "/api/alice/x?userId=bob", bearer()).json() == "bob"
    refused(bridge, app, "takes userId, which reads like user_id, from the query", "another name")


def test_other_aliases_of_a_parameter(bridge):
    for told in (
        Query(validation_alias="user_id"),
        Query(validation_alias=AliasChoices("a", "user_id")),
        Query(validation_alias=AliasPath("user_id", 0)),
    ):
        app = FastAPI()

        async def tasks(owner): ...

        tasks.__annotations__["owner"] = Annotated[str, told]
        try:
            app.get(PATH, dependencies=guard(bridge, "path_user"))(tasks)
        except (
            AssertionError,
            TypeError,
            ValueError,
            pydantic.PydanticUserError,
            fastapi.exceptions.FastAPIError,
        ):
            continue  # this version does not take such an alias at all
        refused(bridge, app, "from the query")


def test_every_source_is_named_at_once(bridge):
    app = FastAPI()

    @app.post(PATH, dependencies=guard(bridge, "path_user"))
    async def add(
        query: Annotated[ByAlias, Query()], body: Named, owner: Annotated[str, Cookie(alias="user_id")]
    ): ...

    assert taken_elsewhere(app.routes[-1], "user_id") == [
        Taken("query", "user_id", "ByAlias"),
        Taken("cookie", "user_id", None),
        Taken("body", "user_id", "Named"),
    ]
    with pytest.raises(ConfigurationError, match="3 faults"):
        bridge.audit(app)


def test_a_claim_s_parameter_is_held_as_the_user_is(bridge):
    class Bill(BaseModel):
        org_id: str

    app, org = FastAPI(), bridge.path_claim("org_id", claim="org")

    @app.post("/orgs/{org_id}/bills", dependencies=[Depends(org)])
    async def add(bill: Bill): ...

    with pytest.raises(ConfigurationError, match=r"takes org_id from the body \(a field of Bill\)"):
        bridge.audit(app)


# What passes


class Task(BaseModel):
    title: str


class Owner(BaseModel):
    user_id: str


class Deeper(BaseModel):
    owner: Owner | None = None
    watchers: list[Owner] = []


class OtherName(BaseModel):
    """The caller's clients go on sending `userId`; nothing in the program is called so."""

    shared_with: str = Field(alias="userId")


class NotTaken(BaseModel):
    user_id: ClassVar[str] = "nobody"
    _user_id: str = PrivateAttr("nobody")
    users: list[str] = []

    @pydantic.computed_field
    @property
    def userid(self) -> str:
        return "nobody"


@pydantic.dataclasses.dataclass
class NotInTheInit:
    title: str
    user_id: str = dataclasses.field(init=False, default="nobody")


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")


HONEST = [Task, Deeper, OtherName, NotTaken, NotInTheInit, Open, dict[str, Any], list[str], Task | None, Any]


@pytest.mark.parametrize("kind", HONEST, ids=str)
def test_what_has_no_such_field_passes(bridge, kind):
    bridge.audit(taking(kind, Body())(bridge))


def test_what_is_sent_beside_a_model_s_fields_is_ignored(bridge):
    app = FastAPI()

    @app.post(PATH, dependencies=guard(bridge, "path_user"), response_model=Named)
    async def add(user_id: str, task: Task):
        return {"user_id": user_id, **task.model_dump()}

    bridge.audit(app)
    body = json.dumps({"title": "x", "user_id": "bob"}).encode()
    assert post(app, "/api/alice/x?user_id=bob", bearer(), body=body).json() == {"user_id": "alice"}


def test_other_guards_hold_no_name(bridge):
    app = FastAPI()

    @app.post("/search", dependencies=guard(bridge, "current_user"))
    async def search(query: Annotated[Named, Query()], body: Named): ...

    bridge.audit(app)


def test_a_type_that_is_never_defined_hands_nothing_over(bridge):
    class Later(BaseModel):
        title: "Nowhere"  # noqa: F821

    try:
        route = taking(Later, Body())(bridge).routes[-1]
    except (pydantic.PydanticUserError, NameError):
        return  # this version refuses the route
    assert taken_elsewhere(route, "user_id") == []


def test_a_type_that_is_defined_later_is_read(bridge):
    class Late(BaseModel):
        user_id: str
        other: "Defined | None" = None

    app = taking(Late, Body())(bridge)

    class Defined(BaseModel): ...

    Late.model_rebuild()
    refused(bridge, app, "takes user_id from the body (a field of Late)")
