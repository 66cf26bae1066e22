"""The middleware of ``Bridge.protect``: nobody's body is read before it is known who sends it.

Private half of the annex ``fastapi``. FastAPI reads and parses a body before it asks any dependency, so the
decision is taken where the body comes from: in ``receive``. By then the router has put the matched route
into the scope. Law: ``access-token.md`` "HTTP answers"; the ASGI specification, HTTP and Lifespan.

It takes no decision of its own: it asks the route's guards, and the audit before it lets anything through.
What then stays open it hands to ``_fastapi_live``, which ends it with its token.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from anyio import CancelScope
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ._fastapi_audit import judge
from ._fastapi_guards import Guard, Passage
from ._fastapi_live import Live, LiveStream, is_event_stream
from ._fastapi_refusal import LOGGER, POLICY_VIOLATION, Refused
from ._fastapi_renewal import REGISTRY, LiveSocket
from ._fastapi_routes import guards_of, matched_route, overrides_of
from ._fastapi_tree import watched
from .errors import ConfigurationError
from .verifier import Principal

if TYPE_CHECKING:
    from .fastapi import Bridge

_KNOWN_ROUTES: Final = 4096
"""Routes whose guards are kept; an app that makes its routes as it runs must not fill the memory."""
_ANSWERS: Final = (
    "http.response.start",
    "websocket.accept",
    "websocket.close",
    "websocket.http.response.start",
)


class Protection:
    """Pure ASGI middleware of one bridge around one app, innermost of the app's own.

    Args:
        app: what is called next.
        bridge: whose guards decide here.
        owner: the FastAPI app whose routes are audited.
        public: what needs no guard, as ``Bridge.protect`` takes it.

    Example:
        >>> from .fastapi import Bridge
        >>> bridge = Bridge(
        ...     issuer="https://app.example.com",
        ...     audience="https://api.example.com",
        ...     secret="k3Zq9vT1xW7pL0sD5fG8hJ2nB4mC6rY+uQeAoI/tX1E=",
        ... )
        >>> from fastapi import FastAPI
        >>> app = FastAPI()
        >>> Protection(app, bridge=bridge, owner=app, public=()).audit({}) is None
        True
    """

    def __init__(self, app: ASGIApp, *, bridge: "Bridge", owner: Any, public: tuple[str, ...]) -> None:
        self._app = app
        self._bridge = bridge
        self._owner = owner
        self._watched: list[tuple[Any, list[Any]]] = []
        # By what the path holds before this app's own part of it, where it is mounted.
        self._faults: dict[object, str] = {}
        self._guards: dict[int, tuple[Any, list[Guard[Any]]]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._bridge._announce(protected=True)
        self._bridge._hide_tickets(scope)
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
        """Judges all routes once, and again when one was added anywhere below.

        Args:
            scope: the event; where this app is mounted, its ``path_params`` come from the mount.
        """
        for owner, known in self._watched:
            if owner.routes != known:
                self._faults.clear()
                self._guards.clear()
                break
        outer = scope.get("path_params")
        state = tuple((name, type(value)) for name, value in outer.items()) if outer else ()
        faults = self._faults.get(state)
        if faults is None:
            self._watched = watched(self._owner)
            faults = self._faults[state] = str(judge(self._owner, self._bridge, outer=outer) or "")
            if faults:
                LOGGER.error("%s", faults)
        return ConfigurationError(faults) if faults else None

    async def decide(self, scope: Scope, passed: Sequence[Guard[Any]] = ()) -> bool:
        """Asks the guards of the matched route.

        Args:
            scope: the request.
            passed: guards that have been asked about this very scope, and let it through.

        Returns:
            Whether the route is known by now, so that the decision stands.

        Raises:
            Refused: what the guard itself would have raised, logged as usual, once.
        """
        route = matched_route(scope)
        methods = getattr(route, "methods", None)
        if methods and scope.get("method", "") not in methods:
            return False  # answered with 405, by no endpoint
        for guard in self._guards_of(route, scope):
            if guard not in passed:
                await guard._decide(scope)
        return getattr(route, "dependant", None) is not None

    def _guards_of(self, route: Any, scope: Scope) -> list[Guard[Any]]:
        """The bridge's own guards; looked for once per route, as long as nothing is overridden."""
        known = self._guards.get(id(route))
        overridden = overrides_of(route, scope)
        if known is not None and known[0] is route and not overridden:
            return known[1]
        found = [guard for guard in guards_of(route, scope) if guard.bridge is self._bridge]
        if not overridden:
            if len(self._guards) >= _KNOWN_ROUTES:
                self._guards.clear()
            self._guards[id(route)] = (route, found)
        return found

    async def _guarded(self, scope: Scope, receive: Receive, send: Send) -> None:
        decided = replaced = False
        waiting: set[CancelScope] = set()
        live: Live | None = None
        passage = scope[self._bridge._passage_key] = Passage(scope)

        async def guarded_receive() -> Message:
            nonlocal decided
            if not decided:
                decided = await self.decide(scope, passage.passed)
            if isinstance(live, LiveSocket):
                return await live.receive()
            if live is not None and live.ended:
                return {"type": "http.disconnect"}
            # Not as long as the body is on its way: then nothing is open yet, and a CancelScope is dear.
            if live is None and not passage.is_read:
                return passage.read(await receive())
            # Whoever waits hears that the token of what is open ends, too.
            with CancelScope() as until:
                waiting.add(until)
                try:
                    return await receive()
                finally:
                    waiting.discard(until)
            return {"type": "http.disconnect"}

        async def guarded_send(message: Message) -> None:
            """Lets no other answer than the refusal out of a guarded route.

            A form without a boundary is answered before anything is received, another dependency may
            refuse first, and a middleware in between may turn the refusal into something else.
            """
            nonlocal decided, replaced, live
            if replaced:
                return
            kind = message["type"]
            if live is None and not decided and kind in _ANSWERS:
                try:
                    decided = await self.decide(scope, passage.passed)
                except Refused as refused:
                    if not refused.answered_by(message):
                        replaced = True
                        await _answer(refused, scope, receive, send)
                        if scope["type"] == "websocket":
                            raise  # so that nobody goes on as if it were open
                        return
            # Any other answer is over when it ends: nothing stands between it and the server.
            begins = live is None and (
                kind == "websocket.accept" or (kind == "http.response.start" and is_event_stream(message))
            )
            if begins:
                where = scope if self._bridge._key in scope else passage.asked or scope
                live = self._begin(where, message, receive, send, waiting)
            if live is None:
                await send(message)
            else:
                await (live.open(message) if begins else live.send(message))

        try:
            await self._app(scope, guarded_receive, guarded_send)
        except Exception as error:
            if not (replaced and _stems_from_refusal(error)) and not (
                live is not None and live.explains(error)
            ):
                raise
        finally:
            passage.close()
            if live is not None:
                await live.close()

    def _begin(
        self, scope: Scope, start: Message, receive: Receive, send: Send, waiting: set[CancelScope]
    ) -> Live | None:
        """Gives what a connection that stays open needs between itself and the server, if a token did it."""
        bridge = self._bridge
        values, result, *_ = scope.get(bridge._key) or (None, None)
        principal = result if isinstance(result, Principal) else None
        # A test acts as a user, by an override: there is no token, and nothing ends.
        acted = result is None or (principal is not None and values is None)
        if start["type"] == "http.response.start":
            if principal is None or acted:
                return None
            return LiveStream(bridge, scope, send, principal, waiting)
        if result is None and all(one.bridge is not bridge for one in guards_of(matched_route(scope))):
            return None
        # A bridge that protects an app and one mounted in it: the inner layer has it already.
        lives: dict[str, Live] = scope.setdefault(REGISTRY, {})
        if bridge._key in lives:
            return None
        decide = None if acted else self.decide
        live = LiveSocket(bridge, scope, send, None if acted else principal, receive=receive, decide=decide)
        lives[bridge._key] = live
        return live


async def _answer(refused: Refused, scope: Scope, receive: Receive, send: Send) -> None:
    """Refuses in the app's place; a WebSocket by its close, where the server can send no answer."""
    if scope["type"] == "websocket" and "websocket.http.response" not in (scope.get("extensions") or {}):
        await send({"type": "websocket.close", "code": POLICY_VIOLATION, "reason": ""})
    else:
        await refused.response()(scope, receive, send)


def _stems_from_refusal(error: BaseException) -> bool:
    """Tells whether this is a refusal that a middleware in between wrapped or answered twice."""
    inner = error.exceptions if isinstance(error, BaseExceptionGroup) else (error.__cause__,)
    return isinstance(error, Refused) or any(_stems_from_refusal(one) for one in inner if one is not None)
