"""The attack: every operation of every user, played by everybody else.

Private half of the annex ``testing``. First each operation as the owner, or nothing would be proved; then
without a token, with bad ones, and with a good one on the other's path, IDs, query, headers and body. Law:
OWASP API1, RFC 9110 §9.3.2 (HEAD), ``access-token.md`` "HTTP answers".
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import permutations
from typing import Final

from ._testing_http import Reply
from ._testing_judge import REFUSALS, Noise, data_of, difference, names_owner, neutral, noise_between, shown
from ._testing_letters import Letter, Person
from ._testing_levers import Lever, levers_of
from ._testing_openapi import METHODS, Operation
from ._testing_report import Finding, Findings
from ._testing_targets import NOBODY, Case, Target, Values, Who, bare, everything, targets_of, unknown, user
from ._testing_values import UnmakeableError
from ._testing_world import World

SAFE: Final = frozenset(("GET", "HEAD", "OPTIONS", "TRACE"))
"""Methods that change nothing (RFC 9110 §9.2.1)."""

_ORDER: Final = ("GET", "HEAD", "OPTIONS", "TRACE", "POST", "PUT", "PATCH", "DELETE")
"""In which owners play: what destroys comes last."""


class Attack:
    """Plays everything and collects what is not isolated.

    Args:
        world: users, rows and requests.
        operations: what is played, public ones included.
        public: names of operations that are open to everybody.
        shared: names of operations whose answers may hold anybody's data.
        uniform: names of operations that answer a missing ID with success.
        untouched: names of operations that are not played at all.
        bad_credentials: makes, for a user, what must be refused: name to header fields.
    """

    def __init__(
        self,
        world: World,
        operations: Sequence[Operation],
        *,
        public: frozenset[str],
        shared: frozenset[str],
        uniform: frozenset[str],
        untouched: frozenset[str],
        bad_credentials: Callable[[Person], Mapping[str, Mapping[str, str]]],
    ) -> None:
        self.findings = Findings()
        self._world = world
        self._public = [one for one in operations if one.name in public]
        self._guarded = [one for one in operations if one.name not in public]
        self._shared = shared
        self._uniform = uniform
        self._untouched = untouched
        self._bad_credentials = bad_credentials
        self._leaky: set[str] = set()
        self._met: set[tuple[str, str]] = set()
        self._before: dict[str, tuple[Reply, Noise]] = {}
        self._letters: list[Letter] = []

    async def run(self) -> None:
        """Plays everything."""
        for _twice in range(2):
            for person in self._world.people:
                await self._world.seed(person)
        self._world.settled = True
        await self._play_own()
        await self._play_public()
        for attacker, victim in permutations(self._world.people, 2):
            await self._renew(attacker, victim)
            for operation in self._guarded:
                await self._play_foreign(operation, attacker, victim)
            for path, declared in self._paths():
                await self._play_undeclared(path, declared, attacker, victim)

    async def _play_own(self) -> None:
        """Plays each operation as its owner: what never works proves nothing."""
        world = self._world
        for operation in sorted(self._guarded, key=lambda one: _ORDER.index(one.method)):
            for person in world.people:
                if operation.method not in SAFE:
                    await world.spare(operation, person)
                reply = await world.play(operation, person)
                others = [one for one in world.people if one is not person]
                if reply is not None and (found := self._data(operation, reply, world.said, others)):
                    self._leaky.add(operation.name)
                    case = Case(operation, user(person), person, person)
                    self._add(case, "foreign_data", world.said, shown(reply), f"the answer holds {found}")
        for operation in self._guarded:
            for person in world.people:
                if (operation.name, person.subject) not in world.worked:
                    sent, answer = world.failures.get((operation.name, person.subject), ("nothing", None))
                    came_back = "nothing" if answer is None else shown(answer)
                    why = f"it never worked for {person.subject} on its own data, so nothing is proved"
                    case = Case(operation, user(person), person, person)
                    self._add(case, "not_exercised", sent, came_back, why)

    async def _play_public(self) -> None:
        """Reads what is open to everybody, and holds it against what everybody stored."""
        for operation in (one for one in self._public if one.method in SAFE):
            for person in self._world.people:
                values = self._world.values_of(operation, person)
                if values is not None:
                    letter = self._world.write(operation, person, values)
                    reply = await self._world.ask(letter, {})
                    if found := self._data(operation, reply, letter.text, self._world.people):
                        case = Case(operation, NOBODY, person, person)
                        why = f"the answer holds {found}"
                        self._add(case, "foreign_data", str(letter), shown(reply), why)

    async def _play_foreign(self, operation: Operation, attacker: Person, victim: Person) -> None:
        """One operation, as nobody, with bad tokens, and as another user."""
        self._letters = []
        bad = [Who(name, "a bad token", made) for name, made in self._bad_credentials(victim).items()]
        strangers = () if (operation.name, victim.subject) in self._met else (NOBODY, *bad)
        self._met.add((operation.name, victim.subject))
        for who in strangers:
            own, theirs = self._both(operation, attacker, victim)
            await self._aim(Case(operation, who, victim, victim), everything(theirs, victim), own)
        own, theirs = self._both(operation, attacker, victim)
        mine = Case(operation, user(attacker), attacker, victim)
        if own is not None:
            for place in range(len(targets_of(own, theirs, victim))):
                # Asked again each time: what an attack destroyed was made anew, under other IDs.
                own, theirs = self._both(operation, attacker, victim)
                target = targets_of(own or {}, theirs, victim)[place]
                await self._aim(mine, target, own)
                if operation.body is not None and not target.own_path:
                    await self._aim(mine._replace(writer=victim), target, own)
            if (operation.name, attacker.subject) in self._world.worked:
                # New rows are the measure from here on: first see whether the old ones are what they were.
                await self._look(mine, None)
                await self._pull(mine)
        await self._look(mine, None)

    def _both(self, operation: Operation, attacker: Person, victim: Person) -> tuple[Values | None, Values]:
        theirs = self._world.values_of(operation, victim)
        return self._world.values_of(operation, attacker), unknown(operation) if theirs is None else theirs

    async def _aim(self, case: Case, target: Target, own: Values | None) -> None:
        """Asks for the other's, and twice for what is not there."""
        wanted = (target.values, target.missing(), target.missing())
        try:
            letters = [self._world.write(case.operation, case.writer, values) for values in wanted]
        except UnmakeableError:
            letters = [bare(case.operation, values) for values in wanted]
        self._letters.append(letters[0])
        replies = [await self._world.ask(letter, case.who.credentials) for letter in letters]
        foreign, first, second = map(neutral, replies, (letter.leaves for letter in letters))
        told = difference(foreign, first, noise_between(first, second))
        reply, sent, asker = replies[0], f"{letters[0]} ({target.label})", case.who.name
        found = self._data(case.operation, reply, letters[0].text, [case.victim])
        refused = reply.status in REFUSALS
        if self._is_meant(case):
            return
        if found:
            self._add(case, "foreign_data", sent, shown(reply), f"the answer holds {found}")
        elif not refused and (told is not None or not await self._excused(case, target, own, foreign)):
            why = f"{reply.status} is no refusal: {asker} got through {target.label}"
            self._add(case, "open", sent, shown(reply), why)
        elif refused and told is not None:
            why = f"{told}: {asker} is answered otherwise {target.label} than where nothing is"
            self._add(case, "distinguishable", sent, shown(reply), f"{why} ({shown(replies[1])})")
        if not refused and case.operation.method not in SAFE:
            await self._look(case, (sent, reply))

    async def _excused(self, case: Case, target: Target, own: Values | None, foreign: Reply) -> bool:
        """Tells whether what is no refusal may stand: own, foreign and missing all get the same."""
        operation = case.operation
        if operation.name in self._uniform and target.own_path:
            return True
        alike = foreign.status == 422 or (operation.method == "OPTIONS" and foreign.status in (200, 204))
        if own is None or not alike:
            return False
        letter = self._world.write(operation, case.writer, own)
        answer = await self._world.ask(letter, case.who.credentials)
        return difference(neutral(answer, letter.leaves), foreign) is None

    async def _pull(self, case: Case) -> None:
        """Sends an attacker's own request with one value of the other's in query, header or body."""
        world, operation, attacker = self._world, case.operation, case.writer
        if operation.method not in SAFE:
            # Texts that the attacker has not used yet: one that it has may be refused for that.
            await self._renew(case.victim)
        for lever in list(levers_of(operation, world, attacker, case.victim)):
            letters, replies = [], []
            for value in (lever.missing(), lever.foreign, lever.missing()):
                if operation.method == "DELETE":
                    await world.spare(operation, attacker)
                values = world.values_of(operation, attacker)
                if values is None:
                    return
                letters.append(world.write(operation, attacker, values, lever.change(value)))
                replies.append(await world.ask(letters[-1], attacker.credentials))
            self._letters.append(letters[1])
            await self._judge_lever(case, lever, letters, replies)
            if replies[1].succeeded and operation.method not in SAFE:
                # Now it stands in the attacker's own rows, too, and marks nobody any more.
                case.victim.marks -= letters[1].leaves
        if operation.method not in SAFE:
            await world.seed(attacker)

    async def _judge_lever(
        self, case: Case, lever: Lever, letters: Sequence[Letter], replies: Sequence[Reply]
    ) -> None:
        reply, sent = replies[1], f"{letters[1]} ({lever.label} of {case.victim.subject})"
        safe, theirs = case.operation.method in SAFE, case.victim.subject
        found = self._data(case.operation, reply, letters[1].text, [case.victim])
        first, foreign, second = map(neutral, replies, (letter.leaves for letter in letters))
        told = difference(foreign, first, noise_between(first, second))
        owner = lever.names_user and names_owner(reply, self._world.user_names, theirs)
        if self._is_meant(case):
            return
        if found:
            self._add(case, "foreign_data", sent, shown(reply), f"the answer holds {found}")
        elif owner and reply.succeeded:
            why = f"the answer names {theirs} as the owner: {case.who.name} said so in the {lever.label}"
            self._add(case, "foreign_data" if safe else "changed", sent, shown(reply), why)
        elif told is not None:
            why = f"{told}: {theirs}'s value in the {lever.label} is answered otherwise than a new one"
            self._add(case, "distinguishable", sent, shown(reply), f"{why} ({shown(replies[0])})")
        if not safe:
            await self._look(case, (sent, reply))

    async def _play_undeclared(
        self, path: str, declared: frozenset[str], attacker: Person, victim: Person
    ) -> None:
        """Methods that the document does not have, HEAD and OPTIONS among them."""
        self._letters = []
        known = next(one for one in (*self._guarded, *self._public) if one.path == path)
        open_to_all = any(one.path == path and one.method == "GET" for one in self._public)
        for method in METHODS:
            if method in declared or (method == "HEAD" and open_to_all):
                continue
            operation = Operation(method, path, known.parameters, document=known.document)
            for who, writer in ((NOBODY, victim), (user(attacker), attacker)):
                own, theirs = self._both(operation, attacker, victim)
                if who is NOBODY or any(one.kind != "fixed" for one in theirs.values()):
                    case = Case(operation, who, writer, victim)
                    await self._aim(case, everything(theirs, victim), own)

    async def _renew(self, *people: Person) -> None:
        """Gives users new rows, and looks at what the last of them sees."""
        for person in people:
            await self._world.seed(person)
        first, second = await self._read(people[-1]), await self._read(people[-1])
        self._before = {
            name: (reply, noise_between(reply, second[name]))
            for name, reply in first.items()
            if name in second
        }

    async def _read(self, victim: Person) -> dict[str, Reply]:
        """Everything that its owner can read, except where it reads what is not its own."""
        read = {}
        for operation in self._guarded:
            values = self._world.values_of(operation, victim)
            works = (operation.name, victim.subject) in self._world.worked
            if operation.name in self._leaky | self._shared or not works:
                continue
            if operation.method == "GET" and values is not None:
                letter = self._world.write(operation, victim, values)
                reply = await self._world.ask(letter, victim.credentials)
                # A parameter that it needs is another text each time.
                read[operation.name] = neutral(reply, letter.planted.values())
        return read

    async def _look(self, case: Case, blamed: tuple[str, Reply] | None) -> None:
        """Reads everything of the victim's back; where it changed, says so and makes it anew."""
        after = await self._read(case.victim)
        for name, (before, noise) in self._before.items():
            told = difference(after[name], before, noise) if name in after else None
            if told is not None:
                last = f"one of {len(self._letters)} requests, the last of them {self._letters[-1]}"
                sent, came_back = (blamed[0], shown(blamed[1])) if blamed else (last, "nothing that says so")
                why = f"what {case.victim.subject} gets by {name} is not what it was: {told}"
                self._add(case, "changed", sent, came_back, why)
                await self._renew(case.victim)
                return

    def _data(self, operation: Operation, reply: Reply, sent: str, whose: Sequence[Person]) -> str | None:
        """What an answer holds of these users'."""
        if operation.name in self._shared:
            return None
        found = (data_of(reply, one.marks, one.subject, sent) for one in whose)
        return next(filter(None, found), None)

    def _is_meant(self, case: Case) -> bool:
        """Whether any user may read this."""
        return (
            case.operation.name in self._shared and case.who.kind == "user" and case.operation.method in SAFE
        )

    def _add(self, case: Case, reason: str, sent: str, came_back: str, why: str) -> None:
        finding = Finding(case.operation.name, reason, case.who.name, sent, came_back, why)
        self.findings.add(finding, case.who.kind)

    def _paths(self) -> Iterator[tuple[str, frozenset[str]]]:
        names = {one.name for one in (*self._guarded, *self._public)} | self._untouched
        for path in dict.fromkeys(one.path for one in (*self._guarded, *self._public)):
            yield path, frozenset(method for method in METHODS if f"{method} {path}" in names)
