"""`lake quarantine list / show / replay / drop`: rejected rows, why they were, and what became of them."""

import argparse
from typing import TYPE_CHECKING, Any

from lake.errors import UsageError
from lake.settings import Settings
from orchestration.printing import print_json, print_rows
from orchestration.progress import Progress
from store import raw
from store.catalog import open_catalog
from store.objects import Objects

if TYPE_CHECKING:
    from orchestration.cli import World

Given = argparse.Namespace
MOST = 50


def called(settings: Settings, given: Given, world: "World") -> int:
    """Do the action."""
    if given.action == "list":
        return _list(settings, given)
    if not given.name:
        raise UsageError(
            f"NAME: got none, expected a source with rejected rows: {', '.join(_names(settings)) or 'there is none'}"
        )
    if given.action == "replay":
        return _replay(settings, given, world)
    if given.name not in _names(settings):
        of_others = f", expected one of {', '.join(_names(settings))}" if _names(settings) else ""
        raise UsageError(f"NAME: got {given.name!r}, of which no row was ever rejected{of_others}")
    return _show(settings, given) if given.action == "show" else _drop(settings, given, world)


def _names(settings: Settings) -> list[str]:
    tables = open_catalog(settings).tables()
    return [table.removeprefix("quarantine.") for table in tables if table.startswith("quarantine.")]


def _ask(settings: Settings, query: str) -> list[dict[str, Any]]:
    from sql.engine import open_engine

    answer = open_engine(settings).ask(query)
    names = [column.name for column in answer.columns]
    return [dict(zip(names, row, strict=True)) for row in answer.rows]


def _list(settings: Settings, given: Given) -> int:
    """One line per source: rejected rows, runs they came in, when the last one was rejected."""
    found = []
    for name in _names(settings):
        query = f"SELECT count(*) AS found, count(DISTINCT _run_id) AS runs, max(quarantined_at) AS last FROM quarantine.{name}"  # noqa: S608 a table's name, from the catalog
        (facts,) = _ask(settings, query)
        found.append({"source": name, "rows": facts["found"], "runs": facts["runs"], "last": facts["last"]})
    if given.json:
        print_json(found)
    elif found:
        print_rows(
            ("source", "rows", "runs", "last"), [(f["source"], f["rows"], f["runs"], str(f["last"] or "")[:19]) for f in found]
        )
    else:
        print("no row was ever rejected")
    return 0


def _show(settings: Settings, given: Given) -> int:
    """The rows, newest run first: where each stood, what is wrong with it, and its text without personal columns."""
    columns = "_run_id, _raw_key, _raw_row, problems, payload"
    order = f"ORDER BY _run_id DESC, _raw_row.object, _raw_row.row, _raw_row.child LIMIT {MOST}"
    query = f"SELECT {columns} FROM quarantine.{given.name} {_where(given)} {order}"  # noqa: S608 the name is the catalog's, the run checked
    rows = _ask(settings, query)
    if given.json:
        print_json(rows)
        return 0
    if not rows:
        print("no row is rejected" + (f" of run {given.run}" if given.run else ""))
    for row in rows:
        place = row["_raw_row"]
        print(f"{row['_raw_key']}: row {place['row']}" + (f", child {place['child']}" if place["child"] else ""))
        for problem in row["problems"]:
            came = "" if problem["value"] is None else f"got {problem['value']!r}, "
            print(f"  {problem['column'] or 'row'}: {came}{problem['message']} ({problem['rule']})")
        print(f"  {row['payload']}")
    if len(rows) == MOST:
        print(f"the first {MOST}; `lake sql` asks quarantine.{given.name} for more")
    return 0


def _where(given: Given) -> str:
    return f"WHERE _run_id = '{_run_id(given.run)}'" if given.run else ""


def _run_id(text: str) -> str:
    if len(text) != 26 or not text.isalnum():
        raise UsageError(f"--run: got {text!r}, expected the 26 letters and digits of a run")
    return text


def _replay(settings: Settings, given: Given, world: "World") -> int:
    """Judge everything raw has of the source again, as declared now; nothing is built where that gives what there is."""
    from lake.declared import read_declarations
    from orchestration.plan import published_tables
    from orchestration.run import Wish, run_lake
    from orchestration.verbs import told_end

    declared = read_declarations(settings)
    if given.name not in declared.sources:
        raise UsageError(f"NAME: got {given.name!r}, expected one of {', '.join(declared.sources)}")
    objects, tables = Objects(settings), [f"trusted.{given.name}", f"quarantine.{given.name}"]
    published = published_tables(settings, objects, tables)
    if raw.head(objects, given.name) is None:
        raise UsageError(f"{given.name}: got a source without a run in raw, expected one; run `lake run {given.name}` first")
    # a build publishes both tables: when their last publishes differ, rows were dropped or an earlier publish was put back
    are_apart = len({history[0]["run"] for history in published.values() if history}) > 1
    wish = Wish([given.name], again=tables[:1] if are_apart else [], is_ingesting=False)
    record = run_lake(settings, objects, wish, world.place, Progress(is_quiet=given.json))
    if given.json:
        print_json(record)
    else:
        told_end(record)
    return int(record["exit_code"])


def _drop(settings: Settings, given: Given, world: "World") -> int:
    """Forget rejected rows; the run record keeps how many of which runs."""
    from orchestration.run import act

    order = {"source": given.name, "runs": [_run_id(given.run)] if given.run else []}
    (found,) = _ask(settings, f"SELECT count(*) AS found FROM quarantine.{given.name} {_where(given)}")  # noqa: S608 the name is the catalog's
    if not found["found"]:
        if given.json:
            print_json({"dropped": 0})
        else:
            print("there is nothing to drop")
        return 0
    return act(settings, Objects(settings), "drop", order, world.place, Progress(is_quiet=given.json))
