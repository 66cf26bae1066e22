"""The documents say what is there: codes, links, paths, dependencies, and the numbers that they show."""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from jwt_auth_bridge import Verifier
from signer import AUDIENCE, ISSUER, KID, SECRET

ROOT = Path(__file__).parents[2]
REGISTRY = json.loads((ROOT / "specs" / "001-jwt-auth-bridge" / "errors.json").read_text("utf-8"))
FOLDERS = ["docs", "specs", "examples", "bench", "e2e", "python", "typescript"]
PAGES = sorted(ROOT.glob("*.md")) + [
    page
    for folder in FOLDERS
    for page in sorted((ROOT / folder).rglob("*.md"))
    if not any(
        part.startswith(".") or part in ("node_modules", "dist") for part in page.relative_to(ROOT).parts
    )
]


def read(*parts: str) -> str:
    return ROOT.joinpath(*parts).read_text("utf-8")


def test_every_code_is_explained_once_and_no_other():
    explained = re.findall(r"^#### `(\w+)`$", read("docs", "errors.md"), re.MULTILINE)
    assert sorted(explained) == sorted(REGISTRY["codes"])


def test_every_explanation_has_words():
    for section in re.split(r"^#### ", read("docs", "errors.md"), flags=re.MULTILINE)[1:]:
        heading, _, words = section.partition("\n")
        assert len(words.split()) > 10, heading


def test_the_answers_shown_are_the_answers_given():
    page = read("docs", "errors.md")
    for answer in REGISTRY["answers"].values():
        assert f"`{answer['body']}`" in page
    readme = read("README.md")
    for answer in REGISTRY["answers"].values():
        assert re.search(
            rf"^\| {answer['status']} \| `{json.loads(answer['body'])['error']}` \|", readme, re.MULTILINE
        )


def test_the_token_shown_is_a_good_one():
    page = read("docs", "how-it-works.md")
    token = re.search(r"```text\n(\S+)\n```", page)[1]
    shown = json.loads(re.search(r"```json\n(\{\n.*?\})\n```", page, re.DOTALL)[1])
    verifier = Verifier(issuer=ISSUER, audience=AUDIENCE, secrets=[SECRET], clock=lambda: shown["iat"])
    assert dict(verifier.verify(token).claims) == shown
    assert verifier.key_ids == (KID,)
    for name in ("README.md", "docs/how-it-works.md", "specs/001-jwt-auth-bridge/access-token.md"):
        text = read(name)
        assert KID in text or name == "README.md"


def test_a_published_secret_is_called_published_where_it_is_printed():
    shown = [page for page in PAGES if page.is_relative_to(ROOT / "docs") or page.name == "README.md"]
    behind = [text for page in shown for text in page.read_text("utf-8").split(SECRET)[1:]]
    assert behind
    assert [
        text for text in behind if "published" not in text[:300] or "never use it" not in text[:300]
    ] == []


def test_the_python_shown_runs():
    blocks = re.findall(r"```python\n(.*?)```", read("docs", "how-it-works.md"), re.DOTALL)
    assert blocks
    for block in blocks:
        exec(block, {})


