"""Saying who owns a model: what is accepted, and what stops the process when it starts."""

import pytest
from scope_kit import ALICE, principal
from scope_models import Comment, Foreign, Item, Note, Reminder, Task, User, task_label, task_tag
from sqlalchemy import Column, ForeignKey, Integer, MetaData, String, Table, Text, TypeDecorator, select
from sqlalchemy.exc import StatementError
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    MappedAsDataclass,
    Session,
    declarative_base,
    mapped_column,
    registry,
)

from jwt_auth_bridge._sqlalchemy_owners import ATTRIBUTES, COLUMNS, NO_OWNER, owner_column
from jwt_auth_bridge.errors import ConfigurationError
from jwt_auth_bridge.sqlalchemy import OwnedBy, ScopeError, owned, scope


@pytest.fixture
def base():
    class Base(DeclarativeBase):
        pass

    before = dict(COLUMNS)
    yield Base
    for name in set(COLUMNS) - set(before):
        del COLUMNS[name]
    Base.registry.dispose()


def test_who_owns_what():
    assert [owner_column(model.__table__) for model in (Task, Item, Reminder, Note)] == ["user_id"] * 4
    assert owner_column(Foreign.__table__) == "holder"
    assert owner_column(task_tag) == "user_id"
    assert owner_column(User.__table__) is None
    assert [owner_column(table) for table in (Comment.__table__, task_label)] == [NO_OWNER] * 2
    assert owner_column(Task.__table__.alias().alias()) == "user_id"
    assert owner_column(select(Task).subquery()) is None


def test_a_name_without_schema_may_be_the_one_with_it():
    owned(Table("in_a_schema", MetaData(), Column("user_id", String), schema="Some"), "user_id")
    for schema, column in (("some", "user_id"), (None, "user_id"), ("other", None)):
        assert owner_column(Table("IN_A_schema", MetaData(), schema=schema)) == column
    assert owner_column(Table("task", MetaData(), schema="public")) == "user_id"


def test_every_way_to_declare_it(base):
    class Attribute(base):
        __tablename__ = "by_attribute"
        __owned_by__ = "user_id"
        id: Mapped[int] = mapped_column(primary_key=True)
        user_id: Mapped[str] = mapped_column(Text)

    class Mixed(OwnedBy("user_id"), MappedAsDataclass, base):
        __tablename__ = "by_mixin_of_a_dataclass"
        id: Mapped[int] = mapped_column(primary_key=True)
        user_id: Mapped[str]

    old = declarative_base()

    class Old(OwnedBy("owner"), old):
        __tablename__ = "by_mixin_of_an_old_base"
        id = Column("key", Integer, primary_key=True)
        owner = Column("user_id", String(30))

    class Plain:
        pass

    mapper = registry().map_imperatively(
        Plain, Table("plain", MetaData(), Column("id", Integer, primary_key=True), Column("user_id", String))
    )
    assert owned(Plain, "user_id") is Plain
    assert {ATTRIBUTES[model.__mapper__] for model in (Attribute, Mixed)} == {"user_id"}
    assert ATTRIBUTES[Old.__mapper__] == "owner"
    assert ATTRIBUTES[mapper] == "user_id"
    assert owner_column(Old.__table__) == "user_id"


def test_a_subclass_of_a_model_that_one_can_not_edit(base):
    class Parent(base):
        __tablename__ = "not_edited"
        id: Mapped[int] = mapped_column(primary_key=True)
        user_id: Mapped[str]

    class Before(Parent):
        """Was there when it was said."""

    owned(Parent, "user_id")

    class After(Parent):
        """Came later."""

    assert [ATTRIBUTES.get(model.__mapper__) for model in (Parent, Before, After)] == ["user_id"] * 3


def test_a_type_of_one_s_own_and_a_foreign_key_will_do(base):
    class Id(TypeDecorator):
        impl = String
        cache_ok = True

    owned(Table("typed", MetaData(), Column("user_id", Id)), "user_id")
    owned(Table("referring", MetaData(), Column("user_id", ForeignKey("person.id"))), "user_id")


def test_no_such_column(base):
    with pytest.raises(ConfigurationError, match="owned by owner, and maps no column"):

        class Missing(OwnedBy("owner"), base):
            __tablename__ = "missing"
            id: Mapped[int] = mapped_column(primary_key=True)

    with pytest.raises(ConfigurationError, match="no table with a column"):
        owned(Table("missing", MetaData()), "user_id")


