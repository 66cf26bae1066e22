"""The users of a test, and the requests that they write.

Private half of the annex ``testing``. A request is written for an operation and a user: its own IDs in the
path, its own marks in the body, an example of the integrator's where there is one. Nothing is sent here.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote, unquote, urlencode

from ._testing_openapi import Operation
from ._testing_values import UnmakeableError, Values, new_mark, singular

MANNERS: Final = ((True, False), (True, True), (False, True))
"""How a body is tried until one is taken: all members, all with small numbers, required ones alone."""

_READABLE: Final = 160
"""Characters of a body that a finding shows."""

ABSENT: Final = object()
"""In changes of a body: the member is left out."""

_MARK: Final = "{mark}"
"""In an example's texts, becomes a mark of the user's."""


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """Something that a user created.

    Attributes:
        place: template of the collection, without names: ``/api/{}/tasks``.
        values: what stood in the collection's placeholders.
        id: the ID that the app answered.
        operation: what created it.
        planted: member to mark.
    """

    place: str
    values: tuple[str, ...]
    id: str
    operation: Operation
    planted: Mapping[str, str]


@dataclass(slots=True)
class Person:
    """A user: who it is, what it sends to prove it, what it owns."""

    subject: str
    credentials: Mapping[str, str]
    rows: list[Row] = field(default_factory=list)
    marks: set[str] = field(default_factory=set)
    names: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Known:
    """What stands in one placeholder; ``kind`` is user, row or fixed."""

    value: str
    kind: str


@dataclass(frozen=True, slots=True)
class Letter:
    """One request, without credentials; ``text`` is all that it says, ``leaves`` each value in it."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    text: str
    leaves: frozenset[str]
    planted: Mapping[str, str]

    def __str__(self) -> str:
        """The request in a line."""
        body = self.body.decode("utf-8", "replace")
        body = body if len(body) <= _READABLE else f"{body[:_READABLE]}…"
        extra = " ".join(f"{name}: {value}" for name, value in self.headers.items() if name.startswith("x-"))
        return " ".join(filter(None, (self.method, self.target, extra, body)))


@dataclass(frozen=True, slots=True)
class Changes:
    """What a request says besides what it has to."""

    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] = field(default_factory=dict)


