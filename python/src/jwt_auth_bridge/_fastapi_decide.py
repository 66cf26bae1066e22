"""How a bridge decides on one request: who calls, is it the path's user, may this user do it?

Private half of the annex ``fastapi``, between the guards and the verifier. Law: RFC 6750 §2.1 and §3,
``access-token.md`` "HTTP answers": the token first, then the path.

Nothing is kept beyond the request, and what is kept stands in its scope, under the bridge's own number.
"""

import inspect
import logging
from collections.abc import Awaitable, Callable
from itertools import count
from typing import TYPE_CHECKING, Any, Final, cast

from starlette.types import Scope

from ._fastapi_refusal import LOGGER, Refused, log_refusal, prepare_answer
from ._fastapi_routes import holds_user, matched_route, overrides_of
from ._fastapi_tickets import TicketDesk, take_out
from .bearer import parse_authorization
from .errors import BridgeError, ForbiddenError, MissingTokenError
from .jwks import list_key_ids, without_query
from .verifier import Principal, Verifier

if TYPE_CHECKING:
    from ._fastapi_guards import Guard

_NUMBERS: Final = count(1)


class Decisions:
    """The private half of ``Bridge``: it has no guards, only what they ask."""

    current_user: "Guard[Principal]"

    def __init__(self, verifier: Verifier, path_parameter: str, log_level: int) -> None:
        self._verifier = verifier
        self._path_parameter = path_parameter
        self._log_level = log_level
        self._announced = False
        self._desk: TicketDesk | None = None
        # A number of its own: what one bridge has verified is nothing to another.
        self._key = f"jwt_auth_bridge.{next(_NUMBERS)}"
        self._passage_key = f"{self._key}.passage"

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

    async def _authorize_typed(self, scope: Scope, kind: Callable[[str], object]) -> Principal:
        principal = await self._authorize_path(scope)
        try:
            same = str(kind(principal.subject)) == principal.subject
        except ValueError:
            same = False
        # int() reads " 7", "0_7" and Arabic digits, UUID() reads braces and capitals: one user, one spelling.
        if not same:
            raise self._refuse(scope, ForbiddenError("subject_type_mismatch"))
        return principal

    async def _authorize_claim(self, scope: Scope, name: str, claim: str) -> Principal:
        principal = await self._authenticate(scope)
        said = principal.claims.get(claim)
        if type(said) is not str or not holds_user(scope, name) or scope["path_params"][name] != said:
            raise self._refuse(scope, ForbiddenError("path_claim_mismatch"))
        return principal

    async def _authorize_by(
        self, scope: Scope, predicate: Callable[[Principal], bool | Awaitable[bool]], reason: str
    ) -> Principal:
        principal = await self._authenticate(scope)
        # protect asks, and then the dependency: the answer is kept with whom and what it is about.
        kept: list[tuple[Any, Principal, bool]] = scope.setdefault(f"{self._key}.required", [])
        answers = [answer for asked, of, answer in kept if asked is predicate and of is principal]
        if not answers:
            found = predicate(principal)
            # Nothing but True: a claim "false" is a text that counts as true, and so does a coroutine.
            answers = [(await found if inspect.isawaitable(found) else found) is True]
            kept.append((predicate, principal, answers[0]))
        if not answers[0]:
            raise self._refuse(scope, ForbiddenError("requirement_failed"), reason)
        return principal

    async def _verified(self, scope: Scope) -> Principal | BridgeError:
        """Verifies once per request: the result stands in the scope, beside the credential it came from."""
        # RFC 9110 §5.5: whitespace around a field's value is no part of it; not every server takes it off.
        values = [value.strip(b" \t") for name, value in scope["headers"] if name == b"authorization"]
        tickets = take_out(scope) if self._desk else ()
        # A ticket is good at one path, and redeemed once.
        asked = (values, tickets, scope["path"]) if tickets else values
        kept = scope.get(self._key)
        # A scope copied for a request within the request may carry another user's header.
        if kept is not None and kept[0] == asked:
            return cast("Principal | BridgeError", kept[1])
        if overrides := overrides_of(matched_route(scope), scope):
            acting = await self._acting(overrides)
            if acting is not None:
                # Kept beside no header: it counts for the next guard only while the override is there.
                if kept is None or kept[1] is not acting:
                    scope[self._key] = (None, acting, False)
                return acting
        result: Principal | BridgeError
        if not self._announced:
            self._announce(protected=False)
        try:
            if self._desk and tickets:
                result = await self._desk.redeem(scope, values, tickets)
            else:
                result = await self._verifier.verify_async(parse_authorization(values))
        except BridgeError as error:
            # Its frames hold the token.
            result = error.with_traceback(None)
        scope[self._key] = (asked, result, False)
        if (passage := scope.get(self._passage_key)) is not None:
            passage.asked = scope
        return result

    async def _acting(self, overrides: Any) -> Principal | None:
        """Gives whom a test acts as: what overrides ``current_user``, for the guards that ask for more.

        Only what needs nothing of the request and gives a ``Principal``: whatever else FastAPI can make of
        an override opens no other guard.
        """
        override = overrides.get(self.current_user)
        if override is None or inspect.signature(override).parameters:
            return None
        found = override()
        found = await found if inspect.isawaitable(found) else found
        return found if isinstance(found, Principal) else None

    def _hide_tickets(self, scope: Scope) -> None:
        """Takes tickets out of a connection's query string, whether or not a guard will ask for them."""
        if self._desk and scope["type"] != "lifespan":
            take_out(scope)

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
                    " asked for a token, no route is checked at start, and no connection ends with its token"
                )

    def _refuse(self, scope: Scope, error: BridgeError, reason: str = "") -> Refused:
        asked, result, logged = scope.get(self._key, (None, None, False))
        if not logged:
            scope[self._key] = (asked, result, True)
            missing = error.code == "path_user_missing"
            log_refusal(scope, error, logging.ERROR if missing else self._log_level, reason)
        prepare_answer(scope)
        return Refused(error)
