"""The verbs that only look: `status`, `tables`, `runs`, `sql`."""

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from lake import paths
from lake.errors import CorruptionError, UsageError
from lake.settings import Settings

if TYPE_CHECKING:
    from orchestration.cli import World
    from store.objects import Objects

Given = argparse.Namespace


def sql(settings: Settings, given: Given, world: "World") -> int:
    """Answer one SELECT."""
    from sql.engine import open_engine
    from sql.output import write_answer

    text = sys.stdin.read() if given.query == "-" else given.query
    answer = open_engine(settings, given.engine).ask(text)
    write_answer(answer, given.format or ("json" if given.json else "table"), sys.stdout)
    return 0


def status(settings: Settings, given: Given, world: "World") -> int:
    """Show the servers, and how old each table is."""
    servers = world.servers()
    answers = {server.name for server in servers if server.state in ("running", "foreign")}
    shown = _overview(settings) if "minio" in answers else []
    if given.json:
        facts = [{"name": s.name, "address": s.address, "pid": s.pid, "state": s.state, "seconds": s.seconds} for s in servers]
        print_json({"servers": facts, "tables": shown})
        return 0
    rows = [(s.name, s.address, s.state, f"{s.seconds * 1000:.0f} ms" if s.seconds is not None else "") for s in servers]
    print_rows(("server", "address", "state", "answers in"), rows)
    if shown:
        print()
        _print_tables(shown)
    return 0


def tables(settings: Settings, given: Given, world: "World") -> int:
    """List the tables, or describe one."""
    shown = _overview(settings)
    name = given.name
    if name and "." not in name:
        zones = sorted({table["table"].partition(".")[0] for table in shown})
        if shown and name not in zones:
            raise UsageError(
                f"NAME: got {name!r}, expected a zone ({', '.join(zones)}) or a full name such as {shown[0]['table']}"
            )
        shown = [table for table in shown if table["table"].startswith(f"{name}.")]
    elif name:
        return _describe(settings, name, given.json)
    if given.json:
        print_json(shown)
    elif shown:
        _print_tables(shown)
    else:
        print(f"no table{f' in {name}' if name else ''} yet; `lake run` builds them")
    return 0


def runs(settings: Settings, given: Given, world: "World") -> int:
    """List the last runs, or show one."""
    from store.objects import Objects
    from store.runs import read_record, run_ids

    objects = Objects(settings)
    ids = list(run_ids(objects))
    if given.action == "show":
        record = read_record(objects, given.run or (ids[-1] if ids else ""))
        if record is None:
            raise UsageError(f"RUN: got {given.run!r}, expected one of `lake runs list`")
        print_json(record)
        return 0
    with ThreadPoolExecutor(8) as pool:
        records = [record for record in pool.map(lambda run: read_record(objects, run), ids[-20:]) if record]
    if given.json:
        print_json(records)
        return 0
    print_rows(("run", "verb", "started", "seconds", "published", "exit code"), [_run_row(record) for record in records])
    return 0


def _run_row(record: dict[str, Any]) -> tuple[Any, ...]:
    published = sum(1 for table in record.get("tables", {}).values() if table["outcome"] == "published")
    seconds = f"{record['seconds']:.1f}" if "seconds" in record else ""
    return record["run"], record["verb"], record["started_at"][:19], seconds, published, record.get("exit_code", "no end")


def _overview(settings: Settings) -> list[dict[str, Any]]:
    """One entry per table: rows, publish number, when, columns."""
    from store.catalog import open_catalog
    from store.objects import Objects

    objects = Objects(settings)
    known = open_catalog(settings).tables()
    if not known and any(objects.list(paths.publication_hint("").removesuffix(".json"))):
        raise CorruptionError("catalog: tables were published and it knows none; `lake catalog rebuild` finds them again")
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(lambda table: _facts(objects, table, known[table]), known))


