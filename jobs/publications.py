"""What a table remembers of each publish: when, by which run, from what, and which snapshot it made."""

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from pyspark.sql import types as T

from lake.errors import UsageError
from store.catalog import PUBLICATIONS, STAGING

#: Publications a table remembers, newest first; `lake rollback` can go back to any of them.
REMEMBERED = 20
#: What the name of a run's branch begins with.
BRANCH = "run_"


@dataclass(frozen=True)
class Publication:
    """One publish of a table, kept in its property `lake.publications`."""

    number: int
    run: str
    published_at: str
    snapshot: int
    schema: int
    fingerprint: str
    rows: int
    inputs: dict[str, dict[str, Any]]
    """Per trusted table `{source: {seq, run}}`, the marks; per refined table `{input: {number, snapshot}}`."""
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Draft:
    """What is to be published: everything but the numbers that only the table knows."""

    table: str
    run: str
    schema: T.StructType
    fingerprint: str = ""
    comments: dict[str, str] = field(default_factory=dict)
    inputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    partition: tuple[str, ...] = ()

    @property
    def branch(self) -> str:
        """Where the rows are written before they are published."""
        return f"{BRANCH}{self.run.lower()}"

    @property
    def staging(self) -> str:
        """Name of the table before its first publish."""
        return f"{self.table}{STAGING}{self.run.lower()}"

    def published(self, number: int, snapshot: int, schema: int, rows: int) -> Publication:
        """The publication of this draft, now."""
        return Publication(number, self.run, now(), snapshot, schema, self.fingerprint, rows, self.inputs, self.facts)


def remembered(properties: Mapping[str, str]) -> list[Publication]:
    """The publications in a table's properties, newest first."""
    return [Publication(**entry) for entry in json.loads(properties.get(PUBLICATIONS, "[]"))]


def as_properties(publications: list[Publication]) -> dict[str, str]:
    """The properties that remember these publications."""
    entries = [asdict(publication) for publication in publications[:REMEMBERED]]
    return {PUBLICATIONS: json.dumps(entries, sort_keys=True)}


def earlier_one(table: str, publications: list[Publication], number: int | None, snapshots: Collection[int]) -> Publication:
    """The publication to go back to; the one before the last when `number` is left out.

    Raises UsageError when there is no such publish, or when its snapshot is not among those that the table still has.
    """
    if not publications:
        raise UsageError(f"{table}: got a table that was never published; `lake tables` lists those that were")
    older = publications[1:]
    found = next((p for p in older if number is None or p.number == number), None)
    there = ", ".join(str(p.number) for p in older if p.snapshot in snapshots)
    if found is None:
        none = "none: it was published once" if not older else "none: `lake maintain` removed their rows"
        came = f"publish {number}" if number else "no number, the publish before the last"
        raise UsageError(f"{table}: got {came}, expected one of {there or none}")
    if found.snapshot not in snapshots:
        raise UsageError(
            f"{table}: got publish {found.number}, whose rows `lake maintain` removed; expected one of {there or 'none: no other is left'}"
        )
    return found


def now() -> str:
    """This instant, UTC."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
