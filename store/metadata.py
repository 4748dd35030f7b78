"""What a table's metadata says of its snapshots, read once for every address: what stands at one never changes."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from lake.kept import Kept
from store.catalog import publications, table_metadata
from store.objects import Objects

KEPT = 256


@dataclass(frozen=True)
class TableState:
    """A table's metadata as it stands at one address."""

    location: str
    metadata: dict[str, Any]

    @property
    def current(self) -> int | None:
        """Id of the current snapshot; None for a table that never had one."""
        snapshot = self.metadata.get("current-snapshot-id")
        return None if snapshot in (None, -1) else int(snapshot)

    @cached_property
    def publications(self) -> list[dict[str, Any]]:
        """What was published in the table, newest first."""
        return publications(self.metadata)

    def snapshot(self, snapshot: int | None) -> dict[str, Any] | None:
        """A snapshot's facts; None when it is no longer kept."""
        return next((facts for facts in self.metadata.get("snapshots", ()) if facts["snapshot-id"] == snapshot), None)

    def was_current(self, snapshot: int) -> bool:
        """Whether the snapshot was what readers saw, and is still kept: those of unfinished runs never were."""
        logged = {int(entry["snapshot-id"]) for entry in self.metadata.get("snapshot-log", ())}
        return snapshot in logged and self.snapshot(snapshot) is not None

    def fields(self, snapshot: int | None) -> list[dict[str, Any]]:
        """The columns of a snapshot as Iceberg writes them; of a table without snapshots, its current columns."""
        facts = self.snapshot(snapshot) or {}
        wanted = facts.get("schema-id", self.metadata["current-schema-id"])
        return list(next(schema for schema in self.metadata["schemas"] if schema["schema-id"] == wanted)["fields"])

    def rows(self, snapshot: int | None) -> int | None:
        """How many rows a snapshot has; None when it does not say."""
        facts = self.snapshot(snapshot)
        total = facts["summary"].get("total-records") if facts else 0
        return None if total is None else int(total)

    def publication(self, snapshot: int | None) -> dict[str, Any] | None:
        """The publish that a snapshot shows: upkeep makes snapshots of its own after it."""
        by_snapshot: dict[int, dict[str, Any]] = {}
        for publication in self.publications:  # newest first: a rollback shows the publish that it made
            by_snapshot.setdefault(int(publication["snapshot"]), publication)
        while snapshot is not None:
            if snapshot in by_snapshot:
                return by_snapshot[snapshot]
            facts = self.snapshot(snapshot) or {}
            snapshot = facts.get("parent-snapshot-id")
        return None


class TableStates:
    """The states that were asked for last, by address."""

    def __init__(self, objects: Objects) -> None:
        self.objects = objects
        self._kept: Kept[str, TableState] = Kept(KEPT)

    def at(self, location: str) -> TableState:
        """The state at an address.

        Raises CorruptionError when it is gone, TemporaryError when the store does not answer.
        """
        found = self._kept.get(location)
        return found or self._kept.put(location, TableState(location, table_metadata(self.objects, location)))
