"""The endpoints do what they say, for the caller only."""

import uuid

import pytest
from conftest import ALICE, BOB, Databases, fetch, run

TASKS = f"/api/{ALICE}/tasks"


def add(client, headers, user=ALICE, **body):
    answer = client.post(f"/api/{user}/tasks", json={"title": "Buy milk", **body}, headers=headers)
    assert answer.status_code == 201, answer.text
    return answer.json()


def test_a_task_lives_its_life(client, alice):
    task = add(client, alice, description="two litres")
    assert task["user_id"] == ALICE
    assert task["completed"] is False
    path = f"{TASKS}/{task['id']}"
    assert client.get(TASKS, headers=alice).json() == [task]
    assert client.get(path, headers=alice).json() == task

    changed = client.patch(path, json={"title": "  Buy oat milk "}, headers=alice).json()
    assert (changed["title"], changed["description"]) == ("Buy oat milk", "two litres")
    assert changed["updated_at"] > task["updated_at"]

    replaced = client.put(path, json={"title": "Buy bread"}, headers=alice).json()
    assert (replaced["title"], replaced["description"], replaced["completed"]) == ("Buy bread", "", False)

    for _retry in range(2):
        assert client.patch(f"{path}/complete", headers=alice).json()["completed"] is True
    undone = client.patch(f"{path}/complete", json={"completed": False}, headers=alice)
    assert undone.json()["completed"] is False

    gone = client.delete(path, headers=alice)
    assert (gone.status_code, gone.content) == (204, b"")
    assert client.delete(path, headers=alice).status_code == 404
    assert client.get(TASKS, headers=alice).json() == []


def test_the_list_is_ordered_and_paged(client, alice):
    titles = [f"task {number}" for number in range(5)]
    for title in titles:
        add(client, alice, title=title)
    assert [task["title"] for task in client.get(TASKS, headers=alice).json()] == titles
    page = client.get(TASKS, params={"limit": 2, "offset": 3}, headers=alice).json()
    assert [task["title"] for task in page] == titles[3:]


def test_text_of_every_script_survives(client, alice):
    title = "日本語 عربى \U0001f469\u200d\U0001f467 \u202ex %00 ' -- \x7f"
    assert add(client, alice, title=title)["title"] == title


def test_the_body_cannot_name_the_owner(client, alice, bob, databases: Databases):
    task = add(client, alice, user_id=BOB, id=str(uuid.uuid4()), created_at="1999-01-01T00:00:00Z")
    for method, path in (("PUT", ""), ("PATCH", ""), ("PATCH", "/complete")):
        body = {"title": "still mine", "user_id": BOB, "completed": True}
        answer = client.request(method, f"{TASKS}/{task['id']}{path}", json=body, headers=alice)
        assert answer.json()["user_id"] == ALICE
    rows = run(fetch(databases.owner, "SELECT user_id FROM api.task"))
    assert [row["user_id"] for row in rows] == [ALICE]
    assert client.get(f"/api/{BOB}/tasks", headers=bob).json() == []


METHODS = [
    ("GET", "", None),
    ("POST", "", {"title": "x"}),
    ("GET", "/{id}", None),
    ("PUT", "/{id}", {"title": "x"}),
    ("PATCH", "/{id}", {"title": "x"}),
    ("DELETE", "/{id}", None),
    ("PATCH", "/{id}/complete", {"completed": True}),
]


@pytest.mark.parametrize(("method", "path", "body"), METHODS)
def test_another_users_path_is_refused(client, alice, bob, databases: Databases, method, path, body):
    theirs = add(client, bob, user=BOB)
    before = run(fetch(databases.owner, "SELECT * FROM api.task"))
    answer = client.request(
        method, f"/api/{BOB}/tasks{path.format(id=theirs['id'])}", json=body, headers=alice
    )
    assert (answer.status_code, answer.json()["error"]) == (403, "forbidden")
    assert run(fetch(databases.owner, "SELECT * FROM api.task")) == before


@pytest.mark.parametrize(("method", "path", "body"), [row for row in METHODS if "{id}" in row[1]])
def test_another_users_task_is_as_one_that_never_was(
    client, alice, bob, databases: Databases, method, path, body
):
    theirs = add(client, bob, user=BOB)
    before = run(fetch(databases.owner, "SELECT * FROM api.task"))
    answers = [
        client.request(method, TASKS + path.format(id=task_id), json=body, headers=alice)
        for task_id in (theirs["id"], str(uuid.uuid4()))
    ]
    first, second = ((answer.status_code, dict(answer.headers), answer.content) for answer in answers)
    assert first[0] == 404
    assert first == second
    assert run(fetch(databases.owner, "SELECT * FROM api.task")) == before


@pytest.mark.parametrize(("method", "path", "body"), METHODS)
def test_a_stranger_is_refused_everywhere(client, method, path, body):
    answer = client.request(method, TASKS + path.format(id=uuid.uuid4()), json=body)
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")


def test_me_says_who_the_token_says(client, alice):
    answer = client.get("/api/me", headers=alice)
    assert answer.status_code == 200
    assert (answer.json()["user_id"], answer.json()["session_id"]) == (ALICE, "session")
    assert client.get("/api/me").status_code == 401


def test_health_is_open(client):
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_what_is_personal_is_not_stored(client, alice, bob):
    task = add(client, alice)
    for answer in (
        client.get(TASKS, headers=alice),
        client.get(f"{TASKS}/{task['id']}", headers=alice),
        client.get("/api/me", headers=alice),
        client.get(f"{TASKS}/{uuid.uuid4()}", headers=alice),
        client.get(f"{TASKS}/nonsense", headers=alice),
        client.get(TASKS, headers=bob),
        client.get(TASKS),
    ):
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_every_route_of_tasks_is_guarded(client):
    """OpenAPI lists the scheme on each operation but the open one: nobody added a route beside the guard."""
    document = client.get("/openapi.json").json()
    unguarded = {
        f"{method.upper()} {path}"
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        if not operation.get("security")
    }
    assert unguarded == {"GET /healthz"}
