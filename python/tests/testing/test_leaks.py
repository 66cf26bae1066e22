"""``assert_isolated`` must be able to fail: one app that is sound, and one for each way to leak."""

import pytest
from leaky import make_app

from jwt_auth_bridge.fastapi import Bridge
from jwt_auth_bridge.testing import IsolationError, assert_isolated

HEALTH = ("GET", "/healthz")
LIST, ADD = "GET /api/{user_id}/tasks", "POST /api/{user_id}/tasks"
READ, REPLACE, DELETE = (
    f"{method} /api/{{user_id}}/tasks/{{task_id}}" for method in ("GET", "PUT", "DELETE")
)


def play(factory, *leaks, **options):
    return assert_isolated(
        make_app(Bridge(**factory.bridge_options()), *leaks), factory=factory, public=[HEALTH], **options
    )


def found(factory, *leaks, **options):
    """What is found: (operation, reason, kind of who asked)."""
    with pytest.raises(IsolationError) as raised:
        play(factory, *leaks, **options)
    kinds = {"nobody": "nobody", "alice": "user", "bob": "user", "carol": "user"}
    return {
        (one.operation, one.reason, kinds.get(one.as_user, "a bad token"))
        for one in raised.value.report.findings
    }


def test_a_sound_app_passes(factory):
    report = play(factory)
    assert report.ok
    assert set(report.operations) == {
        LIST,
        ADD,
        READ,
        REPLACE,
        DELETE,
        "POST /api/{user_id}/projects",
        "GET /api/{user_id}/projects/{project_id}",
        "GET /me",
        "GET /healthz",
    }
    assert "users are kept apart (9 operations, " in str(report)


def test_three_users(factory):
    assert found(factory, "no filter", users=("alice", "bob", "carol")) == {(LIST, "foreign_data", "user")}


USER_OF = {
    "no path guard on list": {(LIST, "foreign_data", "user")},
    "foreign id readable": {
        (READ, "foreign_data", "user"),
        (REPLACE, "foreign_data", "user"),
        (REPLACE, "changed", "user"),
        (DELETE, "open", "user"),
        (DELETE, "changed", "user"),
        # What one user overwrote refers to that user's project.
        (LIST, "foreign_data", "user"),
    },
    "no path guard on replace": {(REPLACE, "open", "user"), (REPLACE, "changed", "user")},
    "403 for a foreign id": {(one, "distinguishable", "user") for one in (READ, REPLACE, DELETE)},
    "body user_id honoured": {(ADD, "changed", "user")},
    "header honoured": {("GET /me", "foreign_data", "user"), (ADD, "changed", "user")},
    "query user_id honoured": {(LIST, "foreign_data", "user")},
    "no filter": {(LIST, "foreign_data", "user")},
    "search without filter": {(LIST, "foreign_data", "user")},
    "unique title across users": {(ADD, "distinguishable", "user"), (REPLACE, "distinguishable", "user")},
    "foreign reference accepted": {(ADD, "distinguishable", "user"), (REPLACE, "distinguishable", "user")},
    "filter by a foreign project tells": {(LIST, "distinguishable", "user")},
    "writes before it looks": {(REPLACE, "changed", "user")},
    "delete twice succeeds": {(DELETE, "open", "user")},
    "public data": {("GET /healthz", "foreign_data", "nobody")},
}


@pytest.mark.parametrize("leak", USER_OF)
def test_each_leak_is_reported_for_its_own_reason(factory, leak):
    assert found(factory, leak) == USER_OF[leak]


def everybody(operation, *reasons):
    return {(operation, reason, who) for reason in reasons for who in ("nobody", "a bad token", "user")}


@pytest.mark.parametrize(
    ("leak", "expected"),
    [
        ("no guard on list", everybody(LIST, "foreign_data")),
        ("no guard on read", everybody(READ, "foreign_data")),
        ("no guard on create", everybody(ADD, "open", "changed")),
        ("no guard on delete", everybody(DELETE, "open", "changed")),
        ("a hidden route", everybody("GET /api/{user_id}/export", "foreign_data")),
        ("a mounted app", everybody("GET /inner/tasks/{task_id}", "foreign_data")),
    ],
)
def test_a_missing_guard_is_reported_for_everybody(factory, leak, expected):
    assert found(factory, leak) == expected


def test_an_open_head_is_reported(factory):
    head = READ.replace("GET", "HEAD")
    assert found(factory, "HEAD is open") == {(head, "open", "nobody"), (head, "open", "user")}


def test_a_token_that_nobody_verified_is_reported(factory):
    path = "GET /unverified/{user_id}"
    expected = {(path, "foreign_data", "a bad token"), (path, "foreign_data", "user")}
    assert found(factory, "a token that nobody verified") == expected


def test_what_never_worked_for_its_owner_is_reported_and_not_passed(factory):
    assert found(factory, "what cannot be made") == {("POST /strange", "not_exercised", "user")}
    example = {("POST", "/strange"): {"body": {"answer": 42}}}
    assert play(factory, "what cannot be made", examples=example).ok
    report = play(factory, "what cannot be made", skip={"POST /strange": "needs the answer"})
    assert report.skipped == {"POST /strange": "needs the answer"}
    assert "POST /strange: needs the answer" in str(report)


def test_a_websocket_is_named_and_not_played(factory):
    report = play(factory, "a websocket")
    assert report.unseen == ("WebSocket /ws",)
    assert "WebSocket /ws" in str(report)


def test_a_delete_that_may_be_repeated_is_meant_where_it_is_named(factory):
    assert play(factory, "delete twice succeeds", uniform=[("DELETE", DELETE.split(" ")[1])]).ok
    # Named or not, a row that is gone is gone.
    assert (DELETE, "changed", "user") in found(factory, "foreign id readable", uniform=[DELETE])


def test_what_is_shared_may_hold_anybodys_data(factory):
    assert play(factory, "no filter", shared=[LIST]).ok


def test_several_leaks_are_all_reported(factory):
    together = found(factory, "403 for a foreign id", "HEAD is open", "public data")
    assert together == USER_OF["403 for a foreign id"] | USER_OF["public data"] | {
        (READ.replace("GET", "HEAD"), "open", who) for who in ("nobody", "user")
    }


def test_a_finding_says_everything_that_one_needs(factory):
    with pytest.raises(IsolationError) as raised:
        play(factory, "403 for a foreign id")
    finding = raised.value.report.findings[0]
    assert (finding.operation, finding.as_user) == (READ, "alice")
    assert finding.sent.startswith("GET /api/alice/tasks/")
    assert finding.sent.endswith("(with bob's task_id)")
    assert finding.came_back == '403 {"detail":"not yours"}'
    assert finding.why.startswith("the status, 403 and 404: ")
    assert "404" in finding.cure
    table = str(raised.value)
    for words in (
        finding.operation,
        finding.as_user,
        finding.sent,
        finding.came_back,
        finding.why,
        finding.cure,
    ):
        assert words in table
    assert "3 findings" in table
    for secret in ("Bearer", "eyJ", factory.bridge_options()["secret"]):
        assert secret not in table
