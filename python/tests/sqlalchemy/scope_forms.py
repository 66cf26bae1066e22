"""Every form in which a query has leaked another user's rows, one function each.

Each gets a session that is Alice's, tries to see or to change what is Bob's, and gives what it saw. ``ends``
is how it must end within the scope: nothing where it runs and is confined, else the error. Without any wall
each of them leaks, and a test says so: a form that could not leak would prove nothing.
"""

import pickle
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import sqlalchemy
from scope_kit import ALICE, BOB, HIS, MINE, attached
from scope_models import (
    Comment,
    Counted,
    Foreign,
    Item,
    Label,
    Note,
    Preference,
    Project,
    Reminder,
    Tag,
    Task,
    User,
    Window,
    task_label,
    task_tag,
)
from sqlalchemy import (
    Column,
    MetaData,
    String,
    Table,
    bindparam,
    column,
    delete,
    exists,
    func,
    insert,
    lambda_stmt,
    literal_column,
    select,
    table,
    text,
    true,
    tuple_,
    union,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError, InvalidRequestError, SAWarning
from sqlalchemy.orm import (
    Bundle,
    Session,
    aliased,
    contains_eager,
    defer,
    immediateload,
    joinedload,
    make_transient_to_detached,
    selectin_polymorphic,
    selectinload,
    subqueryload,
    undefer,
    with_loader_criteria,
    with_polymorphic,
)
from sqlalchemy.orm.exc import ObjectDeletedError, StaleDataError

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


# Relationships


@form()
def lazy_load(session):
    return loaded(session.get(User, BOB))


@form()
def joined_by_default(session):
    return titles(session.get(User, BOB).joined)


@form()
def joined_load(session):
    return [loaded(user) for user in session.scalars(select(User).options(joinedload(User.tasks))).unique()]


@form()
def selectin_load(session):
    return [loaded(user) for user in session.scalars(select(User).options(selectinload(User.tasks))).unique()]


@form()
def subquery_load(session):
    return [loaded(user) for user in session.scalars(select(User).options(subqueryload(User.tasks))).unique()]


@form()
def immediate_load(session):
    return [
        loaded(user) for user in session.scalars(select(User).options(immediateload(User.tasks))).unique()
    ]


@form()
def contains_eager_(session):
    query = select(User).join(User.tasks).options(contains_eager(User.tasks))
    return [loaded(user) for user in session.scalars(query).unique()]


@form()
def loader_with_and(session):
    query = select(User).options(selectinload(User.tasks.and_(Task.id > 0)))
    return [loaded(user) for user in session.scalars(query).unique()]


@form()
def dynamic_relationship(session):
    return titles(attached(session, Project, HIS).dynamic.all())


@form()
def write_only_relationship(session):
    return titles(session.scalars(attached(session, Project, HIS).write_only.select()))


@form()
def write_only_update(session):
    session.execute(attached(session, Project, HIS).write_only.update().values(title="changed"))


@form()
def column_property_of_the_orm(session):
    return [user.latest for user in session.scalars(select(User)).unique()]


@form()
def column_property_undeferred(session):
    return [user.latest for user in session.scalars(select(User).options(undefer(User.latest))).unique()]


@form()
def refreshed_relationship(session):
    user = session.get(User, BOB)
    session.refresh(user, ["joined", "tasks"])
    return titles(user.joined) + loaded(user)


@form(ObjectDeletedError)
def lazy_load_of_attached(session):
    return titles(attached(session, Project, HIS).tasks)


@form()
def lazy_load_of_attached_by_its_key(session):
    return titles(attached(session, Project, HIS).by_key)


@form(ObjectDeletedError)
def many_to_many_of_attached(session):
    return titles(attached(session, Task, HIS).tags)


@form(ScopeError, owned=False)
def unowned_table_between(session):
    return titles(attached(session, Task, HIS).labels)


@form(ScopeError, owned=False)
def unowned_child(session):
    return titles(attached(session, Task, HIS).comments)


@form(ScopeError, owned=False)
def unowned_dependent(session):
    return titles(session.scalars(select(Comment)))


@form(ScopeError, owned=False)
def unowned_dependent_insert(session):
    session.add(Comment(task_id=HIS, title="BOB reads this"))
    session.flush()


@form(ScopeError, owned=False)
def unowned_table_between_insert(session):
    his = attached(session, Task, HIS)
    his.labels.append(session.get(Label, MINE))
    session.flush()


@form(ScopeError, owned=False)
def unowned_table_in_a_join(session):
    return [
        ("BOB", *row) for row in session.execute(select(task_label.c.label_id).join(Label)) if row[0] == HIS
    ]


@form(ObjectDeletedError)
def link_to_attached(session):
    mine = session.get(Task, MINE)
    mine.tags.append(attached(session, Tag, HIS))
    try:
        session.flush()
    except IntegrityError:  # the composite foreign key; without it the link would be there
        session.rollback()
    return ["BOB"]


# Objects attached by their key, expired and deferred attributes


@form(ObjectDeletedError)
def expired_attributes(session):
    return [attached(session, Task, HIS).title]


@form(InvalidRequestError)
def refresh(session):
    his = attached(session, Task, HIS)
    session.refresh(his)
    return [his.title]


@form(InvalidRequestError)
def refresh_one_attribute(session):
    his = attached(session, Task, HIS)
    session.refresh(his, ["title"])
    return [his.title]


@form(InvalidRequestError)
def refresh_for_update(session):
    his = attached(session, Task, HIS)
    session.refresh(his, with_for_update=True)
    return [his.title]


@form(ObjectDeletedError)
def deferred_attribute(session):
    return [attached(session, Task, HIS).body]


@form()
def undeferred_attribute(session):
    return [row.body for row in session.scalars(select(Task).options(undefer(Task.body), defer(Task.title)))]


@form(ObjectDeletedError)
def expired_in_a_subclass_table(session):
    return [attached(session, Note, HIS).text]


@form(ObjectDeletedError)
def expired_in_both_tables(session):
    note = attached(session, Note, HIS)
    return [note.title, note.text]


@form()
def get_after_attaching(session):
    attached(session, Task, HIS)
    try:
        return titles([row for row in [session.get(Task, HIS)] if row])
    except ObjectDeletedError:
        return []


@form()
def populate_attached(session):
    his = attached(session, Task, HIS)
    session.scalars(select(Task).execution_options(populate_existing=True)).all()
    return [his.__dict__.get("title")]


# Inheritance


@form()
def joined_inheritance(session):
    return [(row.title, row.text) for row in session.scalars(select(Note))]


@form()
def joined_inheritance_from_the_base(session):
    return [(row.title, getattr(row, "text", None)) for row in session.scalars(select(Item))]


@form()
def columns_of_the_subclass_table(session):
    return session.scalars(select(Note.text)).all()


@form()
def with_polymorphic_(session):
    every = with_polymorphic(Item, "*")
    return [(row.title, getattr(row, "text", None)) for row in session.scalars(select(every))]


@form()
def with_polymorphic_flat(session):
    every = with_polymorphic(Item, [Note], flat=True)
    return session.execute(select(every.title, every.Note.text)).all()


@form(ScopeError)
def with_polymorphic_aliased(session):
    every = with_polymorphic(Item, [Note], aliased=True)
    return session.execute(select(every.title, every.Note.text)).all()


@form()
def selectin_polymorphic_(session):
    query = select(Item).options(selectin_polymorphic(Item, [Note, Reminder]))
    return [(row.title, getattr(row, "text", None)) for row in session.scalars(query)]


@form()
def single_table_inheritance(session):
    return [(row.title, row.due) for row in session.scalars(select(Reminder))]


@form(StaleDataError)
def update_in_the_subclass_table(session):
    attached(session, Note, HIS).text = "changed"
    session.flush()


@form()
def bulk_update_of_the_subclass(session):
    session.execute(update(Reminder).values(due="changed"))


@form()
def bulk_update_of_the_subclass_table(session):
    session.execute(update(Note).values(text="changed"))


# What is not the ORM


@form(ScopeError, unseen=True)
def textual(session):
    return session.execute(text("SELECT title FROM task")).all()


@form(ScopeError, unseen=True)
def textual_columns(session):
    return session.execute(text("SELECT title FROM task").columns(title=String)).all()


@form(ScopeError)
def textual_condition(session):
    return session.scalars(select(Task.title).where(text("task.id < 0 OR 1 = 1"))).all()


@form(ScopeError, unseen=True)
def textual_subquery(session):
    inner = text("SELECT title FROM task").columns(title=String).subquery()
    return session.execute(select(User.id, inner.c.title).join(inner, true())).all()


@form(ScopeError)
def textual_prefix(session):
    return session.scalars(select(Task.title).prefix_with("title FROM task UNION ALL SELECT")).all()


@form(ScopeError)
def statement_hint(session):
    return session.scalars(select(Task.title).with_statement_hint("UNION ALL SELECT title FROM task")).all()


@form(ScopeError, unseen=True)
def literal_column_(session):
    return session.execute(select(User.id, literal_column("(SELECT max(title) FROM task)"))).all()


@form(ScopeError)
def core_select(session):
    return session.scalars(select(Task.__table__.c.title)).all()


@form(ScopeError)
def core_insert(session):
    session.execute(Task.__table__.insert(), [{"title": "new", "user_id": BOB}])


@form(ScopeError)
def core_update(session):
    session.execute(Task.__table__.update().values(title="changed"))


@form(ScopeError)
def core_delete(session):
    session.execute(Preference.__table__.delete())


@form(ScopeError)
def core_select_of_another_table_object(session):
    his = Table("task", MetaData(), Column("title", String), schema=None)
    return session.execute(select(User.id, his.c.title).join(his, true())).all()


@form(ScopeError)
def engine_of_the_session(session):
    with session.get_bind().connect() as connection:
        return connection.scalars(select(Task.__table__.c.title)).all()


@form(ScopeError)
def another_session_of_the_engine(session):
    with Session(session.get_bind()) as other:
        return titles(other.scalars(select(Task)))


@form(ScopeError)
def core_select_of_columns_by_name(session):
    return session.scalars(select(column("title")).select_from(table("task"))).all()


@form(ScopeError)
def core_table_in_an_orm_join(session):
    his = Task.__table__.alias()
    return session.execute(select(User.id, his.c.title).join(his, true())).all()


@form(ScopeError)
def table_by_name_in_an_orm_join(session):
    his = table("TASK" if session.get_bind().dialect.name == "sqlite" else "task", column("title"))
    return session.execute(select(User.id, his.c.title).join(his, true())).all()


@form(ScopeError)
def another_class_over_the_table(session):
    return titles(session.scalars(select(Window)))


@form(ScopeError)
def column_property_of_core(session):
    return session.scalars(select(Counted.latest)).all()


@form(ScopeError)
def column_property_of_core_by_entity(session):
    return [row.latest for row in session.scalars(select(Counted))]


@form(ScopeError)
def connection(session):
    return session.connection().execute(select(Task.__table__.c.title)).all()


@form(ScopeError, unseen=True)
def connection_with_driver_sql(session):
    return session.connection().exec_driver_sql("SELECT title FROM task").all()


@form(ScopeError)
def from_statement_of_text(session):
    return titles(session.scalars(select(Task).from_statement(text("SELECT * FROM task"))))


@form(ScopeError)
def from_statement_of_core(session):
    return titles(session.scalars(select(Task).from_statement(select(Task.__table__))))


@form(ScopeError)
def from_statement_of_dml(session):
    change = update(Task).values(title=Task.title + "!").returning(Task)
    return titles(session.scalars(select(Task).from_statement(change)))


@form()
def lambda_statement(session):
    return titles(session.scalars(lambda_stmt(lambda: select(Task))))


@form(ScopeError)
def secondary_alone(session):
    return [BOB.upper() for row in session.execute(select(task_tag)) if BOB in row]


@form()
def another_criterion(session):
    """Criteria add up; none takes another's place."""
    return titles(
        session.scalars(select(Task).options(with_loader_criteria(Task, true(), include_aliases=True)))
    )


@form(ScopeError)
def the_parameter_by_name(session):
    found = session.scalars(select(Task), {"jwt_auth_bridge_owner": BOB})
    return titles(found) or ["BOB"]


# Writing


@form(StaleDataError)
def flush_update(session):
    attached(session, Task, HIS).title = "changed"
    session.flush()


@form()
def flush_delete(session):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SAWarning)  # no row was there to delete
        session.delete(attached(session, Foreign, HIS))
        session.flush()


