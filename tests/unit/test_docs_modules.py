"""Modules that stay small enough to read and say what they are for."""

import ast
from pathlib import Path

import pytest

from lake.settings import HOME

pytestmark = pytest.mark.guard
ROOMS = ("lake", "store", "ingest", "jobs", "sql", "api", "orchestration", "emr", "local")
MODULES = sorted(path for room in ROOMS for path in (HOME / room).rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(HOME).as_posix())
def test_a_module_says_what_it_is_for_and_is_short(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    docstring = ast.get_docstring(tree)
    assert docstring
    assert docstring[0].isupper() or docstring.startswith("`")
    assert text.count("\n") < 300
    long = [
        f"{node.name}: {(node.end_lineno or 0) - node.lineno + 1} lines"
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and (node.end_lineno or 0) - node.lineno + 1 > 50
    ]
    assert long == []


@pytest.mark.parametrize("path", sorted((HOME / "tests").rglob("*.py")), ids=lambda path: path.relative_to(HOME).as_posix())
def test_a_test_module_says_what_it_is_for(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
