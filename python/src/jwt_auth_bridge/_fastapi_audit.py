"""The audit of routes: each is guarded, listed as public, or FastAPI's own documentation; else it is a fault.

Private half of the annex ``fastapi``, between the tree of routes and the layer that stops the start. It
reads what FastAPI will really do: dependencies of routers and includes count, overrides do not. Law: OWASP
API1:2023 and API5:2023; ``access-token.md`` "HTTP answers".
"""

import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, get_args

from fastapi import FastAPI
from fastapi.dependencies.utils import get_typed_signature
from starlette.routing import WebSocketRoute

from ._fastapi_guards import Guard, is_guard
from ._fastapi_input import reads_like, taken_elsewhere
from ._fastapi_routes import guards_of, is_plain, nodes_of
from ._fastapi_tree import Place, walk
from .errors import ConfigurationError
from .verifier import Principal

if TYPE_CHECKING:
    from .fastapi import Bridge

NONE: Final = "NONE"
"""What the table says of a route that nobody guards."""

_ENTRY: Final = re.compile(r"[A-Z]+ /\S*")
_DOCS: Final = ("openapi_url", "docs_url", "redoc_url", "swagger_ui_oauth2_redirect_url")


class Row(NamedTuple):
    """One method of one route.

    Attributes:
        method: ``GET``, ``WS``, ``MOUNT``, or ``ANY`` where a route takes all.
        path: the full path, as written.
        guard: the guards' labels, ``public``, ``docs``, or ``NONE``.
        where: file, line and name of the function, the file relative to the working folder where it is below.
        faults: sentences that follow method and path; empty where all is well.
    """

    method: str
    path: str
    guard: str
    where: str
    faults: tuple[str, ...] = ()


def judge_public(public: Sequence[str]) -> tuple[str, ...]:
    """Refuses a list whose entries can not be meant.

    Raises:
        ConfigurationError: with the entry.

    Example:
        >>> judge_public(["GET /healthz"])
        ('GET /healthz',)
    """
    form = (
        'public takes a list of "GET /healthz", "WS /live" or "MOUNT /static": a method, a space and a path'
    )
    if isinstance(public, str) or not isinstance(public, Sequence | set | frozenset):
        raise ConfigurationError(form)
    for entry in public:
        if not isinstance(entry, str) or not _ENTRY.fullmatch(entry):
            raise ConfigurationError(f"{form}; {entry!r} is none")
    return tuple(dict.fromkeys(public))


def protections_of(app: Any) -> list[Mapping[str, Any]]:
    """Gives what each ``protect`` of an app was told: ``bridge``, ``owner`` and ``public``."""
    layers = (getattr(layer, "kwargs", {}) for layer in getattr(app, "user_middleware", ()))
    return [said for said in layers if said.keys() >= {"bridge", "owner", "public"}]


def judge(
    app: Any, bridge: "Bridge", *, public: Sequence[str] | None = None, outer: Mapping[str, Any] | None = None
) -> str:
    """Judges every route of an app by one bridge.

    Args:
        app: the FastAPI app.
        bridge: whose path parameters are looked for; guards of every bridge count.
        public: in place of the lists that ``protect`` was given.
        outer: ``path_params`` of a mount that this app stands below.

    Returns:
        The faults, one a line, below a first line; empty where there are none.
    """
    lines = say_faults(*survey(app, [bridge], public=public, outer=outer))
    if not lines:
        return ""
    return "\n  ".join([f"{len(lines)} fault{'s' if len(lines) > 1 else ''} in the app's routes:", *lines])


def say_faults(rows: Sequence[Row], strays: Sequence[str]) -> list[str]:
    """Gives the faults of a survey, one sentence each.

    Example:
        >>> say_faults([Row("GET", "/x", NONE, "main.py:1 x", ("asks nobody",))], [])
        ['GET /x asks nobody (main.py:1 x)']
    """
    return [f"{row.method} {row.path} {fault} ({row.where})" for row in rows for fault in row.faults] + [
        *strays
    ]