# What docs/isolation.md says of its own blocks, beside the test that it shows.
MORE_OF_ISOLATION = """
import io
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.util.exc import CommandError
from fastapi.testclient import TestClient
from jwt_auth_bridge.sqlalchemy import ScopeError, rls_policy
from models import Base, Project, Task
from sqlalchemy import create_engine, select
from sqlalchemy.orm import Session


@pytest.fixture
def engine(tmp_path, monkeypatch):
    url = f"sqlite:///{tmp_path / 'jobs.db'}"
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.setenv("MAINTENANCE_DATABASE_URL", url)
    engine = create_engine(url)
    yield engine
    engine.dispose()


def test_jobs(engine):
    import jobs
    from labels import task_label

    Base.metadata.create_all(engine)
    with jobs.maintenance("rows of two users") as session:
        for user in "alice", "bob":
            project = Project(user_id=user, name="x")
            session.add(project)
            session.flush()
            session.add(Task(user_id=user, project_id=project.id, title=f"a task of {user}"))
        session.commit()
    assert jobs.titles_of("alice", engine) == ["a task of alice"]
    assert jobs.count_tasks() == 2
    for query in select(Task), select(task_label):
        with Session(engine) as nobody, pytest.raises(ScopeError):
            nobody.execute(query)


def test_what_serves_it(engine, bridge_environment, monkeypatch):
    monkeypatch.setenv("API_DATABASE_URL", str(engine.url))
    from serve import app

    Base.metadata.create_all(engine)
    with TestClient(app) as client:
        headers = {**bridge_environment.headers("alice"), "origin": "http://localhost:3000"}
        answer = client.post("/api/alice/projects", json={"name": "x"}, headers=headers)
        assert answer.status_code == 201
        assert answer.headers["access-control-allow-origin"] == "http://localhost:3000"
        assert client.get("/api/bob/projects", headers=headers).status_code == 403


def test_the_migration():
    out, names = io.StringIO(), {}
    exec(Path("migrations/versions/0001_walls.py").read_text("utf-8"), names)
    options = {"as_sql": True, "output_buffer": out}
    context = MigrationContext.configure(dialect_name="postgresql", opts=options)
    with Operations.context(context):
        names["upgrade"]()
        names["downgrade"]()
    there, back = [rls_policy(model) for model in (Project, Task)], [rls_policy(Task), rls_policy(Project)]
    wanted = [sql for policy in there for sql in policy.enable] + [sql for p in back for sql in p.disable]
    assert [sql for sql in out.getvalue().split(";\\n\\n") if sql] == wanted


@pytest.mark.parametrize("leave", [True, False])
def test_autogenerate(engine, leave, tmp_path):
    with engine.begin() as connection:
        for name in "user", "session", "account", "verification", "jwks":
            connection.exec_driver_sql(f'CREATE TABLE "{name}" (id TEXT PRIMARY KEY)')
    Base.metadata.create_all(engine)
    (tmp_path / "versions").mkdir()
    env = Path("migrations/env.py").read_text("utf-8")
    if not leave:
        env = env.replace("include_object", "x_include_object")
    (tmp_path / "env.py").write_text(env, "utf-8")
    config = Config()
    config.set_main_option("script_location", str(tmp_path))
    if leave:
        command.check(config)
    else:
        with pytest.raises(CommandError, match="remove_table"):
            command.check(config)
"""


def test_the_page_about_isolation_runs(tmp_path):
    page = read("docs", "isolation.md")
    blocks = re.findall(r'^```python title="(\S+)"\n(.*?)^```', page, re.MULTILINE | re.DOTALL)
    assert len(blocks) == page.count("```python")
    for name, text in [*blocks, ("test_more.py", MORE_OF_ISOLATION)]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, "utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", "."]
    command += ["-p", "jwt_auth_bridge.pytest_plugin"]
    path = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
    environment = {**os.environ, "PYTHONPATH": path}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "6 passed" in done.stdout


# What docs/live.md says of its block.
MORE_OF_LIVE = """
import pytest
from fastapi.testclient import TestClient
from starlette.testclient import WebSocketDenialResponse
from starlette.websockets import WebSocketDisconnect

PATH = "/api/alice/tasks/live"


@pytest.fixture
def served(bridge_environment):
    from main import app, bridge

    bridge.audit(app)
    with TestClient(app) as client:
        yield client, bridge_environment


def test_live(served):
    client, factory = served
    given = client.post("/api/tickets", json={"path": PATH}, headers=factory.headers("alice"))
    assert given.status_code == 201
    assert given.json() == {"ticket": given.json()["ticket"], "expires_in": 30}
    with client.websocket_connect(f"{PATH}?ticket={given.json()['ticket']}") as socket:
        assert socket.receive_text() == "hello alice"
        socket.send_json({"type": "jwt-auth-bridge.renew", "token": factory.token("alice")})
        socket.send_text("x")
        assert socket.receive_text() == "x"
        socket.send_json({"type": "jwt-auth-bridge.renew", "token": factory.token("bob")})
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_text()
        assert closed.value.code == 1008
    refused = [f"{PATH}?ticket={given.json()['ticket']}", PATH]
    for address in refused:
        with pytest.raises(WebSocketDenialResponse) as denied, client.websocket_connect(address):
            pass
        assert denied.value.status_code == 401
    assert client.get("/api/alice/tasks/events").status_code == 401
"""


