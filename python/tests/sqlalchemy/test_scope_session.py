"""The life of a scoped session, and everything that could lend its rows to another."""

import logging
import pickle

import pytest
from scope_kit import ALICE, BOB, HIS, MINE, attached, principal
from scope_models import Base, Comment, Label, Project, Tag, Task, User, Window
from sqlalchemy import create_engine, event, func, select, text, update
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session, scoped_session, sessionmaker
from sqlalchemy.orm.exc import ObjectDeletedError, StaleDataError
from sqlalchemy.schema import DropTable

from jwt_auth_bridge.errors import BridgeError
from jwt_auth_bridge.sqlalchemy import ScopeError, scope, unscoped_sessions


@pytest.fixture
def engine(sqlite):
    yield sqlite.engine
    assert not sqlite.changes()


@pytest.fixture
def alice(engine):
    with scope(Session(engine), principal(ALICE)) as session:
        yield session


@pytest.fixture
def bob(engine):
    with scope(Session(engine), principal(BOB)) as session:
        yield session


def titles(session):
    return session.scalars(select(Task.title)).all()


# One principal, for life


def test_scope_gives_the_session_back(engine):
    session = Session(engine)
    assert scope(session, principal(ALICE)) is session
    assert scope(session, principal(ALICE)) is session


def test_a_session_keeps_its_principal(alice):
    for _ in range(2):
        with pytest.raises(ScopeError, match="another user's"):
            scope(alice, principal(BOB))
        alice.close()
    assert titles(alice) == ["ALICE task"]


@pytest.mark.parametrize(
    "nobody", [None, ALICE, {"sub": ALICE}, principal(""), principal(None), principal("a\0b"), object()]
)
def test_a_scope_needs_a_principal(engine, nobody):
    with pytest.raises(ScopeError, match="takes the Principal"):
        scope(Session(engine), nobody)


def test_a_scope_needs_a_session(engine):
    for other in (scoped_session(sessionmaker(engine)), sessionmaker(engine), engine, None):
        with pytest.raises(ScopeError, match="takes a Session"):
            scope(other, principal(ALICE))


def test_a_session_that_has_objects_is_refused(engine):
    for thing in (Task(title="new"), User(id="x", name="x")):
        session = Session(engine)
        session.add(thing)
        with pytest.raises(ScopeError, match="already has objects"):
            scope(session, principal(ALICE))
    session = Session(engine)
    kept = session.get(Label, HIS)
    with pytest.raises(ScopeError, match="already has objects"):
        scope(session, principal(ALICE))
    assert kept is not None


def test_a_transaction_that_began_before_is_closed_to_owned_models(engine):
    with Session(engine) as session:
        session.execute(text("SELECT 1"))
        scope(session, principal(ALICE))
        with pytest.raises(ScopeError, match="before the session's first query"):
            titles(session)
        session.rollback()
        assert titles(session) == ["ALICE task"]


def test_begin_without_a_query_is_no_beginning(engine):
    with sessionmaker(engine).begin() as session:
        assert titles(scope(session, principal(ALICE))) == ["ALICE task"]


@pytest.mark.parametrize("again", ["commit", "rollback", "close", "reset", "expunge_all", "invalidate"])
def test_the_scope_outlives_everything(alice, again):
    for _ in range(3):
        assert titles(alice) == ["ALICE task"]
        assert alice.get(Task, HIS) is None
        with pytest.raises(ScopeError):
            alice.execute(text("SELECT 1"))
        getattr(alice, again)()


def test_the_scope_outlives_savepoints(alice):
    with alice.begin_nested() as outer, alice.begin_nested():
        assert titles(alice) == ["ALICE task"]
        outer.rollback()
    assert titles(alice) == ["ALICE task"]


def test_a_subclass_of_session_and_its_info_are_confined(engine):
    class Mine(Session):
        def connection(self, *args, **kwargs):
            return super().connection(*args, **kwargs)

    with scope(sessionmaker(engine, class_=Mine, info={"a": 1})(), principal(ALICE)) as session:
        session.info.clear()
        assert titles(session) == ["ALICE task"]
        with pytest.raises(ScopeError):
            session.connection()


def test_the_error_never_answers_a_client():
    error = ScopeError("why")
    assert isinstance(error, BridgeError)
    assert (error.status, error.code, error.hint, str(error)) == (0, "scope_violated", "why", "why")


