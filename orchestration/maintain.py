"""`lake maintain`: keeps tables, raw runs, run records and logs from growing for ever; one Spark job for the tables that need it."""

import argparse
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ulid import ULID

from ingest import retention
from lake import paths
from lake.errors import LockedError, UsageError
from lake.settings import Settings
from lake.source import Source
from lake.sources import load_sources
from lake.upkeep import lease_of, pins
from orchestration.old_records import remove_old_logs, remove_old_records
from orchestration.plan import published_tables
from orchestration.printing import print_json
from orchestration.progress import Progress
from orchestration.run_records import recorded
from orchestration.spark_process import run_job
from store import raw
from store.catalog import open_catalog, publications, table_metadata
from store.documents import read_document
from store.leases import has_leftovers
from store.objects import Objects
from store.runs import write_plan

if TYPE_CHECKING:
    from orchestration.cli import World

Given = argparse.Namespace
Facts = dict[str, Any]


def called(settings: Settings, given: Given, world: "World") -> int:
    """Do what there is to do, and say what was done; 5 when every table is in use."""
    keep = settings.keep_publishes if given.keep is None else given.keep
    if keep < 1:
        raise UsageError(f"--keep: got {keep}, expected a number of publishes from 1 on")
    upkeep = Upkeep(settings, Objects(settings), Progress(is_quiet=given.json), given.dry_run)
    units = needed_units(settings, upkeep.objects, given.tables, keep)
    order = {"units": units, "keep": keep, "hours": settings.keep_snapshots_hours, "is_dry": given.dry_run}

    def work() -> None:
        if not given.tables:
            upkeep.raw()
            upkeep.records()
        upkeep.tables(order, world)

    upkeep.record.update(names=given.tables)
    with nullcontext() if given.dry_run else recorded(upkeep.objects, upkeep.run, "maintain", upkeep.record):
        work()
    if given.json:
        print_json(upkeep.record)
    elif not units:
        print("no table needs anything")
    return int(upkeep.record["exit_code"])


@dataclass(frozen=True)
class Upkeep:
    """One run of maintenance; `record` grows with what it did."""

    settings: Settings
    objects: Objects
    tell: Callable[[Facts], None]
    is_dry: bool
    run: str = field(default_factory=lambda: str(ULID()))
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    record: Facts = field(default_factory=lambda: {"raw": [], "tables": {}})

    def raw(self) -> None:
        """Raw runs that their source declares too old; a source in use is left for the next time."""
        sources = {name: each for name, each in load_sources(self.settings.sources).items() if each.retention}
        published = published_tables(self.settings, self.objects, [source.trusted for source in sources.values()])
        for name, source in sources.items():
            history = published.get(source.trusted, [])
            mark = int(history[0]["inputs"][name]["seq"]) if history else 0
            try:
                runs = self._retired(source, mark)
            except LockedError as error:
                self.record["raw"].append({"source": name, "outcome": "skipped", "reason": str(error)})
                self._note(f"raw {name}: left alone: {error}")
                continue
            self.record["raw"].append({"source": name, "outcome": "maintained", "runs": runs})
            self._note(f"raw {name}: {runs:,} runs older than {source.retention} removed" if runs else "")

    def _retired(self, source: Source, mark: int) -> int:
        if self.is_dry:
            return len(retention.old_runs(source, raw.runs_after(self.objects, source.name, 0), mark, self.now))
        return retention.retire(self.objects, source, mark, self.run, self.now)

    def records(self) -> None:
        """Run records and job logs that are old."""
        records = remove_old_records(self.settings, self.objects, self.now, self.is_dry)
        logs = remove_old_logs(self.settings, self.now, self.is_dry)
        self.record.update(records_removed=records, logs_removed=logs)
        self._note(f"{records:,} run records and {logs:,} job logs removed" if records or logs else "")

    def tables(self, order: Facts, world: "World") -> None:
        """One Spark job for all tables that need it."""
        if not order["units"]:
            self.record["exit_code"] = 0
            return
        write_plan(self.objects, self.run, {"run": self.run, "maintain": order})
        try:
            self.record["exit_code"] = run_job(self.settings, world.place(), self.run, "maintain", self._heard).exit_code
        finally:
            if self.is_dry:
                self.objects.delete([paths.run_plan(self.run)])

    def _heard(self, event: Facts) -> None:
        if event["event"] == "table":
            facts = {name: value for name, value in event.items() if name not in ("event", "table", "state")}
            self.record["tables"][event["table"]] = {"outcome": event["state"], **facts}
        self.tell(event)

    def _note(self, text: str) -> None:
        if text:
            self.tell({"event": "note", "message": f"  {'would be: ' if self.is_dry else ''}{text}"})


def needed_units(settings: Settings, objects: Objects, names: list[str], keep: int) -> list[Facts]:
    """The tables that may need something, by the lease that guards them; those named, or all.

    Raises UsageError for a name that is no table.
    """
    known = open_catalog(settings).tables()
    for name in names:
        if name not in known:
            raise UsageError(f"TABLE: got {name!r}, expected one of {', '.join(known) or 'none: nothing was published yet'}")
    pinned = pins({table: publications(table_metadata(objects, location)) for table, location in known.items()})
    now, leases = datetime.now(UTC), dict[str, list[str]]()
    for table in known:
        leases.setdefault(lease_of(table), []).append(table)
    units: list[Facts] = []
    for lease, tables in leases.items():
        is_left = has_leftovers(objects, lease)
        wanted = [
            {"table": table, "pinned": pinned.get(table, [])}
            for table in tables
            if (not names or table in names)
            and (is_left or _is_due(settings, objects, table, known[table], keep, pinned.get(table, []), now))
        ]
        if wanted:
            units.append({"lease": lease, "tables": wanted, "is_part": len(wanted) < len(tables)})
    return units


def _is_due(
    settings: Settings, objects: Objects, table: str, location: str, keep: int, pinned: list[int], now: datetime
) -> bool:
    """Whether anything changed since maintenance left the table, or something has become old enough."""
    last = read_document(objects, paths.maintenance(table))
    wanted = {"metadata": objects.key(location), "keep": keep, "pinned": pinned, "hours": settings.keep_snapshots_hours}
    if last is None or any(last.get(name) != value for name, value in wanted.items()):
        return True
    return last["again_at"] is not None and datetime.fromisoformat(last["again_at"]) <= now
