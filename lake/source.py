"""What every kind of source declares."""

import hashlib
import json
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from lake.columns import Check, Column, Declaration, checked_name, column_from
from lake.expectations import Expectation
from lake.freshness import FORM, Promise
from lake.schedules import checked_schedule


class Source(Declaration):
    """What every kind of source declares."""

    name: str = Field(description="name of the source, of its folder in raw and of its trusted table")
    description: str = Field(description="one sentence that begins with the grain: `One row per ...`")
    schedule: str | None = Field(default=None, description="cron expression of five fields, in UTC")
    fresh_within: Promise | None = Field(
        default=None, description=f"the table's promise: its source was asked and is in it no longer ago than this, {FORM}"
    )
    retention: Promise | None = Field(
        default=None,
        description="age at which `lake maintain` removes raw runs that stand in the table, but the newest; kept for ever when "
        f"left out: {FORM}",
    )
    rebuilds_from: Literal["all", "remaining"] = Field(
        default="all",
        description="what the table is built from when its declaration or code changes; `retention` beside any load but snapshot needs "
        "`remaining`, the consent that rows of removed runs leave the table then",
    )
    load: Literal["snapshot", "append", "merge", "overwrite"] = Field(
        description="snapshot: the newest run is the whole truth; append: rows are added; merge: newest row per key; "
        "overwrite: the newest run that has rows of a partition is the whole truth of that partition"
    )
    key: list[str] = Field(default=[], description="columns that identify a row of the trusted table")
    order_by: list[str] = Field(default=[], description="columns that say which row of a key is newest, most important first")
    partition: str | None = Field(
        default=None,
        description="column by which the table's files are kept apart, of few values such as months; `overwrite` needs it",
    )
    columns: dict[str, Annotated[Column, Field(description="short form: the type alone")]] = Field(
        description="name of a column -> its type, or all that is said of it"
    )
    checks: list[Check] = Field(default=[], description="rules that every row must keep")
    expectations: list[Expectation] = Field(default=[], description="rules that the trusted table as a whole must keep")
    max_shrink: float = Field(
        default=0.5, ge=0, le=1, description="share of keys a snapshot or a key sweep may lose without a person's consent"
    )

    changes: Literal["note", "strict", "evolve", "quarantine"] = Field(
        default="note",
        description="when the source sends fields nobody declared, leaves out declared ones or sends what does not fit: note: new fields "
        "stay in raw and are told, rows that do not fit go to quarantine; strict: the table waits for a person "
        "(exit code 3), also for keys that are null or (unless it merges) repeat in a run; "
        "evolve: new fields become string columns, `widen` is followed; quarantine: rows with new fields are rejected too",
    )

    _name = field_validator("name")(checked_name)

    @field_validator("schedule")
    @classmethod
    def _comes_due(cls, value: str | None) -> str | None:
        return None if value is None else checked_schedule(value)

    @field_validator("columns", mode="before")
    @classmethod
    def _long_form(cls, value: Any) -> Any:
        return {name: column_from(column) for name, column in value.items()} if isinstance(value, dict) else value

    @model_validator(mode="after")
    def _names_agree(self) -> "Source":
        for name in self.columns:
            checked_name(name)
        published = [name for name, column in self.columns.items() if not column.pii]
        partition = [self.partition] if self.partition else []
        for place, names in (("key", self.key), ("order_by", self.order_by), ("partition", partition)):
            for name in names:
                if name not in published:
                    raise ValueError(f"{place}: got {name!r}, expected one of {', '.join(published)}")
        for check in self.checks:
            if check.column is not None and check.column not in self.columns:
                raise ValueError(f"checks: got column {check.column!r}, expected one of {', '.join(self.columns)}")
        if self.changes == "evolve" and any(column.pii for column in self.columns.values()):
            raise ValueError(
                "changes: got 'evolve' beside pii columns, expected note, strict or quarantine: a new field may be personal"
            )
        if any(column.widen for column in self.columns.values()) and self.changes != "evolve":
            raise ValueError("widen: expected `changes: evolve` beside it")
        if self.retention and self.load != "snapshot" and self.rebuilds_from != "remaining":
            raise ValueError(
                f"retention: got one beside load {self.load}, whose table can be built again from all runs only; expected "
                "`rebuilds_from: remaining` beside it, by which rows of removed runs leave the table when its declaration or code changes"
            )
        if self.load in ("snapshot", "merge") and not self.key:
            raise ValueError(f"load {self.load} needs a key")
        if self.load == "overwrite" and not self.partition:
            raise ValueError("load overwrite needs a partition: the column whose values are replaced as a whole")
        return self

    @property
    def trusted(self) -> str:
        """Full name of the trusted table."""
        return f"trusted.{self.name}"

    @property
    def published(self) -> dict[str, Column]:
        """Columns that leave raw; those of the key, and by which partitions are replaced, are required."""
        needed = {*self.key, *([self.partition] if self.load == "overwrite" else [])}
        return {
            name: column.model_copy(update={"required": True}) if name in needed else column
            for name, column in self.columns.items()
            if not column.pii
        }

    @property
    def sweeps_keys(self) -> bool:
        """Whether a run can bring the key of every row there is, by which deleted ones are found."""
        return False

    @property
    def is_brought_whole(self) -> bool:
        """Whether every row that the source has is to be here in the end."""
        return True

    @property
    def declaration(self) -> str:
        """Hash of all that decides what the trusted table holds."""
        rules = {"load", "key", "order_by", "partition", "checks", "expectations", "max_shrink", "changes", "deletes"}
        columns = {name: column.model_dump(mode="json", exclude={"description"}) for name, column in self.columns.items()}
        return _hash({"columns": columns, "decoding": self.decoding, **self.model_dump(mode="json", include=rules)})

    @property
    def decoding(self) -> str:
        """Hash of all that decides what the decoded rows hold."""
        paths = {name: column.from_ for name, column in self.columns.items()}
        return _hash({"columns": paths, **self.decoding_options()})

    def decoding_options(self) -> dict[str, Any]:
        """Options of this kind that change how originals are decoded."""
        return {}


def _hash(facts: Any) -> str:
    text = json.dumps(facts, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
