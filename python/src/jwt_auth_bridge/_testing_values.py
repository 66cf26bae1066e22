"""Valid values for a JSON schema, with a mark in every string by which it is known again.

Private half of the annex ``testing``. A small generator: it makes one honest value for a schema, not all
that the schema allows. Law: JSON Schema 2020-12, as OpenAPI 3.1 writes it.
"""

import base64
import re
import secrets
import uuid
from collections.abc import Callable, Mapping
from typing import Any, Final

from ._testing_openapi import resolve

SHORTEST_MARK: Final = 6
"""Characters; what is shorter may stand in an answer by chance."""

MOST_DEEP: Final = 8
"""Levels of objects and arrays, for schemas that contain themselves."""

FEW: Final = 1_000_000
"""Integers: a range with fewer has no room for one that is known again."""

LARGEST: Final = 2_000_000_000
"""The largest number that is made where a schema has no bound: databases hold it."""

_FORMATS: Final[Mapping[str, Callable[[str], str]]] = {
    "uuid": lambda _: str(uuid.uuid4()),
    "email": lambda mark: f"{mark}@example.com",
    "idn-email": lambda mark: f"{mark}@example.com",
    "uri": lambda mark: f"https://example.com/{mark}",
    "url": lambda mark: f"https://example.com/{mark}",
    "hostname": lambda mark: f"{mark}.example.com",
    "date": lambda _: "2031-02-03",
    "date-time": lambda _: "2031-02-03T04:05:06Z",
    "time": lambda _: "04:05:06",
    "duration": lambda _: "P1DT2H",
    "ipv4": lambda _: "192.0.2.7",
    "ipv6": lambda _: "2001:db8::7",
    "byte": lambda mark: base64.b64encode(mark.encode()).decode(),
    "base64": lambda mark: base64.b64encode(mark.encode()).decode(),
}
_SHARED: Final = frozenset(("date", "date-time", "time", "duration", "ipv4", "ipv6"))
"""Formats whose value is the same for everybody: no mark."""


class UnmakeableError(ValueError):
    """This generator has no value for a schema; the integrator gives an example."""


