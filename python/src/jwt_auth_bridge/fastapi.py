"""The annex for FastAPI: who calls, and may they use this path?

Comes after the verifier on the data's way: a guard turns a request into a ``Principal``, ``path_user``
holds the path's user against it, and ``protect`` has both decided before a body is read. Law: RFC 6750 §2.1
and §3, and ``access-token.md`` "HTTP answers".

Deliberately not done: no token is taken from a query string, a cookie or a body (RFC 6750 §2.2, §2.3; a
ticket is no token), and no verified token is kept beyond its request.
"""

import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, cast

from fastapi import APIRouter, FastAPI
from starlette.middleware import Middleware

from ._fastapi_audit import judge, judge_public, protections_of
from ._fastapi_guards import PARAMETER_NAME, Guard, path_guard
from ._fastapi_orders import Orders
from ._fastapi_protect import Protection
from ._fastapi_ticket_route import ticket_router
from ._fastapi_tickets import TicketDesk
from .environment import from_environment
from .errors import ConfigurationError
from .profile import DEFAULT_LEEWAY, DEFAULT_MAXIMUM_LIFETIME
from .tickets import TicketStore
from .verifier import Principal, Verifier

__all__ = ["Bridge", "Principal"]

DEFAULT_PATH_PARAMETER: Final = "user_id"