class Letters:
    """Writes requests.

    Args:
        guessed_names: how a user's ID may be called where the document does not say.
        user_names: names of parameters and members that hold a user's ID.
        examples: operation to ``path``, ``query``, ``headers`` and ``body``, given by the integrator.
    """

    def __init__(
        self,
        guessed_names: tuple[str, ...],
        user_names: frozenset[str],
        examples: Mapping[str, Mapping[str, Any]],
    ) -> None:
        self.guessed_names = guessed_names
        self.user_names = user_names
        self._examples = examples
        self._manners: dict[str, tuple[bool, bool]] = {}

    def values_of(self, operation: Operation, person: Person) -> dict[str, Known] | None:
        """What stands in the placeholders when a user acts on its own; ``None`` where an ID is unknown."""
        given = self._example(operation, "path", person)
        row = self._row_for(operation, person)
        below = () if row is None else (*row.values, row.id)
        found = {}
        for place, name in enumerate(operation.placeholders):
            known = self._known_value(operation, name, person, given, below[place : place + 1])
            if known is None:
                return None
            found[name] = known
        return found

    def write(
        self,
        operation: Operation,
        person: Person,
        values: Mapping[str, Known],
        changes: Changes | None = None,
        manner: tuple[bool, bool] | None = None,
    ) -> Letter:
        """Writes a request of a user.

        Raises:
            UnmakeableError: no body can be made; the integrator gives an example.
        """
        changes = changes or Changes()
        full, plain = manner or self._manners.get(operation.name, MANNERS[0])
        other = operation.method not in ("GET", "POST")
        made = Values(operation.document, self._naming(person), full=full, plain=plain, other=other)
        query = {
            one.name: made.make(one.schema, one.name)
            for one in operation.parameters
            if one.place == "query" and one.required
        }
        headers = {
            one.name.lower(): str(made.make(one.schema, one.name))
            for one in operation.parameters
            if one.place == "header" and one.required and one.name.lower() != "authorization"
        }
        cookies = {
            one.name: str(made.make(one.schema, one.name))
            for one in operation.parameters
            if one.place == "cookie" and one.required
        }
        query |= self._example(operation, "query", person) | dict(changes.query)
        headers |= self._example(operation, "headers", person) | dict(changes.headers)
        if cookies:
            headers["cookie"] = "; ".join(f"{name}={value}" for name, value in cookies.items())
        body = self._body(operation, person, made, changes)
        target = operation.path
        for name, known in values.items():
            target = re.sub(
                r"\{" + re.escape(name) + r"(:[^}]*)?\}", quote(known.value, safe=""), target, count=1
            )
        if query:
            target += "?" + urlencode({name: text_of(value) for name, value in query.items()}, doseq=True)
        raw = b""
        if body is not None:
            form = operation.media == "form"
            raw = (urlencode(body) if form else json.dumps(body)).encode()
            headers["content-type"] = "application/x-www-form-urlencoded" if form else "application/json"
        leaves = {str(one) for one in _leaf_values([body, list(query.values()), list(headers.values())])}
        leaves |= {known.value for known in values.values()}
        text = "\n".join((*leaves, unquote(target), raw.decode()))
        return Letter(operation.method, target, headers, raw, text, frozenset(leaves), made.planted)

    def _body(self, operation: Operation, person: Person, made: Values, changes: Changes) -> Any:
        given = self._examples.get(operation.name, {}).get("body")
        if given is not None:
            body = _with_marks(given(person.subject) if callable(given) else given, made.planted)
        elif operation.body is None:
            return dict(changes.body) or None
        elif operation.media == "other":
            raise UnmakeableError("its body is neither JSON nor a form")
        else:
            body = made.make(operation.body)
        if not isinstance(body, dict):
            return body
        return {name: one for name, one in {**body, **changes.body}.items() if one is not ABSENT}

    def pools(self, person: Person) -> dict[str, str]:
        """By which names a user's IDs are referred to, ``task_id`` and ``taskId``: the newest of each."""
        found: dict[str, str] = {}
        for row in person.rows:
            one = collection_of(row.place)
            found |= {f"{one}_id": row.id, camel(f"{one}_id"): row.id}
        return found | person.names

    def _naming(self, person: Person) -> Callable[[str], Any]:
        pools = self.pools(person)
        return lambda name: person.subject if name in self.user_names else pools.get(name)

    def _known_value(
        self,
        operation: Operation,
        name: str,
        person: Person,
        given: Mapping[str, Any],
        below: Sequence[str],
    ) -> Known | None:
        if name in given:
            own = callable(self._examples[operation.name]["path"][name])
            return Known(str(given[name]), "row" if own else "fixed")
        if name in self.user_names:
            return Known(person.subject, "user")
        if name in person.names:
            return Known(person.names[name], "row")
        if below:
            return Known(below[0], "row")
        if name in (pools := self.pools(person)):
            return Known(pools[name], "row")
        schema = operation.schema_of(name)
        if (
            any(key in schema for key in ("enum", "const", "example", "default"))
            or schema.get("type") == "boolean"
        ):
            fixed = schema.get("example", schema.get("default"))
            return Known(
                text_of(Values(operation.document, lambda _: None).make(schema) if fixed is None else fixed),
                "fixed",
            )
        return None

    def _row_for(self, operation: Operation, person: Person) -> Row | None:
        path = unnamed(operation.path) + "/"
        fitting = [row for row in person.rows if path.startswith(f"{row.place}/{{}}/")]
        # The newest of the most exact: max() keeps the first of equals.
        return max(reversed(fitting), key=lambda row: len(row.place), default=None)

    def _example(self, operation: Operation, part: str, person: Person) -> dict[str, Any]:
        given = self._examples.get(operation.name, {}).get(part, {})
        return {name: one(person.subject) if callable(one) else one for name, one in given.items()}


def unnamed(path: str) -> str:
    """A template without the names of its placeholders.

    Example:
        >>> unnamed("/api/{user_id}/tasks/{id}")
        '/api/{}/tasks/{}'
    """
    return re.sub(r"\{[^}]*\}", "{}", path)


def collection_of(place: str) -> str:
    """What one of a collection is called: ``task`` for ``/api/{}/tasks``."""
    return singular(place.rstrip("/{}").rpartition("/")[2]).replace("-", "_")


def _leaf_values(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from _leaf_values(one)
    elif value is not None and not isinstance(value, bool):
        yield value


def _with_marks(value: Any, planted: dict[str, str], name: str = "") -> Any:
    if isinstance(value, dict):
        return {key: _with_marks(one, planted, key) for key, one in value.items()}
    if isinstance(value, list):
        return [_with_marks(one, planted, name) for one in value]
    if isinstance(value, str) and _MARK in value:
        planted[name] = value.replace(_MARK, new_mark())
        return planted[name]
    return value


def text_of(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, list) else str(value)


def camel(name: str) -> str:
    """``user_id`` as JavaScript writes it, ``userId``."""
    head, *rest = name.split("_")
    return head + "".join(map(str.capitalize, rest))
