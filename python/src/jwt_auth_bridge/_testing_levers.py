"""What a caller can write into a request on its own path to reach somebody else's data.

Private half of the annex ``testing``. A lever is one value in query, header or body: once it is the other's,
twice it is nobody's. Law: OWASP API1 (broken object level authorization) and API3 (mass assignment).
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from ._testing_letters import ABSENT, Changes, Person, text_of, unnamed
from ._testing_openapi import Operation, Parameter, resolve
from ._testing_values import missing_like, new_mark, singular
from ._testing_world import World

Change = Callable[[str], Changes]


@dataclass(frozen=True, slots=True)
class Lever:
    """One value that may reach somebody else's data.

    Attributes:
        label: what it is, for a person.
        change: puts a value where it belongs.
        foreign: the other's value.
        missing: makes a value that nobody has.
        names_user: whether the value is a user's ID.
    """

    label: str
    change: Change
    foreign: str
    missing: Callable[[], str]
    names_user: bool = False


def levers_of(operation: Operation, world: World, attacker: Person, victim: Person) -> Iterator[Lever]:
    """Gives every lever of an operation: declared ones, and those that a careless app honours undeclared."""
    values = world.values_of(operation, attacker)
    takes_body = operation.method in ("POST", "PUT", "PATCH") and operation.media in ("", "json", "form")
    body: Any = {}
    planted: Mapping[str, str] = {}
    if values is not None and takes_body:
        letter = world.write(operation, attacker, values)
        body = json.loads(letter.body) if letter.body and operation.media != "form" else {}
        planted = letter.planted
    levers = [*_in_query(operation, world, victim), *_in_headers(operation, world, victim)]
    if takes_body and isinstance(body, dict):
        levers += _in_body(operation, world, victim, body, planted)
    variants = list(_variants(operation, world, victim, body)) if isinstance(body, dict) else []
    for lever in levers:
        yield lever
        for label, change in variants if lever.names_user else ():
            together = _both(lever.change, change)
            yield replace(lever, label=f"{lever.label} {label}", change=together)


def _variants(
    operation: Operation, world: World, victim: Person, body: Mapping[str, Any]
) -> Iterator[tuple[str, Change]]:
    """What else changes with the owner: an app may refuse to one user a reference to another's row."""
    pools = world.pools(victim)
    references = {name: known for name in body if (known := pools.get(name) or pools.get(singular(name)))}
    required = resolve(operation.body or {}, operation.document).get("required", ())
    optional = {name: ABSENT for name in references if name not in required}
    if optional:
        yield f"without {', '.join(optional)}", lambda _: Changes(body=optional)
    if references:
        yield f"and {', '.join(references)}", _theirs(body, references, victim)


def _in_query(operation: Operation, world: World, victim: Person) -> Iterator[Lever]:
    pools = world.pools(victim)
    declared = {one.name: one for one in operation.parameters if one.place == "query"}
    for name in dict.fromkeys((*world.guessed_names, *(one for one in declared if one in world.user_names))):
        yield _of_user(f"query parameter {name}", _query(name), victim)
    for name, parameter in declared.items():
        known = pools.get(name) or pools.get(singular(name)) or _meant(name, operation, victim)
        if name in world.user_names:
            continue
        yield from _switches(f"query parameter {name}", parameter.schema, operation, _query(name))
        if known is not None:
            yield _of_row(f"query parameter {name}", _query(name), known)
        elif (text := _searched(operation, parameter, victim)) is not None:
            yield Lever(f"query parameter {name}, with a text of theirs,", _query(name), text, new_mark)


def _in_headers(operation: Operation, world: World, victim: Person) -> Iterator[Lever]:
    declared = {one.name.lower(): one.schema for one in operation.parameters if one.place == "header"}
    users = {one.replace("_", "-").lower() for one in world.user_names}
    named = [one for one in declared if one.removeprefix("x-") in users]
    for name in dict.fromkeys((*(f"x-{one.replace('_', '-')}" for one in world.guessed_names[:1]), *named)):
        yield _of_user(f"header {name}", _header(name), victim)
    pools = world.pools(victim)
    for name, schema in declared.items():
        yield from _switches(f"header {name}", schema, operation, _header(name))
        if (known := pools.get(name.removeprefix("x-").replace("-", "_"))) is not None:
            yield _of_row(f"header {name}", _header(name), known)