def _facts(objects: "Objects", table: str, location: str) -> dict[str, Any]:
    from store.catalog import publications, table_metadata

    metadata = table_metadata(objects, location)
    history = publications(metadata)
    snapshot = next((s for s in metadata.get("snapshots", ()) if s["snapshot-id"] == metadata.get("current-snapshot-id")), None)
    total = snapshot["summary"].get("total-records") if snapshot else "0"
    changed = datetime.fromtimestamp(metadata["last-updated-ms"] / 1000, UTC).isoformat(timespec="seconds")
    return {
        "table": table,
        "rows": int(total) if total is not None else None,
        "publish": history[0]["number"] if history else None,
        "published_at": history[0]["published_at"] if history else changed,
        "snapshot": metadata.get("current-snapshot-id"),
        "columns": len(_schema(metadata)["fields"]),
    }


def _describe(settings: Settings, table: str, as_json: bool) -> int:
    """Show grain, columns and publishes of one table."""
    from store.catalog import open_catalog, publications, table_metadata
    from store.objects import Objects

    known = open_catalog(settings).tables()
    if table not in known:
        raise UsageError(f"NAME: got {table!r}, expected one of {', '.join(known) or 'none: nothing was published yet'}")
    metadata = table_metadata(Objects(settings), known[table])
    columns = [(f["name"], _type(f["type"]), f.get("doc", "")) for f in _schema(metadata)["fields"]]
    history = publications(metadata)
    description = _description(settings, table)
    if as_json:
        print_json({"table": table, "description": description, "columns": columns, "publications": history})
        return 0
    print(f"{table}: {description}\n" if description else table)
    print_rows(("column", "type", "meaning"), columns)
    if history:
        print()
        rows = [(p["number"], p["published_at"][:19], f"{p['rows']:,}", p["run"], _inputs(p["inputs"])) for p in history]
        print_rows(("publish", "at", "rows", "run", "from"), rows)
    return 0


def _description(settings: Settings, table: str) -> str:
    from orchestration.plan import read_declarations

    zone, _, name = table.partition(".")
    declared = read_declarations(settings)
    if zone == "trusted" and name in declared.sources:
        return str(declared.sources[name].description)
    if zone == "refined" and name in declared.refined:
        return declared.refined[name].contract.description
    return "One row per rejected row, with what is wrong with it." if zone == "quarantine" else ""


def _inputs(inputs: dict[str, dict[str, Any]]) -> str:
    return ", ".join(
        f"{name} {'run' if 'seq' in at else 'publish'} {at.get('seq', at.get('number'))}" for name, at in inputs.items()
    )


def _schema(metadata: dict[str, Any]) -> dict[str, Any]:
    current: dict[str, Any] = next(s for s in metadata["schemas"] if s["schema-id"] == metadata["current-schema-id"])
    return current


def _type(declared: Any) -> str:
    name = declared if isinstance(declared, str) else str(declared["type"])
    return {"long": "bigint", "timestamptz": "timestamp"}.get(name, name)


def _print_tables(shown: list[dict[str, Any]]) -> None:
    rows = [
        (
            t["table"],
            f"{t['rows']:,}" if t["rows"] is not None else "?",
            t["columns"],
            t["publish"] or "",
            _age(t["published_at"]),
        )
        for t in shown
    ]
    print_rows(("table", "rows", "columns", "publish", "published"), rows)


def _age(instant: str) -> str:
    """How long ago, as a person says it."""
    seconds = (datetime.now(UTC) - datetime.fromisoformat(instant)).total_seconds()
    for name, length in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {name} ago"
    return f"{max(seconds, 0):.0f} seconds ago"


def print_rows(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A table for a person: columns aligned, numbers to the right."""
    texts = [[str(cell) for cell in row] for row in rows]
    widths = [max([len(title), *(len(row[i]) for row in texts)]) for i, title in enumerate(head)]
    right = [
        bool(texts) and all(row[i].replace(",", "").replace(".", "").isdigit() or not row[i] for row in texts)
        for i in range(len(head))
    ]
    for row in [list(head), *texts]:
        cells = (
            cell.rjust(width) if is_right else cell.ljust(width)
            for cell, width, is_right in zip(row, widths, right, strict=True)
        )
        print("  ".join(cells).rstrip())


def print_json(value: Any) -> None:
    """The value as JSON on stdout."""
    json.dump(value, sys.stdout, indent=1, default=str)
    print()
