"""The proof by itself: statements written by hand, with the owner in the right place and in wrong ones."""

import pytest
from scope_models import Foreign, Note, Project, Task, User, task_label
from sqlalchemy import (
    Column,
    Integer,
    MetaData,
    String,
    Table,
    and_,
    bindparam,
    case,
    delete,
    exists,
    func,
    insert,
    literal_column,
    not_,
    or_,
    select,
    text,
    true,
    update,
)
from sqlalchemy.dialects import mysql, postgresql, sqlite

from jwt_auth_bridge._sqlalchemy_conditions import OWNER
from jwt_auth_bridge._sqlalchemy_owners import COLUMNS
from jwt_auth_bridge._sqlalchemy_proof import judge
from jwt_auth_bridge.sqlalchemy import owned

T, P, U, F = Task.__table__, Project.__table__, User.__table__, Foreign.__table__
A, B = T.alias(), T.alias()


def me():
    return bindparam(OWNER, "alice")


def mine(table):
    return table.c.user_id == me()


def refusal(statement, dialect=postgresql):
    return judge(statement.compile(dialect=dialect.dialect())).refusal


CONFINED = [
    select(T).where(mine(T)),
    select(T).where(me() == T.c.user_id),
    select(T).where(T.c.id > 0, and_(T.c.id < 9, and_(mine(T), true()))),
    select(T).where(mine(T)).where(or_(T.c.id == 1, T.c.id == 2)),
    select(A).where(mine(A)),
    select(T, A).where(mine(T), mine(A)),
    select(U),
    select(T).join(P, and_(T.c.id == P.c.id, mine(P))).where(mine(T)),
    select(T).join(P, and_(mine(T), mine(P))),
    select(U).outerjoin(T, and_(mine(T), U.c.id == T.c.user_id)),
    select(U).outerjoin(T.join(P, true()), and_(mine(T), mine(P))),
    select(U).outerjoin(T.join(P, and_(mine(P), mine(T))), true()),
    select(U).outerjoin(T.outerjoin(P, mine(P)), mine(T)),
    select(T).join(P, true(), full=True).where(mine(T), mine(P)),
    select(U).join(T.join(P, and_(mine(T), mine(P))), true(), full=True),
    select(T).outerjoin(P, T.c.user_id == P.c.user_id).where(mine(T)),
    select(T, P, A).where(T.c.user_id == P.c.user_id, A.c.user_id == P.c.user_id, mine(A)),
    select(U).where(exists().where(mine(T))),
    select(U).where(U.c.id.in_(select(T.c.user_id).where(mine(T)))),
    select(T).where(mine(T), exists().where(mine(P), P.c.id == T.c.project_id)),
    select(T).where(mine(T)).union(select(T).where(mine(T))),
    select(select(T).where(mine(T)).subquery()),
    select(select(T).where(mine(T)).cte()),
    select(func.count()).select_from(T).where(mine(T)).group_by(T.c.id).with_for_update(),
    update(T).where(mine(T)).values(title="x"),
    update(A).where(mine(A)).values(title="x"),
    update(T).where(mine(T), P.c.user_id == T.c.user_id).values(title=P.c.title),
    delete(T).where(mine(T)),
    delete(T).where(mine(T), mine(P)),
]

