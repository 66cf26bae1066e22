"""The annex for SQLAlchemy: a session that sees and changes the rows of one user, and no others.

Comes after the guards on the data's way, and is the last: a session is scoped once, by a ``Principal``, and
from then on every query is confined by it. ORM queries get the owner as a criterion; INSERT, UPDATE and
DELETE, the flush's own included, get it just before they are executed; and what is about to be sent is proven
to stay within the user's rows, or it is not sent. Law: OWASP API1:2023, and ``docs/isolation.md``, which
lists what is covered and what no program can see.

Importing this module closes owned models, in the whole process, to every session and connection that has
neither a principal nor leave to do without.
"""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NoReturn, TypeVar, overload

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from ._sqlalchemy_owners import OwnedBy, ScopeError, owned
from ._sqlalchemy_rls import RowLevelSecurity, rls_policy
from ._sqlalchemy_scope import SESSIONS, UNSCOPED, Scope
from .verifier import Principal

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
else:
    try:
        from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
    except ImportError:  # no greenlet, which SQLAlchemy 2.1 needs for these: so nothing is one
        AsyncEngine = AsyncSession = type("Asynchronous", (), {})

__all__ = ["OwnedBy", "RowLevelSecurity", "ScopeError", "owned", "rls_policy", "scope", "unscoped_sessions"]

AnySession = TypeVar("AnySession", Session, AsyncSession)

_LOGGER: Final = logging.getLogger("jwt_auth_bridge")


def scope(session: AnySession, principal: Principal) -> AnySession:
    """Confines a session to the rows of one user, for the rest of its life.

    Args:
        session: new, or at least empty; ``Session`` or ``AsyncSession``.
        principal: whose rows.

    Returns:
        The session. Its queries see, change and delete the user's rows; new objects get the user as owner. On
        PostgreSQL each of its transactions begins with ``set_config('app.user_id', …, true)``.

    Raises:
        ScopeError: the session already has objects or another principal. Later, from the session itself:
            anything that can not be confined: ``text()``, Core statements, ``session.connection()``,
            ``from_statement()``, an owner that is somebody else.

    *Does not* see what a function, a trigger, a view or a foreign key does within the database, nor SQL given
    to a driver's own connection. ``docs/isolation.md`` has the whole list; row-level security sees them.

    Example:
        >>> from sqlalchemy.orm import Session
        >>> from jwt_auth_bridge import Principal
        >>> alice = Principal("alice", None, "", 0, float("inf"), {"sub": "alice"})
        >>> session = scope(Session(), alice)
    """
    plain = session.sync_session if isinstance(session, AsyncSession) else session
    if not isinstance(plain, Session):
        raise ScopeError(
            f"scope() takes a Session or an AsyncSession, and this is a {type(session).__name__}"
        )
    subject = principal.subject if isinstance(principal, Principal) else None
    if not isinstance(subject, str) or not subject or "\0" in subject:
        raise ScopeError("scope() takes the Principal whose rows the session is for; there is none here")
    known = SESSIONS.get(plain)
    if known is not None:
        if known.subject != subject:
            raise ScopeError("this session is another user's; a session keeps its principal, open a new one")
        return session
    if next(iter(plain), None) is not None:
        raise ScopeError("this session already has objects; scope it before its first query")
    SESSIONS[plain] = Scope(subject)
    vars(plain)["connection"] = _refuse_connection
    return session


@overload
def unscoped_sessions(engine: Engine, *, name: str) -> Callable[[str], Session]: ...
@overload
def unscoped_sessions(engine: AsyncEngine, *, name: str) -> Callable[[str], AsyncSession]: ...
def unscoped_sessions(engine: Engine | AsyncEngine, *, name: str) -> Callable[[str], Session | AsyncSession]:
    """Gives an engine of its own leave to see everybody's rows: reports, clean-ups, tests.

    Args:
        engine: used for nothing else, and connecting as a role of its own.
        name: what the log calls it.

    Returns:
        ``unscoped(reason)``, which gives a new session and logs name and reason. A job that acts for one user
        needs none of this: ``scope(session, Principal.for_subject(user_id))``.

    Raises:
        ScopeError: from ``unscoped``: no reason given. From a scoped session that comes to use the engine.

    Example:
        >>> from sqlalchemy import create_engine
        >>> unscoped = unscoped_sessions(create_engine("sqlite://"), name="maintenance")
        >>> with unscoped("delete what is older than a year") as session:
        ...     pass
    """
    UNSCOPED.add(engine.sync_engine if isinstance(engine, AsyncEngine) else engine)

    def unscoped(reason: str) -> Session | AsyncSession:
        if not isinstance(reason, str) or not reason.strip():
            raise ScopeError("unscoped() takes the reason why everybody's rows are needed")
        _LOGGER.info("unscoped session on %s: %s", name, reason)
        return AsyncSession(engine) if isinstance(engine, AsyncEngine) else Session(engine)

    return unscoped


def _refuse_connection(*_: object, **__: object) -> NoReturn:
    raise ScopeError("session.connection() can not be confined; use the session, or an unscoped one")
