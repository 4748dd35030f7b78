"""The verbs that pull, build and change: `ingest`, `run`, `rollback`, `raw`, `catalog`, and the local servers."""

import argparse
import sys
from typing import TYPE_CHECKING, Any

from lake.errors import UsageError
from lake.settings import Settings
from orchestration.printing import print_json, print_rows
from orchestration.progress import Progress

if TYPE_CHECKING:
    from orchestration.cli import World

Given = argparse.Namespace


def up(settings: Settings, given: Given, world: "World") -> int:
    """Start the local servers and say where they are."""
    started = world.up()
    rows = [(each.name, each.address, "started" if each.is_new else "was up", f"{each.seconds:.1f} s") for each in started]
    if given.json:
        print_json([{"name": each.name, "address": each.address, "pid": each.pid, "started": each.is_new} for each in started])
    else:
        print_rows(("server", "address", "", "answered in"), rows)
        print("addresses and credentials: .lake/env (source it to use them in a shell)")
    return 0


def down(settings: Settings, given: Given, world: "World") -> int:
    """End the local servers."""
    ended = world.down()
    if given.json:
        print_json(ended)
    else:
        print(f"ended: {', '.join(ended)}" if ended else "nothing of ours was running")
    return 0


def ingest(settings: Settings, given: Given, world: "World") -> int:
    """Bots to raw."""
    from ulid import ULID

    from ingest.bots import Failure
    from ingest.landing import Wish
    from ingest.originals import Window
    from lake.sources import chosen, load_sources
    from lake.windows import window
    from orchestration.run import pull_facts, pulled, worst
    from store.objects import Objects

    if not given.names and not given.all:
        raise UsageError("source: got none, expected names of sources or --all")
    sources = load_sources(settings.sources)
    if bool(given.start) != bool(given.end):
        raise UsageError("--from, --to: got one of them, expected both or none")
    wanted = Window(*window(given.start, given.end)) if given.start else None
    wish = Wish(window=wanted, is_full=given.full)
    names = chosen(sources, given.names)
    pulls = pulled(settings, Objects(settings), sources, names, str(ULID()), Progress(is_quiet=given.json), wish)
    if given.json:
        print_json([pull_facts(pull) for pull in pulls])
    return worst([pull.error.exit_code for pull in pulls if isinstance(pull, Failure)])


def run(settings: Settings, given: Given, world: "World") -> int:
    """Ask the sources, build and publish what changed."""
    from orchestration.run import Wish, run_lake
    from store.objects import Objects

    if given.downstream and not given.names:
        raise UsageError("--downstream: got no names, expected those of the sources to ask")
    wish = Wish(
        given.names,
        given.accept,
        is_ingesting=not given.no_ingest,
        is_downstream=given.downstream,
        fails_on_empty=given.fail_on_empty,
    )
    record = run_lake(settings, Objects(settings), wish, world.place, Progress(is_quiet=given.json))
    if given.json:
        print_json(record)
    else:
        told_end(record)
    return int(record["exit_code"])


def told_end(record: dict[str, Any]) -> None:
    """The end of a run in one line."""
    built = [table for table in record.get("tables", {}).values() if table["outcome"] == "published"]
    told = f"{len(built)} table{'' if len(built) == 1 else 's'} published" if "tables" in record else "nothing new to build"
    print(f"run {record['run']}: {told}, {record['seconds']:.1f} s, exit code {record['exit_code']}", file=sys.stderr)


def rollback(settings: Settings, given: Given, world: "World") -> int:
    """Put an earlier publish of a table back."""
    from orchestration.plan import published_tables
    from orchestration.run import act
    from store.objects import Objects

    objects = Objects(settings)
    if given.table.startswith(("quarantine.", "meta.")):
        raise UsageError(f"{given.table}: got a table that goes with others, expected one of trusted or refined")
    if not published_tables(settings, objects, [given.table]).get(given.table):  # told before Spark is started
        raise UsageError(f"{given.table}: got a table that was never published; `lake tables` lists those that were")
    order = {"table": given.table, "number": given.to}
    return act(settings, objects, "rollback", order, world.place, Progress(is_quiet=given.json))


def raw(settings: Settings, given: Given, world: "World") -> int:
    """List, verify or replay the raw zone."""
    from orchestration import raw_verbs

    return raw_verbs.called(settings, given)


def catalog(settings: Settings, given: Given, world: "World") -> int:
    """Rebuild a lost catalog from the bucket."""
    from store.catalog import rebuild_catalog
    from store.objects import Objects

    added = rebuild_catalog(settings, Objects(settings))
    if given.json:
        print_json(added)
    else:
        print(f"{len(added)} tables registered again" + (f": {', '.join(sorted(added))}" if added else ""))
    return 0
