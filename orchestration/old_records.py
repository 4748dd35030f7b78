"""Removes run records and job logs that are old; the newest stay whatever their age."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from ulid import ULID

from lake import paths
from lake.settings import Settings
from orchestration.run_records import outcome
from store.effects import effect
from store.objects import Objects
from store.runs import read_record, run_ids

#: So many of the newest records and logs stay.
NEWEST = 100


def remove_old_records(settings: Settings, objects: Objects, now: datetime, is_dry: bool) -> int:
    """Remove the records of old runs, but not of one that still goes on; how many."""
    gone = [run for run in _old(settings, run_ids(objects), now) if outcome(read_record(objects, run) or {}) != "running"]
    if not is_dry:
        objects.delete(info.key for run in gone for info in objects.list(paths.run_folder(run)))
    return len(gone)


def remove_old_logs(settings: Settings, now: datetime, is_dry: bool) -> int:
    """Remove the logs of old jobs from this machine; how many."""
    logs = {path.stem.removeprefix("job-"): path for path in (settings.local / "logs").glob("job-*.log")}
    gone = _old(settings, logs, now)
    for run in gone if not is_dry else ():
        with effect(f"remove log of {run}"):
            logs[run].unlink(missing_ok=True)
    return len(gone)


def _old(settings: Settings, runs: Iterable[str], now: datetime) -> list[str]:
    """The runs that began long enough ago, without the newest: their names sort by time and carry it."""
    before = (now - timedelta(days=settings.keep_records_days)).timestamp()
    return [run for run in sorted(runs)[:-NEWEST] if ULID.from_str(run).timestamp < before]
