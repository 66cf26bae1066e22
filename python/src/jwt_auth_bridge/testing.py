"""The annex for tests: tokens of anybody, acting as a user, and the proof that users are kept apart.

``TokenFactory`` makes tokens, good ones and one for each rule of refusal; ``as_user`` needs none;
``assert_isolated`` plays one user against another on every operation of an app. Law: ``access-token.md``,
OWASP API1 "Broken Object Level Authorization".

Nothing here belongs into a running service.
"""

import asyncio
import base64
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from ._testing_acting import as_user
from ._testing_http import asked
from ._testing_letters import Person, camel
from ._testing_openapi import Operation, read_offer
from ._testing_probes import Attack
from ._testing_report import Finding, IsolationError, Report
from ._testing_tokens import REFUSED, TokenFactory
from ._testing_world import World
from .errors import ConfigurationError

__all__ = [
    "REFUSED",
    "Finding",
    "IsolationError",
    "Report",
    "TokenFactory",
    "as_user",
    "assert_isolated",
    "assert_isolated_async",
]

LONG: Final = 3600
"""Seconds that the users' tokens live: longer than a run."""

_BAD: Final = ("unsigned", "opaque", "wrong_key", "wrong_signature", "tampered", "expired")
_USER_NAMES: Final = ("user_id", "userId", "user", "owner_id", "ownerId", "owner")

Name = str | tuple[str, str]


