"""What an app offers: its operations, from its OpenAPI document and from its routes.

Private half of the annex ``testing``. The document says what can be sent; the routes of a FastAPI app say
what the document leaves out. Law: OpenAPI 3.1, "Paths Object", "Parameter Object", "Request Body Object".
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from ._testing_http import Asked
from .errors import ConfigurationError

METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
"""What is played; a document knows no other (OpenAPI 3.1, "Path Item Object")."""


class Parameter(NamedTuple):
    """One parameter of an operation; ``place`` is path, query, header or cookie."""

    name: str
    place: str
    required: bool
    schema: Mapping[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """One method of one path template.

    Attributes:
        method: upper case.
        path: the template, ``/api/{user_id}/tasks``.
        parameters: in the document's order.
        body: schema of the body, or ``None``.
        media: ``json``, ``form``, ``other`` or empty: what body it takes.
        document: what the schemas refer into.
    """

    method: str
    path: str
    parameters: tuple[Parameter, ...] = ()
    body: Mapping[str, Any] | None = None
    media: str = ""
    document: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Method and template, as a person writes them."""
        return f"{self.method} {self.path}"

    @property
    def placeholders(self) -> tuple[str, ...]:
        """The names in the path, in order."""
        return tuple(part.partition("}")[0] for part in self.path.split("{")[1:])

    def schema_of(self, name: str) -> Mapping[str, Any]:
        """The schema of a path parameter; a string where the document says nothing."""
        found = (one.schema for one in self.parameters if one.place == "path" and one.name == name)
        return next(found, {"type": "string"})


class Offer(NamedTuple):
    """All operations, and what is served but can not be played."""

    operations: tuple[Operation, ...]
    unseen: tuple[str, ...]


async def read_offer(app: Any, client: Asked, openapi: Mapping[str, Any] | None) -> Offer:
    """Reads what an app offers.

    Args:
        app: what the caller gave: its routes are read where it is a FastAPI app, or one in middlewares.
        client: asks for ``/openapi.json`` where nothing else gives a document.
        openapi: the document, where the caller gave it; then nothing else is read.

    Raises:
        ConfigurationError: no document can be had.
    """
    if openapi is not None:
        return Offer(tuple(operations_of(openapi)), ())
    inner = unwrapped(app)
    if callable(getattr(inner, "openapi", None)) and isinstance(getattr(inner, "routes", None), list):
        played: dict[str, Operation] = {}
        unseen: list[str] = []
        _read_app(inner, "", played, unseen)
        return Offer(tuple(played.values()), tuple(unseen))
    reply = await client.request("GET", "/openapi.json", {"accept": "application/json"}, b"")
    if reply.status != 200:
        raise ConfigurationError(
            f"GET /openapi.json answers {reply.status}; give the document as openapi=, or the FastAPI app"
        )
    return Offer(tuple(operations_of(json.loads(reply.body))), ())


def operations_of(document: Mapping[str, Any], prefix: str = "") -> Iterator[Operation]:
    """Reads a document.

    Example:
        >>> paths = {"/tasks/{id}": {"get": {}, "parameters": [{"name": "id", "in": "path"}]}}
        >>> [(one.name, one.placeholders) for one in operations_of({"paths": paths})]
        [('GET /tasks/{id}', ('id',))]
    """
    for path, item in document.get("paths", {}).items():
        for method in METHODS:
            if (operation := item.get(method.lower())) is not None:
                given = [*item.get("parameters", ()), *operation.get("parameters", ())]
                found = [resolve(one, document) for one in given]
                parameters = {(one["name"], one["in"]): one for one in found}
                body, media = _body_of(resolve(operation.get("requestBody", {}), document))
                yield Operation(
                    method,
                    prefix + path,
                    tuple(map(_parameter, parameters.values())),
                    body,
                    media,
                    document,
                )


def resolve(schema: Any, document: Mapping[str, Any]) -> Any:
    """Follows ``$ref`` within the document (RFC 6901).

    Example:
        >>> resolve({"$ref": "#/a/b~1c"}, {"a": {"b/c": 1}})
        1
    """
    for _ in range(32):
        if not isinstance(schema, Mapping) or not str(schema.get("$ref", "")).startswith("#/"):
            return schema
        target: Any = document
        for part in schema["$ref"][2:].split("/"):
            target = target[part.replace("~1", "/").replace("~0", "~")]
        schema = target
    return {}


def _parameter(found: Mapping[str, Any]) -> Parameter:
    schema = found.get("schema") or {"type": "string"}
    return Parameter(found["name"], found["in"], bool(found.get("required")), schema)


def _body_of(body: Mapping[str, Any]) -> tuple[Mapping[str, Any] | None, str]:
    content = body.get("content", {})
    for media, said in content.items():
        kind = media.partition(";")[0].strip().lower()
        if kind == "application/json" or kind.endswith("+json"):
            return said.get("schema", {}), "json"
        if kind == "application/x-www-form-urlencoded":
            return said.get("schema", {}), "form"
    return (next(iter(content.values())).get("schema", {}), "other") if content else (None, "")


def _read_app(app: Any, prefix: str, played: dict[str, Operation], unseen: list[str]) -> None:
    """Adds one FastAPI app: its document, what its document hides, and what is mounted below it."""
    own = operations_of(app.openapi(), prefix)
    played.update((one.name, one) for one in own)
    names = ("openapi_url", "docs_url", "redoc_url", "swagger_ui_oauth2_redirect_url")
    docs = {prefix + url for name in names if (url := getattr(app, name, None))}
    _read_routes(app.routes, prefix, docs, played, unseen)


def _read_routes(
    routes: Any, prefix: str, docs: set[str], played: dict[str, Operation], unseen: list[str]
) -> None:
    for route in (each for listed in routes for each in completed(listed)):
        path = prefix + (getattr(route, "path_format", None) or getattr(route, "path", None) or "")
        methods = getattr(route, "methods", None)
        if hasattr(route, "app") and hasattr(route, "routes"):
            _read_mounted(route, path, docs, played, unseen)
        elif methods:
            for method in sorted(methods):
                hidden = Operation(method, path)
                # Starlette adds HEAD to each GET; undeclared methods are played anyhow.
                if path not in docs and method != "HEAD":
                    played.setdefault(hidden.name, hidden)
        elif isinstance(getattr(route, "routes", None), list):
            _read_routes(route.routes, prefix, docs, played, unseen)
        else:
            unseen.append(f"WebSocket {path}")


def _read_mounted(
    mount: Any, path: str, docs: set[str], played: dict[str, Operation], unseen: list[str]
) -> None:
    # Mount writes its path with a convertor for the rest: /static/{path}
    path = path.removesuffix("/{path}") if mount.__class__.__name__ != "Host" else ""
    inner = unwrapped(mount.app)
    if callable(getattr(inner, "openapi", None)):
        _read_app(inner, path, played, unseen)
    elif getattr(inner, "routes", None):
        _read_routes(inner.routes, path, docs, played, unseen)
    else:
        unseen.append(f"{type(mount.app).__name__} mounted at {path or '/'}")


def unwrapped(app: Any) -> Any:
    """Takes the middlewares off that were put around an app by hand."""
    while not hasattr(app, "routes") and hasattr(app, "app"):
        app = app.app
    return app


def completed(listed: Any) -> Iterator[Any]:
    """Gives what an included router serves (FastAPI 0.137 and later), or the route itself."""
    contexts = getattr(listed, "effective_route_contexts", None)
    for context in () if contexts is None else contexts():
        yield getattr(context, "starlette_route", None) or context
    if contexts is None:
        yield listed
