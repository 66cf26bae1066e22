"""Forms of reading: entities, columns, joins, subqueries."""

import warnings

import sqlalchemy
from scope_forms import EXISTS, form, titles
from scope_kit import BOB, HIS, MINE
from scope_models import (
    Foreign,
    Note,
    Preference,
    Project,
    Task,
    User,
)
from sqlalchemy import (
    column,
    exists,
    func,
    select,
    true,
    tuple_,
    union,
)
from sqlalchemy.exc import SAWarning
from sqlalchemy.orm import (
    Bundle,
    aliased,
)

from jwt_auth_bridge.sqlalchemy import ScopeError

# Reading: entities, columns, keys


@form()
def select_entity(session):
    return titles(session.scalars(select(Task)))


@form()
def select_column(session):
    return session.scalars(select(Task.title)).all()


@form()
def select_bundle(session):
    return session.execute(select(Bundle("b", Task.id, Task.title))).all()


@form()
def select_function_of_column(session):
    return session.scalars(select(func.max(Task.title))).all()


@form()
def select_hybrid(session):
    return session.scalars(select(Task.shout)).all()


@form()
def select_where_or(session):
    return titles(session.scalars(select(Task).where((Task.id == MINE) | true())))


@form()
def select_where_his(session):
    return titles(session.scalars(select(Task).where(Task.user_id == BOB)))


@form()
def select_with_only_columns(session):
    return session.scalars(select(Project).with_only_columns(Task.title)).all()


@form()
def select_from(session):
    return session.scalars(select(func.max(column("title"))).select_from(Task)).all()


@form()
def select_distinct_ordered_limited(session):
    return titles(session.scalars(select(Task).distinct().order_by(Task.title.desc()).limit(1)))


@form()
def select_grouped(session):
    return session.execute(
        select(Task.title, func.count()).group_by(Task.title).having(func.count() > 0)
    ).all()


@form()
def select_window_function(session):
    latest = func.first_value(Task.title).over(order_by=Task.title.desc())
    return session.scalars(select(latest).select_from(Task)).all()


@form(ScopeError)
def select_functions_alone(session):
    """Nothing says ORM here, for SQLAlchemy."""
    return session.scalars(select(func.max(Task.title).filter(true()))).all()


@form()
def get(session):
    return titles([row for row in [session.get(Task, HIS)] if row])


@form(sqlalchemy.exc.NoResultFound)
def get_one(session):
    return titles([session.get_one(Task, HIS)])


@form()
def get_by_composite_key(session):
    return titles([row for row in [session.get(Preference, (BOB, "colour"))] if row])


@form()
def get_for_update(session):
    return titles(
        [row for row in [session.get(Task, HIS, with_for_update=True, populate_existing=True)] if row]
    )


@form()
def select_for_update(session):
    return titles(session.scalars(select(Task).with_for_update(of=Task, skip_locked=True)))


@form()
def legacy_query(session):
    return titles(session.query(Task).all())


@form()
def legacy_query_of_columns(session):
    return session.query(Task.title).all()


@form()
def legacy_query_get(session):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return titles([row for row in [session.query(Task).get(HIS)] if row])


@form()
def legacy_query_count(session):
    return ["BOB"] if session.query(Task).count() > 1 else []


@form()
def yield_per(session):
    return [
        row.title
        for part in session.scalars(select(Task).execution_options(yield_per=1)).partitions()
        for row in part
    ]


@form()
def stream_results(session):
    return titles(session.scalars(select(Task), execution_options={"stream_results": True}))


@form()
def populate_existing(session):
    return titles(session.scalars(select(Task).execution_options(populate_existing=True)))


@form()
def no_compiled_cache(session):
    return titles(session.scalars(select(Task), execution_options={"compiled_cache": None}))


@form()
def registered_model(session):
    return titles(session.scalars(select(Foreign)))


# Joins, aliases, subqueries


@form()
def alias(session):
    return titles(session.scalars(select(aliased(Task))))


@form()
def select_from_alias_and_join(session):
    one, other = aliased(Task), aliased(Task, name="other")
    return session.scalars(select(other.title).select_from(one).join(other, true())).all()


@form()
def alias_flat(session):
    return titles(session.scalars(select(aliased(Note, flat=True))))


@form()
def join(session):
    return session.scalars(select(Task.title).join(Project)).all()


@form()
def join_from_unowned(session):
    return session.scalars(select(Task.title).select_from(User).join(Task, Task.user_id == User.id)).all()


@form()
def outer_join(session):
    return session.scalars(select(Task.title).select_from(User).outerjoin(Task, true())).all()


@form()
def outer_join_from_owned(session):
    return session.scalars(select(Task.title).outerjoin(Project, Project.id == -1)).all()


@form(ScopeError)
def full_join(session):
    return session.scalars(
        select(Project.title).select_from(Task).join(Project, Task.id == Project.id + 1000, full=True)
    ).all()


