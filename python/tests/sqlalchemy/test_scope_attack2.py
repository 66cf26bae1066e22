"""What a second attack found besides forms: the order of imports, shared connections, schemas, types."""

import subprocess
import sys

import pytest
from scope_kit import ALICE, BOB, HIS, attached, principal
from scope_models import Foreign, Project, Tag, Task, User
from sqlalchemy import (
    Column,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    TypeDecorator,
    and_,
    bindparam,
    create_engine,
    func,
    insert,
    select,
    text,
    true,
    update,
)
from sqlalchemy.dialects import mysql, postgresql
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, load_only, mapped_column

from jwt_auth_bridge._sqlalchemy_conditions import OWNER
from jwt_auth_bridge._sqlalchemy_owners import COLUMNS, NO_OWNER, owner_column
from jwt_auth_bridge._sqlalchemy_proof import judge
from jwt_auth_bridge.errors import ConfigurationError
from jwt_auth_bridge.sqlalchemy import OwnedBy, ScopeError, owned, scope, unscoped_sessions

# Models that were mapped, and statements that were used, before the annex was imported

BEFORE = """
from sqlalchemy import Column, String, Table, create_engine, func, insert, select, update
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from sqlalchemy.pool import StaticPool

class Base(DeclarativeBase):
    pass

class Memo(Base):
    __tablename__ = "memo"
    __owned_by__ = "user_id"
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[str]

class Child(Memo):
    pass

later = Table("later", Base.metadata, Column("user_id", String))
engine = create_engine("sqlite://", poolclass=StaticPool)
Base.metadata.create_all(engine)
table = Memo.__table__
USED = [
    select(Memo.user_id),
    select(table.c.user_id),
    select(func.count()).select_from(select(Memo).subquery()),
    update(table).values(user_id="eve"),
    insert(table).values(user_id="eve").returning(select(table.c.user_id).limit(1).scalar_subquery()),
]
with Session(engine) as session:
    session.add_all([Memo(user_id="alice"), Memo(user_id="bob")])
    session.commit()
    for statement in [*USED, select(later)]:
        session.execute(statement)
    session.rollback()

from jwt_auth_bridge import Principal
from jwt_auth_bridge.sqlalchemy import ScopeError, owned, scope

with scope(Session(engine), Principal.for_subject("alice")) as session:
    assert session.scalars(select(Memo.user_id).select_from(Memo)).all() == ["alice"]
    assert [memo.user_id for memo in session.scalars(select(Child))] == ["alice"]
with Session(engine) as session:
    assert session.execute(select(later)).all() == []
owned(later, "user_id")
for statement in [select(Memo), select(later), *USED]:
    with Session(engine) as session:
        try:
            session.execute(statement).all()
        except ScopeError:
            continue
        raise SystemExit(f"open: {statement}")
with Session(engine) as session:
    session.add(Memo(user_id="eve"))
    try:
        session.flush()
    except ScopeError:
        raise SystemExit(0)
raise SystemExit("open: a flush")
"""


