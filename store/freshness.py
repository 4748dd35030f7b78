"""How fresh every table is, found without Spark: last looks and raw runs of the sources, publishes of the tables."""

from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lake import freshness, paths
from lake.declared import Declared
from lake.freshness import AsOf
from lake.kept import Kept
from lake.source import Source
from store import raw
from store.documents import Document, decoded
from store.objects import Objects

KEPT = 512
History = list[dict[str, Any]]
"""Publications of a table, newest first."""


@dataclass(frozen=True)
class Fresh:
    """One table against its promise; `is_kept` is None where nothing was promised."""

    table: str
    as_of: AsOf
    promise: str | None
    is_kept: bool | None

    @property
    def at(self) -> datetime | None:
        """As of when, to the second, as everybody is told."""
        return self.as_of.at.replace(microsecond=0) if self.as_of.at else None


def facts(fresh: Fresh | None) -> dict[str, Any]:
    """As of when a table holds its inputs, why, and its promise; nothing of a table that nobody declared."""
    if fresh is None:
        return dict.fromkeys(("as_of", "because", "fresh_within", "is_kept"))
    return {"as_of": fresh.at, "because": fresh.as_of.why, "fresh_within": fresh.promise, "is_kept": fresh.is_kept}


class Freshness:
    """How fresh the declared tables of a lake are; what cannot change is kept: a state by its tag, the first run behind a mark."""

    def __init__(self, objects: Objects, declared: Declared) -> None:
        self.objects = objects
        self.declared = declared
        self._states: Kept[tuple[str, str], Document] = Kept(KEPT)
        self._first: Kept[tuple[str, int], tuple[str, datetime]] = Kept(KEPT)

    def of(self, published: Mapping[str, History], now: datetime, tables: Collection[str] | None = None) -> dict[str, Fresh]:
        """Every declared table that was published or promised, by its full name; or of these, which hold their inputs too.

        `published` was read before: what comes in between makes a table older, never fresher than it is.
        """
        wanted = set(self.declared.tables if tables is None else tables)
        sources = [source for source in self.declared.sources.values() if source.trusted in wanted]
        refined = [table for table in self.declared.refined.values() if table.table in wanted]
        tags = {info.key: info.etag for info in self.objects.list(paths.source_state("").removesuffix(".json"))}

        def found(source: Source) -> AsOf:
            return self._of_source(source.name, published.get(source.trusted, []), tags.get(paths.source_state(source.name)))

        with ThreadPoolExecutor(8) as pool:
            as_of = dict(zip([source.trusted for source in sources], pool.map(found, sources), strict=True))
        promises = {source.trusted: source.fresh_within for source in sources}
        for table in refined:
            inputs = [self.declared.table(name) for name in table.inputs]
            as_of[table.table] = _of_inputs(inputs, table.table, as_of, published)
            promises[table.table] = table.contract.fresh_within
        return {
            table: Fresh(table, each, promises[table], freshness.is_kept(promises[table], each, now))
            for table, each in as_of.items()
            if published.get(table) or promises[table]
        }

    def _of_source(self, name: str, history: History, tag: str | None) -> AsOf:
        if not history:
            return AsOf(None, "it was never published")
        state = self._state(name, tag)
        pending = self._first_behind(name, int(history[0]["inputs"][name]["seq"]), state)
        looked_at = state.get("looked_at")
        return freshness.of_source(name, datetime.fromisoformat(looked_at) if looked_at else None, pending)

    def _state(self, source: str, tag: str | None) -> Document:
        """The state of a source whose object has this tag; one that was lost is made again, and not written."""
        kept = self._states.get((source, tag)) if tag else None
        if kept is not None:
            return kept
        key = paths.source_state(source)
        found = self.objects.read(key)
        if found is None:
            return raw.state_of_manifests(self.objects, source)
        return self._states.put((source, found.etag), decoded(found.data, self.objects.uri(key)))

    def _first_behind(self, source: str, mark: int, state: Document) -> tuple[str, datetime] | None:
        """The oldest run that the table does not hold."""
        if not state.get("open") and (state.get("head") or {"seq": 0})["seq"] <= mark:
            return None
        kept = self._first.get((source, mark))
        if kept:
            return kept
        newest = raw.head(self.objects, source, state)
        if newest is None or newest.seq <= mark:
            return None
        first = raw.runs_after(self.objects, source, mark, newest)[0]
        return self._first.put((source, mark), (first.run, datetime.fromisoformat(first.created_at)))


def _of_inputs(inputs: list[str], table: str, as_of: dict[str, AsOf], published: Mapping[str, History]) -> AsOf:
    history = published.get(table, [])
    if not history:
        return AsOf(None, "it was never published")
    pins = history[0]["inputs"]
    return freshness.of_inputs(
        (name, as_of[name], _pending(published.get(name, []), int(pins.get(name, {}).get("number", 0)))) for name in inputs
    )


def _pending(history: History, pinned: int) -> tuple[int, datetime] | None:
    """The oldest remembered publish behind the pinned one."""
    newer = [publication for publication in history if publication["number"] > pinned]
    return (newer[-1]["number"], datetime.fromisoformat(newer[-1]["published_at"])) if newer else None
