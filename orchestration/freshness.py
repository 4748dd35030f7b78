"""How fresh every table is, found without Spark: last looks and raw runs of the sources, publishes of the tables."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lake import freshness
from lake.freshness import AsOf
from orchestration.plan import Declared, Published
from store import raw
from store.objects import Objects


@dataclass(frozen=True)
class Fresh:
    """One table against its promise; `is_kept` is None where nothing was promised."""

    table: str
    as_of: AsOf
    promise: str | None
    is_kept: bool | None

    def facts(self) -> dict[str, Any]:
        """As `lake status --json` tells it."""
        at = self.as_of.at.isoformat(timespec="seconds") if self.as_of.at else None
        return {"as_of": at, "because": self.as_of.why, "fresh_within": self.promise, "is_kept": self.is_kept}


def fresh_tables(objects: Objects, declared: Declared, published: Published, now: datetime) -> dict[str, Fresh]:
    """Every declared table that was published or promised, by its full name; each refined table after its inputs."""
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda name: _of_source(objects, name, declared, published), declared.sources))
    as_of = {source.trusted: each for source, each in zip(declared.sources.values(), found, strict=True)}
    promises = {source.trusted: source.fresh_within for source in declared.sources.values()}
    for table in declared.refined.values():
        as_of[table.table] = _of_inputs([declared.table(name) for name in table.inputs], table.table, as_of, published)
        promises[table.table] = table.contract.fresh_within
    return {
        table: Fresh(table, each, promises[table], freshness.is_kept(promises[table], each, now))
        for table, each in as_of.items()
        if published.get(table) or promises[table]
    }


def _of_source(objects: Objects, name: str, declared: Declared, published: Published) -> AsOf:
    history = published.get(declared.table(name), [])
    if not history:
        return AsOf(None, "it was never published")
    mark = int(history[0]["inputs"][name]["seq"])
    newest = raw.head(objects, name)
    if newest and newest.seq > mark:
        oldest = raw.runs_after(objects, name, mark, newest)[0]
        return freshness.of_source(name, None, (oldest.run, datetime.fromisoformat(oldest.created_at)))
    looked_at = raw.source_state(objects, name).get("looked_at")
    return freshness.of_source(name, datetime.fromisoformat(looked_at) if looked_at else None, None)


def _of_inputs(inputs: list[str], table: str, as_of: dict[str, AsOf], published: Published) -> AsOf:
    history = published.get(table, [])
    if not history:
        return AsOf(None, "it was never published")
    pins = history[0]["inputs"]
    return freshness.of_inputs(
        (name, as_of[name], _pending(published.get(name, []), int(pins.get(name, {}).get("number", 0)))) for name in inputs
    )


def _pending(history: list[dict[str, Any]], pinned: int) -> tuple[int, datetime] | None:
    """The oldest remembered publish behind the pinned one."""
    newer = [publication for publication in history if publication["number"] > pinned]
    return (newer[-1]["number"], datetime.fromisoformat(newer[-1]["published_at"])) if newer else None
