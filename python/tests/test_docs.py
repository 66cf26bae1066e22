"""The documents say what is there: codes, links, paths, dependencies, and the numbers that they show."""

import json
import re
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
