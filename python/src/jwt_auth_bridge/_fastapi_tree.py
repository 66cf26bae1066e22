"""Every route of an app: direct, included, mounted, below a host, and what can not be looked into.

Private half of the annex ``fastapi``; the audit asks here what there is to judge. Law: FastAPI 0.115 to 0.136
copy the routes of an included router and drop its mounts; from 0.137 on they stay behind the router, as
*effective contexts*, and static frontends stand in a list of their own.
"""

from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any, NamedTuple

from starlette.applications import Starlette
from starlette.routing import Host, Mount, Route, Router, WebSocketRoute


class Place(NamedTuple):
    """One route, or one thing that can not be looked into.

    Attributes:
        route: as ``matched_route`` would give it; the mount, host or other thing where it is opaque.
        path: the full path as it was written; below a ``Host`` it begins with ``//`` and the host.
        convertors: of all parameters in that path, those of mounts included.
        app: the innermost app or router that serves it.
        prefix: the path at which that one begins.
        mounts: the paths of the mounts and hosts above it, its own included where it is one.
        opaque: whether routes may be behind it that are not visited.
    """

    route: Any
    path: str
    convertors: Mapping[str, Any]
    app: Any
    prefix: str
    mounts: tuple[str, ...]
    opaque: bool = False


def walk(
    app: Any, prefix: str = "", convertors: Mapping[str, Any] | None = None, mounts: tuple[str, ...] = ()
) -> Iterator[Place]:
    """Visits every route below an app.

    Args:
        app: a FastAPI or Starlette app, or a router.
        prefix: the path at which it begins.
        convertors: of the parameters in that path.
        mounts: the mounts above it.

    *Does not* see what a middleware answers by itself.

    Example:
        >>> from fastapi import FastAPI
        >>> app, users = FastAPI(openapi_url=None), FastAPI(openapi_url=None)
        >>> users.add_api_route("/tasks", print)
        >>> app.mount("/{user_id}", users)
        >>> [(place.path, list(place.convertors)) for place in walk(app)]
        [('/{user_id}/tasks', ['user_id'])]
    """
    return _walk(readable(app), prefix, convertors or {}, mounts, ())


def _walk(
    app: Any, prefix: str, outer: Mapping[str, Any], mounts: tuple[str, ...], above: tuple[Any, ...]
) -> Iterator[Place]:
    router = _router_of(app)
    if any(router is one for one in above):
        return  # mounted below itself
    for listed in (*router.routes, *getattr(router, "_iter_low_priority_routes", tuple)()):
        for route in _completed(listed):
            original = getattr(route, "original_route", route)
            own = dict(getattr(route, "param_convertors", None) or {})
            if isinstance(route, Mount):
                del own["path"]  # the rest, which the mount takes out again
            convertors = {**outer, **own}
            if isinstance(route, Mount | Host):
                start = f"{prefix}//{route.host}" if isinstance(route, Host) else prefix + route.path
                # A mount at the root of what it stands in is told from that by its slash.
                at = start if start != prefix else f"{prefix}/"
                inner = readable(_base_of(route))
                if inner is None:
                    yield Place(route, at, convertors, app, prefix, (*mounts, at), opaque=True)
                else:
                    yield from _walk(inner, start, convertors, (*mounts, at), (*above, router))
            elif hasattr(original, "add_frontend_route"):
                start = prefix + getattr(route, "frontend_prefix", "")
                for one in original.routes:
                    at = start + one.path
                    yield Place(route, at, outer, app, prefix, (*mounts, at), opaque=True)
            else:
                at = prefix + (getattr(route, "path", None) or "")
                known = isinstance(original, Route | WebSocketRoute)
                within = mounts if known else (*mounts, at)
                yield Place(route, at, convertors, app, prefix, within, opaque=not known)
    # What answers where no route does.
    if router.default != router.not_found:
        at = f"{prefix}/"
        yield Place(router.default, at, outer, app, prefix, (*mounts, at), opaque=True)


def watched(app: Any) -> list[tuple[Any, list[Any]]]:
    """Takes down everything whose ``routes`` make up an app, each with the routes that it has now.

    Comparing the two is how a route that was added later is noticed, at about 50 ns each.

    Example:
        >>> from fastapi import FastAPI
        >>> app = FastAPI()
        >>> before = watched(app)
        >>> app.add_api_route("/", print)
        >>> any(owner.routes != known for owner, known in before)
        True
    """
    found: dict[int, Any] = {}
    pending = [_router_of(readable(app))]
    while pending:
        owner = pending.pop()
        if id(owner) in found:
            continue
        found[id(owner)] = owner
        if isinstance(low := getattr(owner, "_low_priority_routes", None), list):
            found[id(low)] = SimpleNamespace(routes=low)
            pending.extend(one for one in low if hasattr(one, "add_frontend_route"))
        for listed in owner.routes:
            if isinstance(listed, Mount | Host):
                if (inner := readable(_base_of(listed))) is not None:
                    pending.append(_router_of(inner))
            elif (original := getattr(listed, "original_router", None)) is not None:
                pending.append(original)
    return [(owner, list(owner.routes)) for owner in found.values()]


def readable(app: Any) -> Any:
    """Takes off the middlewares that were put around an app by hand, as ``Middleware(app)``.

    Returns:
        The app or router whose routes can be read, or ``None``.

    Example:
        >>> readable(print) is None
        True
    """
    for _ in range(32):
        if isinstance(app, Starlette | Router):
            return app
        app = getattr(app, "app", None)
    return None


def _router_of(app: Any) -> Any:
    return app.router if isinstance(app, Starlette) else app


def _base_of(route: Any) -> Any:
    """What is mounted, below the mount's own middlewares."""
    return getattr(route, "_base_app", route.app)


def _completed(listed: Any) -> Iterator[Any]:
    """Gives what an included router serves (FastAPI 0.137 and later), or the route itself."""
    contexts = getattr(listed, "effective_route_contexts", None)
    for context in (listed,) if contexts is None else contexts():
        yield getattr(context, "starlette_route", None) or context