def survey(
    app: Any,
    bridges: Sequence["Bridge"],
    *,
    public: Sequence[str] | None = None,
    outer: Mapping[str, Any] | None = None,
) -> tuple[list[Row], list[str]]:
    """Gives every row of the table, and the faults of the public list itself; arguments as for ``judge``."""
    places = list(walk(app))
    listed = _listed(app, places) if public is None else tuple(public)
    mounts = {entry: _below(entry, places) for entry in listed if entry.startswith("MOUNT ")}
    own = {entry for entry, below in mounts.items() if any(map(_is_fastapis, below))}
    covered = {entry for entry, below in mounts.items() if below} - own
    rows = []
    for place in places:
        above = {f"MOUNT {mount}" for mount in place.mounts}
        for method in _methods_of(place):
            is_open = not place.opaque and f"{method} {place.path or '/'}" in listed
            rows.append(
                _judge_row(place, method, bridges, is_open or not covered.isdisjoint(above), outer or {})
            )
    met = {f"{row.method} {row.path}" for row in rows if row.method != "MOUNT"} | covered | own
    strays = [
        f"{entry} is listed as public, but routes of FastAPI are below it: guard them, or list the open ones"
        " one by one"
        for entry in sorted(own)
    ]
    strays += [
        f"{entry} is listed as public, but there is no such route: write the method and the full path as in"
        " the route, or take it off the list"
        for entry in listed
        if entry not in met
    ]
    return rows, strays


def _listed(app: Any, places: Sequence[Place]) -> tuple[str, ...]:
    """The public lists of an app and of the apps mounted below it, each with the path at which it begins."""
    entries = [entry for said in protections_of(app) for entry in said["public"]]
    for mounted, prefix in {
        id(one.app): (one.app, one.prefix) for one in places if one.app is not app
    }.values():
        for said in protections_of(mounted):
            for method, _, path in (entry.partition(" ") for entry in said["public"]):
                entries.append(f"{method} {prefix}{path}")
    return tuple(dict.fromkeys(entries))


def _below(entry: str, places: Sequence[Place]) -> list[Place]:
    return [place for place in places if entry.removeprefix("MOUNT ") in place.mounts]


def _is_fastapis(place: Place) -> bool:
    return not place.opaque and getattr(place.route, "dependant", None) is not None


def _methods_of(place: Place) -> list[str]:
    if place.opaque:
        return ["MOUNT"]
    if isinstance(place.route, WebSocketRoute):
        return ["WS"]
    methods = set(getattr(place.route, "methods", None) or ["ANY"])
    return sorted(methods - {"HEAD"} if "GET" in methods else methods)


def _judge_row(
    place: Place, method: str, bridges: Sequence["Bridge"], is_public: bool, outer: Mapping[str, Any]
) -> Row:
    guards = guards_of(place.route)
    labels = ", ".join(dict.fromkeys(guard.label for guard in guards))
    is_docs = _is_docs(place)
    faults: list[str] = []
    if guards and is_public:
        faults.append(
            f"is listed as public, but is guarded by {labels}: take it off the list, or the guard off it"
        )
    elif guards:
        faults += _unheld(place, guards, bridges, labels, outer)
        faults += _misplaced(place, guards, outer)
    elif not is_public and not is_docs:
        faults.append(_unguarded(place, method, bridges, outer))
    faults += _lost(place)
    guard = labels or ("public" if is_public else "docs" if is_docs else NONE)
    where = "FastAPI" if is_docs else _where(place)
    return Row(method, place.path or "/", guard, where, tuple(faults))


def _unguarded(place: Place, method: str, bridges: Sequence["Bridge"], outer: Mapping[str, Any]) -> str:
    listing = f'list it: public=["{method} {place.path or "/"}"]'
    if place.opaque:
        return f"leads to what no guard can be seen in: it must guard itself; then {listing}"
    if not _is_fastapis(place):
        return (
            "is a plain Starlette route, to which no router hands its dependencies: make it a route of"
            f" FastAPI under a guard, or {listing}"
        )
    held = next(
        (by for bridge in bridges for name, by in bridge._held.items() if name in place.convertors), None
    )
    guard = held or "current_user"
    return f"asks nobody for a token: guard it, or its router, with Depends(bridge.{guard}), or {listing}"


