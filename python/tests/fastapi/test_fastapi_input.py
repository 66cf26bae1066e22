"""The user's name a second time, among a request's input: parameters, models' fields, of dependencies too.

Each form is served once without the audit, where it hands the endpoint the other's name, and then judged.
"""

import dataclasses
import json
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

import fastapi
import pydantic
import pytest
from fastapi import Body, Cookie, Depends, FastAPI, Form, Header, Query, WebSocket
from kit import bearer, call, post
from pydantic import AliasChoices, AliasPath, BaseModel, ConfigDict, Field, PrivateAttr, RootModel
from pydantic.alias_generators import to_camel
from typing_extensions import TypeAliasType, TypedDict
from ways import guard

from jwt_auth_bridge import ConfigurationError
from jwt_auth_bridge._fastapi_audit import survey
from jwt_auth_bridge._fastapi_input import Taken, taken_elsewhere

FASTAPI = tuple(map(int, fastapi.__version__.split(".")[:2]))
PATH = "/api/{user_id}/x"
FORM = ("content-type", "application/x-www-form-urlencoded")


class Named(BaseModel):
    user_id: str


class ByAlias(BaseModel):
    owner: str = Field(alias="user_id")


class ByValidationAlias(BaseModel):
    owner: str = Field(validation_alias="user_id")


class ByChoice(BaseModel):
    owner: str = Field(validation_alias=AliasChoices("o", AliasPath("p", 0), "user_id"))


class ByPath(BaseModel):
    owner: str = Field(validation_alias=AliasPath("user_id", 0))


class Camel(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)
    user_id: str


class OfAGenerator(BaseModel):
    model_config = ConfigDict(alias_generator=lambda name: {"owner": "user_id"}.get(name, name))
    owner: str


class LooksLike(BaseModel):
    userId: str  # noqa: N815


class Inherited(Named):
    title: str = ""


class Many(RootModel[list[Named]]): ...


class Tree(BaseModel):
    user_id: str
    below: list["Tree"] = []


class First(BaseModel):
    kind: Literal["first"] = "first"
    user_id: str


class Second(BaseModel):
    kind: Literal["second"] = "second"


@dataclasses.dataclass
class Data:
    user_id: str


class Typed(TypedDict):
    user_id: str


class Pair(NamedTuple):
    user_id: str
    title: str = ""


Aliased = TypeAliasType("Aliased", Named)


def find(value: Any) -> str:
    """The name in whatever the endpoint was given."""
    while not isinstance(value, str):
        inside = value if isinstance(value, dict) else getattr(value, "__dict__", None)
        if isinstance(value, tuple):
            inside = value._asdict()
        if isinstance(value, list):
            inside = {"user_id": value[0]}
        one = {name.lower().replace("_", ""): each for name, each in inside.items()}
        value = next(one[name] for name in ("userid", "owner", "root") if name in one)
    return value


def taking(kind, told, *, by="endpoint", method="POST"):
    """An app whose route takes a parameter of this kind, itself or by a dependency of two floors."""

    async def endpoint(given):
        return find(given)

    endpoint.__annotations__["given"] = Annotated[kind, told]
    if by == "dependency":
        lower = endpoint

        async def upper(found: Annotated[str, Depends(lower)]):
            return found

        async def endpoint(found: Annotated[str, Depends(upper)]):
            return found

    def make(bridge):
        app = FastAPI()
        app.add_api_route(PATH, endpoint, methods=[method], dependencies=guard(bridge, "path_user"))
        return app

    return make


