"""Browsers: one origin may call, and it can read why it was refused, whatever the answer."""

import uuid

import pytest
from conftest import ALICE, BOB
from starlette.testclient import TestClient

from todo_api.app import create_app
from todo_api.database import Database

TASKS = f"/api/{ALICE}/tasks"
WEB = "http://localhost:3000"


def assert_readable(answer):
    assert answer.headers["access-control-allow-origin"] == WEB
    exposed = {name.strip().lower() for name in answer.headers["access-control-expose-headers"].split(",")}
    assert exposed == {"www-authenticate", "retry-after"}
    assert "access-control-allow-credentials" not in answer.headers


def test_every_answer_is_readable_by_the_web_app(client, alice):
    origin = {"Origin": WEB}
    for expected, answer in (
        (200, client.get(TASKS, headers={**alice, **origin})),
        (401, client.get(TASKS, headers=origin)),
        (401, client.post(TASKS, json={}, headers=origin)),
        (400, client.get(TASKS, headers={**origin, "Authorization": "Bearer"})),
        (403, client.get(f"/api/{BOB}/tasks", headers={**alice, **origin})),
        (404, client.get(f"{TASKS}/{uuid.uuid4()}", headers={**alice, **origin})),
        (404, client.get("/nowhere", headers=origin)),
        (405, client.put("/healthz", headers=origin)),
        (422, client.post(TASKS, json={}, headers={**alice, **origin})),
        (413, client.post(TASKS, content=b" " * 100_000, headers={**alice, **origin})),
    ):
        assert answer.status_code == expected
        assert_readable(answer)


def test_an_outage_is_readable(proxied, proxy, alice):
    proxy.refuse()
    answer = proxied.get(TASKS, headers={**alice, "Origin": WEB})
    assert answer.status_code == 503
    assert_readable(answer)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_the_preflight_allows_what_the_client_sends(client, method):
    answer = client.options(
        TASKS,
        headers={
            "Origin": WEB,
            "Access-Control-Request-Method": method,
            "Access-Control-Request-Headers": "authorization,content-type",
        },
    )
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == WEB
    assert method in answer.headers["access-control-allow-methods"]
    assert "authorization" in answer.headers["access-control-allow-headers"].lower()


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://localhost:3001", f"{WEB}.evil.example"]
)
def test_other_origins_are_told_nothing(client, alice, origin):
    preflight = client.options(TASKS, headers={"Origin": origin, "Access-Control-Request-Method": "GET"})
    assert preflight.status_code == 400
    for answer in (preflight, client.get(TASKS, headers={**alice, "Origin": origin})):
        assert "access-control-allow-origin" not in answer.headers


class Broken(Database):
    def transaction(self, _principal):
        raise RuntimeError("a mistake, with postgresql://todo_api:password@host in its words")


def test_the_last_resort_is_plain_and_readable(settings, bridge, alice, caplog):
    with TestClient(create_app(settings, bridge, Broken(settings.database_url))) as client:
        answer = client.get(TASKS, headers={**alice, "Origin": WEB})
    assert answer.status_code == 500
    assert answer.json() == {"detail": "Something went wrong", "error": "internal_error"}
    assert answer.headers["cache-control"] == "no-store"
    assert_readable(answer)
    assert "Unexpected error in GET" in caplog.text
    caplog.clear()
