"""`lake runs list / show / logs`: what each run did, how it ended, and the words of its Spark job."""

import argparse
import sys
from typing import TYPE_CHECKING, Any

from lake.errors import LakeError, UsageError
from lake.settings import Settings
from orchestration.printing import print_json, print_rows, size
from orchestration.run_records import has_failed, last_records, outcome, published_tables
from store.objects import Objects
from store.runs import read_record, run_ids

if TYPE_CHECKING:
    from orchestration.cli import World

Given = argparse.Namespace
Record = dict[str, Any]
RUN_LENGTH = 26


def called(settings: Settings, given: Given, world: "World") -> int:
    """Do the action."""
    objects = Objects(settings)
    if given.action == "list":
        return _list(objects, given)
    record = _record(objects, given.run)
    return _show(record, given.json) if given.action == "show" else _logs(settings, record)


def _list(objects: Objects, given: Given) -> int:
    if given.last < 1:
        raise UsageError(f"--last: got {given.last}, expected a number from 1 on")
    records = last_records(objects, given.last, given.failed)
    if given.json:
        print_json([{**record, "outcome": outcome(record)} for record in records])
    elif records:
        print_rows(("run", "verb", "started", "took", "published", "outcome"), [_row(record) for record in records])
    else:
        print("no run failed" if given.failed else "no run yet; `lake run` is the first")
    return 0


def _row(record: Record) -> tuple[Any, ...]:
    took = f"{record['seconds']:.1f} s" if "seconds" in record else ""
    published = len(published_tables(record)) if "tables" in record else ""
    return record["run"], record["verb"], record["started_at"][:19], took, published, outcome(record)


def _record(objects: Objects, run: str | None) -> Record:
    """The record of the named run, or of the last.

    Raises UsageError when there is none.
    """
    if run is not None and not (len(run) == RUN_LENGTH and run.isalnum()):
        raise UsageError(f"RUN: got {run!r}, expected one of `lake runs list`")
    name = run or max(run_ids(objects), default=None)
    record = read_record(objects, name) if name else None
    if record is None:
        raise UsageError(f"RUN: got {run!r}, expected one of `lake runs list`" if run else "RUN: there is no run yet")
    return record


def _show(record: Record, as_json: bool) -> int:
    """The record: as it is for programs, its main facts as tables for people."""
    if as_json:
        print_json({**record, "outcome": outcome(record)})
        return 0
    facts = [("verb", " ".join([record["verb"], *record.get("names", [])])), ("started", f"{record['started_at'][:19]} UTC")]
    facts += [("took", f"{record['seconds']:.1f} s")] if "seconds" in record else []
    facts += [("memory", f"at most {size(record['peak_memory_bytes'])}")] if record.get("peak_memory_bytes") else []
    facts += [("accepted", ", ".join(record["accept"]))] if record.get("accept") else []
    facts += [("outcome", outcome(record))] + ([("error", record["error"])] if "error" in record else [])
    print_rows(("run", record["run"]), facts)
    if record.get("sources"):
        print()
        print_rows(("source", "outcome", "rows", "seconds", ""), [_source_row(source) for source in record["sources"]])
    if record.get("windows"):
        print()
        print_rows(("from", "to", "outcome", "rows", ""), [_window_row(window) for window in record["windows"]])
    if record.get("tables"):
        print()
        rows = [_table_row(name, table) for name, table in record["tables"].items()]
        print_rows(("table", "outcome", "rows", "quarantined", "seconds", "why"), rows)
    return 0


def _source_row(source: Record) -> tuple[Any, ...]:
    if source["outcome"] == "failed":
        return source["source"], "FAILED", "", "", source["reason"]
    return source["source"], source["outcome"], f"{source['rows']:,}", f"{source['seconds']:.1f}", f"run {source['run']}"


def _window_row(window: Record) -> tuple[Any, ...]:
    rows = f"{window['rows']:,}" if "rows" in window else ""
    return window["from"], window["to"], window["outcome"], rows, window.get("reason", "")


def _table_row(name: str, table: Record) -> tuple[Any, ...]:
    quarantined = sum(count["quarantined"] for count in table.get("counts", ()))
    rows = f"{table['rows']:,}" if "rows" in table else ""
    seconds = f"{table['seconds']:.1f}" if "seconds" in table else ""
    return name, table["outcome"], rows, quarantined or "", seconds, table.get("reason", "")


def _logs(settings: Settings, record: Record) -> int:
    """What the run's Spark job said.

    Raises LakeError when there is no log, and why.
    """
    path = settings.local / "logs" / f"job-{record['run']}.log"
    if not path.exists():
        why = "no Spark job was started, or its log is gone"
        if "tables" in record:
            why = "it ran on another machine, or the log was removed"
        elif not has_failed(record):
            why = "it built nothing, so that no Spark job was started"
        raise LakeError(f"run {record['run']}: got no {path.relative_to(settings.home)}: {why}")
    sys.stdout.write(path.read_text(errors="replace"))
    return 0
