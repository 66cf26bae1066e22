"""A second user in the path: a parameter that reads like the one that a guard compares."""

import pytest
from fastapi import Depends, FastAPI
from ways import guard

from jwt_auth_bridge import ConfigurationError
from jwt_auth_bridge._fastapi_audit import survey


@pytest.mark.parametrize("written", ["userId", "userid", "UserID", "USER_ID", "user__id"])
def test_a_second_user_in_the_path(bridge, written):
    app = FastAPI()
    app.get(f"/api/{{user_id}}/x/{{{written}}}", dependencies=guard(bridge, "path_user"))(lambda: "never")
    with pytest.raises(ConfigurationError) as raised:
        bridge.audit(app)
    assert f"has {{{written}}} in its path beside {{user_id}}, which path_user compares" in str(raised.value)
    assert "give it a name that does not read like the caller's" in str(raised.value)
    assert "1 fault " in str(raised.value)


@pytest.mark.parametrize("written", ["friend_id", "other_user_id", "user", "users_id", "id"])
def test_a_second_parameter_of_another_name_passes(bridge, written):
    app = FastAPI()
    app.get(f"/api/{{user_id}}/x/{{{written}}}", dependencies=guard(bridge, "path_user"))(lambda: "fine")
    bridge.audit(app)


def test_a_second_user_in_a_mount_s_prefix(bridge):
    app, inner = FastAPI(), FastAPI(dependencies=guard(bridge, "path_user"))
    inner.get("/{userId}")(lambda: "never")
    app.mount("/api/{user_id}", inner)
    with pytest.raises(ConfigurationError, match=r"has \{userId\} in its path beside \{user_id\}"):
        bridge.audit(app)


def test_two_guards_may_hold_two_spellings(bridge):
    app, other = FastAPI(), bridge.path_claim("userId", claim="parent")
    both = [*guard(bridge, "path_user"), Depends(other)]
    app.get("/api/{user_id}/x/{userId}", dependencies=both)(lambda: "fine")
    bridge.audit(app)
    app.get("/api/{user_id}/y/{userId}", dependencies=guard(bridge, "path_user"))(lambda: "never")
    rows, _ = survey(app, [bridge])
    (fault,) = [fault for row in rows for fault in row.faults]
    assert "has {userId} in its path and path_user does not compare it" in fault
    assert "Depends(bridge.path_claim('userId', claim='parent'))" in fault
