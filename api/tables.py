"""Which tables are served, and what is said of each: its declaration beside one state of its metadata."""

import threading
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from api.problems import RETRY_SECONDS, Problem
from lake import paths
from lake.declared import Declared as Declarations
from lake.kept import Kept
from sql.engine import Tables
from sql.types import iceberg_type
from sql.values import is_comparable
from sql.words import near
from store.metadata import TableState, TableStates

KEPT = 512
#: Quarantine is left out: what was rejected may hold anything, in any column.
ZONES = ("refined", "trusted", "meta")
LINEAGE = {
    "_run_id": "the raw run that the row came with",
    "_ingested_at": "when that run was made, UTC",
    "_raw_key": "the original in the lake that the row is from",
    "_raw_row": "the place in it",
}


@dataclass(frozen=True)
class Column:
    """A column of a table; the type is spelled as Trino spells it."""

    name: str
    type: str
    meaning: str

    @property
    def is_lineage(self) -> bool:
        """Whether it says where the row came from; such columns are given when asked for by name."""
        return self.name in LINEAGE


@dataclass(frozen=True)
class Declared:
    """What a declaration says of a table."""

    description: str = ""
    key: tuple[str, ...] = ()
    meanings: Mapping[str, str] = field(default_factory=dict)
    hidden: frozenset[str] = frozenset()
    """Columns that identify a person: a table that still has one is about to lose it."""
    schedule: str | None = None
    fingerprint: str = ""
    """Hash of the declaration, as publishes keep it."""


@dataclass(frozen=True)
class Table:
    """A table at one snapshot, None for a table that never had one."""

    name: str
    state: TableState
    snapshot: int | None
    declared: Declared

    @cached_property
    def columns(self) -> dict[str, Column]:
        """Its columns by name, in order."""
        found = {}
        for facts in self.state.fields(self.snapshot):
            name = facts["name"]
            if name not in self.declared.hidden:
                meaning = self.declared.meanings.get(name) or facts.get("doc") or LINEAGE.get(name, "")
                found[name] = Column(name, iceberg_type(facts["type"]), meaning)
        return found

    @cached_property
    def publication(self) -> dict[str, Any]:
        """The publish that it shows; empty when there is none."""
        return self.state.publication(self.snapshot) or {}

    @cached_property
    def changed_at(self) -> datetime:
        """When it was published; of a table that is appended to, when its metadata changed."""
        if self.publication:
            return datetime.fromisoformat(self.publication["published_at"])
        facts = self.state.snapshot(self.snapshot) or {}
        return datetime.fromtimestamp(facts.get("timestamp-ms", self.state.metadata["last-updated-ms"]) / 1000, UTC)

    @property
    def published_at(self) -> str:
        """The same in ISO 8601, UTC."""
        return self.changed_at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"

    def age_seconds(self, now: datetime) -> int:
        """How long ago it was published, never less than 0."""
        return max(0, round((now - self.changed_at).total_seconds()))

    @property
    def snapshot_text(self) -> str | None:
        """The snapshot's id as text: it is beyond what JSON's numbers hold."""
        return None if self.snapshot is None else str(self.snapshot)

    @cached_property
    def key(self) -> list[Column]:
        """Columns that identify a row; empty when none are declared, or this was published under another declaration."""
        is_as_declared = self.publication.get("facts", {}).get("declaration") == self.declared.fingerprint
        named = [self.columns[name] for name in self.declared.key if name in self.columns]
        return named if is_as_declared and len(named) == len(self.declared.key) else []

    @cached_property
    def order(self) -> tuple[list[Column], list[Column]]:
        """Columns that put every row at a place of its own, and those that only tell apart what these leave equal."""
        if self.key:
            return self.key, []
        plain = [column for column in self.columns.values() if is_comparable(column.type)]
        return plain, [column for column in self.columns.values() if column.type.startswith(("row(", "array("))]


