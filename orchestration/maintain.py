"""`lake maintain`: keeps tables, raw runs, run records and logs from growing for ever; one Spark job for the tables that need it."""

import argparse
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ulid import ULID

from lake import paths
from lake.errors import UsageError
from lake.settings import Settings
from lake.upkeep import lease_of, pins
from orchestration.printing import print_json
from orchestration.progress import Progress
from orchestration.run_records import recorded
from orchestration.spark_process import run_job
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
    objects, tell = Objects(settings), Progress(is_quiet=given.json)
    run_id, keep = str(ULID()), settings.keep_publishes if given.keep is None else given.keep
    if keep < 1:
        raise UsageError(f"--keep: got {keep}, expected a number of publishes from 1 on")
    units = needed_units(settings, objects, given.tables, keep)
    order = {"units": units, "keep": keep, "hours": settings.keep_snapshots_hours, "is_dry": given.dry_run}
    record: Facts = {"names": given.tables, "tables": {}}

    def heard(event: Facts) -> None:
        if event["event"] == "table":
            record["tables"][event["table"]] = {k: v for k, v in event.items() if k not in ("event", "table", "state")} | {
                "outcome": event["state"]
            }
        tell(event)

    def job() -> int:
        if not units:
            return 0
        write_plan(objects, run_id, {"run": run_id, "maintain": order})
        return run_job(settings, world.place(), run_id, "maintain", heard).exit_code

    if given.dry_run:
        try:
            record["exit_code"] = job()
        finally:
            objects.delete([paths.run_plan(run_id)] if units else [])
    else:
        with recorded(objects, run_id, "maintain", record):
            record["exit_code"] = job()
    if given.json:
        print_json(record)
    elif not units:
        print("no table needs anything")
    return int(record["exit_code"])


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
