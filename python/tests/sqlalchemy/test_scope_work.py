"""What a user may do, works within the scope as it does without: the walls keep nobody from their own."""

import subprocess
import sys

import pytest
import scope_forms as forms
from scope_kit import ALICE, BOB, MINE
from scope_models import Foreign, Item, Note, Preference, Project, Reminder, Tag, Task, User
from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.orm import joinedload, selectinload, with_polymorphic

OTHERS = {"project", "task", "tag", "item", "note", "preference", "foreign_task", "task_tag"}


@pytest.fixture(params=["sqlite", "postgres", "walled"])
def place(request):
    place = request.getfixturevalue(request.param)
    yield place
    assert not place.changes(), "something of Bob's was changed"


def owners(place, model, attribute="user_id"):
    """Who owns the new rows."""
    columns = getattr(model, attribute), model.title
    return place.unscoped(lambda s: [owner for owner, title in s.execute(select(*columns)) if title == "new"])


def test_an_object_gets_its_owner_and_so_do_those_that_hang_on_it(place):
    def work(session):
        project = Project(title="new", tasks=[Task(title="new", tags=[Tag(title="new")]), Task(title="new")])
        session.add(project)
        session.flush()
        assert {project.user_id, *(task.user_id for task in project.tasks)} == {ALICE}
        session.commit()
        return [task.title for task in project.tasks]

    assert place.scoped(work) == ["new", "new"]
    assert owners(place, Project) == [ALICE]
    assert owners(place, Task) == [ALICE, ALICE]
    assert owners(place, Tag) == [ALICE]


@pytest.mark.parametrize(
    "add",
    [
        lambda s: s.add(Task(title="new", user_id=ALICE)),
        lambda s: s.merge(Task(title="new")),
        lambda s: s.execute(insert(Task).values(title="new")),
        lambda s: s.execute(insert(Task).values(title="new", user_id=ALICE)),
        lambda s: s.execute(insert(Task).values({Task.title: "new", Task.user_id: ALICE})),
        lambda s: s.execute(insert(Task), {"title": "new"}),
        lambda s: s.execute(insert(Task), [{"title": "new"}]),
        lambda s: s.execute(insert(Task), [{"title": "new", "user_id": None}]),
        lambda s: s.execute(insert(Task).returning(Task), [{"title": "new"}]).all(),
        lambda s: s.execute(insert(Task).values(title=func.lower("NEW"))),
        lambda s: s.bulk_save_objects([Task(title="new")]),
        lambda s: s.bulk_insert_mappings(Task, [{"title": "new"}]),
    ],
)
def test_every_way_to_insert_is_stamped(place, add):
    place.scoped(add)
    assert owners(place, Task) == [ALICE]


def test_many_rows_are_stamped(place):
    place.scoped(lambda s: s.execute(insert(Task).returning(Task.id), [{"title": "new"}] * 2500).all())
    assert owners(place, Task) == [ALICE] * 2500


def test_a_subclass_is_stamped_in_both_tables(place):
    def work(session):
        session.add_all([Note(title="new", text="new"), Reminder(title="new", due="new")])
        session.flush()
        session.expire_all()
        return sorted(
            (item.title, item.user_id) for item in session.scalars(select(Item)) if item.title == "new"
        )

    assert place.scoped(work) == [("new", ALICE)] * 2


def test_an_owner_by_other_names(place):
    def work(session):
        session.add(Foreign(title="new"))
        session.execute(insert(Foreign).values(title="new"))
        session.execute(insert(Foreign).values(title="new", belongs_to=ALICE))
        session.execute(insert(Foreign), [{"title": "new", "belongs_to": ALICE}])
        session.execute(update(Foreign).values(belongs_to=ALICE))

    place.scoped(work)
    assert owners(place, Foreign, "belongs_to") == [ALICE] * 4


def test_rows_are_changed_and_deleted(place):
    def work(session):
        task = session.get(Task, MINE)
        task.title, task.user_id = "changed", ALICE
        session.flush()
        changed = session.execute(update(Task).values(title=Task.title + "!").where(Task.id == MINE)).rowcount
        session.execute(update(Task), [{"id": MINE, "body": "changed"}])
        session.refresh(task)
        note = session.scalars(select(Note)).one()
        note.title, note.text = "both", "tables"
        session.flush()
        session.expire_all()
        session.delete(session.get(Preference, (ALICE, "colour")))
        deleted = session.execute(delete(Foreign)).rowcount
        return task.title, task.body, note.title, note.text, changed, deleted

    assert place.scoped(work) == ("changed!", "changed", "both", "tables", 1, 1)


def test_a_link_is_made_and_taken_away(place):
    def work(session):
        task, tag = session.get(Task, MINE), Tag(title="new")
        task.tags.append(tag)
        session.commit()
        made = sorted(task.tag_titles)
        task.tags.remove(tag)
        session.commit()
        session.expire_all()
        return made, list(task.tag_titles), [each.title for each in tag.tasks]

    assert place.scoped(work) == (["ALICE tag", "new"], ["ALICE tag"], [])


def test_relationships_load_one_s_own(place):
    def work(session):
        for option in (joinedload, selectinload):
            project = (
                session.scalars(
                    select(Project).options(
                        option(Project.tasks).options(option(Task.tags), selectinload(Task.project))
                    )
                )
                .unique()
                .one()
            )
            assert [tag.title for task in project.tasks for tag in task.tags] == ["ALICE tag"]
            assert project.tasks[0].project is project
            session.expunge_all()
        user = session.get(User, ALICE)
        return [task.title for task in user.tasks], [task.title for task in user.joined]

    assert place.scoped(work) == (["ALICE task"], ["ALICE task"])


def test_polymorphic_queries_find_one_s_own(place):
    def work(session):
        every = with_polymorphic(Item, [Note, Reminder])
        found = session.scalars(select(every).order_by(every.id)).all()
        return [(item.title, getattr(item, "text", None) or item.due) for item in found]

    assert place.scoped(work) == [("ALICE note", "ALICE text"), ("ALICE reminder", "ALICE due")]


def test_an_upsert_changes_one_s_own(place):
    def work(session):
        new = forms.upsert_into(session, Preference).values(name="colour", title="changed")
        change = new.on_conflict_do_update(
            index_elements=["user_id", "name"], set_={"title": new.excluded.title}
        )
        session.execute(change)
        session.execute(
            forms.upsert_into(session, Preference).values(name="colour", title="x").on_conflict_do_nothing()
        )
        return session.scalars(select(Preference.title)).all()

    assert place.scoped(work) == ["changed"]


def test_what_belongs_to_all_is_for_all(place):
    def work(session):
        session.execute(update(User).where(User.id == ALICE).values(name="changed"))
        return sorted(session.scalars(select(User.id)))

    assert place.scoped(work) == [ALICE, BOB]


def test_without_greenlet():
    """SQLAlchemy 2.1 brings it with its extra asyncio alone; who has no asynchronous session needs none."""
    program = """
import sys
sys.modules["greenlet"] = None
from jwt_auth_bridge import Principal
from jwt_auth_bridge.sqlalchemy import scope, unscoped_sessions
from sqlalchemy import create_engine
from sqlalchemy.orm import Session
engine = create_engine("sqlite://")
with scope(Session(engine), Principal.for_subject("alice")) as session:
    session.rollback()
unscoped_sessions(engine, name="maintenance")("a report").close()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
