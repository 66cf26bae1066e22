"""The house: imports go one way, and every example in a docstring runs."""

import ast
import doctest
import importlib
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "jwt_auth_bridge"
# Each room may import only from rooms named here.
ALLOWED = {
    "profile": set(),
    "errors": set(),
    "bearer": {"profile", "errors"},
    "compact": {"profile", "errors"},
    "claims": {"profile", "errors"},
    "keys": {"profile", "errors"},
    "jwk": {"profile", "errors", "compact"},
    "jwks": {"profile", "errors", "compact", "keys", "jwk"},
    "_jwks_fetch": {"profile", "errors", "jwks"},
    "_jwks_remote": {"profile", "errors", "jwk", "jwks"},
    "key_source": {"profile", "errors", "keys", "jwk", "jwks", "_jwks_fetch", "_jwks_remote"},
    "environment": {"profile", "errors", "compact", "keys", "jwks", "key_source"},
    "verifier": {"profile", "errors", "compact", "claims", "jwk", "key_source", "_jwks_remote"},
    "__init__": {"errors", "verifier"},
}
FRAMEWORKS = {"fastapi", "starlette", "sqlalchemy", "httpx", "jwt"}


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            found.add(("." * node.level) + (node.module or ""))
        elif isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
    return found


@pytest.mark.parametrize("room", ALLOWED)
def test_imports_go_one_way(room):
    for name in imports(SOURCE / f"{room}.py"):
        if name.startswith("."):
            assert name.removeprefix(".") in ALLOWED[room], f"{room} must not import {name}"
        else:
            assert name.split(".")[0] not in FRAMEWORKS, f"{room} must not import {name}"


def test_no_file_is_longer_than_400_lines():
    for path in SOURCE.glob("**/*.py"):
        assert len(path.read_text().splitlines()) <= 400, path.name


@pytest.mark.parametrize("path", sorted(SOURCE.glob("*.py")), ids=lambda path: path.stem)
def test_docstring_examples_run(path):
    name = "jwt_auth_bridge" if path.stem == "__init__" else f"jwt_auth_bridge.{path.stem}"
    if path.stem == "__main__":
        return
    assert doctest.testmod(importlib.import_module(name)).failed == 0