def test_the_page_about_live_connections_runs(tmp_path):
    page = read("docs", "live.md")
    (main,) = re.findall(r'^```python title="main.py"\n(.*?)^```', page, re.MULTILINE | re.DOTALL)
    assert page.count("```python") == 1
    (tmp_path / "main.py").write_text(main, "utf-8")
    (tmp_path / "test_more.py").write_text(MORE_OF_LIVE, "utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", "."]
    command += ["-p", "jwt_auth_bridge.pytest_plugin"]
    path = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
    environment = {**os.environ, "PYTHONPATH": path}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout


def test_the_contract_agrees_with_the_registry():
    contract = read("specs", "001-jwt-auth-bridge", "access-token.md")
    for code, entry in REGISTRY["codes"].items():
        if entry["class"] == "InvalidTokenError":
            assert f"`{code}`" in contract
        assert f"`{entry['class']}`" in contract


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text("utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{target} in {page.name}"


def test_every_path_of_the_layout_exists():
    layout = re.search(r"## Layout\n.*?```text\n(.*?)```", read("CONTRIBUTING.md"), re.DOTALL)[1]
    paths = [line.split()[0] for line in layout.splitlines() if line and not line.startswith(" ")]
    assert paths
    missing = [path for path in paths if not (ROOT / path).exists()]
    assert missing == []
    described = {path.split("/")[0] for path in paths}
    folders = [path for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".")]
    present = {path.name for path in folders if any(path.iterdir())}
    assert present - {"node_modules"} - described == set()


def test_every_dependency_has_a_reason_and_no_other():
    page = read("docs", "decisions", "0005-dependencies.md")
    sections = dict(re.findall(r"^### [^\n]*`([^`\n]+)`\n(.*?)(?=^##)", page, re.MULTILINE | re.DOTALL))
    explained = {
        manifest: set(re.findall(r"^\| `([^`]+)` \|", rows, re.MULTILINE))
        for manifest, rows in sections.items()
    }
    assert explained == {
        "package.json": npm("package.json"),
        "typescript/package.json": npm("typescript/package.json"),
        "examples/todo/web/package.json": npm("examples/todo/web/package.json"),
        "e2e/next-15/package.json": npm("e2e/next-15/package.json"),
        "e2e/react-18/package.json": npm("e2e/react-18/package.json"),
        "python/pyproject.toml": pyproject(),
        "python/requirements/dev.in": requirements("dev.in"),
        "python/requirements/bench.in": requirements("bench.in"),
    }


def npm(manifest: str) -> set[str]:
    package = json.loads(read(manifest))
    kinds = ("dependencies", "devDependencies", "peerDependencies", "optionalDependencies", "overrides")
    return {name for kind in kinds for name in package.get(kind, {})}


def pyproject() -> set[str]:
    project = tomllib.loads(read("python", "pyproject.toml"))
    extras = [name for group in project["project"]["optional-dependencies"].values() for name in group]
    return set(map(bare, project["build-system"]["requires"] + project["project"]["dependencies"] + extras))


def requirements(name: str) -> set[str]:
    lines = read("python", "requirements", name).splitlines()
    return {bare(line) for line in lines if line and not line.startswith(("#", "-c"))}


def bare(requirement: str) -> str:
    return re.match(r"[A-Za-z0-9._-]+", requirement)[0]
