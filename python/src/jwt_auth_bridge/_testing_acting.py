"""Acting as a user without a token: one override of ``bridge.current_user``, in every app with routes of it.

Private half of the annex ``testing``. FastAPI's own ``dependency_overrides`` is the hook, so that the bridge
has no back door of its own. Law: FastAPI, "Testing Dependencies with Overrides".
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from ._testing_openapi import completed, unwrapped
from ._testing_tokens import SESSION, TokenFactory
from .errors import ConfigurationError
from .verifier import Principal

if TYPE_CHECKING:
    from .fastapi import Bridge

_ABSENT: Final = object()


@contextmanager
def as_user(
    app: Any,
    user: str | Principal = "alice",
    *,
    bridge: "Bridge | None" = None,
    session_id: str | None = SESSION,
    claims: Mapping[str, Any] | None = None,
) -> Iterator[Principal]:
    """Has every request to an app be a user's, without a token, until the block ends.

    ``current_user`` and ``optional_user`` give this user; ``path_user`` gives it on its own path and answers
    403 on another's. What a request says in ``Authorization`` is not read meanwhile. Blocks may stand in
    each other; what an app overrode before is back at the end, after an exception too.

    Args:
        app: the FastAPI app, or one with middlewares around it; apps mounted below are included.
        user: the user's ID, or a whole principal.
        bridge: whose guards; needed only where an app has guards of several.
        session_id: the principal's.
        claims: what the web app adds to its tokens.

    Yields:
        The principal that the endpoints get.

    Raises:
        ConfigurationError: no route of the app depends on a bridge, or several bridges guard it and none is
        named.

    *Does not* reach a bare ``APIRouter`` that is mounted: FastAPI has no overrides there, and its guard goes
    on asking for a token. *Does not* test that a route is guarded: a route without a guard looks the same.
    Overrides are the app's, so tests that run at the same time share them.

    Example:
        >>> from fastapi import Depends, FastAPI
        >>> from jwt_auth_bridge.fastapi import Bridge
        >>> bridge, app = Bridge(**TokenFactory().bridge_options()), FastAPI()
        >>> @app.get("/me")
        ... async def me(user: Principal = Depends(bridge.current_user)) -> str:
        ...     return user.subject
        >>> with as_user(app, "alice") as alice:
        ...     app.dependency_overrides[bridge.current_user]().subject
        'alice'
        >>> app.dependency_overrides
        {}
    """
    apps = list(_apps(app))
    acting = _the_bridge(apps) if bridge is None else bridge
    principal = user if isinstance(user, Principal) else _principal(acting, user, session_id, claims)
    target = acting.current_user

    def override() -> Principal:
        return principal

    kept = [(one, one.dependency_overrides.get(target, _ABSENT)) for one in apps]
    for one in apps:
        one.dependency_overrides[target] = override
    try:
        yield principal
    finally:
        for one, before in kept:
            if before is _ABSENT:
                one.dependency_overrides.pop(target, None)
            else:
                one.dependency_overrides[target] = before


def _principal(
    bridge: "Bridge", subject: str, session_id: str | None, claims: Mapping[str, Any] | None
) -> Principal:
    """What a token of this user would yield."""
    verifier = bridge._verifier
    factory = TokenFactory(verifier.issuer, verifier.audience)
    factory.token(subject, session_id=session_id, claims=claims)  # raises where no token could say this
    said = factory.claims(subject, session_id=session_id) | dict(claims or {})
    return Principal(
        subject=subject,
        session_id=session_id,
        token_id=said["jti"],
        issued_at=said["iat"],
        expires_at=said["exp"],
        claims=MappingProxyType(said),
    )


def _apps(app: Any) -> Iterator[Any]:
    """Every app with overrides of its own: this one, and those mounted below it."""
    inner = unwrapped(app)
    if isinstance(getattr(inner, "dependency_overrides", None), dict):
        yield inner
    for route in (each for listed in getattr(inner, "routes", None) or () for each in completed(listed)):
        if hasattr(route, "app") and hasattr(route, "routes"):
            yield from _apps(route.app)


def _the_bridge(apps: list[Any]) -> "Bridge":
    found = {id(one): one for app in apps for one in _bridges(app)}
    if not found:
        raise ConfigurationError(
            "no route of this app depends on a bridge; give the FastAPI app, with its routes, or name the "
            "bridge as bridge="
        )
    if len(found) > 1:
        raise ConfigurationError("several bridges guard this app; name the one to act for as bridge=")
    return next(iter(found.values()))


def _bridges(app: Any) -> Iterator["Bridge"]:
    # Here, so that tokens can be made without FastAPI.
    from ._fastapi_guards import Guard  # noqa: PLC0415

    pending = [getattr(one, "dependant", None) for listed in app.routes for one in completed(listed)]
    while pending:
        node = pending.pop()
        if node is not None:
            if isinstance(node.call, Guard):
                yield node.call._decide.__self__  # type: ignore[attr-defined]
            pending.extend(node.dependencies)
