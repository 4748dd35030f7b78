"""The references are what the code says, and the JSON Schemas accept what the validators accept."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from pydantic import BaseModel

from lake.columns import Column
from lake.model import Clusters, Feature, Model, Training
from lake.model_tables import load_tables
from lake.settings import HOME, SETTINGS
from lake.source import Source
from lake.sources import load_sources
from lake.tables import Table, TableColumn
from orchestration.editor_schemas import model_schema, source_schema, table_schema
from orchestration.reference import CHECKS, EXPECTATIONS, FOLDER, KINDS, main, references
from orchestration.words import VERBS, parser

pytestmark = pytest.mark.guard
NEXT = "run `.venv/bin/python -m orchestration.reference`"
DECLARED = (Source, *KINDS, Column, Table, TableColumn, Model, Feature, Clusters, Training)
MODELS: tuple[type[BaseModel], ...] = (*DECLARED, *CHECKS, *EXPECTATIONS)


@pytest.mark.parametrize("name", sorted(references()))
def test_a_reference_is_what_the_code_says(name: str) -> None:
    assert (FOLDER / name).read_text(encoding="utf-8") == references()[name], NEXT


def test_checking_writes_nothing_and_names_what_differs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check"], tmp_path) == 1
    assert list(tmp_path.iterdir()) == []
    assert "docs/reference/settings.md: differs" in capsys.readouterr().out


def test_writing_twice_changes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([], tmp_path) == 0
    capsys.readouterr()
    assert main([], tmp_path) == 0
    assert capsys.readouterr().out == ""


def test_the_help_does_not_depend_on_the_width_of_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    assert references()["verbs.md"] == (FOLDER / "verbs.md").read_text(encoding="utf-8")


def _names() -> Iterator[tuple[str, str]]:
    yield from (("settings.md", name) for name in SETTINGS)
    yield from (("verbs.md", f"lake {name}") for name in VERBS)
    yield from (("tables.md", source.trusted) for source in load_sources(HOME / "ingest" / "sources").values())
    yield from (("tables.md", table.table) for table in load_tables(HOME / "jobs").values())


@pytest.mark.parametrize(("page", "name"), list(_names()))
def test_every_source_table_verb_and_setting_is_named(page: str, name: str) -> None:
    assert name in (FOLDER / page).read_text(encoding="utf-8"), NEXT


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_key_of_a_declaration_says_what_it_means(model: type[BaseModel]) -> None:
    assert model.__doc__
    silent = [name for name, field in model.model_fields.items() if name not in ("rule", "kind") and not field.description]
    assert silent == []


def test_every_argument_of_a_verb_has_a_help_text() -> None:
    verbs: Any = next(action for action in parser()._actions if action.dest == "verb")
    silent = [f"{name} {a.dest}" for name, below in verbs.choices.items() for a in below._actions if not a.help]
    assert silent == []


@pytest.mark.parametrize("path", sorted((HOME / "ingest" / "sources").glob("*.yaml")), ids=lambda path: path.name)
def test_the_schema_accepts_every_source(path: Path) -> None:
    assert _problems(source_schema(), yaml.safe_load(path.read_text())) == []


@pytest.mark.parametrize("path", sorted((HOME / "jobs" / "refined").glob("*.yaml")), ids=lambda path: path.name)
def test_the_schema_accepts_every_contract(path: Path) -> None:
    assert _problems(table_schema(), yaml.safe_load(path.read_text())) == []


@pytest.mark.parametrize("path", sorted((HOME / "jobs" / "models").glob("*.yaml")), ids=lambda path: path.name)
def test_the_schema_accepts_every_model(path: Path) -> None:
    assert _problems(model_schema(), yaml.safe_load(path.read_text())) == []


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("loud", "snapshot"),
        ("load", "snapshto"),
        ("columns", {"id": "bigin"}),
        ("columns", {"Id": "bigint"}),
        ("max_shrink", 2),
    ],
)
def test_the_schema_refuses_what_the_validators_refuse(key: str, value: Any) -> None:
    declared = yaml.safe_load((HOME / "ingest" / "sources" / "products.yaml").read_text())
    assert _problems(source_schema(), {**declared, key: value})


def _problems(schema: dict[str, Any], declared: Any) -> list[str]:
    return [error.message for error in Draft202012Validator(json.loads(json.dumps(schema))).iter_errors(declared)]
