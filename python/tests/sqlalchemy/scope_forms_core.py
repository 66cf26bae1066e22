"""Forms that are not the ORM's: text, Core, connections."""

from scope_forms import form, titles
from scope_kit import BOB
from scope_models import (
    Counted,
    Preference,
    Task,
    User,
    Window,
    task_tag,
)
from sqlalchemy import (
    Column,
    MetaData,
    String,
    Table,
    column,
    lambda_stmt,
    literal_column,
    select,
    table,
    text,
    true,
    update,
)
from sqlalchemy.orm import (
    Session,
    with_loader_criteria,
)

from jwt_auth_bridge.sqlalchemy import ScopeError

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
