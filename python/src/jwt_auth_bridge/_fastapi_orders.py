"""Guards made to order: another parameter, another type, a question of the app's own.

Private half of the annex ``fastapi``, between the decisions and ``Bridge``, which adds the guards that are
always there. Each is made once and is one object, the key for ``app.dependency_overrides``. Law:
``access-token.md`` "HTTP answers", OWASP API1:2023 and API5:2023.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from types import MethodType
from typing import Any, cast
from uuid import UUID

from ._fastapi_decide import Decisions
from ._fastapi_guards import PARAMETER_NAME, Guard, path_guard
from .errors import ConfigurationError
from .verifier import Principal, Verifier


class Orders(Decisions):
    """The half of ``Bridge`` that makes guards."""

    def __init__(self, verifier: Verifier, path_parameter: str, log_level: int) -> None:
        super().__init__(verifier, path_parameter, log_level)
        # The parameters that this bridge holds against the token, and the guard that does; and guards made.
        self._held: dict[str, str] = {}
        self._made: dict[tuple[object, ...], Callable[..., object]] = {}

    def path_claim(self, name: str, *, claim: str) -> Callable[..., object]:
        """Makes a guard that holds another path parameter against another claim, else 403.

        Both are text and compared exactly. From then on the audit asks every route with this parameter for
        such a guard. The same arguments give the same object, the key for ``app.dependency_overrides``.

        Args:
            name: of the path parameter, a plain ``{org_id}``.
            claim: name of the claim, which the web app adds to its tokens (``claims`` of ``jwtBridge()``).

        Returns:
            A dependency; gives the ``Principal``.

        Raises:
            ConfigurationError: not a name, or the parameter that ``path_user`` holds.

        *Does not* compare the path's user: put ``path_user`` beside it where the path has both.
        """
        if not isinstance(name, str) or not PARAMETER_NAME.fullmatch(name) or name == self._path_parameter:
            raise ConfigurationError(
                "path_claim() takes the name of a path parameter that path_user does not hold"
            )
        if not isinstance(claim, str) or not claim:
            raise ConfigurationError('path_claim() takes the name of a claim, like claim="org"')
        if (name, claim) not in self._made:
            decide = _bound(self, partial(Decisions._authorize_claim, name=name, claim=claim))
            guard = Guard(decide, f"path_claim({name})", name)
            self._made[name, claim] = path_guard(guard, name, f"The {claim} in the token.")
            self._held[name] = f"path_claim({name!r}, claim={claim!r})"
        return self._made[name, claim]

    def path_user_as(self, kind: type[int] | type[UUID]) -> Callable[..., Any]:
        """Makes ``path_user`` for a route whose user ID is an integer or a UUID: gives the ID in that type.

        Path and subject are compared as text first. The subject must be written as Python writes the value:
        ``07`` is no integer here, and a UUID in capitals is none. The same type gives the same object.

        Args:
            kind: ``int`` or ``uuid.UUID``.

        Returns:
            A dependency, for ``user_id: Annotated[UUID, Depends(bridge.path_user_as(UUID))]``.

        Raises:
            ConfigurationError: another type.
        """
        if kind not in (int, UUID):
            raise ConfigurationError("path_user_as() takes int or uuid.UUID")
        if (kind,) not in self._made:
            decide = _bound(self, partial(Decisions._authorize_typed, kind=kind))
            guard = Guard(decide, f"path_user_as({kind.__name__})", self._path_parameter)
            said = "The user's ID, the one in the token."
            self._made[kind,] = path_guard(guard, self._path_parameter, said, kind)
        return self._made[kind,]

    def require(
        self, predicate: Callable[[Principal], bool | Awaitable[bool]], *, reason: str
    ) -> Guard[Principal]:
        """Makes a guard that asks the app whether this user may: for roles, plans, bans.

        Args:
            predicate: is given the ``Principal``; sync or async; asked once per request. Only ``True``
                lets through, so that a claim ``"false"`` is no yes. What it raises is answered 500.
            reason: why not, for the log; the caller gets 403 and no word of it.

        Returns:
            A dependency; gives the ``Principal``. Each call makes another one: keep it in a name.

        Raises:
            ConfigurationError: no function, or no reason.

        *Does not* run a sync predicate in a thread: it must not block. *Does not* compare the path.
        """
        if not callable(predicate):
            raise ConfigurationError("require() takes a function of the principal that answers True or False")
        if not isinstance(reason, str) or not reason.strip() or not reason.isprintable():
            raise ConfigurationError("require() takes reason=, one line for the log that says who may")
        decide = _bound(self, partial(Decisions._authorize_by, predicate=predicate, reason=reason))
        return Guard(decide, f"require({reason})")


def _bound(
    bridge: Orders, decide: Callable[..., Awaitable[Principal]]
) -> Callable[..., Awaitable[Principal]]:
    """Makes a method of a bridge, so that the guard knows whose it is."""
    return cast("Callable[..., Awaitable[Principal]]", MethodType(decide, bridge))
