"""Keeps what the gates found: rows of `meta.quality_results`, the last results of each table, and Data Docs."""

from contextlib import suppress
from dataclasses import astuple

from pyspark.sql import types as T

from jobs.gate import Gate
from jobs.orphans import tidied
from jobs.publications import Draft
from jobs.results import Result, last_results, noted_results, remember_results
from jobs.schemas import literal_rows
from jobs.tables import Tables
from lake import paths
from lake.errors import LockedError
from store.leases import Lease, held
from store.scratch import scratch

TABLE = "meta.quality_results"
QUALITY = T.StructType(
    [
        T.StructField("run_id", T.StringType()),
        T.StructField("table_name", T.StringType()),
        T.StructField("expectation", T.StringType()),
        T.StructField("rule", T.StringType()),
        T.StructField("observed", T.DoubleType()),
        T.StructField("low", T.DoubleType()),
        T.StructField("high", T.DoubleType()),
        T.StructField("success", T.BooleanType()),
        T.StructField("judged_at", T.TimestampType()),
    ]
)


def keep_results(tables: Tables, gate: Gate) -> None:
    """Keep what this job's gates found, and what jobs that were killed left, and show the last of every table as Data Docs.

    While another job does the same, what is left is for the next one.
    """
    with suppress(LockedError), held(tables.objects, f"table/{TABLE}", gate.run_id) as lease:
        tidied(tables.spark, tables.objects, lease, gate.run_id, TABLE)
        _settle(tables, gate.run_id, lease)
    if gate.results:
        _show(tables, gate)


def _settle(tables: Tables, run: str, lease: Lease) -> None:
    """Append all that was noted, each once, and forget the notes.

    The publish that appends them names the notes; while any of those is still there, no later publish was.
    """
    noted = noted_results(tables.objects)
    earlier = tables.publications(TABLE)
    kept = set(earlier[0].facts.get("notes", ())) if earlier else set()
    rows = [astuple(result) for key, results in noted.items() if key not in kept for result in results]
    if rows:
        frame = literal_rows(tables.spark, rows, QUALITY)
        draft = Draft(TABLE, run, QUALITY, facts={"notes": sorted(noted)})
        tables.publish(draft, lease, lambda target: tables.add(target, frame))
    remember_results(tables.objects, noted.values())
    lease.check()
    tables.objects.delete(noted)


def _show(tables: Tables, gate: Gate) -> None:
    """Write the pages of all that was judged, with the last results of the tables that this job did not judge."""
    judged = {result.table_name for result in gate.results}
    earlier: list[list[Result]] = [found for table, found in last_results(tables.objects).items() if table not in judged]
    with scratch() as folder:
        gate.write_docs(folder, earlier)
        there = {info.key for info in tables.objects.list(f"{paths.quality_docs()}static/")}
        for path in sorted(folder.rglob("*")):
            key = f"{paths.quality_docs()}{path.relative_to(folder).as_posix()}"
            if path.is_file() and key not in there:
                tables.objects.put_file(key, path)
