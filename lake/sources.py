"""Source declarations: one YAML file per source, validated into frozen models."""

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, field_validator, model_validator

from lake.columns import Check, Column, Declaration, checked_name, column_from
from lake.declarations import first_problem, read_yaml
from lake.errors import UsageError
from lake.expectations import Expectation


class Source(Declaration):
    """What every kind of source declares."""

    name: str = Field(description="name of the source, of its folder in raw and of its trusted table")
    description: str = Field(description="one sentence that begins with the grain: `One row per ...`")
    schedule: str | None = Field(default=None, description="cron expression of five fields, in UTC")
    load: Literal["snapshot", "append", "merge"] = Field(
        description="snapshot: the newest run is the whole truth; append: rows are added; merge: newest row per key"
    )
    key: list[str] = Field(default=[], description="columns that identify a row of the trusted table")
    order_by: list[str] = Field(default=[], description="columns that say which row of a key is newest, most important first")
    columns: dict[str, Annotated[Column, Field(description="short form: the type alone")]] = Field(
        description="name of a column -> its type, or all that is said of it"
    )
    checks: list[Check] = Field(default=[], description="rules that every row must keep")
    expectations: list[Expectation] = Field(default=[], description="rules that the trusted table as a whole must keep")
    max_shrink: float = Field(
        default=0.5, ge=0, le=1, description="share of keys a snapshot may lose without a person's consent"
    )

    _name = field_validator("name")(checked_name)

    @field_validator("columns", mode="before")
    @classmethod
    def _long_form(cls, value: Any) -> Any:
        return {name: column_from(column) for name, column in value.items()} if isinstance(value, dict) else value

    @model_validator(mode="after")
    def _names_agree(self) -> "Source":
        for name in self.columns:
            checked_name(name)
        published = [name for name, column in self.columns.items() if not column.pii]
        for place, names in (("key", self.key), ("order_by", self.order_by)):
            for name in names:
                if name not in published:
                    raise ValueError(f"{place}: got {name!r}, expected one of {', '.join(published)}")
        for check in self.checks:
            if check.column is not None and check.column not in self.columns:
                raise ValueError(f"checks: got column {check.column!r}, expected one of {', '.join(self.columns)}")
        if self.load != "append" and not self.key:
            raise ValueError(f"load {self.load} needs a key")
        return self

    @property
    def trusted(self) -> str:
        """Full name of the trusted table."""
        return f"trusted.{self.name}"

    @property
    def published(self) -> dict[str, Column]:
        """Columns that leave raw; key columns are required."""
        return {
            name: column.model_copy(update={"required": True}) if name in self.key else column
            for name, column in self.columns.items()
            if not column.pii
        }

    @property
    def declaration(self) -> str:
        """Hash of all that decides what the trusted table holds."""
        return _hash(self.model_dump(mode="json", exclude={"description", "schedule"}))

    @property
    def decoding(self) -> str:
        """Hash of all that decides what the decoded rows hold."""
        paths = {name: column.from_ for name, column in self.columns.items()}
        return _hash({"columns": paths, **self.decoding_options()})

    def decoding_options(self) -> dict[str, Any]:
        """Options of this kind that change how originals are decoded."""
        return {}


class Each(Declaration):
    """One request per value of a column of another source."""

    source: str = Field(description="name of the other source")
    column: str = Field(description="its column; one request per distinct value")


class RestSource(Source):
    """A REST API that answers JSON."""

    kind: Literal["rest"]
    url: str = Field(description="address; `{name}` is replaced by a request parameter, quoted")
    records: str | None = Field(default=None, description="path of the records in the body; the body itself when left out")
    explode: str | None = Field(
        default=None,
        description="path of a list in each record: one row per element; an empty list gives one row with @index 0",
    )
    for_each: dict[str, Each] = Field(default={}, description="request parameters taken from another source's newest run")
    headers: dict[str, str] = Field(default={}, description="headers to send; values may be references")
    timeout_seconds: float = Field(default=30, gt=0, description="longest wait for one answer as a whole")
    max_bytes: int = Field(default=100_000_000, gt=0, description="largest body accepted")

    def decoding_options(self) -> dict[str, Any]:
        """Where the records are."""
        return {"kind": self.kind, "records": self.records, "explode": self.explode}


class FilesSource(Source):
    """A CSV file behind a URL."""

    kind: Literal["files"]
    url: str = Field(description="address of the file")
    format: Literal["csv"] = Field(default="csv", description="form of the file")
    delimiter: str = Field(default=",", min_length=1, max_length=1, description="what stands between two fields")
    encoding: str = Field(default="utf-8", description="name of a Python codec")
    nulls: list[str] = Field(default=[""], description="texts that mean null when not quoted")
    headers: dict[str, str] = Field(default={}, description="headers to send; values may be references")
    timeout_seconds: float = Field(default=300, gt=0, description="longest wait for the file as a whole")
    max_bytes: int = Field(default=10_000_000_000, gt=0, description="largest file accepted")

    def decoding_options(self) -> dict[str, Any]:
        """How the text is cut into fields."""
        return self.model_dump(mode="json", include={"kind", "format", "delimiter", "encoding", "nulls"})


class DatabaseSource(Source):
    """A table of a MySQL or MariaDB database."""

    kind: Literal["database"]
    url: str = Field(description="mysql://user:password@host:port/database, best as one ${env:...} reference")
    table: str = Field(description="table or view to read")
    timeout_seconds: float = Field(default=300, gt=0, description="longest wait for the server's answer")

    def decoding_options(self) -> dict[str, Any]:
        """The table read."""
        return {"kind": self.kind}


AnySource = Annotated[RestSource | FilesSource | DatabaseSource, Field(discriminator="kind")]
_adapter: TypeAdapter[RestSource | FilesSource | DatabaseSource] = TypeAdapter(AnySource)


def _hash(facts: Any) -> str:
    text = json.dumps(facts, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def source_from(declared: Any, where: str) -> RestSource | FilesSource | DatabaseSource:
    """A validated source.

    Raises UsageError that names file, key, what was given and what is allowed.
    """
    return first_problem(_adapter.validate_python, declared, where)


def load_sources(folder: Path) -> dict[str, RestSource | FilesSource | DatabaseSource]:
    """All sources of a folder by name.

    Raises UsageError for the first file that is wrong.
    """
    sources: dict[str, RestSource | FilesSource | DatabaseSource] = {}
    for path in sorted(folder.glob("*.yaml")):
        source = source_from(read_yaml(path), path.name)
        if source.name != path.stem:
            raise UsageError(f"{path.name}: name: got {source.name!r}, expected {path.stem!r} as the file is called")
        sources[source.name] = source
    for source in sources.values():
        for each in source.for_each.values() if isinstance(source, RestSource) else ():
            if each.source not in sources or each.column not in sources[each.source].columns:
                raise UsageError(f"{source.name}.yaml: for_each: got {each.source}.{each.column}, which no source declares")
    return sources


def chosen(sources: dict[str, Any], names: list[str]) -> list[str]:
    """The named sources, or all of them.

    Raises UsageError that lists the sources there are.
    """
    for name in names:
        if name not in sources:
            raise UsageError(f"source: got {name!r}, expected one of {', '.join(sorted(sources)) or 'none declared'}")
    return names or list(sources)