def declared_of(declarations: Declarations) -> dict[str, Declared]:
    """What is declared, by the full name of the table."""
    found = {"meta.quality_results": Declared("One row per judged expectation of a table and run.")}
    for source in declarations.sources.values():
        hidden = frozenset(name for name, column in source.columns.items() if column.pii)
        meanings = {name: column.description or "" for name, column in source.published.items()}
        found[source.trusted] = Declared(
            source.description, tuple(source.key), meanings, hidden, source.schedule, source.declaration
        )
    for table in declarations.refined.values():
        meanings = {name: column.description or "" for name, column in table.contract.columns.items()}
        found[table.table] = Declared(
            table.contract.description, tuple(table.contract.key), meanings, fingerprint=table.declaration
        )
    return found


class ServedTables:
    """The catalog's tables that are served: what an engine and the API may know of."""

    def __init__(self, catalog: Tables) -> None:
        self._catalog = catalog
        self._thread = threading.local()

    def tables(self) -> dict[str, str]:
        """Address of the current metadata of every served table, by full name."""
        held: dict[str, str] | None = getattr(self._thread, "held", None)
        return self._asked() if held is None else held

    @contextmanager
    def held(self) -> Iterator[None]:
        """Ask the catalog once for all that this thread does now: one question, one state of the lake."""
        self._thread.held = self._asked()
        try:
            yield
        finally:
            self._thread.held = None

    def _asked(self) -> dict[str, str]:
        known = self._catalog.tables()
        return {name: location for name, location in known.items() if name.partition(".")[0] in ZONES}


class Shelf:
    """The served tables as they are now."""

    def __init__(self, tables: Tables, states: TableStates, declared: Mapping[str, Declared]) -> None:
        self.tables = tables
        self.states = states
        self.declared = declared
        self._kept: Kept[tuple[str, str, int | None], Table] = Kept(KEPT)

    def all(self) -> list[Table]:
        """Every table at its current snapshot, by name."""
        known = sorted(self.known().items())
        with ThreadPoolExecutor(8) as pool:
            states = list(pool.map(lambda item: self.states.at(item[1]), known))
        return [self._table(name, state, state.current) for (name, _), state in zip(known, states, strict=True)]

    def histories(self, names: Iterable[str]) -> dict[str, list[dict[str, Any]]]:
        """The publications of the named tables that there are, newest first."""
        known = self.known()
        with ThreadPoolExecutor(8) as pool:
            states = pool.map(lambda name: (name, self.states.at(known[name])), [name for name in names if name in known])
        return {name: state.publications for name, state in states}

    def table(self, name: str, snapshot: int | None = None) -> Table:
        """The table now, or at a snapshot that readers once saw.

        Raises Problem when there is no such table, or the snapshot is no longer kept.
        """
        known = self.known()
        if name not in known:
            raise Problem("not-found", f"no table {name!r}; {near(name, known)}")
        state = self.states.at(known[name])
        if snapshot is not None and not state.was_current(snapshot):
            raise Problem(
                "expired-snapshot", "the table's state that this cursor reads is no longer kept; begin again without it"
            )
        return self._table(name, state, state.current if snapshot is None else snapshot)

    def known(self) -> dict[str, str]:
        """Address of the current metadata of every served table.

        Raises Problem when the catalog knows none although some were published: it was lost.
        """
        known = self.tables.tables()
        if not known and any(self.states.objects.list(paths.publication_hint("").removesuffix(".json"))):
            said = "the catalog knows no table, and some were published; `lake catalog rebuild` finds them again"
            raise Problem("unavailable", said, {"Retry-After": RETRY_SECONDS})
        return known

    def _table(self, name: str, state: TableState, snapshot: int | None) -> Table:
        key = (name, state.location, snapshot)
        return self._kept.get(key) or self._kept.put(key, Table(name, state, snapshot, self.declared.get(name, Declared())))
