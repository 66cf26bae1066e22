"""The command ``routes``: the table, the faults, the exit status, and a sentence where there is no app."""

import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from jwt_auth_bridge.cli import main

MAIN = """
from fastapi import Depends, FastAPI
from jwt_auth_bridge.fastapi import Bridge
from starlette.middleware.cors import CORSMiddleware

bridge = Bridge(issuer="https://a.example", audience="https://b.example", secret={secret!r})


def create_app(later=()):
    app = FastAPI(openapi_url=None)

    @app.get("/healthz")
    async def healthz(): ...

    @app.post("/api/{{user_id}}/tasks", dependencies=[Depends(bridge.path_user)])
    async def add_task(user_id: str): ...

    for path in later:
        app.get(path)(healthz)
    bridge.protect(app, public=["GET /healthz"])
    return app


async def create_later(): ...


def broken():
    raise LookupError("no such thing")


app = create_app()
wrapped = CORSMiddleware(app)
faulty = create_app(["/forgotten"])
bare = FastAPI()
text = "text"


class space:
    app = app
"""
SECRET = "k3Zq9vT1xW7pL0sD5fG8hJ2nB4mC6rY+uQeAoI/tX1E="
TABLE = """\
METHOD  PATH                  GUARD      WHERE
GET     /healthz              public     shop/main.py:12 healthz
POST    /api/{user_id}/tasks  path_user  shop/main.py:15 add_task
"""


@pytest.fixture
def shop(tmp_path):
    package = tmp_path / "shop"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "main.py").write_text(MAIN.format(secret=SECRET))
    (package / "unset.py").write_text("import os\nos.environ['SHOP_URL']\n")
    (package / "ends.py").write_text("import sys\nsys.exit('shop cannot start')\n")
    (package / "lacks.py").write_text("import a_package_that_nobody_has\n")
    return tmp_path


@pytest.fixture
def run(shop):
    """The command as a process."""

    def command(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "jwt_auth_bridge", "routes", *arguments],
            cwd=shop,
            env={**os.environ, "PYTHONWARNINGS": "ignore"},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    return command


@pytest.fixture
def call(shop, monkeypatch, capsys):
    """The command in this process, which has imported FastAPI already: what it says and would exit with."""
    monkeypatch.chdir(shop)
    monkeypatch.setattr(sys, "path", [*sys.path])

    def command(*arguments):
        status = main(["routes", *arguments])
        said = capsys.readouterr()
        return SimpleNamespace(returncode=status, stdout=said.out, stderr=said.err)

    yield command
    for name in [one for one in sys.modules if one.split(".")[0] == "shop"]:
        del sys.modules[name]


@pytest.mark.parametrize("check", [[], ["--check"]])
def test_as_a_process(run, check):
    ended = run("shop.main:app", *check)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, TABLE, "")


@pytest.mark.parametrize(
    "target",
    [
        ["shop.main:app"],
        ["shop.main:wrapped"],
        ["shop.main:space.app"],
        ["shop.main:create_app", "--factory"],
        ["shop.main:create_app()"],
        ["shop.main:create_app()", "--factory"],
    ],
)
@pytest.mark.parametrize("check", [[], ["--check"]])
def test_the_table(call, target, check):
    ended = call(*target, *check)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, TABLE, "")


def test_faults_are_said_with_their_fix_and_fail_the_check(run):
    for check, status in (([], 0), (["--check"], 1)):
        ended = run("shop.main:faulty", *check)
        assert ended.returncode == status
        assert re.search(r"^GET +/forgotten +NONE +shop/main.py:12 healthz$", ended.stdout, re.MULTILINE)
        assert ended.stderr == (
            "GET /forgotten asks nobody for a token: guard it, or its router, with"
            ' Depends(bridge.current_user), or list it: public=["GET /forgotten"] (shop/main.py:12 healthz)\n'
        )


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        ("shop.main", "'shop.main' is not written module:attribute"),
        (":app", "is not written module:attribute"),
        ("shop.main:", "is not written module:attribute"),
        ("shop.nothing:app", "there is no module shop.nothing below "),
        ("nothing.main:app", "there is no module nothing below "),
        ("shop.lacks:app", "importing shop.lacks failed: ModuleNotFoundError: No module named 'a_package"),
        ("shop.unset:app", "importing shop.unset failed: KeyError: 'SHOP_URL'"),
        ("shop.ends:app", "importing shop.ends failed: SystemExit: shop cannot start"),
        ("shop.main:nothing", "shop.main has no nothing"),
        ("shop.main:text", "shop.main:text is no FastAPI app"),
        ("shop.main:create_app", "shop.main:create_app is a function: add --factory"),
        ("shop.main:broken()", "calling broken() failed: LookupError: no such thing"),
        ("shop.main:bare", "bridge.protect(app) was not called for shop.main:bare"),
        ("/shop/main.py:app", "there is no module /shop/main"),
    ],
)
def test_what_can_not_be_read_is_a_sentence(call, target, sentence):
    ended = call(target, "--check")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert sentence in ended.stderr
    assert "Traceback" not in ended.stderr
    assert SECRET not in ended.stderr


def test_what_can_not_be_read_ends_the_process_with_2(run):
    ended = run("shop.lacks:app")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "Traceback" not in ended.stderr


def test_help_says_how_an_app_is_named(run):
    ended = run("--help")
    assert ended.returncode == 0
    for word in ("app.main:app", "--check", "--factory", "NONE"):
        assert word in ended.stdout


def test_fastapi_that_is_not_installed_is_a_sentence(run, tmp_path):
    (tmp_path / "fastapi").mkdir()
    (tmp_path / "fastapi" / "__init__.py").write_text("raise ImportError('no')")
    ended = run("shop.main:app")
    assert ended.returncode == 2
    assert "FastAPI is not installed: pip install 'jwt-auth-bridge[fastapi]'" in ended.stderr


def test_the_reference_app_passes():
    root = Path(__file__).parents[2]
    ended = subprocess.run(
        [sys.executable, "-m", "jwt_auth_bridge", "routes", "todo_api.main:app", "--check"],
        cwd=root / "examples" / "todo" / "api",
        env={
            **os.environ,
            "BETTER_AUTH_SECRET": SECRET,
            "BETTER_AUTH_URL": "http://localhost:3000",
            "JWT_BRIDGE_AUDIENCE": "http://localhost:8000",
            "API_DATABASE_URL": "postgresql://x:y@localhost/z",
            "WEB_ORIGIN": "http://localhost:3000",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ended.returncode == 0, ended.stderr
    assert "NONE" not in ended.stdout
    assert "/api/{user_id}/tasks/{task_id}" in ended.stdout
