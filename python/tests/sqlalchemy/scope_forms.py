"""Forms in which a query has leaked another user's rows: what they have in common.

Each gets a session that is Alice's, tries to see or to change what is Bob's, and gives what it saw. ``ends``
is how it must end within the scope: nothing where it runs and is confined, else the error. Without any wall
each of them leaks, and a test says so: a form that could not leak would prove nothing.
"""

import pickle
from collections.abc import Callable
from dataclasses import dataclass

import sqlalchemy
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import (
    make_transient_to_detached,
)

from jwt_auth_bridge.sqlalchemy import ScopeError

NEW = not sqlalchemy.__version__.startswith("2.0.")
"""From 2.1 on, EXISTS is confined; before, it is refused."""

EXISTS = None if NEW else ScopeError


@dataclass(frozen=True)
class Form:
    name: str
    run: Callable
    ends: tuple
    owned: bool
    unseen: bool


FORMS: list[Form] = []


def form(*ends, owned=True, unseen=False):
    """Adds a form.

    ``owned`` is false where the rows are not in the database, or in tables that row-level security can not
    know; ``unseen`` is true where a session without a principal can not be stopped: nothing in it is a model.
    """

    def add(run):
        FORMS.append(
            Form(run.__name__, run, tuple(end or type(None) for end in ends or (None,)), owned, unseen)
        )
        return run

    return add


def titles(rows):
    return [row.title for row in rows]


def loaded(user):
    return [task.title for task in user.tasks]


def pickled(model, **values):
    instance = model(**values)
    make_transient_to_detached(instance)
    return pickle.loads(pickle.dumps(instance))


def upsert_into(session, model):
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    return dialect.insert(model)