class Bridge(Orders):
    """The guards of one API, for ``Depends``.

    Args:
        issuer: the only accepted ``iss``, taken literally.
        audience: this API's identifier, one string; the keys depend on it.
        secret: the shared secret, exactly as Better Auth holds it; this, or one of the next three.
        secrets: all shared secrets in force, current first.
        keys: a JWK Set (RFC 7517 §5) of derived keys or of public keys, never both.
        jwks_uri: the URL of the issuer's JWK Set of public keys; fetched when the first token needs it.
        internal_hosts: hosts that ``jwks_uri`` may name with ``http``, beside this machine itself.
        migration: while tokens move from a shared secret to public keys: then a source of each kind is given.
        leeway: allowed difference of clocks, 0 to 60 whole seconds.
        maximum_lifetime: longest accepted lifetime of a token, 1 to 86400 whole seconds.
        path_parameter: name of the path parameter that ``path_user`` holds against the token's user.
        log_level: level at which logger ``jwt_auth_bridge`` gets one line for every refusal. A route
            whose path has no place for the user is logged as an error whatever this level is.
        clock: gives the time in seconds since 1970.

    Attributes:
        current_user: dependency; gives the ``Principal``, or refuses.
        optional_user: dependency; gives ``None`` where no Bearer credential was sent, and refuses a bad one.
        path_user: dependency; gives the ``Principal`` where the path's user is the token's user, else 403.
            Stands on a route or on a whole router, and declares the path parameter.

    Each is one object for the whole life of the bridge: the key for ``app.dependency_overrides``. A token
    is verified once per request however many dependencies ask.

    Raises:
        ConfigurationError: anything that could not work, while the process starts.

    Where keys are fetched, a request may wait for them, without blocking the event loop; where they can not
    be had, the answer is 503 with ``Retry-After``.

    *Does not* ask whether the session was revoked, and reads nothing but the ``Authorization`` header, and
    with ``tickets`` the query parameter ``ticket`` of live connections.
    Without ``protect``, FastAPI reads and parses a body before it asks any dependency.

    Example:
        >>> from fastapi import APIRouter, Depends, FastAPI
        >>> bridge = Bridge(
        ...     issuer="https://app.example.com",
        ...     audience="https://api.example.com",
        ...     secret="k3Zq9vT1xW7pL0sD5fG8hJ2nB4mC6rY+uQeAoI/tX1E=",
        ... )
        >>> router = APIRouter(prefix="/api/{user_id}", dependencies=[Depends(bridge.path_user)])
        >>> @router.get("/tasks")
        ... async def tasks(user_id: str) -> list[str]:
        ...     return []
        >>> app = FastAPI()
        >>> app.include_router(router)
        >>> bridge.protect(app)
    """

    def __init__(
        self,
        *,
        issuer: str,
        audience: str,
        secret: str | None = None,
        secrets: Sequence[str] | None = None,
        keys: Mapping[str, Any] | None = None,
        jwks_uri: str | None = None,
        internal_hosts: Sequence[str] = (),
        migration: bool = False,
        leeway: int = DEFAULT_LEEWAY,
        maximum_lifetime: int = DEFAULT_MAXIMUM_LIFETIME,
        path_parameter: str = DEFAULT_PATH_PARAMETER,
        log_level: int = logging.INFO,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if secret is not None and secrets is not None:
            raise ConfigurationError("secret and secrets are both given; pass one of them")
        if all(source is None for source in (secret, secrets, keys, jwks_uri)):
            raise ConfigurationError("no key source is given; pass one of secret, secrets, keys, jwks_uri")
        if not isinstance(path_parameter, str) or not PARAMETER_NAME.fullmatch(path_parameter):
            raise ConfigurationError("path_parameter must be the name of a path parameter, like user_id")
        if type(log_level) is not int or not logging.DEBUG <= log_level <= logging.CRITICAL:
            raise ConfigurationError(
                "log_level must be a level of logging, logging.DEBUG to logging.CRITICAL"
            )
        if not callable(clock):
            raise ConfigurationError("clock must be a function that gives the time in seconds since 1970")
        verifier = Verifier(
            issuer=issuer,
            audience=audience,
            secrets=secrets if secret is None else (secret,),
            keys=keys,
            jwks_uri=jwks_uri,
            internal_hosts=internal_hosts,
            migration=migration,
            leeway=leeway,
            maximum_lifetime=maximum_lifetime,
            clock=clock,
        )
        super().__init__(verifier, path_parameter, log_level)
        self.current_user = Guard(self._authenticate, "current_user")
        self.optional_user = Guard(self._authenticate_optional, "optional_user")
        inner = Guard(self._authorize_path, "path_user", path_parameter)
        self.path_user = path_guard(inner, path_parameter, "The user's ID, the one in the token.")
        # The parameters that this bridge holds against the token, and the guard that does.
        self._held[path_parameter] = "path_user"

    @classmethod
    def from_env(
        cls,
        environ: Mapping[str, str] | None = None,
        *,
        leeway: int = DEFAULT_LEEWAY,
        maximum_lifetime: int = DEFAULT_MAXIMUM_LIFETIME,
        path_parameter: str = DEFAULT_PATH_PARAMETER,
        log_level: int = logging.INFO,
        clock: Callable[[], float] = time.time,
    ) -> "Bridge":
        """Reads issuer, audience and where the keys come from out of the environment.

        - Keys: ``BETTER_AUTH_SECRETS``, else ``BETTER_AUTH_SECRET``; or ``JWT_BRIDGE_KEYS``, a JWK Set as
          JSON, or ``@`` and the name of a file that holds it; or ``JWT_BRIDGE_JWKS_URL``, which may use
          ``http`` to the hosts that ``JWT_BRIDGE_JWKS_INTERNAL_HOSTS`` lists, separated by commas.
        - ``JWT_BRIDGE_MIGRATION=true``: keys of both kinds, while tokens move from a shared secret to public
          keys.
        - ``JWT_BRIDGE_ISSUER``, taken literally, where set, else ``BETTER_AUTH_URL``, reduced to its origin.
        - ``JWT_BRIDGE_AUDIENCE``.

        Args:
            environ: the variables; default ``os.environ``.
            leeway: as for ``Bridge``, like everything that follows.
            maximum_lifetime: seconds.
            path_parameter: name.
            log_level: level of ``logging``.
            clock: seconds since 1970.

        Raises:
            ConfigurationError: with the variable's name and the cure, never its value.

        Example:
            >>> Bridge.from_env({
            ...     "BETTER_AUTH_SECRET": "k3Zq9vT1xW7pL0sD5fG8hJ2nB4mC6rY+uQeAoI/tX1E=",
            ...     "BETTER_AUTH_URL": "https://app.example.com",
            ...     "JWT_BRIDGE_AUDIENCE": "https://api.example.com",
            ... }).key_ids
            ('vrqa5TdV3SOpsaQDoGDZt7cQeMU-zDyJtkjBoBupOLM',)
        """
        return cls(
            **from_environment(os.environ if environ is None else environ),
            leeway=leeway,
            maximum_lifetime=maximum_lifetime,
            path_parameter=path_parameter,
            log_level=log_level,
            clock=clock,
        )

    @property
    def key_ids(self) -> tuple[str, ...]:
        """The ``kid`` of every key in force, current first: safe to print, made to be compared.

        Of fetched keys, those that are in hand now.
        """
        return self._verifier.key_ids

    async def prefetch(self) -> None:
        """Fetches the keys now where they are fetched at all and none is in hand.

        For the app's lifespan: the first request then need not wait for them.

        Raises:
            KeySetUnavailableError: none could be had. Whether to start without is the app's decision: the
                next token has them asked for again.
        """
        await self._verifier.prefetch()

    def tickets(self, store: TicketStore) -> APIRouter:
        """Makes the route ``POST /api/tickets``, and has every guard of this bridge take tickets from now on.

        A ticket stands in for the token where a browser can send no header. It is asked for with the token,
        for one path, and is good once, for 30 seconds and no longer than that token. The guards take it as
        the query parameter ``ticket`` of a WebSocket, or of a GET that asks for ``text/event-stream``.

        There the parameter is the bridge's: it is taken out of the query string before servers log it,
        with ``protect`` on every path, without it where a guard is asked.

        Args:
            store: ``MemoryTickets`` for one process; ``RedisTickets`` or ``PostgresTickets`` for several.

        Returns:
            A router for ``app.include_router``. The client asks below its base URL: include it without a
            prefix, or with that of the whole API.

        Raises:
            ConfigurationError: no store, or another one than before.

        *Does not* let a ticket in anywhere else, and a ticket never buys another. *Does not* hide it from a
        proxy, or from a middleware outside ``protect`` that records the URL first, as tracing does.

        Example:
            >>> from jwt_auth_bridge.tickets import MemoryTickets
            >>> bridge = Bridge(
            ...     issuer="https://app.example.com",
            ...     audience="https://api.example.com",
            ...     secret="k3Zq9vT1xW7pL0sD5fG8hJ2nB4mC6rY+uQeAoI/tX1E=",
            ... )
            >>> app = FastAPI()
            >>> app.include_router(bridge.tickets(MemoryTickets()))
        """
        methods = (getattr(store, name, None) for name in ("put", "take"))
        if isinstance(store, type) or not all(map(callable, methods)):
            raise ConfigurationError(
                "tickets() takes a store: MemoryTickets(), RedisTickets(…) or PostgresTickets(…)"
            )
        if self._desk is not None and self._desk.store is not store:
            raise ConfigurationError("tickets() was called before with another store; give one store")
        self._desk = self._desk or TicketDesk(store, self._verifier)
        return ticket_router(self, self._desk)

    def session(
        self, get_session: Callable[..., Any], *, user: Callable[..., Any] | None = None
    ) -> Callable[..., Any]:
        """Makes the dependency that gives a session confined to the caller's own rows.

        Needs the extra ``sqlalchemy``; see ``jwt_auth_bridge.sqlalchemy``.

        Args:
            get_session: the app's dependency that gives a new session, ``Session`` or ``AsyncSession``.
            user: the guard that says whose rows, by default ``current_user``.

        Raises:
            ConfigurationError: SQLAlchemy is not installed.

        *Does not* commit or close: ``get_session`` does, as before.
        """
        try:
            from ._sqlalchemy_dependency import session_dependency  # noqa: PLC0415
        except ModuleNotFoundError as error:
            raise ConfigurationError(
                f"session() needs {error.name}: pip install 'jwt-auth-bridge[sqlalchemy]'"
            ) from None
        return session_dependency(self, get_session, user=user)

    def protect(self, app: FastAPI, *, public: Sequence[str] = ()) -> None:
        """Has every route of an app guarded or listed, and every guard decide before a body is read.

        When the server starts, or at the first request where nothing runs the start, each route, mount,
        sub-application and WebSocket below the app must ask a bridge who calls, or stand in ``public``; a
        path with ``{user_id}`` must be under ``path_user``. Otherwise the start fails, or every request does
        with 500, and the log has each fault with the route, its function's file and line, and the fix.
        Routes added later, anywhere, are judged at the next request. FastAPI's own documentation is known.

        What a guard let in and stays open ends with its token: a WebSocket is closed with 1008, unless the
        client sends ``{"type":"jwt-auth-bridge.renew","token":"…"}`` with a newer token of the same session,
        which the endpoint never sees; a stream of server-sent events is complete. The endpoint is told as if
        the client had gone: ``receive`` says so, and a send is an ``OSError``.

        Whatever else is wrong with a request to a guarded route, a caller without a good token gets the
        refusal and nothing else. Overrides count. Calling it again for the same app changes nothing, so that
        a factory and its caller may both do it.

        Args:
            app: the app, before it serves its first request.
            public: what needs no token: ``"GET /healthz"``, ``"WS /live"``, ``"MOUNT /static"``. One method
                each (``GET`` has ``HEAD`` with it; ``ANY`` where a route takes all), the full path as it is
                written in the route, mounts' prefixes included. One that does not exist or is guarded is a
                fault. ``MOUNT`` is for what is not FastAPI's; a sub-application's routes are listed singly.

        Raises:
            ConfigurationError: no FastAPI app, one that already serves, an entry of another form, or another
                list than before.

        *Does not* hold back a middleware that answers or reads bodies by itself: it comes before any route is
        known. *Does not* see a guard that a function calls instead of depending on it.

        Example:
            >>> bridge = Bridge(
            ...     issuer="https://app.example.com",
            ...     audience="https://api.example.com",
            ...     secret="k3Zq9vT1xW7pL0sD5fG8hJ2nB4mC6rY+uQeAoI/tX1E=",
            ... )
            >>> app = FastAPI()
            >>> @app.get("/healthz")
            ... async def healthz() -> str:
            ...     return "ok"
            >>> bridge.protect(app, public=["GET /healthz"])
        """
        if not isinstance(app, FastAPI):
            raise ConfigurationError("protect() takes the FastAPI app whose routes are guarded")
        listed = judge_public(public)
        before = [one["public"] for one in protections_of(app) if one["bridge"] is self]
        if before:
            if listed and set(listed) != set(before[0]):
                raise ConfigurationError(
                    "protect() was called before with another public list; give one list"
                )
            return
        if app.middleware_stack is not None:
            raise ConfigurationError("protect() comes too late: call it before the app serves a request")
        # Last in the list is innermost: every other middleware of the app stands outside.
        layer = Middleware(cast("Any", Protection), bridge=self, owner=app, public=listed)
        app.user_middleware.append(layer)

    def audit(self, app: FastAPI, *, public: Sequence[str] | None = None) -> None:
        """Judges every route of an app now, as ``protect`` does when it starts: for a test.

        Args:
            app: the app, with all its routes.
            public: as for ``protect``; by default the list that ``protect`` was given.

        Raises:
            ConfigurationError: the table of faults.
        """
        if not isinstance(app, FastAPI):
            raise ConfigurationError("audit() takes the FastAPI app whose routes are guarded")
        faults = judge(app, self, public=None if public is None else judge_public(public))
        if faults:
            raise ConfigurationError(faults)
