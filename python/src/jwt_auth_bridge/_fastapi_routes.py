"""What FastAPI knows about a request's route: the one room that reads FastAPI's own data.

Private half of the annex ``fastapi``. Here is found which route serves a request, what guards it once its
routers, includes and overrides are counted, and whether its path can hold a user. Law: FastAPI 0.115 to
0.136 copy the routes of an included router; from 0.137 on the copy is an *effective context*, and the
route in the scope is the original, without the router's prefix and dependencies.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from fastapi.dependencies.utils import get_dependant
from starlette.convertors import StringConvertor
from starlette.types import Scope


def matched_route(scope: Scope) -> Any:
    """Gives the route that serves this request as its routers and includes complete it, or ``None``.

    The answer is duck-typed: a route or an effective context, where it has them with ``path_format``,
    ``param_convertors``, ``methods`` and ``dependant``.

    Example:
        >>> matched_route({"type": "http"}) is None
        True
    """
    route = scope.get("route")
    context = scope.get("fastapi", {}).get("effective_route_context")
    # A context may be left over from an outer router; FastAPI itself asks the same question.
    if context is not None and (route is None or context.original_route is route):
        return context
    return route


def template(scope: Scope) -> str:
    """Gives the route's path as it was written, ``/api/{user_id}/tasks``: nothing that a caller sent.

    Example:
        >>> template({"type": "http"})
        '?'
    """
    return getattr(matched_route(scope), "path_format", None) or "?"


def is_plain(name: str, convertors: Mapping[str, Any]) -> bool:
    """Tells whether a path has a parameter of this name that is a plain string: ``{name}``, nothing after it.

    Example:
        >>> from starlette.routing import compile_path
        >>> [is_plain("user_id", compile_path(path)[2]) for path in ("/{user_id}", "/{user_id:path}", "/")]
        [True, False, False]
    """
    return type(convertors.get(name)) is StringConvertor


def holds_user(scope: Scope, name: str) -> bool:
    """Tells whether the path parameter that this request carries is a plain string.

    A parameter of a mount's prefix is known by its value alone: a plain string has no slash.

    Example:
        >>> holds_user({"type": "http", "path_params": {"user_id": 7}}, "user_id")
        False
    """
    convertors = getattr(matched_route(scope), "param_convertors", None) or {}
    if name in convertors:
        return is_plain(name, convertors)
    value = scope.get("path_params", {}).get(name)
    return type(value) is str and "/" not in value


def guards_of(route: Any, guards: Collection[Any], scope: Scope | None = None) -> set[Any]:
    """Finds which of the guards stand anywhere in a route's dependencies.

    Args:
        route: what ``matched_route`` or ``walk`` gives.
        guards: the dependencies to look for.
        scope: the request, whose app's ``dependency_overrides`` then count as they do for FastAPI;
            ``None`` looks at the route as it was written.

    *Does not* find a guard that a function calls by itself instead of depending on it.

    Example:
        >>> from fastapi import Depends, FastAPI
        >>> def guard() -> None: ...
        >>> app = FastAPI()
        >>> app.add_api_route("/", print, dependencies=[Depends(guard)])
        >>> guards_of(app.routes[-1], [guard]) == {guard}
        True
    """
    dependant = getattr(route, "dependant", None)
    if dependant is None:
        return set()
    overrides: Mapping[Any, Any] = {}
    if scope is not None:
        owner = getattr(route, "dependency_overrides_provider", scope.get("app"))
        overrides = getattr(owner, "dependency_overrides", overrides)
    found: set[Any] = set()
    expanded: set[Any] = set()
    pending = list(dependant.dependencies)
    while pending:
        node = pending.pop()
        if overrides and node.call in overrides:
            # An override that depends on what it replaces would go round for ever.
            if node.call in expanded:
                continue
            expanded.add(node.call)
            node = get_dependant(path=node.path, call=overrides[node.call])
        for guard in guards:
            if node.call is guard:
                found.add(guard)
        pending.extend(node.dependencies)
    return found


def taken_elsewhere(route: Any, name: str) -> str | None:
    """Tells where else than from the path a route takes a parameter of this name: a second, unguarded source.

    FastAPI turns a parameter that the route's own path does not have into a query parameter: below a mount
    with ``{user_id}`` in its prefix, ``user_id`` in a function is what the caller writes behind the ``?``.

    Example:
        >>> from fastapi import FastAPI
        >>> app = FastAPI()
        >>> @app.get("/tasks")
        ... def tasks(user_id: str) -> None: ...
        >>> taken_elsewhere(app.routes[-1], "user_id")
        'query'
    """
    pending = [getattr(route, "dependant", None)]
    while pending:
        node = pending.pop()
        if node is None:
            continue
        for source in ("query", "header", "cookie", "body"):
            if any(name in (field.name, field.alias) for field in getattr(node, f"{source}_params")):
                return source
        pending.extend(node.dependencies)
    return None


def walk(
    routes: Iterable[Any], prefix: str = "", outer: Mapping[str, Any] | None = None
) -> Iterator[tuple[Any, str, dict[str, Any]]]:
    """Visits every route below an app, included and mounted ones too.

    Yields:
        The route as ``matched_route`` would give it, its full path, and the convertors of all parameters
        in that path, those of mounts included (a mount's own ``path``, for the rest, is no plain string).

    *Does not* see into an ASGI app that hides its ``routes``, for instance one wrapped by hand.

    Example:
        >>> from fastapi import FastAPI
        >>> app, users = FastAPI(openapi_url=None), FastAPI(openapi_url=None)
        >>> users.add_api_route("/tasks", print)
        >>> app.mount("/{user_id}", users)
        >>> [(path, is_plain("user_id", convertors)) for _, path, convertors in walk(app.routes)]
        [('/{user_id}/tasks', True)]
    """
    for listed in routes:
        for route in _completed(listed):
            path = prefix + (getattr(route, "path", None) or "")
            convertors = {**(outer or {}), **(getattr(route, "param_convertors", None) or {})}
            if isinstance(inner := getattr(route, "routes", None), list):
                yield from walk(inner, path, convertors)
            else:
                yield route, path, convertors


def _completed(route: Any) -> Iterator[Any]:
    """Gives what an included router serves (FastAPI 0.137 and later), or the route itself."""
    contexts = getattr(route, "effective_route_contexts", None)
    if contexts is None:
        yield route
        return
    for context in contexts():
        yield getattr(context, "starlette_route", None) or context