# Objects that travel


def test_an_object_does_not_change_sessions(alice, bob):
    task = bob.get(Task, HIS)
    bob.expunge(task)
    with pytest.raises(ScopeError, match="another user's"):
        alice.add(task)
    with pytest.raises(ScopeError, match="another user's"):
        alice.delete(task)
    alice.merge(task)
    with pytest.raises(ScopeError, match="another user's"):
        alice.flush()
    with pytest.raises(ScopeError, match=r"merge\(load=False\)"):
        alice.merge(task, load=False)


def test_an_expired_object_brings_nothing_along(alice, bob):
    task = bob.get(Task, HIS)
    bob.expire(task)
    bob.expunge(task)
    alice.add(task)
    with pytest.raises(InvalidRequestError):
        assert task.title
    task.title = "changed"
    with pytest.raises((StaleDataError, ObjectDeletedError)):
        alice.flush()


def test_an_object_with_a_collection_does_not_change_sessions(alice, bob):
    project = bob.get(Project, HIS)
    assert project.tasks
    bob.expunge_all()
    with pytest.raises(ScopeError):
        alice.add(project)
    alice.rollback()
    user = bob.get(User, BOB)
    assert user.joined
    bob.expunge_all()
    with pytest.raises(ScopeError):
        alice.merge(user, load=False)


def test_a_pickled_object_loads_as_its_new_session(alice, bob):
    user = alice.get(User, BOB)
    carried = pickle.loads(pickle.dumps(user))
    bob.add(carried)
    assert [task.title for task in carried.tasks] == ["BOB task"]
    carried = pickle.loads(pickle.dumps(bob.get(Task, HIS)))
    with pytest.raises(ScopeError):
        alice.add(carried)


def test_two_sessions_share_compiled_statements_and_nothing_else(alice, bob):
    for _ in range(3):
        for session, title in ((alice, "ALICE task"), (bob, "BOB task")):
            assert titles(session) == [title]
            assert [task.title for task in session.get(User, (session is alice and ALICE) or BOB).tasks] == [
                title
            ]


def test_the_owner_is_part_of_a_statement_s_cache_key(alice, bob):
    """Or a cache of results, which asks for the key in ``do_orm_execute``, would mix users up."""
    keys = set()

    def listen(state):
        key = state.statement._generate_cache_key()
        keys.add((key.key, tuple(bound.value for bound in key.bindparams)))

    for session in (alice, bob):
        event.listen(session, "do_orm_execute", listen)
        titles(session)
    assert len(keys) == 2


def test_a_listener_that_puts_another_statement_in_place_is_refused(alice):
    event.listen(alice, "do_orm_execute", lambda state: setattr(state, "statement", select(Task.title)))
    with pytest.raises(ScopeError):
        titles(alice)


def test_a_listener_that_asks_something_else_is_refused(alice):
    event.listen(alice, "do_orm_execute", lambda state: state.invoke_statement(select(Task.title)))
    with pytest.raises(ScopeError):
        titles(alice)


# Connections


@pytest.fixture
def listen():
    """Listeners that end with the test."""
    listening = []

    def listen(*arguments, **options):
        event.listen(*arguments, **options)
        listening.append(arguments)

    yield listen
    for arguments in listening:
        event.remove(*arguments)


@pytest.mark.parametrize(
    ("statement", "refused"),
    [
        (select(Task.__table__.c.title), True),
        (select(Task.title), True),
        (text("SELECT title FROM task"), True),
        (Comment.__table__.delete(), True),
        (Tag.__table__.insert().values(title="new", user_id=BOB), True),
        (Tag.__table__.update().values(title="changed"), False),
        (select(User.id), False),
    ],
    ids=str,
)
def test_the_connection_of_an_event_is_confined(alice, listen, statement, refused):
    def execute(_mapper, connection, _target):
        connection.execute(statement)

    listen(Project, "before_insert", execute)
    alice.add(Project(title="new"))
    if refused:
        with pytest.raises(ScopeError):
            alice.flush()
    else:
        alice.flush()


@pytest.mark.parametrize(
    "execute",
    [
        lambda connection: connection.exec_driver_sql("SELECT title FROM task"),
        Base.metadata.drop_all,
        Task.__table__.drop,
        lambda connection: connection.execute(DropTable(Task.__table__)),
    ],
)
def test_the_connection_of_an_event_takes_no_driver_sql_and_no_ddl(alice, listen, execute):
    listen(Project, "after_insert", lambda _mapper, connection, _target: execute(connection))
    alice.add(Project(title="new"))
    with pytest.raises(ScopeError):
        alice.flush()


