"""Puts the tests' own signer and kit on the path; there is no package, so that `fastapi` stays FastAPI."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

import kit
import ways


@pytest.fixture
def bridge():
    return kit.make_bridge()


@pytest.fixture
def refusals(caplog):
    """Gives the refusals logged so far, as `(level, method, route, code)`."""
    caplog.set_level("DEBUG", logger="jwt_auth_bridge")

    def logged():
        return [
            (record.levelname, record.method, record.route, record.code)
            for record in caplog.records
            if record.name == "jwt_auth_bridge" and hasattr(record, "code")
        ]

    return logged


@pytest.fixture(params=ways.WAYS, ids=lambda way: way.__name__)
def way(request):
    return request.param


@pytest.fixture(params=[False, True], ids=["bare", "protected"])
def app(request, bridge):
    return kit.api(bridge, request.param)
