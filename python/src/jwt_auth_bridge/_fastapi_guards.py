"""The guards as FastAPI sees them: dependencies that OpenAPI lists as one HTTP bearer scheme.

Private half of the annex ``fastapi``. They hold no rule: each asks its bridge about the request's scope.
They take any connection, so they guard a WebSocket as they guard a request. Law: OpenAPI 3.1 "Security
Scheme Object", RFC 6750 §2.1.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated, Generic, TypeVar

from fastapi import Depends, Path
from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase
from starlette.requests import HTTPConnection
from starlette.types import Scope

from .verifier import Principal

Found = TypeVar("Found", Principal, Principal | None)


class Guard(SecurityBase, Generic[Found]):
    """One dependency; an instance of ``SecurityBase``, because that is what FastAPI lists in OpenAPI.

    It may have to wait for a key that is fetched; it never blocks the event loop.

    Example:
        >>> async def nobody(scope: Scope) -> None: ...
        >>> Guard(nobody).scheme_name
        'bearer'
    """

    def __init__(self, decide: Callable[[Scope], Awaitable[Found]]) -> None:
        self.model = HTTPBearer(bearerFormat="JWT", description="The access token of the web app's user.")
        self.scheme_name = "bearer"
        self._decide: Callable[[Scope], Awaitable[Found]] = decide

    async def __call__(self, connection: HTTPConnection) -> Found:
        return await self._decide(connection.scope)


def path_guard(guard: Guard[Principal], name: str) -> Callable[..., object]:
    """Makes a dependency of two steps: the inner one decides, the outer one declares the path parameter.

    FastAPI asks the inner one before it validates what the outer one declares. In one step, a route without
    the parameter would answer 422 before anybody asked for a token.
    """

    async def path_user(
        principal: Annotated[Principal, Depends(guard)],
        user_id: Annotated[str, Path(alias=name, description="The user's ID, the one in the token.")],
    ) -> Principal:
        return principal

    return path_user