LEAKING = [
    select(T),
    select(T).where(or_(mine(T), T.c.id == 1)),
    select(T).where(and_(T.c.id > 0, or_(mine(T), true()))),
    select(T).where(not_(mine(T))),
    select(T).where(T.c.user_id != me()),
    select(T).where(T.c.user_id >= me()),
    select(T).where(T.c.user_id.like(me())),
    select(T).where(T.c.user_id == "alice"),
    select(T).where(T.c.user_id == bindparam("other", "alice")),
    select(T).where(func.lower(T.c.user_id) == me()),
    select(T).where(T.c.title == me()),
    select(T).where(me() == me()),
    select(T).where(T.c.user_id == T.c.user_id),
    select(T).where(case((mine(T), True), else_=True)),
    select(T).where(mine(T).is_(False)),
    select(T).where(mine(A)),
    select(T, A).where(mine(T)),
    select(A, B).where(A.c.user_id == B.c.user_id),
    select(T, P, A).where(T.c.user_id == P.c.user_id, P.c.user_id == A.c.user_id, A.c.user_id == T.c.user_id),
    select(T, P).where(mine(T), T.c.title == P.c.user_id),
    select(T, P).where(mine(T), T.c.user_id == P.c.title),
    select(T, P).where(mine(T), T.c.user_id != P.c.user_id),
    select(func.max(T.c.title)).having(func.max(T.c.user_id) == me()),
    select(T).outerjoin(P, and_(mine(T), mine(P))),
    select(T).outerjoin(P, mine(T)).where(mine(P)),
    select(U).outerjoin(T.outerjoin(P, and_(mine(T), mine(P))), true()),
    select(T).join(P, and_(mine(T), mine(P)), full=True),
    select(U).join(T, mine(T), full=True),
    select(T.join(P, true(), full=True)).where(mine(T)),
    select(U).where(exists().where(T.c.user_id == U.c.id)),
    select(T).where(mine(T), exists().where(T.c.id == P.c.id)),
    select(P).where(mine(P), exists().where(mine(P), T.c.id == P.c.id)),
    select(U).where(U.c.id.in_(select(T.c.user_id))),
    select(select(T).where(mine(T)).subquery(), T),
    select(T).where(T.c.id.in_(select(A.c.id).where(mine(A)))),
    select(T).where(mine(T)).union(select(T)),
    select(select(T).subquery()).where(me() == "alice"),
    select(select(T).cte()),
    select(U, select(func.max(T.c.title)).scalar_subquery()),
    select(U).order_by(select(func.count(T.c.id)).scalar_subquery()),
    select(U, T.tablesample(func.bernoulli(50))),
    select(task_label),
    select(Note.__table__),
    select(U).where(text("true")),
    select(U, literal_column("(SELECT 1)")),
    select(U).with_statement_hint("x"),
    select(U).with_hint(U, "ONLY"),
    select(U).prefix_with("x"),
    update(T).values(title="x"),
    update(T).where(or_(mine(T), true())).values(title="x"),
    update(T).where(mine(T)).values(title=P.c.title),
    update(T).where(mine(T), mine(P)).values(title=select(A.c.title).scalar_subquery()),
    update(T).where(mine(T)).values(user_id=func.x()),
    update(T).where(mine(T)).values(user_id=bindparam("x")),
    update(T).where(mine(T)).values(user_id=bindparam("x"), title=bindparam("user_id")),
    update(T).where(mine(T)).values(title="x").returning(select(P.c.title).scalar_subquery()),
    delete(T),
    delete(T).where(P.c.user_id == me()),
    delete(T).where(mine(T), T.c.id == P.c.id),
    insert(T).from_select(["user_id"], select(U.c.id)),
    insert(T).values([{"user_id": "alice"}, {"user_id": "alice"}]),
    insert(T).values(user_id=func.x()),
    insert(T).values(user_id="alice", title=select(P.c.title).scalar_subquery()),
    insert(T).values(user_id="alice").returning(select(P.c.title).scalar_subquery()),
    insert(task_label).values(task_id=1, label_id=1),
    select(insert(T).values(user_id="alice").returning(T.c.title).cte()),
    select(update(T).where(mine(T)).values(title="x").returning(T.c.title).cte()),
    select(delete(T).where(mine(T)).returning(T.c.title).cte()),
    select(U).add_cte(insert(T).values(user_id="alice").cte()),
    update(U).values(name=select(func.max(T.c.title)).scalar_subquery()),
    insert(U).from_select(["id"], select(T.c.title)),
]


@pytest.mark.parametrize("statement", CONFINED, ids=lambda statement: " ".join(str(statement).split())[:120])
def test_confined(statement):
    assert refusal(statement) is None


@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")
@pytest.mark.parametrize("statement", LEAKING, ids=lambda statement: " ".join(str(statement).split())[:120])
def test_not_confined(statement):
    assert refusal(statement)


def upsert(**options):
    new = postgresql.insert(F).values(holder="alice", id=1)
    return new.on_conflict_do_update(index_elements=["id"], **options)


def test_an_upsert():
    owner = F.c.holder == me()
    assert refusal(upsert(set_={"title": "x"}, where=owner)) is None
    assert refusal(postgresql.insert(F).values(holder="alice").on_conflict_do_nothing()) is None
    assert refusal(sqlite.insert(F).values(holder="alice").on_conflict_do_nothing(), sqlite) is None
    assert refusal(upsert(set_={"title": "x"}))
    assert refusal(upsert(set_={"title": "x"}, where=or_(owner, F.c.id == 1)))
    assert refusal(upsert(set_={"holder": "bob"}, where=owner))
    assert refusal(upsert(set_={F.c.holder: "bob"}, where=owner))
    assert refusal(upsert(set_={"title": select(func.max(P.c.title)).scalar_subquery()}, where=owner))
    assert refusal(mysql.insert(F).values(holder="alice").on_duplicate_key_update(title="x"), mysql)


@pytest.mark.filterwarnings("ignore:Additional column names")
def test_an_upsert_by_the_column_s_name():
    for name in "owner", "OWNER":
        assert refusal(upsert(set_={name: "bob"}, where=F.c.holder == me()))


def test_what_is_said_after_compiling():
    table = Table("said_later", MetaData(), Column("id", Integer), Column("user_id", String))
    compiled = select(table).compile()
    assert judge(compiled).refusal is None
    assert not judge(compiled).owned
    owned(table, "user_id")
    try:
        assert judge(compiled).owned
        assert "after this statement" in judge(compiled).refusal
    finally:
        del COLUMNS["said_later", None]


def test_names_of_the_parameters_that_must_be_the_user():
    for statement, same, must in (
        (select(T).where(mine(T)), (OWNER,), ()),
        (update(T).where(mine(T)).values(user_id="x"), (OWNER, "user_id"), ()),
        (insert(T).values(user_id="x"), (OWNER,), ("user_id",)),
        (insert(F), (OWNER,), ("holder",)),
        (insert(U), (OWNER,), ()),
    ):
        verdict = judge(statement.compile())
        assert (verdict.same, verdict.must) == (same, must)
