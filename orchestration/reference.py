"""Writes docs/reference/ from the code itself: settings, declarations, verbs, tables, the API, and JSON Schemas for editors."""

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from lake import columns, errors, expectations
from lake.database_source import Cursor, DatabaseSource, Tls
from lake.files_source import Dates, FilesSource, ForeignS3
from lake.model import Clusters, Feature, Model, Training
from lake.rest_auth import AUTHS
from lake.rest_paging import PAGINATIONS
from lake.rest_source import Each, Records, RestCursor, RestSource
from lake.series import SeriesModel, SeriesValue
from lake.settings import HOME, SETTINGS
from lake.source import Source
from lake.tables import Partition, Table, TableColumn
from orchestration.api_reference import api_page
from orchestration.editor_schemas import model_schema, source_schema, table_schema
from orchestration.markdown import COMMAND, anchor, code, page, table
from orchestration.reference_tables import tables_page
from orchestration.words import parser

FOLDER = HOME / "docs" / "reference"
CHECKS = (columns.Between, columns.OneOf, columns.Matches, columns.Expression)
EXPECTATIONS = (
    expectations.RowCount,
    expectations.Unique,
    expectations.NotNull,
    expectations.References,
    expectations.Holds,
    expectations.Total,
    expectations.Fresh,
)
KINDS = (RestSource, FilesSource, DatabaseSource)
Schema = dict[str, Any]
Field = tuple[str, str, str, str]
Section = tuple[str, type[BaseModel], list[Field]]


def references() -> dict[str, str]:
    """Content of every generated file, by its name."""
    return {
        "settings.md": settings_page(),
        "declarations.md": declarations_page(),
        "verbs.md": verbs_page(),
        "tables.md": tables_page(),
        "api.md": api_page(),
        "source.schema.json": _json(source_schema()),
        "table.schema.json": _json(table_schema()),
        "model.schema.json": _json(model_schema()),
    }


def settings_page() -> str:
    """Every environment variable the lake reads."""
    rows = [
        (f"`{name}`", code(default) if default and " " not in default else default, meaning)
        for name, (default, meaning) in SETTINGS.items()
    ]
    text = "Environment variables. They win over `.lake/env`, which `lake up` writes. Relative paths start at `LAKE_HOME`.\n"
    return page("Settings", text, table(("setting", "default", "meaning"), rows))


def verbs_page() -> str:
    """`--help` of every verb, and what each exit code means."""
    top = parser()
    verbs = next(action.choices for action in top._actions if isinstance(action, argparse._SubParsersAction))
    helps = "\n".join(f"## lake {name}\n\n```text\n{_help(below)}```\n" for name, below in verbs.items())
    codes = {code: (name, meaning) for name, code, meaning in _error_codes()}
    rows = [(0, "", "done")] + [(code, f"`{name}`", meaning) for code, (name, meaning) in sorted(codes.items())]
    rows += [(130, "", "stopped by Ctrl-C"), (143, "", "stopped by SIGTERM")]
    exits = "## Exit codes\n\n" + table(("code", "error", "meaning"), rows)
    text = "`lake VERB`. Results go to stdout, progress and the log to stderr; `--json` prints the result for programs.\n"
    return page("Verbs", text, helps, exits)


#: Part of a declaration that has several forms -> a word that only its forms are chosen by.
UNIONS = {"checks": "between", "expectations": "row_count", "pagination": "offset", "auth": "basic"}


def declarations_page() -> str:
    """Every key of a source's, a refined table's and a model's YAML file."""
    shared = [*Source.model_fields, "kind"]
    sections: list[Section] = [("Source", Source, _fields(Source))]
    sections += [(f"kind: {_const(kind, 'kind')}", kind, _without(kind, shared)) for kind in KINDS]
    plain: dict[str, type[BaseModel]] = {
        "for_each": Each,
        "records": Records,
        "RestCursor": RestCursor,
        "Dates": Dates,
        "ForeignS3": ForeignS3,
        "Cursor": Cursor,
        "Tls": Tls,
        "Column": columns.Column,
        "Table": Table,
        "Table column": TableColumn,
        "Partition": Partition,
        "Model": Model,
        "Feature": Feature,
        "Clusters": Clusters,
        "Training": Training,
        "Series model": SeriesModel,
        "Series value": SeriesValue,
    }
    sections += [(title, model, _fields(model)) for title, model in plain.items()]
    checks = [(_const(rule, "rule"), rule, _without(rule, ["rule"])) for rule in CHECKS]
    expected = [(_const(rule, "rule"), rule, _without(rule, ["rule"])) for rule in EXPECTATIONS]
    text = (
        "A source is `ingest/sources/NAME.yaml`: the keys of [Source](#source) and of one kind. A refined table is\n"
        "`jobs/refined/NAME.yaml`: the keys of [Table](#table). A model is `jobs/models/NAME.yaml`: the keys of\n"
        "[Model](#model), or of [Series model](#series-model) with `kind: series`. An unknown key is an\n"
        "error. Texts may hold `${env:NAME}`, `${env:NAME:-default}` and\n"
        "`${file:PATH}` where a key says so. For editors: [source.schema.json](source.schema.json),\n"
        "[table.schema.json](table.schema.json) and [model.schema.json](model.schema.json).\n"
    )
    return page(
        "Declarations",
        text,
        *(_section(2, *section) for section in sections),
        "## Pagination\n\nOf a REST source, chosen by `kind`.\n",
        *(_section(3, f"pagination: {_const(kind, 'kind')}", kind, _without(kind, ["kind"])) for kind in PAGINATIONS),
        "## Auth\n\nOf a REST source, chosen by `kind`; secrets are references.\n",
        *(_section(3, f"auth: {_const(kind, 'kind')}", kind, _without(kind, ["kind"])) for kind in AUTHS),
        "## Checks\n\nOf every row of a source, chosen by `rule`. A null breaks none of them.\n",
        *(_section(3, *section) for section in checks),
        "## Expectations\n\nOf a whole table, judged before it is published, chosen by `rule`.\n",
        *(_section(3, *section) for section in expected),
    )


