"""Random queries: what a scoped session sees of everybody's rows is what anybody sees of one's own alone.

Two databases: one with the rows of three users, one with Alice's only, and what belongs to all in both. A
query of any shape must give her the same in both, or be refused: no foreign row may decide what is counted,
joined or absent. And it must give her what it gives without a scope where there are no rows but hers: none of
her own is missing. (After a FULL JOIN the scope leaves out what has no row of hers.)
"""

import random

import pytest
from scope_kit import ALICE, principal
from scope_models import Base, Item, Note, Project, Reminder, Tag, Task, User, task_tag
from sqlalchemy import and_, create_engine, exists, func, literal, or_, select, true, union_all
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, aliased, selectinload

from jwt_auth_bridge.sqlalchemy import ScopeError, scope, unscoped_sessions

SEEDS = range(8)
QUERIES = 120
USERS = (ALICE, "bob", "carol")


def populate(session, users):
    """Few values, so that rows of different users look alike."""
    chance = random.Random(7)
    session.add_all([User(id=user, name=f"n{i % 2}") for i, user in enumerate(USERS)])
    for number in range(60):
        user, a, b, c = chance.choice(USERS), *(chance.randrange(3) for _ in range(3))
        if user not in users:
            continue
        key = {"id": number + 1, "user_id": user, "title": f"t{a}"}
        project, tag = Project(**key), Tag(**key)
        tasks = [
            Task(id=number * 3 + i + 1, user_id=user, title=f"t{(a + i) % 3}", body=f"t{b}", project=project)
            for i in range(c)
        ]
        for task in tasks:
            task.tags = [tag]
        session.add_all([project, tag, *tasks])
        if b == 0:
            session.add(Note(**key, text=f"t{c}"))
        elif b == 1:
            session.add(Reminder(**key, due=f"t{c}"))
    session.commit()


@pytest.fixture(scope="module")
def engines(tmp_path_factory):
    folder = tmp_path_factory.mktemp("noninterference")
    made = []

    def engine(name):
        made.append(create_engine(f"sqlite:///{folder / name}"))
        return made[-1]

    mine = unscoped_sessions(engine("mine"), name="mine alone")
    every = unscoped_sessions(engine("all"), name="all")
    for unscoped, users in ((mine, (ALICE,)), (every, USERS)):
        with unscoped("fill") as session:
            Base.metadata.create_all(session.connection())
            populate(session, users)
    yield engine("all"), engine("mine"), mine
    for each in made:
        each.dispose()


class Shape:
    """One random query, the same each time for the same seed."""

    def __init__(self, seed):
        self.chance = random.Random(seed)

    def entity(self):
        model = self.chance.choice([Project, Task, Tag, User, Item, Note, Reminder])
        return aliased(model, flat=True) if self.chance.random() < 0.4 else model

    def text(self, entity):
        names = [
            name for name in ("title", "name", "text", "due", "user_id", "body") if hasattr(entity, name)
        ]
        return getattr(entity, self.chance.choice(names))

    def condition(self, entities, depth=0):
        chance, kind = self.chance, self.chance.randrange(9)
        one = chance.choice(entities)
        if kind < 3 or depth > 2:
            return self.text(one) == f"t{chance.randrange(3)}"
        if kind == 3:
            return self.text(one) == self.text(chance.choice(entities))
        if kind == 4:
            both = self.condition(entities, depth + 1), self.condition(entities, depth + 1)
            return or_(*both) if chance.random() < 0.6 else and_(*both)
        if kind == 5:
            return ~self.condition(entities, depth + 1)
        other = self.entity()
        inner = self.condition([other, one], depth + 1)
        if kind == 6:
            return self.text(one).in_(select(self.text(other)).where(self.condition([other], depth + 1)))
        if kind == 7:
            return exists().where(inner) if chance.random() < 0.5 else select(other).where(inner).exists()
        return select(func.count()).select_from(other).where(inner).scalar_subquery() > chance.randrange(3)

    def query(self, depth=0):
        chance = self.chance
        entities = [self.entity()]
        query = select(entities[0]) if chance.random() < 0.5 else select(self.text(entities[0]))
        for _ in range(chance.randrange(3)):
            other = self.entity()
            on = self.condition([entities[-1], other], 3)
            query = query.join(other, on, isouter=chance.random() < 0.4, full=chance.random() < 0.1)
            entities.append(other)
        for _ in range(chance.randrange(3)):
            query = query.where(self.condition(entities))
        if chance.random() < 0.3:
            query = query.add_columns(self.text(chance.choice(entities)))
        if chance.random() < 0.2:
            inner = select(func.max(self.text(other := self.entity()))).where(
                self.condition([other, *entities], 3)
            )
            query = query.add_columns(inner.scalar_subquery())
        if depth == 0 and chance.random() < 0.2:
            source = self.query(1).with_only_columns(self.text(entities[0]).label("x"))
            source = source.cte() if chance.random() < 0.5 else source.subquery()
            query = query.join(source, true(), isouter=chance.random() < 0.5).add_columns(source.c.x)
        if chance.random() < 0.15:
            query = query.with_only_columns(func.count(), literal(1)).select_from(entities[0])
        if depth == 0 and chance.random() < 0.1:
            column = self.text(entities[0]).label("x")
            return union_all(query.with_only_columns(column), self.query(1).with_only_columns(column))
        if chance.random() < 0.15 and entities[0] is Project:
            query = query.options(selectinload(Project.tasks).selectinload(Task.tags))
        if chance.random() < 0.1:
            query = query.join(task_tag, task_tag.c.user_id == self.text(entities[0]))
        return query


def plain(value):
    """Objects as what they hold, relationships that are loaded included."""
    if isinstance(value, Base):
        held = {name: plain(each) for name, each in sorted(vars(value).items()) if not name.startswith("_")}
        return type(value).__name__, str(held)
    return sorted(map(str, map(plain, value))) if isinstance(value, list) else value


def answer(session, query):
    rows = (
        session.execute(query).unique().all() if hasattr(query, "unique") else session.execute(query).unique()
    )
    return sorted(str([plain(value) for value in row]) for row in rows)


def scoped(engine, query):
    with scope(Session(engine), principal(ALICE)) as session:
        return answer(session, query)


@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")
@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_foreign_decides_anything(engines, seed):
    engine, hers, unscoped = engines
    answered = telling = 0
    for number in range(seed * QUERIES, (seed + 1) * QUERIES):
        try:
            seen = scoped(engine, Shape(number).query())
        except (ScopeError, SQLAlchemyError):  # refused, or no query that SQLAlchemy or SQLite knows
            continue
        assert seen == scoped(hers, Shape(number).query()), f"foreign rows decide {number}"
        with unscoped("what Alice's rows alone give") as session:
            query = Shape(number).query()
            assert seen == answer(session, query) or "FULL OUTER JOIN" in str(query), f"rows miss in {number}"
        answered += 1
        telling += bool(seen)
    assert answered > QUERIES / 3, "nearly everything was refused"
    assert telling > QUERIES / 8, "nearly everything was empty"
