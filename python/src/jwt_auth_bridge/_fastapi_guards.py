"""The guards as FastAPI sees them: dependencies that OpenAPI lists as one HTTP bearer scheme.

Private half of the annex ``fastapi``. They hold no rule: each asks its bridge about the request's scope.
They take any connection, so they guard a WebSocket as they guard a request. Law: OpenAPI 3.1 "Security
Scheme Object", RFC 6750 §2.1.
"""

import re
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final, Generic, TypeVar

from fastapi import Depends, Path
from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase
from starlette.requests import HTTPConnection
from starlette.types import Message, Scope

from .verifier import Principal

Found = TypeVar("Found", Principal, Principal | None)

PARAMETER_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
"""What FastAPI takes for a parameter in a path."""

_MARK: Final = "_jwt_auth_bridge_guard"


class Passage:
    """What ``protect`` keeps in the scope of one request that is on its way through, for each bridge.

    Args:
        scope: as ``protect`` got it.

    Attributes:
        scope: the same, until the request is over.
        asked: the scope of the last verification: a middleware below a mount may hand the guards a copy.
        passed: guards that were asked about ``scope`` itself, and let it through.
        is_read: whether the body has come, so that whoever goes on receiving waits for the client to go.

    Example:
        >>> Passage({"type": "http"}).passed
        []
    """

    __slots__ = ("asked", "is_read", "passed", "scope")

    def __init__(self, scope: Scope) -> None:
        self.scope: Scope | None = scope
        self.asked: Scope | None = None
        self.passed: list[Guard[Any]] = []
        self.is_read = False

    def read(self, message: Message) -> Message:
        """Takes down whether the body has come with this message."""
        self.is_read = not message.get("more_body", False)
        return message

    def close(self) -> None:
        """Ends the circle of scope and passage, so that nothing waits for the garbage collector."""
        self.scope = self.asked = None


class Guard(SecurityBase, Generic[Found]):
    """One dependency; an instance of ``SecurityBase``, because that is what FastAPI lists in OpenAPI.

    It may have to wait for a key that is fetched; it never blocks the event loop.

    Args:
        decide: a method of a bridge, or a function bound to one.
        label: what the guard is called where routes are listed.
        parameter: the path parameter that it holds against the token, if it holds one.

    Example:
        >>> async def nobody(scope: Scope) -> None: ...
        >>> Guard(nobody, "nobody").scheme_name
        'bearer'
    """

    def __init__(
        self, decide: Callable[[Scope], Awaitable[Found]], label: str, parameter: str | None = None
    ) -> None:
        self.model = HTTPBearer(bearerFormat="JWT", description="The access token of the web app's user.")
        self.scheme_name = "bearer"
        self.label = label
        self.parameter = parameter
        self.bridge: object = getattr(decide, "__self__", None)
        self._decide: Callable[[Scope], Awaitable[Found]] = decide
        self._passage_key: str = getattr(self.bridge, "_passage_key", "")

    async def __call__(self, connection: HTTPConnection) -> Found:
        scope = connection.scope
        found = await self._decide(scope)
        passage: Passage | None = scope.get(self._passage_key)
        if passage is not None and passage.scope is scope:
            passage.passed.append(self)
        return found


def path_guard(
    guard: Guard[Principal], name: str, description: str, kind: type | None = None
) -> Callable[..., object]:
    """Makes a dependency of two steps: the inner one decides, the outer one declares the path parameter.

    FastAPI asks the inner one before it validates what the outer one declares. In one step, a route without
    the parameter would answer 422 before anybody asked for a token.

    Args:
        guard: the inner step.
        name: of the path parameter.
        description: of the path parameter, in OpenAPI.
        kind: the type in which the dependency gives the parameter; by default it gives the principal.
    """

    async def path_user(
        principal: Annotated[Principal, Depends(guard)],
        value: Annotated[str, Path(alias=name, description=description)],
    ) -> Principal:
        return principal

    async def path_user_as(
        principal: Annotated[Principal, Depends(guard)],
        value: Annotated[kind or str, Path(alias=name, description=description)],  # type: ignore[valid-type]
    ) -> object:
        return value

    made = path_user if kind is None else path_user_as
    made.__dict__[_MARK] = guard
    return made


def is_guard(value: object) -> bool:
    """Tells whether this is a dependency that ``Depends`` belongs around.

    Example:
        >>> is_guard(print)
        False
    """
    return isinstance(value, Guard) or isinstance(getattr(value, "__dict__", {}).get(_MARK), Guard)
