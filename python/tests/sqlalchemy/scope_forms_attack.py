"""Forms that a second attack found: text in odd places, names behind names, what refers to owned rows."""

from scope_forms import form, titles
from scope_kit import ALICE, BOB, HIS
from scope_models import Foreign, Task, User
from sqlalchemy import (
    Column,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    TypeDecorator,
    bindparam,
    column,
    extract,
    func,
    literal,
    select,
    table,
    tablesample,
    true,
)
from sqlalchemy.orm import aliased, make_transient_to_detached
from sqlalchemy.sql import quoted_name

from jwt_auth_bridge._sqlalchemy_conditions import OWNER
from jwt_auth_bridge.sqlalchemy import ScopeError

UNION = "UNION ALL SELECT title FROM task"


def is_sqlite(session):
    return session.get_bind().dialect.name == "sqlite"


# Text


@form(ScopeError, unseen=True)
def hint_over_a_subquery(session):
    """No table stands in the SELECT that has the hint."""
    inner = select(User.id).subquery()
    return session.scalars(select(inner.c.id).with_statement_hint(UNION)).all()


@form(ScopeError, unseen=True)
def hint_without_a_table(session):
    inner = select(literal("x").label("title")).with_statement_hint(UNION).subquery()
    return session.execute(select(User.id, inner.c.title).join(inner, true())).all()


@form(ScopeError, unseen=True)
def hint_in_a_union(session):
    inner = select(literal("x")).with_statement_hint(UNION)
    return session.scalars(select(User.id).union_all(inner)).all()


@form(ScopeError, unseen=True)
def table_by_a_name_that_is_text(session):
    name = quoted_name("main.task" if is_sqlite(session) else "public.task", quote=False)
    his = table(name, column("title")).alias()
    return session.execute(select(User.id, his.c.title).join(his, true())).all()


@form(ScopeError, unseen=True)
def column_by_a_name_that_is_text(session):
    his = column(quoted_name("(SELECT max(title) FROM task)", quote=False))
    return session.execute(select(User.id, his)).all()


@form(ScopeError, unseen=True)
def field_that_is_text(session):
    if is_sqlite(session):  # knows its fields
        return column_by_a_name_that_is_text(session)
    field = "day FROM now())::text || (SELECT max(title) FROM task) || extract(day"
    return session.execute(select(User.id, extract(field, func.now()))).all()


# Names behind names


@form(ScopeError)
def alias_of_an_alias(session):
    """The condition names the inner one, which is another table in the same FROM; the outer one has none."""
    inner = Task.__table__.alias()
    outer = inner.alias()
    mine = aliased(Task, inner)
    return session.execute(select(mine.id, outer.c.title).join(outer, true())).all()


@form(ScopeError)
def alias_of_an_alias_of_an_alias(session):
    inner = Task.__table__.alias()
    outer = inner.alias().alias()
    mine = aliased(Task, inner)
    return session.execute(select(mine.id, outer.c.title).join(outer, true())).all()


@form(ScopeError)
def sample_of_an_alias(session):
    if is_sqlite(session):  # has no TABLESAMPLE
        return alias_of_an_alias(session)
    inner = Task.__table__.alias()
    outer = tablesample(inner, func.system(100))
    mine = aliased(Task, inner)
    return session.execute(select(mine.id, outer.c.title).join(outer, true())).all()


@form(ScopeError)
def owner_by_a_type_that_changes_it(session):
    class Other(TypeDecorator):
        impl = String
        cache_ok = True

        def process_bind_param(self, value, dialect):
            return BOB

    his = Task.__table__
    inner = select(his.c.title).where(his.c.user_id == bindparam(OWNER, ALICE, type_=Other()))
    return session.execute(select(User.id, inner.scalar_subquery())).all()


# What refers to an owned table, by another way than its model


@form(ScopeError, owned=False)
def dependent_by_its_name(session):
    his = table("comment", column("title"))
    return session.execute(select(User.id, his.c.title).join(his, true())).all()


@form(ScopeError, owned=False)
def dependent_of_another_metadata(session):
    his = Table(
        "comment", MetaData(), Column("title", String), Column("task_id", Integer, ForeignKey("task.id"))
    )
    return session.execute(select(User.id, his.c.title).join(his, true())).all()


@form(ScopeError, owned=False)
def dependent_said_once_more(session):
    his = Table("comment", MetaData(), Column("title", String))
    return session.execute(select(User.id, his.c.title).join(his, true())).all()


# Objects


@form(ScopeError, owned=False, unseen=True)
def object_without_its_owner(session):
    """From a cache, or another user's session: only some attributes were loaded there."""
    his = Task(id=HIS, title="BOB task")
    make_transient_to_detached(his)
    session.add(his)
    return [his.title, *titles([session.get(Task, HIS)])]


class Alike(str):
    """A string that takes all others for itself, as one that ignores capitals takes some."""

    __hash__ = str.__hash__

    def __eq__(self, other):
        return True

    def __ne__(self, other):
        return False


@form(ScopeError)
def owner_that_equals_all(session):
    session.add(Task(title="new", user_id=Alike(BOB)))
    session.flush()


@form(ScopeError)
def object_of_an_owner_that_equals_all(session):
    his = Foreign(id=HIS, belongs_to=Alike(BOB), title="BOB")
    make_transient_to_detached(his)
    session.add(his)
    session.delete(his)
    session.flush()
