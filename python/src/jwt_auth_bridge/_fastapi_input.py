"""By which names a request's input reaches a route: its parameters, and the fields of its models.

Private half of the annex ``fastapi``; the audit asks here whether what a guard holds against the token comes
in a second time, from where nobody compares it. What a type takes is read where Pydantic keeps it, in its
core schema, so unions, lists, root models, dataclasses and typed dicts count as models do. Law: OWASP
API1:2023 and API3:2023.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from pydantic import PydanticUndefinedAnnotation, PydanticUserError, TypeAdapter

from ._fastapi_routes import nodes_of

_SOURCES: Final = ("query", "header", "cookie", "body")
# The parts of a core schema that list fields, and where.
_LISTS: Final = {
    "model-fields": "fields",
    "dataclass-args": "fields",
    "typed-dict": "fields",
    "named-tuple": "fields",
    "arguments": "arguments_schema",
}


class Taken(NamedTuple):
    """One name that a route takes from a request.

    Attributes:
        source: ``query``, ``header``, ``cookie`` or ``body``; a form is a body.
        name: that of the parameter or field, or its alias.
        model: whose field it is; ``None`` for a parameter.
    """

    source: str
    name: str
    model: str | None


def reads_like(written: str, name: str) -> bool:
    """Tells whether two names are one to a reader: the same but for underscores and capitals.

    Example:
        >>> reads_like("userId", "user_id"), reads_like("other_user_id", "user_id")
        (True, False)
    """
    return _plain(written) == _plain(name)


def taken_elsewhere(route: Any, name: str) -> list[Taken]:
    """Finds where else than from the path a route takes a parameter of this name: second, unguarded sources.

    FastAPI turns a parameter that the route's own path does not have into a query parameter: below a mount
    with ``{user_id}`` in its prefix, ``user_id`` in a function is what the caller writes behind the ``?``. So
    is the field ``user_id`` of a model of query parameters.

    Args:
        route: what ``matched_route`` or ``walk`` gives.
        name: of the parameter. What the program calls a value counts where it reads like it, an alias where
            it is that very name: a client's ``userId`` can be had under another name.

    *Does not* look into a field's own fields, nor see what a ``dict`` or ``extra="allow"`` takes.

    Example:
        >>> from fastapi import FastAPI
        >>> app = FastAPI()
        >>> @app.get("/tasks")
        ... def tasks(user_id: str) -> None: ...
        >>> taken_elsewhere(app.routes[-1], "user_id")
        [Taken(source='query', name='user_id', model=None)]
    """
    found = []
    for node in nodes_of(getattr(route, "dependant", None)):
        for source in _SOURCES:
            for one in getattr(node, f"{source}_params"):
                for model, own, aliases in _names_of(one):
                    if name in (own, *aliases):
                        found.append(Taken(source, name, model))
                    elif reads_like(own, name):
                        found.append(Taken(source, own, model))
    return list(dict.fromkeys(found))


def _names_of(parameter: Any) -> Iterator[tuple[str | None, str, list[str]]]:
    """Gives model, name and aliases of what FastAPI reads for one parameter."""
    alias = parameter.field_info.validation_alias
    convert = getattr(alias, "convert_to_aliases", lambda: alias)
    yield None, parameter.name, [parameter.alias, *_aliases(convert())]
    try:
        schema = TypeAdapter(parameter.field_info.annotation).core_schema
        yield from _fields(schema, None, {}, set())
    except (PydanticUserError, PydanticUndefinedAnnotation):
        return  # not defined until now: FastAPI can not read it either, and the route hands over nothing


def _fields(
    part: Any, model: str | None, definitions: dict[str, Any], followed: set[str]
) -> Iterator[tuple[str | None, str, list[str]]]:
    """Walks a core schema down to the first fields on every way; what those hold is not visited."""
    if isinstance(part, list | tuple):
        for one in part:
            yield from _fields(one, model, definitions, followed)
    if not isinstance(part, Mapping):
        return
    kind = part.get("type")
    model = getattr(part.get("cls"), "__name__", model)
    if kind == "definitions":
        definitions.update({one["ref"]: one for one in part["definitions"]})
        yield from _fields(part["schema"], model, definitions, followed)
    elif kind == "definition-ref":
        if (ref := part["schema_ref"]) in definitions and ref not in followed:
            followed.add(ref)
            yield from _fields(definitions[ref], model, definitions, followed)
    elif kind in _LISTS:
        listed = part[_LISTS[kind]]
        named = listed.items() if isinstance(listed, Mapping) else ((one["name"], one) for one in listed)
        for name, one in named:
            if one.get("init", True):
                yield model, name, _aliases(one.get("validation_alias") or one.get("alias"))
    else:
        for key, value in part.items():
            if key not in ("serialization", "metadata", "default"):
                yield from _fields(value, model, definitions, followed)


def _aliases(written: Any) -> list[str]:
    """The outermost names in an alias as Pydantic keeps it: a text, a path, or a list of paths."""
    if isinstance(written, str):
        return [written]
    ways = written if written and isinstance(written[0], list) else [written or []]
    return [way[0] for way in ways if way and isinstance(way[0], str)]


def _plain(name: str) -> str:
    return name.replace("_", "").lower()
