"""Refined tables: a YAML contract beside a Python function of the same name, read without importing Spark."""

import ast
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING, Any

from pydantic import Field, field_validator, model_validator

from lake.columns import Declaration, checked_name, checked_type
from lake.declarations import first_problem, instead, parse_yaml
from lake.errors import UsageError
from lake.expectations import Expectation, Unique
from lake.freshness import FORM, Promise

if TYPE_CHECKING:
    from lake.model import Model
    from lake.series import SeriesModel


class TableColumn(Declaration):
    """A column of a refined table."""

    type: str = Field(description="a type as in a source's columns")
    description: str | None = Field(default=None, description="what it means, with its unit")

    _type = field_validator("type")(checked_type)


def long_form(columns: Any) -> Any:
    """Columns with the short form `price: double` written out."""
    if not isinstance(columns, dict):
        return columns
    return {name: {"type": column} if isinstance(column, str) else column for name, column in columns.items()}


class Partition(Declaration):
    """How a table is rebuilt piece by piece: a column, and the inputs that have it and decide which pieces changed."""

    column: str = Field(description="column of the table and of the inputs in `of`; the table's files are kept apart by it")
    of: list[str] = Field(
        min_length=1, description="inputs whose rows with one value of the column make the table's rows with that value"
    )


class Table(Declaration):
    """The contract of a refined table."""

    description: str = Field(description="one sentence that begins with the grain: `One row per ...`")
    key: list[str] = Field(min_length=1, description="columns that identify a row")
    columns: dict[str, TableColumn] = Field(description="name of a column -> its type, or all that is said of it")
    expectations: list[Expectation] = Field(default=[], description="rules that the table must keep; the key is unique anyway")
    partition: Partition | None = Field(
        default=None, description="rebuild only the pieces that changed; the whole when left out"
    )
    max_shrink: float = Field(
        default=0.5, ge=0, le=1, description="share of rows a rebuild may lose without a person's consent"
    )
    fresh_within: Promise | None = Field(
        default=None,
        description=f"the table's promise: all its sources were asked and are in it no longer ago than this, {FORM}",
    )

    @field_validator("columns", mode="before")
    @classmethod
    def _long_form(cls, value: Any) -> Any:
        return long_form(value)

    @model_validator(mode="after")
    def _names_agree(self) -> "Table":
        for name in self.columns:
            checked_name(name)
        for name in self.key:
            if name not in self.columns:
                raise ValueError(f"key: got {name!r}, expected one of {', '.join(self.columns)}")
        if self.partition and self.partition.column not in self.columns:
            raise ValueError(f"partition: got {self.partition.column!r}, expected one of {', '.join(self.columns)}")
        return self

    @property
    def comments(self) -> dict[str, str]:
        """What each column that is described means."""
        return {name: column.description for name, column in self.columns.items() if column.description}

    @property
    def rules(self) -> list[Expectation]:
        """All that the table must keep: a unique key, and what is declared."""
        return [Unique(rule="unique", columns=self.key), *self.expectations]


@dataclass(frozen=True)
class Refined:
    """A refined table as planning sees it: contract, inputs by name, a hash of its code, and the model or detector that makes it."""

    name: str
    contract: Table
    inputs: tuple[str, ...]
    code: str
    model: "Model | None" = None
    series: "SeriesModel | None" = None

    @property
    def table(self) -> str:
        """Full name of the table."""
        return f"refined.{self.name}"

    @property
    def folder(self) -> str:
        """Folder that declares it."""
        return "jobs/models" if self.model or self.series else "jobs/refined"

    @property
    def declaration(self) -> str:
        """Hash of the contract without its words and its promise."""
        facts = self.contract.model_dump(mode="json", exclude={"description": True, "fresh_within": True})
        facts |= {"model": self.model.facts} if self.model else {}
        facts |= {"series": self.series.facts} if self.series else {}
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def code_hash(texts: Iterable[str]) -> str:
    """Hash of Python modules that comments, docstrings and layout do not change."""
    digest = hashlib.sha256()
    for text in texts:
        tree = ast.parse(text)
        for node in ast.walk(tree):
            body = getattr(node, "body", None)
            if isinstance(body, list) and body and isinstance(node, (ast.Module, ast.FunctionDef, ast.ClassDef)):
                first = body[0]
                if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
                    del body[0]
        digest.update(ast.dump(tree).encode())
    return digest.hexdigest()[:16]


def _parameters(name: str, text: str) -> tuple[str, ...]:
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            return tuple(argument.arg for argument in node.args.args)
    raise UsageError(f"jobs/refined/{name}.py: expected a function {name}(...) whose parameters are its input tables")


#: Modules that decide what a trusted table holds.
TRUSTED_CODE = ("casts.py", "changes.py", "checks.py", "deleted.py", "trusted.py")


def trusted_code(jobs: Traversable) -> str:
    """Hash of the code that makes trusted tables."""
    return code_hash((jobs / name).read_text("utf-8") for name in TRUSTED_CODE)


def load_refined(folder: Traversable) -> dict[str, Refined]:
    """All refined tables of a folder (or of the zip) by name.

    Raises UsageError for the first that is wrong.
    """
    files = {entry.name: entry for entry in folder.iterdir()}
    shared = [files[name].read_text("utf-8") for name in sorted(files) if name.startswith("_") and name.endswith(".py")]
    tables: dict[str, Refined] = {}
    for filename in sorted(name for name in files if name.endswith(".yaml")):
        name, where = filename.removesuffix(".yaml"), f"jobs/refined/{filename}"
        contract = first_problem(
            Table.model_validate, parse_yaml(files[filename].read_text("utf-8"), where), where, Table, TableColumn
        )
        if f"{name}.py" not in files:
            raise UsageError(f"{where}: expected {name}.py beside it")
        text = files[f"{name}.py"].read_text("utf-8")
        code = code_hash([text, *shared])
        tables[name] = Refined(checked_name(name), contract, _parameters(name, text), code)
    for filename in files:
        name = filename.removesuffix(".py")
        if filename.endswith(".py") and not name.startswith("_") and name not in tables:
            raise UsageError(f"jobs/refined/{filename}: expected {name}.yaml, its contract, beside it")
    return tables


def in_order(sources: Iterable[str], refined: dict[str, Refined]) -> list[Refined]:
    """The refined tables, each after its inputs.

    Raises UsageError when an input is unknown, two tables share a name, or the tables need each other in a circle.
    """
    known = set(sources)
    both = sorted(known & set(refined))
    if both:
        raise UsageError(
            f"{refined[both[0]].folder}/{both[0]}.yaml: a source is called {both[0]!r} too; names are unique across zones"
        )
    for table in refined.values():
        for name in table.contract.partition.of if table.contract.partition else ():
            if name not in table.inputs:
                raise UsageError(f"{table.name}.yaml: partition.of: got {name!r}, expected one of {', '.join(table.inputs)}")
        for name in table.inputs:
            if name not in known and name not in refined:
                where = f"{table.folder}/{table.name}.{'yaml' if table.model or table.series else 'py'}"
                raise UsageError(f"{where}: got input {name!r}{instead(name, known | set(refined))}")
    ordered: list[Refined] = []
    waiting = dict(refined)
    while waiting:
        ready = [t for t in waiting.values() if all(name not in waiting for name in t.inputs)]
        if not ready:
            raise UsageError(f"jobs/refined: {', '.join(sorted(waiting))} need each other in a circle")
        for table in ready:
            ordered.append(waiting.pop(table.name))
    return ordered