@form(ScopeError)
def flush_delete_by_composite_key(session):
    session.delete(attached(session, Preference, (BOB, "colour")))
    session.flush()


@form(ScopeError)
def give_away(session):
    mine = session.get(Foreign, MINE)
    mine.belongs_to = BOB
    session.flush()


@form(StaleDataError)
def take(session):
    attached(session, Foreign, HIS).belongs_to = ALICE
    session.flush()


@form(ScopeError)
def set_mine_to_a_query(session):
    mine = session.get(Task, MINE)
    mine.title = select(func.max(Task.__table__.c.title)).scalar_subquery()
    session.flush()
    return [mine.title]


@form()
def bulk_update(session):
    session.execute(update(Task).values(title="changed"))


@form()
def bulk_update_evaluated(session):
    session.execute(
        update(Task).values(title="changed"), execution_options={"synchronize_session": "evaluate"}
    )


@form()
def bulk_update_fetched(session):
    session.execute(update(Task).values(title="changed"), execution_options={"synchronize_session": "fetch"})


@form()
def bulk_update_unsynchronized(session):
    session.execute(update(Task).values(title="changed"), execution_options={"synchronize_session": False})


@form()
def bulk_update_returning(session):
    return session.scalars(update(Task).values(title=Task.title + "!").returning(Task.title)).all()


