"""The generator of values: valid for what FastAPI's models say, and known again."""

import uuid
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, Field, TypeAdapter

from jwt_auth_bridge._testing_http import Reply
from jwt_auth_bridge._testing_judge import Noise, data_of, difference, neutral, noise_between
from jwt_auth_bridge._testing_values import UnmakeableError, Values, missing_like


class Leaf(BaseModel):
    name: str


class Tree(BaseModel):
    name: str
    children: list["Tree"] = []
    parent: "Tree | None" = None


class Everything(BaseModel):
    text: str
    short: Annotated[str, Field(max_length=3)]
    long: Annotated[str, Field(min_length=40, max_length=50)]
    code: Annotated[str, Field(pattern=r"^[A-Z0-9]{3,8}$")]
    digits: Annotated[str, Field(pattern=r"^\d{5}$")]
    choice: Literal["b", "a"]
    whole: int
    small: Annotated[int, Field(ge=1, le=5)]
    negative: Annotated[int, Field(lt=0)]
    above: Annotated[int, Field(gt=10)]
    step: Annotated[int, Field(multiple_of=7)]
    part: Annotated[float, Field(gt=0, lt=1)]
    money: Annotated[Decimal, Field(ge=0, decimal_places=2)]
    flag: bool
    id: uuid.UUID
    day: date
    moment: datetime
    hour: time
    span: timedelta
    leaf: Leaf
    leaves: list[Leaf]
    pair: Annotated[list[str], Field(min_length=2)]
    either: Leaf | int
    maybe: str | None
    mapping: dict[str, int]
    anything: object = None
    optional: Annotated[str, Field(pattern="^never-guessed$")] = "default"


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("plain", [True, False])
@pytest.mark.parametrize("other", [True, False])
def test_what_is_made_is_valid(full, plain, other):
    for model in (Everything, Tree):
        schema = model.model_json_schema(ref_template="#/$defs/{model}")
        made = Values(schema, lambda _: None, full=full, plain=plain, other=other).make(schema)
        TypeAdapter(model).validate_python(made)


def test_texts_are_marks_and_those_of_two_users_differ():
    schema = Everything.model_json_schema()
    one, two = Values(schema, lambda _: None), Values(schema, lambda _: None)
    made = one.make(schema), two.make(schema)
    assert {"text", "long", "id", "whole"} <= one.planted.keys()
    assert "short" not in one.planted
    assert not set(one.planted.values()) & set(two.planted.values())
    assert str(made[0]["whole"]) == one.planted["whole"]


def test_known_names_stand_for_what_is_known():
    schema = {
        "properties": {
            "task_id": {"type": "string"},
            "task_ids": {"type": "array", "items": {"type": "string"}},
        }
    }
    made = Values({}, {"task_id": "t-1"}.get).make(schema)
    assert made == {"task_id": "t-1", "task_ids": ["t-1"]}


def test_what_is_beyond_it_is_said():
    for schema in (
        {"type": "string", "format": "binary"},
        {"type": "string", "pattern": "^(?!x)(?=q)never$"},
    ):
        with pytest.raises(UnmakeableError):
            Values({}, lambda _: None).make(schema, "file")


SHAPES = ["1", "-5", str(uuid.uuid4()), "tsk_4fGh81xx", "a", "", "abc-def", "----------", "x" * 40]


@pytest.mark.parametrize("value", SHAPES)
def test_what_is_missing_looks_alike_and_is_another(value):
    made = {missing_like(value) for _ in range(20)}
    assert value not in made
    assert len(made) > 10
    if len(value) == 36:
        assert all(uuid.UUID(one) and one[:23] == value[:23] for one in made)


JSON = (("content-type", "application/json"),)


def test_what_differs_each_time_tells_nothing():
    first = Reply(200, (*JSON, ("x-request-id", "1")), b'{"id": 1, "items": [{"at": 1, "n": "x"}]}')
    second = Reply(200, (*JSON, ("x-request-id", "2")), b'{"id": 2, "items": [{"at": 2, "n": "x"}]}')
    third = Reply(200, (*JSON, ("x-request-id", "3")), b'{"id": 3, "items": [{"at": 3, "n": "y"}]}')
    noise = noise_between(first, second)
    assert difference(first, second) == "the header x-request-id"
    assert difference(first, second, noise) is None
    assert difference(first, third, noise) == "the body, at items.0.n"
    assert difference(Reply(404, body=b"a"), Reply(404, body=b"b"), Noise(body=True)) is None
    assert (
        difference(Reply(200, JSON, b'{"a":1,"b":2}'), Reply(200, JSON, b'{"b":2,"a":1}'))
        == "the body's bytes"
    )
    assert difference(Reply(404, (("date", "1"),)), Reply(404, (("date", "2"),))) is None
    assert difference(Reply(200, (("content-length", "1"),)), Reply(200)) == "the header content-length"


def test_what_only_repeats_the_question_is_no_difference_and_no_data():
    reply = Reply(404, (("location", "/t/a%20b"),), b"no task 'a b' of bob-1")
    assert neutral(reply, {"a b", "x"}) == Reply(
        404, (("location", "/t/{sent}"),), b"no task '{sent}' of bob-1"
    )
    assert data_of(reply, {"secret-mark"}, "bob-1", "/t/a b") is None
    assert data_of(Reply(200, JSON, b'{"owner": "bob-1"}'), (), "bob-1", "/t") == "the ID of bob-1"
    assert data_of(Reply(200, JSON, b'{"owner": "bob-1"}'), (), "bob-1", "/t?user_id=bob-1") is None
    assert data_of(Reply(200, body=b"secret-mark"), {"secret-mark"}, "bob-1", "/t") is not None
    assert data_of(Reply(200, body=b"secret-mark"), {"secret-mark"}, "bob-1", "?q=secret-mark") is None