def test_an_owner_that_is_no_string(base):
    with pytest.raises(ConfigurationError, match="must hold strings"):

        class Number(OwnedBy("user_id"), base):
            __tablename__ = "number"
            id: Mapped[int] = mapped_column(primary_key=True)
            user_id: Mapped[int]


def test_a_subclass_s_table_without_the_owner(base):
    class Parent(OwnedBy("user_id"), base):
        __tablename__ = "parent"
        id: Mapped[int] = mapped_column(primary_key=True)
        user_id: Mapped[str]

    with pytest.raises(ConfigurationError, match="every table of an owned model carries the owner"):

        class Child(Parent):
            __tablename__ = "child"
            id: Mapped[int] = mapped_column(ForeignKey("parent.id"), primary_key=True)


def test_an_owned_subclass_of_what_belongs_to_all_closes_the_table(sqlite, base):
    """Rows of both kinds are in one table; a query by the parent would see them all."""

    class Parent(base):
        __tablename__ = "half_owned"
        __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "a"}  # noqa: RUF012
        id: Mapped[int] = mapped_column(primary_key=True)
        kind: Mapped[str]
        user_id: Mapped[str | None]

    class Child(OwnedBy("user_id"), Parent):
        __mapper_args__ = {"polymorphic_identity": "b"}  # noqa: RUF012

    with scope(Session(sqlite.engine), principal(ALICE)) as session, pytest.raises(ScopeError):
        session.scalars(select(Parent)).all()


def test_concrete_tables_are_confined_each_by_its_own_column(sqlite, base):
    class Parent(OwnedBy("user_id"), base):
        __tablename__ = "concrete_parent"
        id: Mapped[int] = mapped_column(primary_key=True)
        user_id: Mapped[str]

    class Child(Parent):
        __tablename__ = "concrete_child"
        __mapper_args__ = {"concrete": True}  # noqa: RUF012
        id: Mapped[int] = mapped_column(primary_key=True)
        user_id: Mapped[str]

    sqlite_unscoped = sqlite.unscoped
    sqlite_unscoped(lambda session: base.metadata.create_all(session.connection()))
    sqlite_unscoped(
        lambda session: session.add_all(
            [model(id=i, user_id=u) for model in (Parent, Child) for i, u in ((1, ALICE), (2, "bob"))]
        )
    )
    for model in (Parent, Child):
        assert sqlite.scoped(lambda session, model=model: session.scalars(select(model.id)).all()) == [1]


def test_two_owners():
    with pytest.raises(ConfigurationError, match="already owned"):
        owned(Table("task", MetaData(), Column("someone", String)), "someone")


def test_what_is_no_model():
    for thing in (select(Task), "task", int, None):
        with pytest.raises(ConfigurationError, match="mapped class or a Table"):
            owned(thing, "user_id")
    with pytest.raises(ConfigurationError, match="no table"):
        registry().map_imperatively(
            type("Query", (OwnedBy("user_id"),), {}), select(Task.__table__).subquery()
        )


def test_said_too_late_is_noticed(sqlite):
    """The statement is in SQLAlchemy's cache, judged when the table still belonged to all."""
    late = Table("late", MetaData(), Column("id", Integer, primary_key=True), Column("user_id", String))
    sqlite.unscoped(lambda session: late.create(session.connection()))

    class Late:
        pass

    registry().map_imperatively(Late, late)
    sqlite.plain(lambda session: session.scalars(select(Late.id)).all())
    owned(Late, "user_id")
    with pytest.raises(ScopeError, match="no principal"):
        sqlite.plain(lambda session: session.scalars(select(Late.id)).all())
    assert sqlite.scoped(lambda session: session.scalars(select(Late.id)).all()) == []
    del COLUMNS["late", None]


def test_a_default_that_is_a_query_is_refused(sqlite, base):
    """SQLAlchemy executes it by itself, in the INSERT's name."""

    class Counting(OwnedBy("user_id"), base):
        __tablename__ = "counting"
        __table_args__ = {"implicit_returning": False}  # noqa: RUF012
        id: Mapped[int] = mapped_column(
            primary_key=True, default=select(Task.__table__.c.id + 7).limit(1).scalar_subquery()
        )
        user_id: Mapped[str]
        title: Mapped[str] = mapped_column(default=select(Task.__table__.c.title).limit(1).scalar_subquery())

    sqlite.unscoped(lambda session: base.metadata.create_all(session.connection()))
    with pytest.raises(StatementError, match=r"ScopeError.*default"):
        sqlite.scoped(lambda session: session.add(Counting(title="x")))
    with pytest.raises(ScopeError):
        sqlite.scoped(lambda session: session.add(Counting(id=1)))