@form()
def legacy_update(session):
    session.query(Task).update({"title": "changed"})


@form(StaleDataError, None)  # asyncpg does not count
def update_by_keys(session):
    session.execute(update(Task), [{"id": MINE, "title": "changed"}, {"id": HIS, "title": "changed"}])


@form(ScopeError)
def update_from_another_table(session):
    his = Project.__table__
    change = update(Task).values(title=his.c.title).where(his.c.id == HIS).returning(Task.title)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SAWarning)
        return session.scalars(change).all()


@form()
def update_with_a_subquery(session):
    his = select(func.max(Project.title)).scalar_subquery()
    session.execute(update(User).where(User.id == ALICE).values(name=his))
    return session.scalars(select(User.name)).all()


@form(ScopeError)
def update_by_keys_to_another_owner(session):
    session.execute(update(Foreign), [{"id": MINE, "belongs_to": BOB}])


@form(ScopeError)
def values_of_another_owner(session):
    session.execute(update(Reminder).values(user_id=BOB))


@form(ScopeError)
def values_of_an_expression(session):
    session.execute(update(Reminder).values(user_id=func.lower("BOB")))


@form(ScopeError)
def values_of_another_parameter(session):
    change = update(Reminder).values(user_id=bindparam("x"), title=bindparam("user_id"))
    session.execute(change, {"x": BOB, "user_id": ALICE})


