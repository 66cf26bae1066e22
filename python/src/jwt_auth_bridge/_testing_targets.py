"""Whom and what an attack is aimed at: the other's path, the other's rows, and the same where nothing is.

Private half of the annex ``testing``. Nothing is sent here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final, NamedTuple

from ._testing_letters import Known, Letter, Person
from ._testing_openapi import Operation
from ._testing_values import missing_like, new_mark

Values = Mapping[str, Known]


class Who(NamedTuple):
    """Who asks: how it is called, its kind, what it sends to prove itself."""

    name: str
    kind: str
    credentials: Mapping[str, str]


NOBODY: Final = Who("nobody", "nobody", {})
"""Sends no token."""


class Case(NamedTuple):
    """Who plays what on whom; ``writer`` is whose own data stands in the request beside the target."""

    operation: Operation
    who: Who
    writer: Person
    victim: Person


@dataclass(frozen=True, slots=True)
class Target:
    """Placeholders that are the other's, and the same ones where nothing is.

    Attributes:
        label: for a person.
        values: what stands in the placeholders.
        missing: makes them again, with nothing behind what was the other's.
        own_path: whether the path is the attacker's own, and only rows are the other's.
    """

    label: str
    values: Values
    missing: Callable[[], Values]
    own_path: bool = False


def user(person: Person) -> Who:
    """Sends a good token."""
    return Who(person.subject, "user", person.credentials)


def targets_of(own: Values, theirs: Values, victim: Person) -> list[Target]:
    """What another user can ask for: the other's rows under its own path, and the other's path."""
    rows = {name: known for name, known in theirs.items() if known.kind == "row"}
    users = {name: known for name, known in theirs.items() if known.kind == "user"}
    targets = []
    for chosen in (rows, *({name: known} for name, known in rows.items() if len(rows) > 1)) if rows else ():
        label = f"with {victim.subject}'s {' and '.join(chosen)}"
        foreign = {**own, **chosen}
        targets.append(Target(label, foreign, partial(_missing, foreign, chosen), own_path=True))
    if users:
        targets.append(everything(theirs, victim))
    if users and rows:
        label = f"on {victim.subject}'s path"
        targets.append(Target(f"{label}, to a row,", theirs, partial(_missing, theirs, rows)))
        mixed = {**own, **users}
        targets.append(Target(f"{label} with own IDs", mixed, partial(_missing, mixed, users)))
    return targets


def everything(theirs: Values, victim: Person) -> Target:
    """The other's own request."""
    rows = [name for name, known in theirs.items() if known.kind == "row"]
    label = f"on {victim.subject}'s path" if any(one.kind == "user" for one in theirs.values()) else ""
    if rows and not label:
        label = f"with {victim.subject}'s {' and '.join(rows)}"
    return Target(label or f"as {victim.subject} would", theirs, partial(_missing, theirs, theirs))


def _missing(values: Values, chosen: Values) -> Values:
    """The same placeholders, with nothing behind the chosen ones."""
    return {
        name: Known(missing_like(known.value), known.kind)
        if name in chosen and known.kind != "fixed"
        else known
        for name, known in values.items()
    }


def unknown(operation: Operation) -> Values:
    """What may stand in the placeholders where nobody owns anything."""
    return {name: Known(new_mark(), "row") for name in operation.placeholders}


def bare(operation: Operation, values: Values) -> Letter:
    """A request without a body that nobody could make."""
    target = operation.path
    for name, known in values.items():
        target = target.replace(f"{{{name}}}", known.value)
    leaves = frozenset(known.value for known in values.values())
    return Letter(operation.method, target, {}, b"", target, leaves, {})
