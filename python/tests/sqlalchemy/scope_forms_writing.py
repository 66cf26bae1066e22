"""Forms of writing: the flush, bulk statements, owners that are somebody else."""

import warnings

from scope_forms import form, pickled, titles, upsert_into
from scope_kit import ALICE, BOB, HIS, MINE, attached
from scope_models import (
    Foreign,
    Preference,
    Project,
    Reminder,
    Task,
    User,
)
from sqlalchemy import (
    bindparam,
    delete,
    func,
    insert,
    select,
    true,
    update,
)
from sqlalchemy.exc import SAWarning
from sqlalchemy.orm.exc import StaleDataError

from jwt_auth_bridge.sqlalchemy import ScopeError

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