def assert_isolated(app: Any, **options: Any) -> Report:
    """Proves that no user reaches another's data through an app's operations, or says where one does.

    Creates data as each user by the app's own operations, then plays every operation on the other's path,
    IDs, query, headers and body, without a token, with bad ones, and with methods that the app does not
    declare. What is no refusal, holds the other's data, changes it, or tells a foreign value from a missing
    one is reported. Options are those of ``assert_isolated_async``; this one is for tests without an event
    loop.

    Args:
        app: the FastAPI app (any ASGI app with an OpenAPI document), run in this process with its lifespan;
            or a client that is open: ``httpx.Client``, Starlette's ``TestClient``.
        **options: ``factory=``, ``users=``, ``public=``, ``examples=`` and others.

    Returns:
        The report of what was played.

    Raises:
        IsolationError: an ``AssertionError`` with the table; ``report`` has it for programs.
        ConfigurationError: options that can not be meant.

    *Does not* see what it can not call or read back: WebSockets (it names them), files, cookies as input,
    what takes longer for a foreign row than for a missing one, and a change that no GET of the owner shows.

    Example:
        >>> from fastapi import Depends, FastAPI
        >>> from jwt_auth_bridge.fastapi import Bridge
        >>> factory = TokenFactory()
        >>> bridge, app = Bridge(**factory.bridge_options()), FastAPI()
        >>> @app.get("/api/{user_id}/name", dependencies=[Depends(bridge.path_user)])
        ... async def name(user_id: str) -> str:
        ...     return f"the name of {user_id}"
        >>> bridge.protect(app)
        >>> assert_isolated(app, factory=factory).ok
        True
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(assert_isolated_async(app, **options))
    raise ConfigurationError("an event loop runs already: write await assert_isolated_async(…) instead")


async def assert_isolated_async(
    app: Any,
    *,
    factory: TokenFactory | None = None,
    headers: Callable[[str], Mapping[str, str]] | None = None,
    users: Sequence[str] = ("alice", "bob"),
    public: Iterable[Name] = (),
    shared: Iterable[Name] = (),
    uniform: Iterable[Name] = (),
    skip: Mapping[Name, str] | None = None,
    examples: Mapping[Name, Mapping[str, Any]] | None = None,
    create: Callable[[str, str], Any] | None = None,
    user_parameter: str = "user_id",
    openapi: Mapping[str, Any] | None = None,
) -> Report:
    """``assert_isolated`` for an event loop that runs already.

    Operations are named ``("GET", "/api/{user_id}/tasks")`` or ``"GET /api/{user_id}/tasks"``, as in the
    document. One that does not exist is a mistake and said.

    Args:
        app: as for ``assert_isolated``.
        factory: makes the users' tokens, and bad ones; or ``headers``, exactly one of the two.
        headers: gives the headers by which a user proves who it is.
        users: two or more user IDs, with nothing stored yet.
        public: operations that need no token. Their GETs are read, and must hold nobody's data.
        shared: operations by which every user may read other users' data; without a token nobody may.
        uniform: operations that answer a missing ID with success, such as a DELETE that may be repeated: a
            foreign ID must then get the same, and nothing may change.
        skip: operations that are not played at all, each with the reason; the report lists them.
        examples: operation to ``{"body": …, "query": {…}, "path": {…}, "headers": {…}}``, for what the
            schema does not say. A value, or the whole body, may be a function of the user's ID; ``{mark}``
            in a text of the body becomes one that is known again.
        create: ``create(user, mark)`` makes rows that no operation makes, with ``mark`` in their texts;
            returns names of path parameters to IDs, ``{"task_id": …}``. May be async.
        user_parameter: the name by which a path, a query or a body says whose something is.
        openapi: the document, where ``app`` does not give it.

    Raises:
        IsolationError: something is not isolated, or an operation never worked for its owner.
        ConfigurationError: options that can not be meant.
    """
    if (factory is None) == (headers is None):
        raise ConfigurationError("give either factory= or headers=, one of the two")
    if len(set(users)) < 2 or isinstance(users, str):
        raise ConfigurationError("give two users or more, who must differ")
    prove = headers or (lambda user: factory.headers(user, lifetime=LONG))  # type: ignore[union-attr]
    people = [Person(user, dict(prove(user))) for user in users]
    skipped = {_name(key): reason for key, reason in (skip or {}).items()}
    given = {_name(key): example for key, example in (examples or {}).items()}
    listed = {
        key: frozenset(map(_name, names))
        for key, names in (("public", public), ("shared", shared), ("uniform", uniform))
    }
    async with asked(app) as client:
        offer = await read_offer(app, client, openapi)
        played = [one for one in offer.operations if one.name not in skipped]
        _refuse_unknown(
            offer.operations, {**listed, "skip": frozenset(skipped), "examples": frozenset(given)}
        )
        user_names = (user_parameter, camel(user_parameter), *_USER_NAMES)
        world = World(
            client,
            [one for one in played if one.name not in listed["public"]],
            people,
            create,
            guessed_names=tuple(dict.fromkeys(user_names[:2])),
            user_names=frozenset(user_names),
            examples=given,
        )
        attack = Attack(
            world,
            played,
            public=listed["public"],
            shared=listed["shared"],
            uniform=listed["uniform"],
            untouched=frozenset(skipped),
            bad_credentials=lambda person: _bad_credentials(factory, person),
        )
        await attack.run()
    report = Report(
        attack.findings.all(), tuple(one.name for one in played), skipped, offer.unseen, world.requests
    )
    if not report.ok:
        raise IsolationError(report)
    return report


def _bad_credentials(factory: TokenFactory | None, person: Person) -> dict[str, Mapping[str, str]]:
    """What must be refused: the factory's tokens, or a good one that was altered."""
    if factory is not None:
        return {
            f"the {name} token": {"Authorization": f"Bearer {getattr(factory, name)(person.subject)}"}
            for name in _BAD
        }
    altered = {name: _flipped(value) for name, value in person.credentials.items()}
    unsigned = {name: value.rpartition(".")[0] + "." for name, value in person.credentials.items()}
    return {"an altered credential": altered, "an unsigned credential": unsigned}


def _flipped(value: str) -> str:
    """Changes what stands before the last dot's end: a signature, or the credential itself."""
    head, dot, tail = value.rpartition(".")
    place = len(tail) // 2
    other = "A" if tail[place : place + 1] != "A" else base64.urlsafe_b64encode(b"~")[:1].decode()
    return f"{head}{dot}{tail[:place]}{other}{tail[place + 1 :]}"


def _refuse_unknown(operations: Sequence[Operation], named: Mapping[str, frozenset[str]]) -> None:
    known = {one.name for one in operations}
    for option, names in named.items():
        if unknown := sorted(names - known):
            raise ConfigurationError(
                f"{option} names {', '.join(unknown)}, which the app does not have; write method and path as "
                "its OpenAPI document does"
            )


def _name(key: Name) -> str:
    method, _, path = (key if isinstance(key, str) else " ".join(key)).partition(" ")
    return f"{method.upper()} {path}"
