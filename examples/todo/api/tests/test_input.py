"""Whatever is sent, the answer is a 4xx that says why: never a 500, never an echo of internals."""

import json
import uuid

import pytest
from conftest import ALICE

TASKS = f"/api/{ALICE}/tasks"
JSON = {"Content-Type": "application/json"}

BAD_BODIES = {
    "not JSON": b"{",
    "empty": b"",
    "an array": b"[]",
    "a string": b'"x"',
    "null": b"null",
    "no title": b"{}",
    "null title": b'{"title": null}',
    "empty title": b'{"title": ""}',
    "blank title": b'{"title": " \\u00a0\\t"}',
    "number as title": b'{"title": 1}',
    "title too long": json.dumps({"title": "x" * 201}).encode(),
    "description too long": json.dumps({"title": "x", "description": "x" * 2001}).encode(),
    "null description": b'{"title": "x", "description": null}',
    "completed is a word": b'{"title": "x", "completed": "perhaps"}',
    "completed is null": b'{"title": "x", "completed": null}',
    "U+0000 in the title": b'{"title": "a\\u0000b"}',
    "U+0000 in the description": b'{"title": "x", "description": "\\u0000"}',
    "lone surrogate in the title": b'{"title": "a\\ud800b"}',
    "lone surrogate in the description": b'{"title": "x", "description": "\\udfff"}',
    "not UTF-8": b'{"title": "\xff"}',
    "NaN as title": b'{"title": NaN}',
    "an endless number": b'{"title": ' + b"9" * 5000 + b"}",
    "nested deeply": b'{"title": ' + b"[" * 20_000 + b"]" * 20_000 + b"}",
}


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
@pytest.mark.parametrize("body", BAD_BODIES.values(), ids=BAD_BODIES.keys())
def test_a_bad_body_is_refused(client, alice, method, body):
    # An empty change is a change; there is only no task to apply it to.
    expected = {404} if method == "PATCH" and body == b"{}" else {400, 422}
    path = TASKS if method == "POST" else f"{TASKS}/{uuid.uuid4()}"
    answer = client.request(method, path, content=body, headers={**alice, **JSON})
    assert answer.status_code in expected, answer.text
    assert "Traceback" not in answer.text
    assert '"input"' not in answer.text


@pytest.mark.parametrize("body", BAD_BODIES.values(), ids=BAD_BODIES.keys())
def test_a_stranger_learns_nothing_about_a_bad_body(client, body):
    answer = client.post(TASKS, content=body, headers={**JSON, "Authorization": "Bearer x.y.z"})
    assert answer.status_code == 401


@pytest.mark.parametrize("text", ["a\\u0000b", "a\\ud800b"])
def test_u0000_and_lone_surrogates_are_422(client, alice, text):
    body = b'{"title": "' + text.encode() + b'"}'
    answer = client.post(TASKS, content=body, headers={**alice, **JSON})
    assert (answer.status_code, answer.json()["error"]) == (422, "invalid_input")


def test_a_lone_surrogate_in_what_is_ignored_does_no_harm(client, alice):
    body = b'{"title": "x", "user_id": "\\ud800", "\\udfff": "\\udfff"}'
    answer = client.post(TASKS, content=body, headers={**alice, **JSON})
    assert (answer.status_code, answer.json()["user_id"]) == (201, ALICE)


def test_the_longest_task_fits(client, alice):
    body = {"title": "👍" * 200, "description": "👍" * 2000}
    answer = client.post(TASKS, content=json.dumps(body), headers={**alice, **JSON})
    assert answer.status_code == 201, answer.text
    assert answer.json()["description"] == body["description"]


@pytest.mark.parametrize("length_given", [True, False])
def test_a_huge_body_is_413_for_a_user_and_401_for_a_stranger(client, alice, length_given):
    def pieces():
        for _piece in range(100):
            yield b" " * 65_536

    def content():
        return b" " * 6_553_600 if length_given else pieces()

    assert client.post(TASKS, content=content(), headers={**alice, **JSON}).status_code == 413
    assert client.post(TASKS, content=content(), headers=JSON).status_code == 401


def test_a_body_that_is_no_json_by_its_type_is_refused(client, alice):
    answer = client.post(TASKS, content=b'{"title": "x"}', headers={**alice, "Content-Type": "text/plain"})
    assert answer.status_code == 422


@pytest.mark.parametrize(
    "task_id",
    [
        "0",
        "-1",
        "1",
        "99999999999999999999999999999999999999",
        "9" * 4000,
        "nonsense",
        "%00",
        "%ff",
        "%F0%9F%91%8D",
        "%ED%A0%80",
        "' OR 1=1 --",
        "00000000-0000-0000-0000-00000000000g",
        "ffffffff-ffff-ffff-ffff-ffffffffffff",
    ],
)
@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_a_strange_id_is_404_or_422(client, alice, method, task_id):
    body = {"title": "x"} if method in ("PUT", "PATCH") else None
    answer = client.request(method, f"{TASKS}/{task_id}", json=body, headers=alice)
    assert answer.status_code in (404, 422)


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=501", "limit=x", "offset=-1", "offset=99999999999999999999", "limit=1e999"],
)
def test_a_strange_page_is_422(client, alice, query):
    assert client.get(f"{TASKS}?{query}", headers=alice).status_code == 422


@pytest.mark.parametrize("user", [f"{ALICE}%20", f"{ALICE}%00", ALICE.lower(), "%2e%2e", "me", f"{ALICE}%2F"])
def test_almost_the_callers_path_is_refused(client, alice, user):
    assert client.get(f"/api/{user}/tasks", headers=alice).status_code in (403, 404)


def test_a_slash_at_the_end_is_no_redirect_to_where_the_host_header_says(client):
    answer = client.get(f"/api/{ALICE}/tasks/", headers={"Host": "evil.example"}, follow_redirects=False)
    assert answer.status_code == 404
    assert "location" not in answer.headers
