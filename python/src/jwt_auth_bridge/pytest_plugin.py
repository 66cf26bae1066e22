"""Fixtures for pytest: ``pytest_plugins = ["jwt_auth_bridge.pytest_plugin"]`` in the top ``conftest.py``.

Not loaded by itself: whoever installs the package and does not ask for it gets no fixture. A fixture of the
same name in a ``conftest.py`` comes first.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from .testing import TokenFactory
from .testing import as_user as acting_as
from .verifier import Principal


@pytest.fixture
def token_factory() -> TokenFactory:
    """A factory with a random secret; ``Bridge(**token_factory.bridge_options())`` accepts its tokens."""
    return TokenFactory()


@pytest.fixture
def bridge_environment(token_factory: TokenFactory, monkeypatch: pytest.MonkeyPatch) -> TokenFactory:
    """Sets what ``Bridge.from_env`` reads, until the test ends, and gives the factory that fits.

    *Does not* reach a bridge that was made before, such as one made while a module was imported.
    """
    for name, value in token_factory.environ().items():
        monkeypatch.setenv(name, value)
    return token_factory


@pytest.fixture
def as_user() -> Iterator[Callable[..., Principal]]:
    """``as_user(app, "alice")``: from here on every request is Alice's, until the test ends."""
    with ExitStack() as stack:

        def act(app: Any, user: str | Principal = "alice", **options: Any) -> Principal:
            return stack.enter_context(acting_as(app, user, **options))

        yield act
