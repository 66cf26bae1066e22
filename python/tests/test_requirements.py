"""Every requirement has a row in the checklist, and every row names tests that exist."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SPECIFICATION = ROOT / "specs" / "001-jwt-auth-bridge"
ROW = re.compile(r"^\| ([A-Z][A-Z0-9-]*) \| (.*?) \|(.*)\|$", re.MULTILINE)
TEST = re.compile(r"`([^`:]+)::([^`]+)`")
# The text after `test(`, `it(` or the second parenthesis of `.each(…)(`, before a function.
TITLE = re.compile(
    r"""(?:\b(?:it|test)(?:\.\w+)?\(|\)\()\s*(["'`])((?:\\.|(?!\1).)*)\1,\s*(?:\{[^}]*\},\s*)?(?:async\s*)?\("""
)


def read_requirements() -> list[str]:
    specification = (SPECIFICATION / "spec.md").read_text("utf-8")
    contract = (SPECIFICATION / "access-token.md").read_text("utf-8")
    stated = re.findall(r"^- \*\*((?:FR|SC)-\d{3})\*\*: ", specification, re.MULTILINE)
    traced = re.findall(r"^\| ([SC]\d) \| ", specification, re.MULTILINE)
    rules = re.findall(r"^\| (V\d+) \| ", contract, re.MULTILINE)
    return stated + traced + rules


def names_of(path: Path) -> set[str]:
    """Names of tests: functions and `Class::method` in Python, titles in TypeScript."""
    source = path.read_text("utf-8")
    if path.suffix != ".py":
        return {title for _, title in TITLE.findall(source)}
    names = set()
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.ClassDef):
            methods = (n for n in node.body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef))
            names.update(f"{node.name}::{method.name}" for method in methods)
    return {name for name in names if name.split("::")[-1].startswith("test_")}


def find_problems(requirements: list[str], checklist: str) -> list[str]:
    problems = []
    rows = ROW.findall(checklist)
    listed = [row[0] for row in rows]
    problems += [f"{name} has no row" for name in requirements if name not in listed]
    problems += [f"{name} is no requirement" for name in listed if name not in requirements]
    problems += [f"{name} has two rows" for name in set(listed) if listed.count(name) > 1]
    for name, sentence, cell in rows:
        tests = TEST.findall(cell)
        if not sentence.strip():
            problems.append(f"{name} has no sentence")
        if not tests or re.sub(r"<br>|\s", "", TEST.sub("", cell)):
            problems.append(f"{name} needs tests, written `path::name` and separated by <br>")
        for path, test in tests:
            if not (ROOT / path).is_file():
                problems.append(f"{name} names {path}, which does not exist")
            elif test.replace("\\|", "|") not in names_of(ROOT / path):
                problems.append(f"{name} names {path}::{test}, which is not there")
    return problems


def test_the_documents_hold_all_requirements():
    assert read_requirements() == [
        *(f"FR-{number:03}" for number in range(1, 13)),
        *(f"SC-{number:03}" for number in range(1, 9)),
        *(f"S{number}" for number in range(1, 7)),
        *(f"C{number}" for number in range(1, 7)),
        *(f"V{number}" for number in range(1, 18)),
    ]


def test_every_requirement_has_tests_that_exist():
    checklist = (SPECIFICATION / "checklists" / "requirements.md").read_text("utf-8")
    assert find_problems(read_requirements(), checklist) == []


def test_what_was_asked_for_is_traced_to_requirements():
    specification = (SPECIFICATION / "spec.md").read_text("utf-8")
    rows = re.findall(r"^\| [SC]\d \| .+ \| (.+) \|$", specification, re.MULTILINE)
    traced = {name for row in rows for name in row.split(", ")}
    assert traced - set(read_requirements()) == set()
    assert {f"FR-{number:03}" for number in range(1, 13)} <= traced


THIS = "python/tests/test_requirements.py"


@pytest.mark.parametrize(
    ("checklist", "problem"),
    [
        ("", "V1 has no row"),
        ("| V1 | a sentence | |", "V1 needs tests"),
        ("| V1 | a sentence | `a test, in words` |", "V1 needs tests"),
        ("| V1 | a sentence | `missing.py::test_x` |", "missing.py, which does not exist"),
        (f"| V1 | a sentence | `{THIS}::test_x` |", "::test_x, which is not there"),
        (f"| V1 | a sentence | `{THIS}::names_of` |", "::names_of, which is not there"),
        (f"| V1 |  | `{THIS}::test_a_broken_checklist_is_noticed` |", "V1 has no sentence"),
        (f"| V2 | a sentence | `{THIS}::test_a_broken_checklist_is_noticed` |", "V2 is no requirement"),
        (f"| V1 | a | `{THIS}::test_a_broken_checklist_is_noticed` |\n" * 2, "V1 has two rows"),
    ],
)
def test_a_broken_checklist_is_noticed(checklist, problem):
    assert any(problem in found for found in find_problems(["V1"], checklist))


def test_a_good_checklist_passes():
    row = f"| V1 | a sentence | `{THIS}::test_a_good_checklist_passes` |"
    assert find_problems(["V1"], row) == []