def new_mark(length: int = 16) -> str:
    """A text that nobody else has: a letter, then random letters and digits.

    Example:
        >>> len(new_mark(9))
        9
    """
    return "z" + secrets.token_hex(length // 2 + 1)[: length - 1]


class Values:
    """Makes values for one request.

    Args:
        document: what ``$ref`` refers into.
        known: gives the value for a name that means something, such as an ID of the caller's, or ``None``.
        full: whether optional members are made as well.
        plain: whether numbers are small ones, for what accepts no others.
        other: whether small choices fall otherwise than by default: what is overwritten must change by it.

    Attributes:
        planted: name of the member to the mark that it was given.

    Example:
        >>> values = Values({}, lambda name: None)
        >>> made = values.make({"type": "object", "properties": {"title": {"type": "string"}}})
        >>> made == values.planted
        True
    """

    def __init__(
        self,
        document: Mapping[str, Any],
        known: Callable[[str], Any],
        *,
        full: bool = True,
        plain: bool = False,
        other: bool = False,
    ) -> None:
        self._document = document
        self._known = known
        self._full = full
        self._plain = plain
        self._other = other
        self.planted: dict[str, str] = {}

    def make(self, schema: Any, name: str = "", depth: int = 0) -> Any:
        """Makes one value.

        Raises:
            UnmakeableError: the schema is beyond this generator.
        """
        schema = resolve(schema, self._document)
        if schema is True or schema == {}:
            return self._string({}, name)
        if not isinstance(schema, Mapping) or depth > MOST_DEEP:
            raise UnmakeableError(f"{name or 'the body'} is nested too deeply")
        known = self._known(name)
        if known is not None and schema.get("type") == "string":
            return known
        if known is not None and schema.get("type") == "integer" and str(known).isdecimal():
            return int(known)
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return schema["enum"][-1 if self._other else 0]
        for union in ("anyOf", "oneOf"):
            if union in schema:
                return self._first([one for one in schema[union] if not _is_null(one)], name, depth)
        if "allOf" in schema:
            return self.make(self._merged(schema), name, depth)
        return self._typed(schema, name, depth)

    def _typed(self, schema: Mapping[str, Any], name: str, depth: int) -> Any:
        kind = schema.get("type", "object" if "properties" in schema else "string")
        if isinstance(kind, list):
            kind = next((one for one in kind if one != "null"), "null")
        if kind == "object":
            return self._object(schema, depth)
        if kind == "array":
            return self._array(schema, name, depth)
        if kind == "boolean":
            return self._other
        if kind in ("integer", "number"):
            return self._number(schema, name, kind)
        return None if kind == "null" else self._string(schema, name)

    def _object(self, schema: Mapping[str, Any], depth: int) -> dict[str, Any]:
        required = set(schema.get("required", ()))
        made = {}
        for name, member in schema.get("properties", {}).items():
            resolved = resolve(member, self._document)
            if isinstance(resolved, Mapping) and resolved.get("readOnly"):
                continue
            if name in required:
                made[name] = self.make(member, name, depth + 1)
            elif self._full or self._known(name) is not None:
                try:
                    made[name] = self.make(member, name, depth + 1)
                except UnmakeableError:
                    continue
        others = schema.get("additionalProperties", False)
        if (
            not schema.get("properties")
            and (self._full or schema.get("minProperties"))
            and others is not False
        ):
            made["member"] = self.make(others, "member", depth + 1)
        return made

    def _array(self, schema: Mapping[str, Any], name: str, depth: int) -> list[Any]:
        least = schema.get("minItems", 0)
        if not least and (depth >= MOST_DEEP or not self._full):
            return []
        # An array of IDs is known by the singular of its name.
        return [self.make(schema.get("items", {}), singular(name), depth + 1) for _ in range(max(least, 1))]

    def _number(self, schema: Mapping[str, Any], name: str, kind: str) -> int | float:
        lower = schema.get("minimum", schema.get("exclusiveMinimum"))
        upper = schema.get("maximum", schema.get("exclusiveMaximum"))
        if kind == "number" and lower is not None and upper is not None and upper - lower <= 2:
            return float(lower + (upper - lower) * (0.75 if self._other else 0.5))
        most = LARGEST if upper is None else upper - ("maximum" not in schema)
        least = min(0, most) if lower is None else lower + ("minimum" not in schema)
        room = min(most, LARGEST) - max(least, 0) - FEW
        if self._plain or room < 1:
            value = max(least, min(most, 2 if self._other else 1))
        else:
            value = max(least, 0) + FEW + secrets.randbelow(int(room))
        # The next multiple, or the one before where there is no next.
        step = schema.get("multipleOf", 1)
        value = -(-value // step) * step
        value = value - step if value > most else value
        if kind == "number":
            return float(value)
        if value >= FEW:
            self.planted[name] = str(int(value))
        return int(value)

    def _string(self, schema: Mapping[str, Any], name: str) -> str:
        kind = schema.get("format", "")
        least, most = schema.get("minLength", 0), schema.get("maxLength", 255)
        if kind == "binary":
            raise UnmakeableError(f"{name} is a file")
        if kind in _FORMATS:
            value = _FORMATS[kind](new_mark())
        else:
            value = new_mark(max(least, min(16, most))) if most > 0 else ""
        if pattern := schema.get("pattern"):
            value = _matching(pattern, value, least, most)
        if kind not in _SHARED and len(value) >= SHORTEST_MARK:
            self.planted[name] = value
        return value

    def _first(self, schemas: list[Any], name: str, depth: int) -> Any:
        for schema in schemas[:-1]:
            try:
                return self.make(schema, name, depth)
            except UnmakeableError:
                continue
        return self.make(schemas[-1], name, depth) if schemas else None

    def _merged(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        merged: dict[str, Any] = {key: value for key, value in schema.items() if key != "allOf"}
        for part in (resolve(one, self._document) for one in schema["allOf"]):
            for key, value in part.items():
                if key == "properties":
                    merged[key] = {**merged.get(key, {}), **value}
                elif key == "required":
                    merged[key] = [*merged.get(key, ()), *value]
                else:
                    merged.setdefault(key, value)
        return merged


def missing_like(value: str) -> str:
    """A value of the same shape that nothing has: another UUID, another number, other letters.

    Example:
        >>> missing_like("12").isdecimal(), len(missing_like("tsk_4fGh81")), missing_like("tsk_4fGh81")[:4]
        (True, 10, 'tsk_')
    """
    if re.fullmatch(r"-?[0-9]{1,9}", value):
        return str(1_000_000_000 + secrets.randbelow(1_000_000_000))
    if len(value) < SHORTEST_MARK:
        return value + new_mark()
    # The last run keeps its length and its kinds of characters: the time in front of a UUIDv7 stays.
    head, run = re.fullmatch(r"(.*?)([0-9A-Za-z]*)", value, re.DOTALL).groups()  # type: ignore[union-attr]
    if len(run) < SHORTEST_MARK:
        head, run = "", value
    while (other := head + "".join(map(_another, run))) == value:
        if not any(character.isalnum() for character in run):
            return value + new_mark()
    return other


def singular(name: str) -> str:
    """The name of one of them, as English mostly makes it.

    Example:
        >>> [singular(name) for name in ("tasks", "categories", "task_ids", "news")]
        ['task', 'category', 'task_id', 'new']
    """
    if name.endswith("ies"):
        return name[:-3] + "y"
    return name.removesuffix("s")


def _another(character: str) -> str:
    for kind in ("0123456789", "abcdef", "ABCDEF", "ghijklmnopqrstuvwxyz", "GHIJKLMNOPQRSTUVWXYZ"):
        if character in kind:
            return secrets.choice(kind)
    return character


def _is_null(schema: Any) -> bool:
    return isinstance(schema, Mapping) and schema.get("type") == "null"


def _matching(pattern: str, value: str, least: int, most: int) -> str:
    """Tries a handful of usual shapes; a real regular expression takes an example from the integrator."""
    length = max(least, min(12, most))
    digits = "".join(secrets.choice("123456789") for _ in range(length))
    candidates = [value, digits, value.upper(), "".join(c for c in value if c.isalpha()), str(uuid.uuid4())]
    candidates += [f"+49{digits[:9]}", f"#{secrets.token_hex(3)}", secrets.token_hex(16), f"{digits[:2]}.5"]
    candidates += [f"/{value}"]
    candidates += [each[:size] for each in (digits, value.upper(), value) for size in range(1, 12)]
    for candidate in candidates:
        try:
            if least <= len(candidate) <= most and re.search(pattern, candidate):
                return candidate
        except re.error:
            break
    raise UnmakeableError(f"the pattern {pattern} is beyond the generator")