def _in_body(
    operation: Operation, world: World, victim: Person, body: Mapping[str, Any], planted: Mapping[str, str]
) -> Iterator[Lever]:
    pools = world.pools(victim)
    # A body of any members at all stores what it is sent, and may: nobody is fooled by it.
    listed = "properties" in resolve(operation.body or {"properties": {}}, operation.document)
    guessed = world.guessed_names if listed else ()
    names = dict.fromkeys((*guessed, *(one for one in body if one in world.user_names)))
    for name in names:
        yield _of_user(f"body member {name}", _body(name, body.get(name)), victim)
    row = next((one for one in reversed(victim.rows) if one.place == unnamed(operation.path)), None)
    if operation.method == "POST" and row is not None and "id" not in body:
        yield _of_row("body member id", _body("id", 0 if row.id.isdecimal() else ""), row.id)
    theirs = world.planted_by(victim, operation)
    schemas = resolve(operation.body or {}, operation.document).get("properties", {})
    for name, value in body.items():
        known = pools.get(name) or pools.get(singular(name)) or _meant(name, operation, victim)
        if name in names:
            continue
        if operation.media != "form":
            switched = partial(_member, name)
            yield from _switches(f"body member {name}", schemas.get(name, {}), operation, switched, value)
        if known is not None:
            yield _of_row(f"body member {name}", _body(name, value), known)
        elif isinstance(value, str) and name in planted and name in theirs:
            made = theirs[name]
            yield Lever(f"body member {name}, with a text of theirs,", _body(name, value), made, _like(made))


def _meant(name: str, operation: Operation, victim: Person) -> str | None:
    """The ID that a bare ``id`` or ``ids`` means: of a row of the operation's own collection."""
    path = f"{unnamed(operation.path)}/"
    rows = [row.id for row in victim.rows if path.startswith(f"{row.place}/")]
    return rows[-1] if rows and name.lower() in ("id", "ids") else None


def _switches(
    label: str, schema: Any, operation: Operation, change: Callable[[Any], Changes], *made: Any
) -> Iterator[Lever]:
    """Each value of a boolean or a choice, but the one that is made anyway: one may mean everybody."""
    resolved = resolve(schema, operation.document)
    for one in (resolve(each, operation.document) for each in resolved.get("anyOf", (resolved,))):
        for value in one.get("enum", (True, False) if one.get("type") == "boolean" else ()):
            if value is not None and value not in made:
                text = str(text_of(value))
                yield Lever(f"{label}={text}", partial(_always, change(value)), text, partial(str, text))


def _always(changes: Changes, _: str) -> Changes:
    return changes


def _of_user(label: str, change: Change, victim: Person) -> Lever:
    return Lever(label, change, victim.subject, _like(victim.subject), names_user=True)


def _of_row(label: str, change: Change, known: str) -> Lever:
    return Lever(label, change, known, _like(known))


def _like(value: str) -> Callable[[], str]:
    return lambda: missing_like(value)


def _query(name: str) -> Change:
    return lambda value: Changes(query={name: value})


def _header(name: str) -> Change:
    return lambda value: Changes(headers={name: str(text_of(value))})


def _member(name: str, value: Any) -> Changes:
    return Changes(body={name: value})


def _body(name: str, as_made: Any) -> Change:
    """Puts a value where one of another type may stand: an integer, or a list of IDs."""

    def change(value: str) -> Changes:
        one = as_made[0] if isinstance(as_made, list) and as_made else as_made
        typed = int(value) if type(one) is int and value.isdecimal() else value
        return Changes(body={name: [typed] if isinstance(as_made, list) else typed})

    return change


def _both(first: Change, second: Change) -> Change:
    def change(value: str) -> Changes:
        one, two = first(value), second(value)
        return Changes(one.query, one.headers, {**one.body, **two.body})

    return change


def _theirs(body: Mapping[str, Any], references: Mapping[str, str], victim: Person) -> Change:
    """With the other's ID all references are the other's, with nobody's they are nobody's."""

    def change(value: str) -> Changes:
        made: dict[str, Any] = {}
        for name, known in references.items():
            made |= _body(name, body[name])(known if value == victim.subject else missing_like(known)).body
        return Changes(body=made)

    return change


def _searched(operation: Operation, parameter: Parameter, victim: Person) -> str | None:
    """A text of the victim's, for a parameter that may search by it."""
    schema = resolve(parameter.schema, operation.document)
    kinds = [resolve(one, operation.document) for one in schema.get("anyOf", (schema,))]
    if not any(
        one.get("type") == "string" and not {"enum", "format", "pattern"} & one.keys() for one in kinds
    ):
        return None
    rows = sorted(victim.rows, key=lambda row: row.place == unnamed(operation.path))
    return next((mark for row in reversed(rows) for mark in row.planted.values()), None)
