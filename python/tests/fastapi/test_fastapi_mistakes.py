"""The mistakes that people make, one app each: the start is refused with the route, its place and the fix."""

import inspect
import logging
import re

import kit
import mistakes_guards
import mistakes_lists
import mistakes_places
import pytest
from fastapi import Depends, FastAPI
from kit import bearer, call
from mistakes_kit import plain, tasks

from jwt_auth_bridge import ConfigurationError

MISTAKES = [
    found
    for module in (mistakes_guards, mistakes_places, mistakes_lists)
    for found in vars(module).values()
    if inspect.isfunction(found) and list(inspect.signature(found).parameters) == ["app", "bridge"]
]


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.__name__)
def test_a_mistake_stops_the_start_and_every_request(bridge, mistake, caplog):
    app = FastAPI()
    public, named, fix = mistake(app, bridge)
    bridge.protect(app, public=public)
    failed, raised = kit.start(app)
    assert failed == {"type": "lifespan.startup.failed", "message": str(raised)}
    assert named in str(raised)
    assert fix in str(raised)
    client = kit.test_client(app, raise_server_exceptions=False)
    for path in ("/x", "/docs", "/"):
        assert client.get(path, headers=dict([bearer()])).status_code == 500
    assert [r.getMessage() for r in caplog.records if r.levelno == logging.ERROR] == [str(raised)]
    with pytest.raises(ConfigurationError, match=re.escape(named)):
        bridge.audit(app)


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.__name__)
def test_a_mistake_is_found_by_a_plain_call_too(bridge, mistake):
    app = FastAPI()
    public, named, fix = mistake(app, bridge)
    with pytest.raises(ConfigurationError) as raised:
        bridge.audit(app, public=public)
    assert named in str(raised.value)
    assert fix in str(raised.value)


# A list can not be given later; the routes of the docs are taken away; a default is no route.
LATER = [
    one
    for one in MISTAKES
    if not re.search("listed|head_on|address_of|a_default_that|at_one_path", one.__name__)
]


@pytest.mark.parametrize("mistake", LATER, ids=lambda mistake: mistake.__name__)
def test_a_mistake_made_later_fails_the_next_request(bridge, mistake):
    app = FastAPI()
    bridge.protect(app)
    assert call(app, "GET", "/nothing").status == 404
    mistake(app, bridge)
    with pytest.raises(ConfigurationError):
        call(app, "GET", "/nothing")


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.__name__)
def test_overrides_do_not_hide_a_mistake(bridge, mistake):
    app = FastAPI()
    public, named, _ = mistake(app, bridge)
    for one in (bridge.current_user, bridge.path_user, bridge.optional_user, tasks, plain):
        app.dependency_overrides[one] = Depends(bridge.path_user).dependency
    with pytest.raises(ConfigurationError, match=re.escape(named)):
        bridge.audit(app, public=public)


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.__name__)
def test_a_mistake_in_a_mounted_app_is_found_too(bridge, mistake):
    app, inner = FastAPI(), FastAPI()
    public, named, _ = mistake(inner, bridge)
    bridge.protect(inner, public=public)
    app.mount("/below", inner)
    with pytest.raises(ConfigurationError) as raised:
        bridge.audit(app)
    method, path, *said = named.split(" ")
    if path.startswith("/"):
        named = " ".join([method, "/below" + path, *said])
    assert named in str(raised.value)