@form()
def join_in_select_from(session):
    nested = sqlalchemy.orm.join(User, sqlalchemy.orm.join(Task, Project, true()), true(), isouter=True)
    return session.execute(select(Task.title, Project.title).select_from(nested)).all()


@form()
def cartesian_product(session):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SAWarning)
        return session.execute(select(User.id, Task.title)).all()


@form()
def relationship_join_of_type(session):
    other = aliased(Task)
    return session.scalars(select(other.title).select_from(Project).join(Project.tasks.of_type(other))).all()


@form()
def subquery(session):
    inner = select(Task.title).subquery()
    return session.scalars(select(inner.c.title).select_from(User).join(inner, true())).all()


@form()
def entity_of_subquery(session):
    return titles(session.scalars(select(aliased(Task, select(Task).subquery()))))


@form(ScopeError)
def entity_of_core_subquery(session):
    return titles(session.scalars(select(aliased(Task, select(Task.__table__).subquery()))))


@form()
def cte(session):
    inner = select(Task.title).cte()
    return session.scalars(select(inner.c.title).select_from(User).join(inner, true())).all()


@form()
def recursive_cte(session):
    start = select(Task.id, Task.title).cte(recursive=True)
    whole = start.union_all(select(Task.id, Task.title).join(start, Task.id == start.c.id + 1))
    return session.execute(select(User.id, whole.c.title).join(whole, true())).all()


@form()
def lateral(session):
    inner = select(Task.title).where(Task.user_id == User.id).correlate(User).lateral()
    if session.get_bind().dialect.name == "sqlite":  # has no LATERAL
        return subquery(session)
    return session.scalars(select(inner.c.title).select_from(User).join(inner, true())).all()


@form()
def scalar_subquery(session):
    return session.execute(select(User.id, select(func.max(Task.title)).scalar_subquery())).all()


@form()
def correlated_scalar_subquery(session):
    inner = select(Task.title).where(Task.user_id == User.id).correlate(User).scalar_subquery()
    return session.execute(select(User.id, inner)).all()


@form()
def union_of_entities(session):
    return titles(session.execute(union(select(Task), select(Task).where(true()))))


@form()
def union_as_entity(session):
    both = union(select(Task), select(Task).where(true())).subquery()
    return titles(session.scalars(select(aliased(Task, both))))


@form()
def in_subquery(session):
    return session.scalars(
        select(User.name).where(User.id.in_(select(Task.user_id)), User.id == BOB)
    ).all() and [BOB.upper()]


@form()
def tuple_in_subquery(session):
    keys = select(Task.user_id, Task.title)
    return session.scalars(select(User.id).where(tuple_(User.id, "BOB task").in_(keys))).all() and ["BOB"]


@form()
def order_by_subquery(session):
    """Nothing of Bob's in the rows, and still his rows decide their order."""
    his = select(func.count(Task.id)).where(Task.user_id == User.id).correlate(User).scalar_subquery()
    found = session.scalars(select(User.id).where(User.id == BOB).order_by(his).where(his > 0)).all()
    return ["BOB"] if found else []


@form(EXISTS)
def exists_(session):
    return session.scalars(
        select(User.id).where(exists().where(Task.user_id == User.id), User.id == BOB)
    ).all() and ["BOB"]


@form(ScopeError)
def exists_of_either(session):
    """Not even SQLAlchemy 2.1 finds the model within OR."""
    either = exists().where((Task.user_id == User.id) | (Task.id < 0))
    return session.scalars(select(User.id).where(either, User.id == BOB)).all() and ["BOB"]


@form()
def exists_of_select(session):
    inner = select(Task.id).where(Task.user_id == User.id).exists()
    return session.scalars(select(User.id).where(inner, User.id == BOB)).all() and ["BOB"]


@form(EXISTS)
def any_(session):
    return session.scalars(select(User.id).where(User.tasks.any(), User.id == BOB)).all() and ["BOB"]


@form(EXISTS)
def not_any(session):
    """The absence of a row tells as much as its presence."""
    free = session.scalars(select(User.id).where(~User.tasks.any(Task.title.contains("BOB")))).all()
    return [] if BOB in free else ["BOB"]


@form(EXISTS)
def has(session):
    inner = aliased(Project)
    found = session.scalars(
        select(User.id).where(exists().where(inner.user_id == User.id, inner.title.contains("BOB")))
    )
    return ["BOB"] if found.all() else []


@form(EXISTS)
def association_proxy(session):
    other = aliased(Task)
    found = session.scalars(
        select(User.id).where(exists().where(other.user_id == User.id, other.tag_titles.contains("BOB tag")))
    )
    return ["BOB"] if found.all() else []


@form(ScopeError)
def exists_over_core(session):
    inner = exists().select_from(Task.__table__).where(Task.__table__.c.user_id == User.id)
    return session.scalars(select(User.id).where(inner, User.id == BOB)).all() and ["BOB"]
