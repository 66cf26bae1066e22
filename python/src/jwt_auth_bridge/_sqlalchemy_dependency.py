"""The scoped session as a dependency of FastAPI: who calls decides what the session sees.

Private half of the annexes ``fastapi`` and ``sqlalchemy``, where the two meet. Law: OWASP API1:2023.
"""

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends

from .sqlalchemy import scope
from .verifier import Principal

if TYPE_CHECKING:
    from .fastapi import Bridge


def session_dependency(
    bridge: "Bridge", get_session: Callable[..., Any], *, user: Callable[..., Any] | None = None
) -> Callable[..., Coroutine[Any, Any, Any]]:
    """Makes the dependency that gives a session of the caller's own.

    Args:
        bridge: who the caller is.
        get_session: the app's dependency that gives a new session, ``Session`` or ``AsyncSession``.
        user: the guard that says whose rows, by default ``bridge.current_user``.

    Returns:
        A dependency. A caller without a good token is refused before any session is opened.

    *Does not* commit or close: ``get_session`` does, as before.

    Example:
        >>> from sqlalchemy.orm import Session
        >>> from jwt_auth_bridge.fastapi import Bridge
        >>> bridge = Bridge(
        ...     issuer="https://app.example.com",
        ...     audience="https://api.example.com",
        ...     secret="k3Zq9vT1xW7pL0sD5fG8hJ2nB4mC6rY+uQeAoI/tX1E=",
        ... )
        >>> def get_session():
        ...     with Session() as session:
        ...         yield session
        >>> mine = session_dependency(bridge, get_session)
    """
    guard = bridge.current_user if user is None else user

    # FastAPI asks them in this order, and stops at the first that refuses.
    async def scoped_session(
        principal: Annotated[Principal, Depends(guard)], session: Annotated[Any, Depends(get_session)]
    ) -> Any:
        return scope(session, principal)

    return scoped_session
