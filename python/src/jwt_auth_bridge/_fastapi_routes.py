"""What FastAPI knows about a request's route.

Private half of the annex ``fastapi``. Here is found which route serves a request, what guards it once its
routers, includes and overrides are counted, and whether its path can hold a user; ``_fastapi_tree`` finds
all routes of an app. Law: FastAPI 0.115 to
0.136 copy the routes of an included router; from 0.137 on the copy is an *effective context*, and the
route in the scope is the original, without the router's prefix and dependencies.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from fastapi.dependencies.utils import get_dependant
from starlette.convertors import StringConvertor
from starlette.types import Scope

from ._fastapi_guards import Guard


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


def overrides_of(route: Any, scope: Scope) -> Mapping[Any, Any]:
    """Gives the ``dependency_overrides`` that FastAPI asks for this route: those of the app that owns it.

    Example:
        >>> overrides_of(None, {"type": "http"})
        {}
    """
    owner = getattr(route, "dependency_overrides_provider", scope.get("app"))
    return getattr(owner, "dependency_overrides", None) or {}


def guards_of(route: Any, scope: Scope | None = None) -> list[Guard[Any]]:
    """Finds the guards that stand anywhere in a route's dependencies, each once, of whatever bridge.

    Args:
        route: what ``matched_route`` or ``walk`` gives.
        scope: the request, whose app's ``dependency_overrides`` then count as they do for FastAPI;
            ``None`` looks at the route as it was written.

    *Does not* find a guard that a function calls by itself instead of depending on it.

    Example:
        >>> from fastapi import Depends, FastAPI
        >>> async def nobody(scope: Scope) -> None: ...
        >>> app, guard = FastAPI(), Guard(nobody, "nobody")
        >>> app.add_api_route("/", print, dependencies=[Depends(guard)])
        >>> guards_of(app.routes[-1]) == [guard]
        True
    """
    dependant = getattr(route, "dependant", None)
    if dependant is None:
        return []
    overrides = {} if scope is None else overrides_of(route, scope)
    found: list[Guard[Any]] = []
    expanded: set[Any] = set()
    pending = [*reversed(dependant.dependencies)]
    while pending:
        node = pending.pop()
        if overrides and node.call in overrides:
            # An override that depends on what it replaces would go round for ever.
            if node.call in expanded:
                continue
            expanded.add(node.call)
            node = get_dependant(path=node.path, call=overrides[node.call])
        if isinstance(node.call, Guard) and node.call not in found:
            found.append(node.call)
        if node.dependencies:
            pending.extend(reversed(node.dependencies))
    return found


def nodes_of(dependant: Any) -> Iterator[Any]:
    """Visits what FastAPI knows about a route's function and each of its dependencies, as written.

    Example:
        >>> list(nodes_of(None))
        []
    """
    pending = [dependant]
    while pending:
        node = pending.pop()
        if node is not None:
            yield node
            pending.extend(node.dependencies)
