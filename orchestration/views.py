"""The verb that only looks at tables: `tables`."""

import argparse
from typing import TYPE_CHECKING, Any

from lake.errors import UsageError
from lake.settings import Settings
from orchestration.printing import age, print_json, print_rows

if TYPE_CHECKING:
    from orchestration.cli import World

Given = argparse.Namespace


def tables(settings: Settings, given: Given, world: "World") -> int:
    """List the tables, or describe one."""
    from orchestration.overview import read_metadata, table_facts
    from store.objects import Objects

    shown = [table_facts(table, metadata) for table, metadata in read_metadata(settings, Objects(settings)).items()]
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


def _describe(settings: Settings, table: str, as_json: bool) -> int:
    """Show grain, columns and publishes of one table."""
    from orchestration.overview import fields_of, type_name
    from store.catalog import open_catalog, publications, table_metadata
    from store.objects import Objects

    known = open_catalog(settings).tables()
    if table not in known:
        raise UsageError(f"NAME: got {table!r}, expected one of {', '.join(known) or 'none: nothing was published yet'}")
    metadata = table_metadata(Objects(settings), known[table])
    columns = [(f["name"], type_name(f["type"]), f.get("doc", "")) for f in fields_of(metadata)]
    history = publications(metadata)
    description = _description(settings, table)
    if as_json:
        print_json({"table": table, "description": description, "columns": columns, "publications": history})
        return 0
    print(f"{table}: {description}\n" if description else table)
    print_rows(("column", "type", "meaning"), columns)
    if history:
        print()
        there = {snapshot["snapshot-id"] for snapshot in metadata.get("snapshots", ())}
        rows = [
            (
                *(p["number"], p["published_at"][:19], f"{p['rows']:,}", p["run"], _inputs(p["inputs"])),
                "" if p["snapshot"] in there else "rows gone",
            )
            for p in history
        ]
        print_rows(("publish", "at", "rows", "run", "from", ""), rows)
    return 0


def _description(settings: Settings, table: str) -> str:
    from lake.declared import read_declarations

    zone, _, name = table.partition(".")
    declared = read_declarations(settings)
    if zone == "trusted" and name in declared.sources:
        return str(declared.sources[name].description)
    if zone == "refined" and name in declared.refined:
        return declared.refined[name].contract.description
    return "One row per rejected row, with what is wrong with it." if zone == "quarantine" else ""


def _inputs(inputs: dict[str, dict[str, Any]]) -> str:
    words = {"seq": "run", "number": "publish", "model": "model"}
    return ", ".join(f"{name} {words[fact]} {at[fact]}" for name, at in inputs.items() for fact in words if fact in at)


def _print_tables(shown: list[dict[str, Any]]) -> None:
    rows = [
        (
            t["table"],
            f"{t['rows']:,}" if t["rows"] is not None else "?",
            t["columns"],
            t["publish"] or "",
            age(t["published_at"]),
        )
        for t in shown
    ]
    print_rows(("table", "rows", "columns", "publish", "published"), rows)
