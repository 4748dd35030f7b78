"""Documents that hold together: links, commands, headings, the picture, and nothing of one machine."""

import re
import shlex
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import yaml

from lake import errors
from lake.model import Model
from lake.model_tables import load_tables
from lake.settings import HOME
from lake.sources import load_sources, source_from
from lake.tables import Table
from orchestration.words import parser
from tests.documents import blocks, documents

pytestmark = pytest.mark.guard
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
IGNORED = (".git", ".venv", ".lake", "dist", "spark-warehouse", "__pycache__")
#: Written in pieces, so that this file does not match.
ELSEWHERE = re.compile("|".join(["/ho" + "me/", "/ro" + "ot/", "/wo" + "rk/", "/Us" + "ers/", "/worksp" + "ace"]))
REGISTRIES = re.compile(
    "|".join(
        ["pypi" + r"\.org", "python" + "hosted", "maven" + r"\.(org|apache)", "maven" + "2", "proxy.go" + "lang", "npm" + "js"]
    )
)


def _anchors(path: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", CODE.sub("", path.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", documents(), ids=lambda path: path.relative_to(HOME).as_posix())
def test_every_link_between_documents_leads_somewhere(document: Path) -> None:
    broken = []
    for link in LINK.findall(CODE.sub("", document.read_text(encoding="utf-8"))):
        place, _, anchor = link.partition("#")
        target = (document.parent / place).resolve() if place else document
        if link.startswith("https://"):
            continue
        if not target.exists() or (anchor and anchor not in _anchors(target)):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("document", documents(), ids=lambda path: path.relative_to(HOME).as_posix())
def test_every_command_in_a_document_is_one_that_exists(document: Path) -> None:
    targets = re.findall(r"^([a-z-]+):", (HOME / "Makefile").read_text(), re.MULTILINE)
    for command in [command for block in blocks(document) for command in block.commands]:
        words = shlex.split(re.sub(r" > \S+$", "", command))
        if words[0] in ("lake", ".venv/bin/lake"):
            given = [word.replace("NUMBER", "1") for word in words[1:]]
            assert parser().parse_args(given).verb, command
        elif words[0] == "make":
            assert words[1] in targets, command
        else:
            assert words[:2] == [".venv/bin/python", "-m"], command


@pytest.mark.parametrize("document", documents(), ids=lambda path: path.relative_to(HOME).as_posix())
def test_every_table_of_a_document_has_as_many_cells_in_each_row(document: Path) -> None:
    rows = [line for line in CODE.sub("", document.read_text(encoding="utf-8")).splitlines() if line.startswith("|")]
    assert [row for row in rows if not row.endswith(" |")] == []
    text = "\n" + CODE.sub("", document.read_text(encoding="utf-8"))
    for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        widths = {len(re.findall(r"(?<!\\)\|", row)) for row in table.splitlines()}
        assert len(widths) == 1, table


def test_the_yaml_of_the_guides_is_valid() -> None:
    guides = (HOME / "docs" / "guides").glob("*.md")
    found = [yaml.safe_load(block.text) for guide in guides for block in blocks(guide) if block.kind == "yaml"]
    for declared in found:
        if "features" in declared:
            Model.model_validate(declared)
    whole = [declared for declared in found if "columns" in declared]
    for declared in whole:
        if "kind" in declared:
            source_from(declared, "guide")
        else:
            Table.model_validate(declared)
    assert len(whole) >= 5


def test_every_exit_code_is_in_the_guide_to_operation() -> None:
    codes = {kind.exit_code for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.LakeError)}
    shown = re.findall(r"^\| (\d+) \|", (HOME / "docs" / "guides" / "operate.md").read_text(), re.MULTILINE)
    assert {str(code) for code in codes} <= set(shown)


def test_decision_records_are_numbered_named_in_the_readme_and_have_the_same_headings() -> None:
    records = sorted((HOME / "docs" / "decisions").glob("*.md"))
    readme = (HOME / "README.md").read_text()
    for number, record in enumerate(records, 1):
        text = record.read_text()
        assert record.name.startswith(f"{number:04d}-")
        assert text.startswith(f"# {number:04d}: ")
        assert re.findall(r"^## (.*)$", text, re.MULTILINE) == ["Context", "Decision", "Rejected", "Consequences"], record.name
        assert f"docs/decisions/{record.name}" in readme


def test_every_direct_dependency_is_explained() -> None:
    explained = (HOME / "docs" / "dependencies.md").read_text()
    lines = (HOME / "requirements.in").read_text().splitlines()
    names = [re.split(r"[\[=<>]", line)[0] for line in lines if line and not line.startswith("#")]
    words = {word.replace("_", "-") for word in re.findall(r"[\w-]+", explained)}
    silent = [name for name in names if name not in words and not name.startswith("duckdb-extension")]
    assert silent == []


def test_the_changelog_has_an_unreleased_section() -> None:
    assert re.search(r"^## \[?Unreleased", (HOME / "CHANGELOG.md").read_text(), re.MULTILINE)


def test_the_picture_shows_the_tables_there_are() -> None:
    picture = ET.parse(HOME / "docs" / "flow.svg")
    drawn = [text.text for text in picture.iter() if text.get("class") == "table"]
    sources, refined = load_sources(HOME / "ingest" / "sources"), load_tables(HOME / "jobs")
    assert set(drawn) <= {*sources, *refined}
    assert {"products", "carts", "users", "customers", "category_summary"} <= set(drawn)


def test_no_file_names_a_folder_of_one_machine_or_a_registry() -> None:
    found = []
    for path in _files():
        text = path.read_text(encoding="utf-8", errors="ignore")
        found += [f"{path.relative_to(HOME)}: {match[0]}" for match in (*ELSEWHERE.finditer(text), *REGISTRIES.finditer(text))]
    assert found == []


def _files() -> list[Path]:
    """Every file of the checkout that belongs to it."""
    found, folders = [], [HOME]
    while folders:
        for entry in folders.pop().iterdir():
            if entry.name in IGNORED or entry.name.endswith("_cache") or entry.name == ".hypothesis":
                continue
            (folders if entry.is_dir() else found).append(entry)
    return [path for path in found if path.suffix not in (".pyc", ".jar", ".png", ".log")]