def test_two_sessions_on_one_connection_do_not_mix(engine):
    with engine.connect() as connection, connection.begin() as transaction:
        alice = scope(Session(connection), principal(ALICE))
        assert titles(alice) == ["ALICE task"]
        bob = scope(Session(connection), principal(BOB))
        assert titles(bob) == ["BOB task"]
        with pytest.raises(ScopeError, match="another user"):
            titles(alice)
        with Session(connection) as nobody, pytest.raises(ScopeError, match="no principal"):
            titles(nobody)
        transaction.rollback()


def test_another_engine_by_bind_arguments_is_confined(alice, sqlite, tmp_path):
    other = create_engine(sqlite.engine.url)
    assert alice.scalars(select(Task.title), bind_arguments={"bind": other}).all() == ["ALICE task"]
    other.dispose()


# Without a scope


def test_unscoped_is_logged_with_its_reason(sqlite, caplog):
    engine = create_engine(sqlite.engine.url)
    unscoped = unscoped_sessions(engine, name="maintenance")
    with caplog.at_level(logging.INFO, logger="jwt_auth_bridge"), unscoped("count all tasks") as session:
        assert session.scalar(select(func.count(Task.id))) == 2
    assert [record.getMessage() for record in caplog.records] == [
        "unscoped session on maintenance: count all tasks"
    ]
    engine.dispose()


@pytest.mark.parametrize("reason", ["", "  ", None, 3])
def test_unscoped_needs_a_reason(sqlite, reason):
    engine = create_engine(sqlite.engine.url)
    with pytest.raises(ScopeError, match="reason"):
        unscoped_sessions(engine, name="maintenance")(reason)


def test_a_scoped_session_on_an_unscoped_engine_is_refused_again_and_again(sqlite):
    engine = create_engine(sqlite.engine.url)
    unscoped_sessions(engine, name="maintenance")
    with scope(Session(engine), principal(ALICE)) as session:
        for _ in range(2):
            with pytest.raises(ScopeError, match="without one"):
                titles(session)
            session.rollback()
    with scope(Session(engine), principal(ALICE)) as session:
        with pytest.raises(ScopeError, match="without one"):
            titles(session)
        with pytest.raises(ScopeError, match="for all users"):  # confined even so
            session.scalars(select(Window)).all()
    engine.dispose()


def test_an_engine_derived_from_an_unscoped_one_has_no_leave(sqlite):
    engine = create_engine(sqlite.engine.url)
    unscoped_sessions(engine, name="maintenance")
    with Session(engine.execution_options(a=1)) as session, pytest.raises(ScopeError, match="no principal"):
        titles(session)
    engine.dispose()


def test_what_belongs_to_nobody_needs_no_principal(engine):
    with Session(engine) as session:
        assert len(session.scalars(select(User.id)).all()) == 2
        session.execute(update(User).values(name="x"))
        session.rollback()


# The asynchronous half


async def async_titles(session):
    return (await session.scalars(select(Task.title))).all()


def test_an_async_session_is_confined(postgres):
    async def work():
        sessions = async_sessionmaker(postgres.engine)
        async with sessions.begin() as session:
            assert scope(session, principal(ALICE)) is session
            assert await async_titles(session) == ["ALICE task"]
            assert await session.get(Task, HIS) is None
            streamed = await session.stream_scalars(select(Task.title).execution_options(yield_per=1))
            assert [title async for title in streamed] == ["ALICE task"]
            user = await session.get(User, BOB)
            assert await user.awaitable_attrs.tasks == [] if hasattr(user, "awaitable_attrs") else True
            for refused in (session.connection(), session.execute(text("SELECT title FROM task"))):
                with pytest.raises(ScopeError):
                    await refused
            with pytest.raises(ScopeError):
                await session.run_sync(lambda plain: plain.connection())
            with pytest.raises(ScopeError):
                scope(session, principal(BOB))
            await session.refresh(attached(session.sync_session, Task, MINE))
        async with AsyncSession(postgres.engine) as nobody:
            with pytest.raises(ScopeError, match="no principal"):
                await async_titles(nobody)

    postgres.runner.run(work())
