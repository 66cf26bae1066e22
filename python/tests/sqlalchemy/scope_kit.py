"""What the tests of the query scope share: principals, rows for two users, and what changed."""

import scope_models as models
from sqlalchemy import inspect
from sqlalchemy.orm import Session, make_transient_to_detached

from jwt_auth_bridge import Principal

ALICE, BOB = "alice", "bob"
MINE, HIS = 1, 2
"""Every row of Alice's has the one key, every row of Bob's the other."""


def principal(subject):
    return Principal(subject, None, "", 0, float("inf"), {"sub": subject})


def fill(session: Session) -> None:
    """The same rows for both; every text of Bob's says so."""
    for key, user in ((MINE, ALICE), (HIS, BOB)):
        name = user.upper()
        mine = {"id": key, "user_id": user}
        session.add_all(
            [
                models.User(id=user, name=name.lower()),
                models.Project(**mine, title=f"{name} project"),
                models.Tag(**mine, title=f"{name} tag"),
                models.Label(id=key, title=f"{name} label"),
                models.Counted(id=key),
                models.Preference(user_id=user, name="colour", title=f"{name} colour"),
                models.Note(**mine, title=f"{name} note", text=f"{name} text"),
                models.Reminder(id=key + 10, user_id=user, title=f"{name} reminder", due=f"{name} due"),
                models.Foreign(id=key, belongs_to=user, title=f"{name} foreign"),
            ]
        )
        session.flush()
        session.add(models.Task(**mine, title=f"{name} task", body=f"{name} body", project_id=key))
        session.flush()
        session.add(models.Comment(id=key, task_id=key, title=f"{name} comment"))
        session.flush()
        session.execute(models.task_tag.insert().values(user_id=user, task_id=key, tag_id=key))
        session.execute(models.task_label.insert().values(task_id=key, label_id=key))


def snapshot(session: Session) -> dict:
    """Every row of every table with its owner, as an unscoped session sees it."""
    rows = {}
    for table in models.Base.metadata.sorted_tables:
        owner = next(
            (table.c[name] for name in ("user_id", "holder") if name in table.c), next(iter(table.c))
        )
        found = session.execute(table.select().add_columns(owner.label("whose")))
        rows[table.name] = sorted((repr(row.whose), repr(row)) for row in found)
    return rows


def not_mine(rows: dict) -> dict:
    """What of it is not Alice's."""
    return {table: [row for row in found if row[0] != repr(ALICE)] for table, found in rows.items()}


def attached(session: Session, model, key):
    """An object that nobody loaded: made of its key, as a cache or a form field gives it."""
    names = [column.key for column in inspect(model).primary_key]
    instance = model(**dict(zip(names, key if isinstance(key, tuple) else (key,), strict=True)))
    make_transient_to_detached(instance)
    session.add(instance)
    return instance