@form(ScopeError)
def values_by_a_hybrid(session):
    session.execute(update(Reminder).values({Reminder.holder: func.lower("BOB")}))


@form(ScopeError)
def values_by_another_name(session):
    session.execute(update(Foreign).values(belongs_to=BOB))


@form()
def bulk_delete(session):
    session.execute(delete(Preference))


@form()
def bulk_delete_fetched(session):
    session.execute(delete(Preference), execution_options={"synchronize_session": "fetch"})


@form()
def bulk_delete_returning(session):
    return session.scalars(delete(Preference).returning(Preference.title)).all()


@form()
def legacy_delete(session):
    session.query(Preference).filter(Preference.title.like("%")).delete()


@form(ScopeError)
def add_with_another_owner(session):
    session.add(Task(title="new", user_id=BOB))
    session.flush()


@form(ScopeError)
def add_and_change_the_owner(session):
    task = Task(title="new")
    session.add(task)
    task.user_id = BOB
    session.flush()


@form(ScopeError)
def add_with_an_expression(session):
    session.add(Task(title="new", user_id=func.lower("BOB")))
    session.flush()


@form(ScopeError)
def merge_with_another_owner(session):
    session.merge(Preference(user_id=BOB, name="colour", title="changed"))
    session.flush()


@form(ScopeError)
def merge_over_mine(session):
    session.merge(Foreign(id=MINE, belongs_to=BOB))
    session.flush()


