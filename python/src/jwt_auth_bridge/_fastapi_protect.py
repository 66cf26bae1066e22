"""The middleware of ``Bridge.protect``: nobody's body is read before it is known who sends it.

Private half of the annex ``fastapi``. FastAPI reads and parses a body before it asks any dependency, so the
decision is taken where the body comes from: in ``receive``. By then the router has put the matched route
into the scope. Law: ``access-token.md`` "HTTP answers"; the ASGI specification, HTTP and Lifespan.

It takes no decision of its own: it asks the bridge what the route's guards would say.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ._fastapi_refusal import LOGGER, Refused
from ._fastapi_routes import guards_of, is_plain, matched_route, taken_elsewhere, walk
from .errors import ConfigurationError

if TYPE_CHECKING:
    from .fastapi import Bridge


class Protection:
    """Pure ASGI middleware of one bridge around one app, innermost of the app's own.

    Example:
        >>> from .fastapi import Bridge
        >>> bridge = Bridge(
        ...     issuer="https://app.example.com",
        ...     audience="https://api.example.com",
        ...     secret="k3Zq9vT1xW7pL0sD5fG8hJ2nB4mC6rY+uQeAoI/tX1E=",
        ... )
        >>> from fastapi import FastAPI
        >>> app = FastAPI()
        >>> Protection(app, bridge=bridge, owner=app).audit({}) is None
        True
    """

    def __init__(self, app: ASGIApp, *, bridge: "Bridge", owner: Any) -> None:
        self._app = app
        self._bridge = bridge
        self._owner = owner
        self._guards = (bridge.path_user, bridge.current_user, bridge.optional_user)
        self._audited: dict[object, str] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._bridge._announce(protected=True)
        failure = self.audit(scope)
        if failure is not None:
            if scope["type"] == "lifespan":
                # An exception alone would count as "this app has no lifespan", and the server would go on.
                await receive()
                await send({"type": "lifespan.startup.failed", "message": str(failure)})
            raise failure
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        else:
            await self._guarded(scope, receive, send)

    def audit(self, scope: Scope) -> ConfigurationError | None:
        """Refuses routes under ``path_user`` that have no place for the user; again when routes were added.

        Args:
            scope: the first event; where this app is mounted, its ``path_params`` come from the mount.
        """
        outer = scope.get("path_params") or {}
        # A route added later below a router or a mount changes no count; its guard refuses it when asked.
        state = (len(self._owner.routes), *outer)
        if state not in self._audited:
            faults = "; ".join(self._faults(outer))
            self._audited[state] = faults
            if faults:
                LOGGER.error("%s", faults)
        return ConfigurationError(self._audited[state]) if self._audited[state] else None

    def _faults(self, outer: dict[str, Any]) -> Iterator[str]:
        name = self._bridge._path_parameter
        for route, path, convertors in walk(self._owner.routes):
            if self._bridge.path_user not in guards_of(route, self._guards):
                continue
            from_mount = name not in convertors and type(outer.get(name)) is str
            if not from_mount and not is_plain(name, convertors):
                yield (
                    f"{path} is guarded by path_user, but its path has no plain {{{name}}}: name the"
                    " parameter in the path without a convertor, or guard the route with current_user"
                )
            elif source := taken_elsewhere(route, name):
                yield (
                    f"{path} is guarded by path_user, but takes {name} from the {source}, where a caller"
                    " can write anybody's: use the principal's subject, or give the parameter another name"
                )

    async def decide(self, scope: Scope) -> bool:
        """Asks the guards of the matched route.

        Returns:
            Whether the route is known by now, so that the decision stands.

        Raises:
            Refused: what the guard itself would have raised, logged as usual, once.
        """
        route = matched_route(scope)
        methods = getattr(route, "methods", None)
        if methods and scope.get("method", "") not in methods:
            return False  # answered with 405, by no endpoint
        found = guards_of(route, self._guards, scope)
        if self._bridge.path_user in found:
            await self._bridge._authorize_path(scope)
        elif self._bridge.current_user in found:
            await self._bridge._authenticate(scope)
        elif found:
            await self._bridge._authenticate_optional(scope)
        return getattr(route, "dependant", None) is not None

    async def _guarded(self, scope: Scope, receive: Receive, send: Send) -> None:
        decided = replaced = False

        async def guarded_receive() -> Message:
            nonlocal decided
            if not decided:
                decided = await self.decide(scope)
            return await receive()

        async def guarded_send(message: Message) -> None:
            """Lets no other answer than the refusal out of a guarded route.

            A form without a boundary is answered before anything is received, another dependency may
            refuse first, and a middleware in between may turn the refusal into something else.
            """
            nonlocal decided, replaced
            if replaced:
                return
            if not decided and message["type"] == "http.response.start":
                try:
                    decided = await self.decide(scope)
                except Refused as refused:
                    if not refused.answered_by(message):
                        replaced = True
                        await refused.response()(scope, receive, send)
                        return
            await send(message)

        try:
            await self._app(scope, guarded_receive, guarded_send)
        except Exception as error:
            if not replaced or not _stems_from_refusal(error):
                raise


def _stems_from_refusal(error: BaseException) -> bool:
    """Tells whether this is a refusal that a middleware in between wrapped or answered twice."""
    inner = error.exceptions if isinstance(error, BaseExceptionGroup) else (error.__cause__,)
    return isinstance(error, Refused) or any(_stems_from_refusal(one) for one in inner if one is not None)
