"""The annex for FastAPI: who calls, and may they use this path?

Comes after the verifier on the data's way: a guard turns a request into a ``Principal``, ``path_user``
holds the path's user against it, and ``protect`` has both decided before a body is read. Law: RFC 6750 §2.1
and §3, and ``access-token.md`` "HTTP answers".

Deliberately not done: no token is taken from a query string, a cookie or a body (RFC 6750 §2.2, §2.3), and
no verified token is kept beyond its request.
"""

import logging
import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import Any, Final, cast

from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.types import Scope

from ._fastapi_guards import Guard, path_guard
from ._fastapi_protect import Protection
from ._fastapi_refusal import LOGGER, Refused, log_refusal, prepare_answer
from ._fastapi_routes import holds_user
from .bearer import parse_authorization
from .environment import from_environment
from .errors import BridgeError, ConfigurationError, ForbiddenError, MissingTokenError
from .jwks import list_key_ids, without_query
from .profile import DEFAULT_LEEWAY, DEFAULT_MAXIMUM_LIFETIME
from .verifier import Principal, Verifier

__all__ = ["Bridge", "Principal"]

DEFAULT_PATH_PARAMETER: Final = "user_id"

_PARAMETER_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NUMBERS: Final = count(1)


class Bridge:
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

    *Does not* ask whether the session was revoked, and reads nothing but the ``Authorization`` header.
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
        if not isinstance(path_parameter, str) or not _PARAMETER_NAME.fullmatch(path_parameter):
            raise ConfigurationError("path_parameter must be the name of a path parameter, like user_id")
        if type(log_level) is not int or not logging.DEBUG <= log_level <= logging.CRITICAL:
            raise ConfigurationError(
                "log_level must be a level of logging, logging.DEBUG to logging.CRITICAL"
            )
        if not callable(clock):
            raise ConfigurationError("clock must be a function that gives the time in seconds since 1970")
        self._path_parameter = path_parameter
        self._log_level = log_level
        self._verifier = Verifier(
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
        self._announced = False
        # A number of its own: what one bridge has verified is nothing to another.
        self._key = f"jwt_auth_bridge.{next(_NUMBERS)}"
        self.current_user = Guard(self._authenticate)
        self.optional_user = Guard(self._authenticate_optional)
        self.path_user = path_guard(Guard(self._authorize_path), path_parameter)

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

    def protect(self, app: FastAPI) -> None:
        """Has every guarded route of an app decide before the first byte of a body is read.

        Covers direct, included, mounted and later-added routes, and overrides. Whatever else is wrong with
        a request to a guarded route, a caller without a good token gets the refusal and nothing else. A
        route under ``path_user`` whose full path has no plain ``{user_id}`` stops the server at start; where
        nothing runs the start, every request fails with the same message. Calling it again for the same
        app changes nothing, so that a factory and its caller may both do it.

        Args:
            app: the app, before it serves its first request.

        Raises:
            ConfigurationError: no FastAPI app, or one that already serves.

        *Does not* hold back a middleware that reads bodies by itself: it comes before any route is known.
        *Does not* see a guard that a function calls instead of depending on it, nor a route behind a wrapper
        that copies the scope: there the dependency alone decides.

        Example:
            >>> bridge = Bridge(
            ...     issuer="https://app.example.com",
            ...     audience="https://api.example.com",
            ...     secret="k3Zq9vT1xW7pL0sD5fG8hJ2nB4mC6rY+uQeAoI/tX1E=",
            ... )
            >>> app = FastAPI()
            >>> bridge.protect(app)
        """
        if not isinstance(app, FastAPI):
            raise ConfigurationError("protect() takes the FastAPI app whose routes are guarded")
        if any(item.kwargs.get("bridge") is self for item in app.user_middleware):
            return
        if app.middleware_stack is not None:
            raise ConfigurationError("protect() comes too late: call it before the app serves a request")
        # Last in the list is innermost: every other middleware of the app stands outside.
        app.user_middleware.append(Middleware(cast("Any", Protection), bridge=self, owner=app))

    async def _authenticate(self, scope: Scope) -> Principal:
        result = await self._verified(scope)
        if isinstance(result, BridgeError):
            raise self._refuse(scope, result)
        return result

    async def _authenticate_optional(self, scope: Scope) -> Principal | None:
        if isinstance(await self._verified(scope), MissingTokenError):
            return None
        return await self._authenticate(scope)

    async def _authorize_path(self, scope: Scope) -> Principal:
        principal = await self._authenticate(scope)
        # path_params, never the path: what the route matched is what the endpoint will use.
        if not holds_user(scope, self._path_parameter):
            raise self._refuse(scope, ForbiddenError("path_user_missing"))
        if scope["path_params"][self._path_parameter] != principal.subject:
            raise self._refuse(scope, ForbiddenError("path_user_mismatch"))
        return principal

    async def _verified(self, scope: Scope) -> Principal | BridgeError:
        """Verifies once per request: the result stands in the scope, beside the header it came from."""
        # RFC 9110 §5.5: whitespace around a field's value is no part of it; not every server takes it off.
        values = [value.strip(b" \t") for name, value in scope["headers"] if name == b"authorization"]
        kept = scope.get(self._key)
        # A scope copied for a request within the request may carry another user's header.
        if kept is not None and kept[0] == values:
            return cast("Principal | BridgeError", kept[1])
        result: Principal | BridgeError
        if not self._announced:
            self._announce(protected=False)
        try:
            result = await self._verifier.verify_async(parse_authorization(values))
        except BridgeError as error:
            # Its frames hold the token.
            result = error.with_traceback(None)
        scope[self._key] = (values, result, False)
        return result

    def _announce(self, *, protected: bool) -> None:
        """Says once what two services compare when every token is refused."""
        if not self._announced:
            self._announced = True
            verifier = self._verifier
            keys = [f"key IDs {list_key_ids(verifier.key_ids)}"] if verifier.key_ids else []
            keys += [f"key set at {without_query(verifier.jwks_uri)}"] if verifier.jwks_uri else []
            LOGGER.info("issuer %s, audience %s, %s", verifier.issuer, verifier.audience, ", ".join(keys))
            if not protected:
                LOGGER.warning(
                    "bridge.protect(app) was not called: a body is read and parsed before anybody is"
                    " asked for a token, and no route is checked at start"
                )

    def _refuse(self, scope: Scope, error: BridgeError) -> Refused:
        values, result, logged = scope[self._key]
        if not logged:
            scope[self._key] = (values, result, True)
            missing = error.code == "path_user_missing"
            log_refusal(scope, error, logging.ERROR if missing else self._log_level)
        prepare_answer(scope)
        return Refused(error)
