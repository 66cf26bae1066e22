"""SQLModel, its models and its session. It needs SQLAlchemy before 2.1: conftest.py leaves this out after."""

import pytest
from scope_kit import ALICE, BOB, principal
from sqlalchemy import Column, ForeignKeyConstraint, Integer, create_engine
from sqlmodel import Field, Relationship, Session, SQLModel, delete, func, select, update

from jwt_auth_bridge.sqlalchemy import OwnedBy, ScopeError, scope, unscoped_sessions


class Author(SQLModel, table=True):
    id: str = Field(primary_key=True)


class PageBase(SQLModel):
    title: str


class Book(OwnedBy("user_id"), SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    user_id: str = Field(default=None, index=True)
    title: str
    pages: list["Page"] = Relationship(back_populates="book")


class Page(OwnedBy("user_id"), PageBase, table=True):
    __table_args__ = (ForeignKeyConstraint(["user_id", "book_id"], ["book.user_id", "book.id"]),)
    id: int | None = Field(default=None, primary_key=True)
    user_id: str = Field(default=None)
    book_id: int | None = Field(default=None, sa_column=Column(Integer))
    book: Book | None = Relationship(back_populates="pages")


@pytest.fixture
def engine(tmp_path):
    url = f"sqlite:///{tmp_path / 'sqlmodel.db'}"
    engine, admin = create_engine(url), create_engine(url)
    with unscoped_sessions(admin, name="tests")("fill") as session:
        SQLModel.metadata.create_all(session.connection())
        for key, user in ((1, ALICE), (2, BOB)):
            session.add(Author(id=user))
            session.add(Book(id=key, user_id=user, title=user, pages=[Page(user_id=user, title=user)]))
        session.commit()
    yield engine
    engine.dispose()
    admin.dispose()


@pytest.fixture
def session(engine):
    with scope(Session(engine), principal(ALICE)) as session:
        yield session


def test_its_queries_are_confined(session):
    assert [book.title for book in session.exec(select(Book)).all()] == [ALICE]
    assert session.exec(select(func.count(Book.id))).one() == 1
    assert session.exec(select(Page.title).join(Book)).all() == [ALICE]
    assert [page.title for page in session.get(Book, 1).pages] == [ALICE]
    assert session.get(Book, 2) is None
    assert len(session.exec(select(Author)).all()) == 2


def test_its_objects_are_stamped(session):
    book = Book(title="new", pages=[Page(title="new")])
    session.add(book)
    session.commit()
    session.refresh(book)
    assert (book.user_id, book.pages[0].user_id) == (ALICE, ALICE)
    with pytest.raises(ScopeError):
        session.add(Book.model_validate({"title": "new", "user_id": BOB}))


def test_its_bulk_statements_are_confined(session, engine):
    assert session.exec(update(Page).values(title="changed")).rowcount == 1
    session.exec(delete(Page))
    session.commit()
    with scope(Session(engine), principal(BOB)) as his:
        assert his.exec(select(Page.title)).all() == [BOB]


def test_exists_is_refused(session):
    with pytest.raises(ScopeError, match=r"before 2\.1"):
        session.exec(select(Author).where(select(Book.id).exists() & Book.__table__.select().exists())).all()
    with pytest.raises(ScopeError, match=r"before 2\.1"):
        session.exec(select(Book).where(Book.pages.any())).all()


def test_without_a_principal_it_is_closed(engine):
    with Session(engine) as nobody, pytest.raises(ScopeError, match="no principal"):
        nobody.exec(select(Book)).all()
