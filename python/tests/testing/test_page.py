"""docs/testing.md, as it stands: its blocks are the files of a project, and its tests pass."""

import os
import re
import subprocess
import sys
from pathlib import Path

from jwt_auth_bridge.testing import REFUSED

HERE = Path(__file__).parent
PAGE = (HERE.parents[2] / "docs" / "testing.md").read_text("utf-8")


def run_tests(folder):
    # The page's app is imported by name; -p hook gives the bridge its hook where it is not there.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), *filter(None, sys.path)])}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "hook", "--rootdir", "."]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_every_block_of_the_page_runs(tmp_path):
    blocks = re.findall(r'^```python title="(\S+)"\n(.*?)^```', PAGE, re.M | re.S)
    assert len(blocks) == PAGE.count("```python")
    for name, text in blocks:
        (tmp_path / name).write_text(text, "utf-8")
    done = run_tests(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 passed" in done.stdout


def test_the_page_lists_every_refused_token():
    assert dict(re.findall(r"^\| `(\w+)` \| `(\w+)` \|$", PAGE, re.M)) == REFUSED


def test_the_plugin_sets_the_environment_back_and_ends_the_acting(tmp_path):
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["jwt_auth_bridge.pytest_plugin"]\n')
    (tmp_path / "test_it.py").write_text(
        """
import os

import pytest
from fastapi import Depends, FastAPI
from jwt_auth_bridge.fastapi import Bridge

seen = {}


def test_first(bridge_environment, token_factory, as_user):
    assert bridge_environment is token_factory
    bridge, app = Bridge.from_env(), FastAPI()
    app.get("/", dependencies=[Depends(bridge.current_user)])(lambda: "x")
    seen["app"] = app
    assert as_user(app, "alice").subject == "alice"
    assert as_user(app, "bob", session_id=None).session_id is None
    assert len(app.dependency_overrides) == 1


def test_second():
    assert seen["app"].dependency_overrides == {}
    assert "BETTER_AUTH_SECRET" not in os.environ
"""
    )
    done = run_tests(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout
