"""Puts the parent folder's signer on the path; there is no package, as in the other folders."""

import sys
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[1] / "fastapi")]

from jwt_auth_bridge.testing import TokenFactory  # noqa: E402


@pytest.fixture
def factory():
    return TokenFactory()
