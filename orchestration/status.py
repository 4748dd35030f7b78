"""`lake status`: servers, how fresh every table is against its promise, the last runs and the disk; `--check` for cron."""

import argparse
import shutil
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from lake.errors import FreshnessError
from lake.settings import Settings
from orchestration.printing import age, length, print_json, print_rows, size

if TYPE_CHECKING:
    from orchestration.cli import World
    from store.freshness import Fresh

Given = argparse.Namespace
LAST_RUNS = 5


def status(settings: Settings, given: Given, world: "World") -> int:
    """Show servers, tables, runs and disk.

    Raises FreshnessError, when asked to check, that names each broken promise; TemporaryError when the store is away.
    """
    servers = world.servers()
    store = next((server.state for server in servers if server.name == "minio"), "foreign")
    is_answering = given.check or store in ("running", "foreign")
    shown: dict[str, Any] = {
        "servers": [
            {"name": s.name, "address": s.address, "pid": s.pid, "state": s.state, "seconds": s.seconds} for s in servers
        ],
        "disk": _disk(settings),
    }
    if not given.json:
        _print_machine(shown)
    broken: list[str] = []
    if is_answering:
        lake, broken = _lake(settings)
        shown |= lake
    if given.json:
        print_json(shown | {"broken": broken})
    elif is_answering:
        _print_lake(shown)
    if given.check and broken:
        raise FreshnessError("\n  ".join([f"{len(broken)} promise{'s' * (len(broken) > 1)} broken", *broken]))
    return 0


def _lake(settings: Settings) -> tuple[dict[str, Any], list[str]]:
    """Tables and runs, and each broken promise in words."""
    from lake.declared import read_declarations
    from orchestration.overview import read_metadata, table_facts
    from orchestration.run_records import last_records, told
    from store.catalog import publications
    from store.freshness import Freshness
    from store.objects import Objects

    objects, declared, now = Objects(settings), read_declarations(settings), datetime.now(UTC)
    metadata = read_metadata(settings, objects)
    published = {table: publications(content) for table, content in metadata.items()}
    fresh = Freshness(objects, declared).of(published, now)
    tables = [{**table_facts(table, content), **_facts(fresh.get(table))} for table, content in metadata.items()]
    tables += [{"table": name, **_facts(each)} for name, each in fresh.items() if name not in metadata]
    runs = [told(record) for record in last_records(objects, LAST_RUNS)]
    broken = [_broken(each, now) for each in fresh.values() if each.is_kept is False]
    return {"tables": tables, "runs": runs}, broken


def _facts(fresh: "Fresh | None") -> dict[str, Any]:
    from store.freshness import facts

    told = facts(fresh)
    return {**told, "as_of": told["as_of"].isoformat() if told["as_of"] else None}


def _broken(fresh: "Fresh", now: datetime) -> str:
    came = length((now - fresh.as_of.at).total_seconds()) if fresh.as_of.at else "nothing"
    when = f"{fresh.as_of.at:%Y-%m-%d %H:%M} UTC: " if fresh.as_of.at else ""
    return f"{fresh.table}: got {came}, expected at most {fresh.promise} ({when}{fresh.as_of.why})"


def _disk(settings: Settings) -> dict[str, Any]:
    folder = settings.local if settings.local.exists() else settings.home
    usage = shutil.disk_usage(folder)
    return {"folder": str(folder), "free": usage.free, "total": usage.total}


def _print_machine(shown: dict[str, Any]) -> None:
    rows = [
        (s["name"], s["address"], s["state"], f"{s['seconds'] * 1000:.0f} ms" if s["seconds"] is not None else "")
        for s in shown["servers"]
    ]
    print_rows(("server", "address", "state", "answers in"), rows)
    disk = shown["disk"]
    print(f"\ndisk of {disk['folder']}: {size(disk['free'])} of {size(disk['total'])} free", flush=True)


def _print_lake(shown: dict[str, Any]) -> None:
    if shown["tables"]:
        print()
        print_rows(("table", "rows", "published", "fresh as of", "promise", ""), [_table_row(t) for t in shown["tables"]])
    if shown["runs"]:
        print()
        rows = [(r["run"], r["verb"], age(r["started_at"]), r["outcome"]) for r in shown["runs"]]
        print_rows(("run", "verb", "started", "outcome"), rows)


def _table_row(table: dict[str, Any]) -> tuple[Any, ...]:
    rows = f"{table['rows']:,}" if table.get("rows") is not None else "?" if "rows" in table else ""
    published = age(table["published_at"]) if "published_at" in table else "never"
    as_of = age(table["as_of"]) if table["as_of"] else ""
    state = {True: "kept", False: "BROKEN", None: ""}[table["is_kept"]]
    return table["table"], rows, published, as_of, table["fresh_within"] or "", state