def _section(level: int, title: str, model: type[BaseModel], fields: Iterable[Sequence[object]]) -> str:
    words = " ".join((model.__doc__ or "").split())
    return f"{'#' * level} {title}\n\n{words}\n\n" + table(("key", "type", "default", "meaning"), fields)


def _fields(model: type[BaseModel]) -> list[Field]:
    """Key, type, default and meaning of every field of a model."""
    schema = model.model_json_schema(by_alias=True)
    required = schema.get("required", [])
    return [
        (f"`{key}`", _type(field), "required" if key in required else _default(field), field.get("description", ""))
        for key, field in schema["properties"].items()
    ]


def _without(model: type[BaseModel], names: Iterable[str]) -> list[Field]:
    left = {f"`{name}`" for name in names}
    return [field for field in _fields(model) if field[0] not in left]


def _default(field: Schema) -> str:
    default = field.get("default")
    return "" if default in (None, [], {}) else code(json.dumps(default) if isinstance(default, list) else default)


def _type(field: Schema) -> str:
    """A JSON Schema type in words."""
    if "$ref" in field:
        name = field["$ref"].rpartition("/")[2]
        titles = {"TableColumn": "Table column", "SeriesValue": "Series value", "Each": "for_each", "Records": "records"}
        heading = titles.get(name, name)
        return f"[{heading}](#{anchor(heading)})"
    if "oneOf" in field:
        words = field["discriminator"]["mapping"]
        kind = next(kind for kind, word in UNIONS.items() if word in words)
        return f"[{kind}](#{kind})"
    if "anyOf" in field:
        kinds = [_type(kind) for kind in field["anyOf"] if kind.get("type") != "null"]
        return " or ".join(kind for kind in kinds if not (kind == "integer" and "number" in kinds))
    if "enum" in field or "const" in field:
        return ", ".join(f"`{value}`" for value in field.get("enum", [field.get("const")]))
    if field.get("type") == "array":
        return f"list of {_type(field['items'])}"
    if field.get("type") == "object":
        return f"map to {_type(field['additionalProperties'])}"
    return str(field["type"])


def _const(model: type[BaseModel], key: str) -> str:
    return str(model.model_json_schema()["properties"][key]["const"])


def _error_codes() -> list[tuple[str, int, str]]:
    """Name, exit code and meaning of the error that stands for each code, as the tree in lake/errors.py draws it."""
    found = []
    for line in (errors.__doc__ or "").splitlines():
        words = line.lstrip("├└─ ").split(maxsplit=2)
        if len(words) == 3 and words[1].isdigit() and (words[0] == "LakeError" or words[1] != "1"):
            found.append((words[0], int(words[1]), words[2]))
    return found


def _help(below: argparse.ArgumentParser) -> str:
    below.formatter_class = partial(argparse.HelpFormatter, width=100, max_help_position=28)
    return below.format_help()


def _json(schema: Schema) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def main(arguments: Sequence[str] | None = None, folder: Path = FOLDER) -> int:
    """Write the references, or with `--check` say which differ; the exit code is 1 when any does."""
    options = argparse.ArgumentParser("reference", description=__doc__)
    options.add_argument("--check", action="store_true", help="write nothing; fail when a file differs")
    is_check = options.parse_args(arguments).check
    differing = []
    for name, text in references().items():
        path = folder / name
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        differing.append(name)
        if not is_check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    for name in differing:
        print(f"docs/reference/{name}: {f'differs; run `{COMMAND}`' if is_check else 'written'}")
    return 1 if is_check and differing else 0


if __name__ == "__main__":
    sys.exit(main())
