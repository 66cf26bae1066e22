"""What the users of a test own: created by playing the app's own operations.

Private half of the annex ``testing``. Remembers whose IDs and texts are whose, and which operations ever
worked. It judges nothing.
"""

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import unquote, urlsplit

from ._testing_http import Asked, Reply
from ._testing_judge import objects_in, parsed
from ._testing_letters import (
    MANNERS,
    Known,
    Letter,
    Letters,
    Person,
    Row,
    camel,
    collection_of,
    text_of,
    unnamed,
)
from ._testing_openapi import Operation
from ._testing_values import SHORTEST_MARK, UnmakeableError, Values, new_mark


class World(Letters):
    """Users, rows and requests against one app.

    Args:
        client: asks the app.
        operations: what is played.
        people: the users.
        create: makes rows where no operation does.
        naming: as for ``Letters``.
    """

    def __init__(
        self,
        client: Asked,
        operations: Sequence[Operation],
        people: Sequence[Person],
        create: Callable[..., Any] | None,
        **naming: Any,
    ) -> None:
        super().__init__(**naming)
        self.people = people
        self.requests = 0
        self.failures: dict[tuple[str, str], tuple[str, Reply | None]] = {}
        self.worked: set[tuple[str, str]] = set()
        self.said = ""
        # Until everybody owns something, a body may fail for want of what it refers to.
        self.settled = False
        self._planted: dict[tuple[str, str], Mapping[str, str]] = {}
        self._client = client
        self._operations = operations
        self._create = create

    async def ask(self, letter: Letter, credentials: Mapping[str, str]) -> Reply:
        """Sends a request."""
        self.requests += 1
        return await self._client.request(
            letter.method, letter.target, {**letter.headers, **credentials}, letter.body
        )

    async def seed(self, person: Person) -> None:
        """Creates one of everything that a user can; of what can be created once, the old row stays."""
        old = list(person.rows)
        if self._create is not None:
            mark = new_mark()
            made = self._create(person.subject, mark)
            made = await made if inspect.isawaitable(made) else made
            person.names = {name: str(value) for name, value in (made or {}).items()}
            person.marks.update((mark, *(one for one in person.names.values() if len(one) >= SHORTEST_MARK)))
        pending = [one for one in self._operations if one.method == "POST"]
        pending.sort(key=lambda one: len(one.placeholders))
        pending += [one for one in self._operations if one.method == "PUT" and one.path.endswith("}")]
        while (ready := next((one for one in pending if self._ready(one, person)), None)) is not None:
            pending.remove(ready)
            if ready.method == "POST":
                await self.play(ready, person)
            elif self._names_itself(ready, person):
                await self._put(ready, person)
        made_now = [row for row in person.rows if row not in old]
        places = {row.place for row in made_now}
        person.rows[:] = [row for row in old if row.place not in places] + made_now

    async def spare(self, operation: Operation, person: Person) -> None:
        """Creates another of the rows that an operation is about, so that one may be spent."""
        row = self._row_for(operation, person)
        if row is not None:
            await (self.play if row.operation.method == "POST" else self._put)(row.operation, person)
        elif self._create is not None and self._rows_in(operation, person):
            await self.seed(person)

    async def play(self, operation: Operation, person: Person) -> Reply | None:
        """Plays an operation as the owner of everything in it, in the first manner that works."""
        values = self.values_of(operation, person)
        manners = MANNERS if operation.body is not None else MANNERS[:1]
        known = self._manners.get(operation.name) if self.settled else None
        reply, said = None, "no ID is known for its path"
        for manner in (known,) if known else manners:
            if values is None:
                break
            try:
                letter = self.write(operation, person, values, manner=manner)
            except UnmakeableError as error:
                said = str(error)
                continue
            said = self.said = str(letter)
            reply = await self.ask(letter, person.credentials)
            if reply.succeeded:
                self._manners[operation.name] = manner
                self._remember(operation, person, letter)
                await self._find_row(operation, person, values, letter, reply)
                return reply
        self.failures[operation.name, person.subject] = said, reply
        return reply

    def planted_by(self, person: Person, operation: Operation) -> Mapping[str, str]:
        """The marks that stand where an operation writes: member to mark."""
        row = None if operation.method == "POST" else self._row_for(operation, person)
        return self._planted.get((operation.name, person.subject), {}) if row is None else row.planted

    def _ready(self, operation: Operation, person: Person) -> bool:
        if operation.method == "PUT":
            operation = _parent(operation)
        return self.values_of(operation, person) is not None

    def _names_itself(self, operation: Operation, person: Person) -> bool:
        """Whether this PUT creates what nothing else does, under an ID of the client's."""
        row = self._row_for(operation, person)
        if row is None:
            return self.values_of(operation, person) is None
        return row.operation is operation

    async def _put(self, operation: Operation, person: Person) -> None:
        parent = _parent(operation)
        values = self.values_of(parent, person) or {}
        name = operation.placeholders[-1]
        made = Values(operation.document, lambda _: None)
        try:
            chosen = text_of(made.make(operation.schema_of(name), name))
            letter = self.write(operation, person, {**values, name: Known(chosen, "row")})
        except UnmakeableError:
            return
        reply = await self.ask(letter, person.credentials)
        if reply.succeeded:
            self._remember(operation, person, letter)
            person.marks.update(made.planted.values())
            outer = tuple(one.value for one in values.values())
            person.rows.append(Row(unnamed(parent.path), outer, chosen, operation, letter.planted))

    def _remember(self, operation: Operation, person: Person, letter: Letter) -> None:
        self.worked.add((operation.name, person.subject))
        if operation.method in ("POST", "PUT", "PATCH"):
            self._planted[operation.name, person.subject] = letter.planted
            person.marks.update(letter.planted.values())

    async def _find_row(
        self,
        operation: Operation,
        person: Person,
        values: Mapping[str, Known],
        letter: Letter,
        reply: Reply,
    ) -> None:
        """Finds the ID of what was created: in the answer, in Location, or in the list."""
        if operation.method != "POST":
            return
        place = unnamed(operation.path)
        below = [one for one in self._operations if unnamed(one.path).startswith(f"{place}/{{}}")]
        depth = len(operation.placeholders)
        named = [one.placeholders[depth] for one in below] + [f"{collection_of(place)}_id"]
        names = list(dict.fromkeys(form for one in named for form in (one, camel(one))))
        found = _id_in(parsed(reply), names) or _id_in_location(reply, below, depth)
        if found is None and below:
            listing = next(
                (o for o in self._operations if o.method == "GET" and o.path == operation.path), None
            )
            if listing is not None:
                answer = await self.ask(self.write(listing, person, values), person.credentials)
                found = _id_beside(parsed(answer), set(letter.planted.values()), names)
        if found is not None:
            outer = tuple(one.value for one in values.values())
            person.rows.append(Row(place, outer, found, operation, dict(letter.planted)))
            if len(found) >= SHORTEST_MARK:
                person.marks.add(found)

    def _rows_in(self, operation: Operation, person: Person) -> bool:
        values = self.values_of(operation, person) or {}
        return any(known.kind == "row" for known in values.values())


def _parent(operation: Operation) -> Operation:
    """What stands before the last placeholder: all but it must be known where the client names a row."""
    return Operation("PUT", operation.path.rpartition("/")[0], operation.parameters)


def _id_in(value: Any, names: Sequence[str]) -> str | None:
    """The ID in an answer: of the outermost object that has one."""
    for found in objects_in(value):
        for name in (*names, "id", "uuid", "_id", "key", "slug"):
            if type(found.get(name)) in (str, int):
                return str(found[name])
    return None


def _id_beside(value: Any, marks: set[str], names: Sequence[str]) -> str | None:
    """The ID of the innermost object that holds one of these marks."""
    holding = [one for one in objects_in(value) if marks & set(map(str, one.values()))]
    return _id_in(holding[-1], names) if holding else None


def _id_in_location(reply: Reply, below: Sequence[Operation], depth: int) -> str | None:
    path = urlsplit(reply.header("location") or "").path
    for operation in below:
        pattern = re.sub(r"\\\{[^}]*\\\}", "([^/]+)", re.escape(operation.path))
        if match := re.fullmatch(pattern, path):
            return unquote(match[depth + 1])
    return None
