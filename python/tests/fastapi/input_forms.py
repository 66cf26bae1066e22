"""Every form in which a request's input can have a field by the user's name, and an app that takes it."""

import dataclasses
from typing import Annotated, Any, Literal, NamedTuple

import fastapi
from fastapi import Depends, FastAPI
from pydantic import AliasChoices, AliasPath, BaseModel, ConfigDict, Field, RootModel
from pydantic.alias_generators import to_camel
from typing_extensions import TypeAliasType, TypedDict
from ways import guard

FASTAPI = tuple(map(int, fastapi.__version__.split(".")[:2]))
PATH = "/api/{user_id}/x"


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
    userId: str


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
# What older versions do not read; it is judged nonetheless.
UNREAD = {(0, 115): {"an alias", "an alias generator"}}.get(FASTAPI, set())
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
