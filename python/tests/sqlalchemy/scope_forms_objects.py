"""Forms by way of objects: relationships, what is attached by its key, inheritance."""

from scope_forms import form, loaded, titles
from scope_kit import BOB, HIS, MINE, attached
from scope_models import (
    Comment,
    Item,
    Label,
    Note,
    Project,
    Reminder,
    Tag,
    Task,
    User,
    task_label,
)
from sqlalchemy import (
    select,
    update,
)
from sqlalchemy.exc import IntegrityError, InvalidRequestError
from sqlalchemy.orm import (
    contains_eager,
    defer,
    immediateload,
    joinedload,
    selectin_polymorphic,
    selectinload,
    subqueryload,
    undefer,
    with_polymorphic,
)
from sqlalchemy.orm.exc import ObjectDeletedError, StaleDataError

from jwt_auth_bridge.sqlalchemy import ScopeError

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
