"""Removes raw runs that are older than their source's declared retention; the chain then begins behind them."""

from collections.abc import Sequence
from datetime import datetime
from itertools import takewhile

from lake import paths
from lake.freshness import promised
from lake.source import Source
from store import leases, raw
from store.leases import Lease
from store.manifests import Manifest
from store.objects import Objects


def retire(objects: Objects, source: Source, mark: int, run_id: str, now: datetime) -> int:
    """Remove the runs that are old, stand in the trusted table (up to `mark`) and are not the newest; how many.

    Readers see a whole chain at any moment: it is said where it begins before anything goes, and a run's manifest goes
    last, so that whoever comes after a kill finds what is left. Raises LockedError while somebody pulls or builds.
    """
    name = source.name
    with (
        leases.held(objects, f"source/{name}", run_id) as lease,
        leases.held(objects, f"table/{source.trusted}", run_id) as table,
    ):
        table_left, source_left = table.has_leftovers, lease.has_leftovers
        old = old_runs(source, raw.runs_after(objects, name, 0), mark, now)
        if old:
            kept = raw.runs_after(objects, name, old[-1].seq)[0]
            lease.check()
            raw.begin_at(objects, name, kept.link)
        _clear(objects, lease, name)
        table.has_leftovers, lease.has_leftovers = table_left, source_left
    return len(old)


def old_runs(source: Source, runs: Sequence[Manifest], mark: int, now: datetime) -> list[Manifest]:
    """The runs at the chain's beginning that may go, oldest first."""
    if source.retention is None:
        return []
    before = now - promised(source.retention)
    return list(takewhile(lambda run: run.seq <= mark and datetime.fromisoformat(run.created_at) < before, runs[:-1]))


def _clear(objects: Objects, lease: Lease, source: str) -> None:
    """Remove all runs before the beginning, unless that was done to the end before."""
    begins = raw.beginning(objects, source)
    if begins is None or begins.is_cleared:
        return
    for manifest in raw.all_manifests(objects, source):
        if manifest.seq < begins.first.seq:
            folder = paths.raw_run(source, manifest.run)
            lease.check()
            objects.delete(info.key for info in objects.list(folder) if info.key != manifest.link.manifest)
            objects.delete([manifest.link.manifest])
    lease.check()
    raw.begin_at(objects, source, begins.first, is_cleared=True)