def test_models_that_were_mapped_before_the_import_are_owned(tmp_path):
    """A model may say ``__owned_by__`` without the annex, which ``bridge.session`` imports later."""
    done = subprocess.run(
        [sys.executable, "-c", BEFORE], check=False, cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


# Several sessions on one connection, in one transaction


@pytest.fixture
def connection(sqlite):
    with sqlite.engine.connect() as connection, connection.begin() as transaction:
        yield connection
        if transaction.is_active:
            transaction.commit()
    assert not sqlite.changes()


def begun(connection, user=None):
    session = Session(connection)
    if user is not None:
        scope(session, principal(user))
    session.scalars(select(User.id)).all()
    return session


WRITES = {
    "flush": lambda session: session.flush(),
    "commit": lambda session: session.commit(),
    "insert": lambda session: session.execute(insert(Task), [{"title": "new"}]),
    "bulk_insert": lambda session: session.bulk_insert_mappings(Task, [{"title": "new"}]),
    "bulk_update": lambda session: session.bulk_update_mappings(Task, [{"id": HIS, "title": "changed"}]),
    "bulk_save": lambda session: session.bulk_save_objects([Tag(title="new")]),
    "savepoint": lambda session: session.begin_nested(),
    "read": lambda session: session.scalars(select(User.id)).all(),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
@pytest.mark.parametrize("user", [ALICE, None])
def test_a_session_writes_nothing_by_the_scope_of_another(connection, user, write):
    first = begun(connection, user)
    attached(first, Task, HIS).title = "changed"
    first.autoflush = False
    bob = begun(connection, BOB)
    with pytest.raises(ScopeError, match="another user"):
        write(first)
    first.expunge_all()
    first.rollback()
    assert first.in_transaction() is False
    bob.close()


def test_a_session_goes_on_after_another_one_on_its_connection(connection):
    alice, bob = begun(connection, ALICE), begun(connection, BOB)
    with pytest.raises(ScopeError, match="another user"):
        alice.scalars(select(Task.title)).all()
    bob.commit()
    assert alice.scalars(select(User.id)).all()
    alice.commit()
    for _ in range(2):
        for session, title in ((alice, "ALICE task"), (bob, "BOB task")):
            assert session.scalars(select(Task.title)).all() == [title]
            with session.begin_nested(), session.begin_nested():
                assert session.scalars(select(Task.title)).all() == [title]
            session.commit()


def test_two_sessions_of_one_user_share_a_connection(connection):
    one, other = begun(connection, ALICE), begun(connection, ALICE)
    for new, session in enumerate((one, other, one)):
        assert session.scalars(select(Task.title)).all() == ["ALICE task"] + ["new"] * new
        session.add(Task(title="new"))
        session.flush()
    other.rollback()


def test_a_connection_has_no_user_after_the_session(connection):
    with begun(connection, ALICE) as session:
        session.commit()
    with pytest.raises(ScopeError, match="no principal"):
        connection.execute(select(Task.__table__))
    assert connection.scalar(text("SELECT 1")) == 1


# Without a principal


def test_an_insert_behind_from_statement_is_closed(place):
    table = Task.__table__
    new = insert(table).values(title="new", user_id=BOB)
    new = new.returning(table.c.user_id.label("id"), table.c.title.label("name"))
    with pytest.raises(ScopeError, match="no principal"):
        place.plain(lambda session: session.scalars(select(User).from_statement(new)).all())
    assert not place.changes()


# Schemas that are translated


@pytest.fixture
def base():
    class Base(DeclarativeBase):
        pass

    before = dict(COLUMNS)
    yield Base
    for name in set(COLUMNS) - set(before):
        del COLUMNS[name]
    Base.registry.dispose()


@pytest.mark.parametrize("to", ["main", None])
def test_a_translated_schema_is_no_way_around(base, tmp_path, to):
    class Memo(OwnedBy("user_id"), base):
        __tablename__ = "memo"
        __table_args__ = {"schema": "main"}  # noqa: RUF012
        user_id: Mapped[str] = mapped_column(primary_key=True)

    class Person(base):
        __tablename__ = "person_of_memo"
        id: Mapped[str] = mapped_column(primary_key=True)

    url = f"sqlite:///{tmp_path / 'translated.db'}"
    admin, engine = create_engine(url), create_engine(url)
    base.metadata.create_all(admin)
    with unscoped_sessions(admin, name="tests")("fill") as session:
        session.add_all([Memo(user_id=ALICE), Memo(user_id=BOB), Person(id="x")])
        session.commit()
    his = Table("memo", MetaData(), Column("user_id", String), schema="elsewhere")
    options = {"schema_translate_map": {"elsewhere": to}}
    for translating in (engine.execution_options(**options), engine):
        with (
            scope(Session(translating), principal(ALICE)) as session,
            pytest.raises(ScopeError, match="memo"),
        ):
            session.execute(
                select(Person.id, his.c.user_id).join(his, true()), execution_options=options
            ).all()
        for statement in (select(his), his.insert().values(user_id="eve"), his.delete()):
            with Session(translating) as session, pytest.raises(ScopeError, match="no principal"):
                session.execute(statement, execution_options=options)
    # Its own map is no hindrance.
    with scope(
        Session(engine.execution_options(schema_translate_map={"x": "y"})), principal(ALICE)
    ) as session:
        assert [memo.user_id for memo in session.scalars(select(Memo))] == [ALICE]
        assert session.scalars(select(Person.id)).all() == ["x"]
    admin.dispose()
    engine.dispose()


# References that only their names tell


def test_references_across_metadata():
    owned(Table("parent_in_a_schema", MetaData(), Column("user_id", String), schema="some"), "user_id")
    try:
        for target, column in (
            ("some.parent_in_a_schema.id", NO_OWNER),
            ("Some.Parent_in_a_schema.id", NO_OWNER),
            ("parent_in_a_schema.id", NO_OWNER),
            ("other.parent_in_a_schema.id", None),
            ("task.id", NO_OWNER),
            ("person.id", None),
        ):
            child = Table("child", MetaData(), Column("parent", Integer, ForeignKey(target)))
            assert owner_column(child) == column, target
    finally:
        del COLUMNS["parent_in_a_schema", "some"]


# Owner columns that take two users for one, or change what they are given


class Lower(TypeDecorator):
    impl = String
    cache_ok = True

    def process_bind_param(self, value, dialect):
        return value and value.lower()


class Reversed(TypeDecorator):
    impl = String
    cache_ok = True

    def bind_expression(self, value):
        return func.reverse(value)


@pytest.mark.parametrize(
    ("kind", "options", "why"),
    [
        (postgresql.CITEXT(), {}, "two users for one"),
        (String(collation="NOCASE"), {}, "two users for one"),
        (String().with_variant(postgresql.CITEXT(), "postgresql"), {}, "two users for one"),
        (String(collation="RTRIM"), {}, "two users for one"),
        (String(30, collation="utf8mb4_0900_ai_ci"), {}, "two users for one"),
        (mysql.VARCHAR(30, collation="latin1_swedish_ci"), {}, "two users for one"),
        (Lower(), {}, "changes the owner"),
        (Reversed(), {}, "changes the owner"),
        (String(), {"onupdate": func.current_user()}, "onupdate"),
        (String(), {"onupdate": lambda: "eve"}, "onupdate"),
    ],
    ids=repr,
)
def test_an_owner_that_is_not_kept_as_it_is(kind, options, why):
    with pytest.raises(ConfigurationError, match=why):
        owned(Table("alike", MetaData(), Column("user_id", kind, **options)), "user_id")


@pytest.mark.parametrize("collation", [None, "C", "BINARY", "utf8mb4_bin", "utf8mb4_0900_as_cs"])
def test_a_collation_that_tells_users_apart(collation):
    owned(Table("told_apart", MetaData(), Column("user_id", String(collation=collation))), "user_id")
    del COLUMNS["told_apart", None]


# Objects


def test_an_object_of_another_session_without_its_owner(sqlite):
    with scope(Session(sqlite.engine), principal(BOB)) as bob:
        task = bob.scalars(select(Task).options(load_only(Task.title))).one()
        other = bob.scalars(select(Foreign)).one()
        bob.expire(other, ["belongs_to"])
        bob.expunge_all()
    with scope(Session(sqlite.engine), principal(ALICE)) as alice:
        for his in (task, other):
            with pytest.raises(ScopeError, match="without its owner"):
                alice.add(his)
        assert not alice.identity_map


# The proof


def test_an_update_of_two_tables_at_once():
    """MySQL sets columns of both; the other table's owner is a parameter that nobody looks at."""
    task, project = Task.__table__, Project.__table__
    mine = and_(*(table.c.user_id == bindparam(OWNER, ALICE) for table in (task, project)))
    for values in ({project.c.user_id: BOB}, {task.c.title: "x", project.c.title: "x"}):
        assert (
            "two tables"
            in judge(update(task).where(mine).values(values).compile(dialect=mysql.dialect())).refusal
        )
    assert (
        judge(update(task).where(mine).values({task.c.title: "x"}).compile(dialect=mysql.dialect())).refusal
        is None
    )