def _unheld(
    place: Place,
    guards: Sequence[Guard[Any]],
    bridges: Sequence["Bridge"],
    labels: str,
    outer: Mapping[str, Any],
) -> Iterator[str]:
    """A parameter that a bridge holds elsewhere, or one that reads like it, and that nobody holds here."""
    held_here = {guard.parameter: guard.label for guard in guards}
    held = {name: by for bridge in bridges for name, by in bridge._held.items()}
    there = {**place.convertors, **outer}
    for written in there:
        name = written if written in held else next((one for one in held if reads_like(written, one)), None)
        if name is None or written in held_here:
            continue
        if name not in held_here:
            another = "" if written == name else f", which reads like {{{name}}},"
            cure = "" if written == name else f"name it {{{name}}} and "
            yield (
                f"has {{{written}}} in its path{another} and {labels} does not compare it: {cure}guard the"
                f" route with Depends(bridge.{held[name]}), or give it another name where it is not the"
                " caller's"
            )
        elif name in there:
            yield (
                f"has {{{written}}} in its path beside {{{name}}}, which {held_here[name]} compares and"
                " which it reads like: give it a name that does not read like the caller's"
            )


def _misplaced(place: Place, guards: Sequence[Guard[Any]], outer: Mapping[str, Any]) -> Iterator[str]:
    """A guard that holds a parameter which the path has not, or which is taken from elsewhere too."""
    for guard in guards:
        name = guard.parameter
        if name is None:
            continue
        from_mount = name not in place.convertors and type(outer.get(name)) is str
        if not from_mount and not is_plain(name, place.convertors):
            yield (
                f"is guarded by {guard.label}, but its path has no plain {{{name}}}: name the parameter in"
                " the path without a convertor, or guard the route with current_user"
            )
            continue
        for taken in taken_elsewhere(place.route, name):
            like = "" if taken.name == name else f", which reads like {name},"
            of = f" (a field of {taken.model})" if taken.model else ""
            cure = "and a model without that field" if of else "or give the parameter another name"
            yield (
                f"is guarded by {guard.label}, but takes {taken.name}{like} from the {taken.source}{of},"
                f" where a caller can write anybody's: use what the guard gives, {cure}"
            )


def _lost(place: Place) -> Iterator[str]:
    """A guard, or a principal, that FastAPI made into something that the caller writes."""
    for node in nodes_of(getattr(place.route, "dependant", None)):
        try:
            parameters = get_typed_signature(node.call).parameters.values()
        except (TypeError, ValueError):
            continue
        by_guard = {below.name for below in node.dependencies}
        for one in parameters:
            told = [one.default, *getattr(one.annotation, "__metadata__", ())]
            if one.name not in by_guard and (any(map(is_guard, told)) or _is_principal(one.annotation)):
                yield (
                    f"lets the caller write the parameter {one.name} of {_name(node.call)}, since no Depends"
                    f" stands there: write {one.name}: Annotated[Principal, Depends(bridge.current_user)]"
                )


def _is_principal(annotation: object) -> bool:
    inside = get_args(annotation)
    return annotation is Principal or any(map(_is_principal, inside))


def _is_docs(place: Place) -> bool:
    """FastAPI's own documentation: its function, at an address that the app gave it."""
    endpoint = getattr(place.route, "endpoint", None)
    urls = [getattr(place.app, name, None) for name in _DOCS]
    return (
        isinstance(place.app, FastAPI)
        and getattr(endpoint, "__code__", None) in FastAPI.setup.__code__.co_consts
        and place.path in [place.prefix + url for url in urls if url]
    )


def _name(call: Any) -> str:
    return str(getattr(call, "__name__", None) or type(call).__name__)


def _where(place: Place) -> str:
    """File, line and name of what serves a route, or only the name where there is no source."""
    serves = getattr(place.route, "endpoint", None) or getattr(place.route, "app", None) or place.route
    made = inspect.unwrap(serves)
    while hasattr(made, "func"):
        made = inspect.unwrap(made.func)
    code = getattr(made, "__code__", None) or getattr(getattr(made, "__call__", None), "__code__", None)  # noqa: B004
    file = Path(code.co_filename) if code else Path()
    if code is None or not (hasattr(made, "__code__") or file.is_relative_to(Path.cwd())):
        return _name(serves)
    short = file.relative_to(Path.cwd()) if file.is_relative_to(Path.cwd()) else file
    return f"{short}:{code.co_firstlineno} {_name(made)}"