IN_QUERY = {
    "a model": (Named, "user_id=bob"),
    "an alias": (ByAlias, "user_id=bob"),
    "a validation alias": (ByValidationAlias, "user_id=bob"),
    "one of several aliases": (ByChoice, "user_id=bob"),
    "an alias generator": (OfAGenerator, "user_id=bob"),
    "camel case": (Camel, "userId=bob"),
    "a look-alike": (LooksLike, "userId=bob"),
    "an inherited field": (Inherited, "user_id=bob"),
}
# What FastAPI before 0.137 can not read; it is judged nonetheless.
ONLY_NEWER = {"a validation alias", "one of several aliases", "an alias generator"}
IN_BODY = {
    "a model": (Named, {"user_id": "bob"}),
    "an alias": (ByAlias, {"user_id": "bob"}),
    "a validation alias": (ByValidationAlias, {"user_id": "bob"}),
    "one of several aliases": (ByChoice, {"user_id": "bob"}),
    "an alias path": (ByPath, {"user_id": ["bob"]}),
    "an alias generator": (OfAGenerator, {"user_id": "bob"}),
    "camel case": (Camel, {"userId": "bob"}),
    "a look-alike": (LooksLike, {"userId": "bob"}),
    "an inherited field": (Inherited, {"user_id": "bob"}),
    "a model or nothing": (Named | None, {"user_id": "bob"}),
    "a union": (Second | Named, {"user_id": "bob", "kind": 1}),
    "a tagged union": (
        Annotated[First | Second, Field(discriminator="kind")],
        {"user_id": "bob", "kind": "first"},
    ),
    "a list": (list[Named], [{"user_id": "bob"}]),
    "a root model": (Many, [{"user_id": "bob"}]),
    "a model that holds itself": (Tree, {"user_id": "bob"}),
    "a dataclass": (Data, {"user_id": "bob"}),
    "a typed dict": (Typed, {"user_id": "bob"}),
    "a named tuple": (Pair, {"user_id": "bob"}),
    "a type's other name": (Aliased, {"user_id": "bob"}),
}


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
    if FASTAPI >= (0, 137) or form not in ONLY_NEWER:
        assert call(app, "GET", f"/api/alice/x?{query}", bearer()).json() == "bob"
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
        (Form(), "body", FORM),
    ],
)
def test_a_field_in_a_header_a_cookie_and_a_form(bridge, told, named, sent, by):
    app = taking(Named, told, by=by)(bridge)
    answer = call(app, "POST", "/api/alice/x", bearer(), sent, body=b"user_id=bob" if sent is FORM else b"")
    assert answer.json() == "bob", answer.body
    refused(bridge, app, f"takes user_id from the {named} (a field of Named)")


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
    async def tasks(userId: str):  # noqa: N803
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
        except (AssertionError, TypeError, ValueError, pydantic.PydanticUserError, fastapi.exceptions.FastAPIError):
            continue  # this version does not take such an alias at all
        refused(bridge, app, "from the query")


def test_every_source_is_named_at_once(bridge):
    app = FastAPI()

    @app.post(PATH, dependencies=guard(bridge, "path_user"))
    async def add(query: Annotated[ByAlias, Query()], body: Named, owner: Annotated[str, Cookie(alias="user_id")]): ...

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


# Look-alikes in the path


@pytest.mark.parametrize("written", ["userId", "userid", "UserID", "USER_ID", "user__id"])
def test_a_second_user_in_the_path(bridge, written):
    app = FastAPI()
    app.get(f"/api/{{user_id}}/x/{{{written}}}", dependencies=guard(bridge, "path_user"))(lambda: "never")
    with pytest.raises(ConfigurationError) as raised:
        bridge.audit(app)
    assert f"has {{{written}}} in its path beside {{user_id}}, which path_user compares" in str(raised.value)
    assert "give it a name that does not read like the caller's" in str(raised.value)
    assert "1 fault " in str(raised.value)


@pytest.mark.parametrize("written", ["friend_id", "other_user_id", "user", "users_id", "id"])
def test_a_second_parameter_of_another_name_passes(bridge, written):
    app = FastAPI()
    app.get(f"/api/{{user_id}}/x/{{{written}}}", dependencies=guard(bridge, "path_user"))(lambda: "fine")
    bridge.audit(app)


def test_a_second_user_in_a_mount_s_prefix(bridge):
    app, inner = FastAPI(), FastAPI(dependencies=guard(bridge, "path_user"))
    inner.get("/{userId}")(lambda: "never")
    app.mount("/api/{user_id}", inner)
    with pytest.raises(ConfigurationError, match=r"has \{userId\} in its path beside \{user_id\}"):
        bridge.audit(app)


def test_two_guards_may_hold_two_spellings(bridge):
    app, other = FastAPI(), bridge.path_claim("userId", claim="parent")
    both = [*guard(bridge, "path_user"), Depends(other)]
    app.get("/api/{user_id}/x/{userId}", dependencies=both)(lambda: "fine")
    bridge.audit(app)
    app.get("/api/{user_id}/y/{userId}", dependencies=guard(bridge, "path_user"))(lambda: "never")
    rows, _ = survey(app, [bridge])
    (fault,) = [fault for row in rows for fault in row.faults]
    assert "has {userId} in its path and path_user does not compare it: guard the route with Depends(bridge.path_claim" in fault