def pickled(model, **values):
    instance = model(**values)
    make_transient_to_detached(instance)
    return pickle.loads(pickle.dumps(instance))


@form(ScopeError, owned=False, unseen=True)
def merge_without_load(session):
    his = session.merge(pickled(Task, id=HIS, user_id=BOB, title="BOB task"), load=False)
    return [his.title, session.get(Task, HIS).title]


@form(ScopeError, owned=False, unseen=True)
def add_unpickled(session):
    session.add(pickled(Task, id=HIS, user_id=BOB, title="BOB task"))
    return titles([session.get(Task, HIS)])


@form(ScopeError)
def insert_with_another_owner(session):
    session.execute(insert(Task).values(title="new", user_id=BOB))


@form(ScopeError)
def insert_rows_with_another_owner(session):
    session.execute(insert(Task), [{"title": "new", "user_id": ALICE}, {"title": "new", "user_id": BOB}])


@form(ScopeError)
def insert_with_an_expression(session):
    session.execute(insert(Task).values(title="new", user_id=func.lower("BOB")))


@form(ScopeError)
def insert_with_another_parameter(session):
    new = insert(Task).values(user_id=func.lower("BOB"), title=bindparam("user_id"))
    session.execute(new, {"user_id": ALICE})


@form(ScopeError)
def insert_with_parameters_changed_over(session):
    new = insert(Task).values(user_id=bindparam("title"), title=bindparam("user_id"))
    session.execute(new, {"user_id": ALICE, "title": BOB})


@form(ScopeError)
def insert_values_of_several_rows(session):
    session.execute(
        insert(Task).values([{"title": "new", "user_id": ALICE}, {"title": "new", "user_id": BOB}])
    )


@form(ScopeError)
def insert_by_another_name(session):
    session.execute(insert(Foreign).values(belongs_to=BOB))


@form(ScopeError)
def insert_from_select(session):
    source = select(User.id, User.name)
    session.execute(insert(Task).from_select(["user_id", "title"], source))


@form(ScopeError)
def insert_within_a_cte(session):
    if session.get_bind().dialect.name == "sqlite":  # has no INSERT within WITH
        return insert_from_select(session)
    new = insert(Task).values(title="new", user_id=BOB).returning(Task.title).cte()
    return session.execute(select(User.id, new.c.title).join(new, true())).all() and ["BOB"]


@form(ScopeError)
def update_within_a_cte(session):
    if session.get_bind().dialect.name == "sqlite":
        return insert_from_select(session)
    change = update(Task).values(title=Task.title + "!").returning(Task.title).cte()
    return session.execute(select(User.id, change.c.title).join(change, true())).all()


@form(ScopeError)
def insert_returning_a_subquery(session):
    his = select(func.max(Project.__table__.c.title)).scalar_subquery()
    return session.execute(insert(Task).values(title="new", user_id=ALICE).returning(his)).all()


@form(ScopeError)
def bulk_save_objects(session):
    session.bulk_save_objects([Task(title="new", user_id=BOB)])


@form(ScopeError)
def bulk_insert_mappings(session):
    session.bulk_insert_mappings(Task, [{"title": "new", "user_id": BOB}])


@form(StaleDataError, None)
def bulk_update_mappings(session):
    session.bulk_update_mappings(Task, [{"id": HIS, "title": "changed"}])


def upsert_into(session, model):
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    return dialect.insert(model)


@form()
def upsert(session):
    """The row that is already there is Bob's, and stays as it is."""
    new = upsert_into(session, Foreign).values(id=HIS, belongs_to=ALICE, title="changed")
    change = new.on_conflict_do_update(index_elements=["id"], set_={"title": "changed"})
    session.execute(change)


@form(ScopeError)
def upsert_of_another_owner(session):
    new = upsert_into(session, Foreign).values(id=MINE, belongs_to=ALICE, title="changed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SAWarning)
        session.execute(new.on_conflict_do_update(index_elements=["id"], set_={"owner": BOB}))
