"""One user against another on every operation that the API offers, on the real database."""

from conftest import ALICE, AUDIENCE, BOB, ISSUER, PLAYED, SECRET, execute, run

from jwt_auth_bridge.testing import TokenFactory, assert_isolated


def test_no_operation_lets_one_user_reach_another(app, databases):
    run(execute(databases.owner, "TRUNCATE api.task"))
    report = assert_isolated(
        app,
        factory=TokenFactory(ISSUER, AUDIENCE, SECRET),
        users=(ALICE, BOB),
        **PLAYED,
    )
    assert set(report.operations) == {
        "GET /healthz",
        "GET /api/me",
        "POST /api/tickets",
        "GET /api/{user_id}/tasks",
        "POST /api/{user_id}/tasks",
        "GET /api/{user_id}/tasks/events",
        "GET /api/{user_id}/tasks/{task_id}",
        "PUT /api/{user_id}/tasks/{task_id}",
        "PATCH /api/{user_id}/tasks/{task_id}",
        "DELETE /api/{user_id}/tasks/{task_id}",
        "PATCH /api/{user_id}/tasks/{task_id}/complete",
    }
    # A WebSocket is not played here; test_live.py and test_tickets.py do.
    assert (report.skipped, report.unseen) == ({}, ("WebSocket /api/{user_id}/tasks/live",))
