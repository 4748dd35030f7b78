"""Keeps what the gates found: rows of `meta.quality_results`, the last results of each table, and Data Docs."""

import tempfile
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from pyspark.sql import types as T

from jobs.gate import Gate, Result
from jobs.publications import Draft
from jobs.tables import Tables
from lake import paths
from store.documents import encoded, read_document
from store.leases import held
from store.objects import Objects

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
    """Append the results of all gates to `meta.quality_results`, and show the last ones of every table as Data Docs."""
    results = gate.results
    if not results:
        return
    rows = [tuple(asdict(result).values()) for result in results]
    frame = tables.spark.createDataFrame(rows, QUALITY).coalesce(1)
    with held(tables.objects, "table/meta.quality_results", gate.run_id) as lease:
        tables.publish(Draft("meta.quality_results", gate.run_id, QUALITY), lease, lambda target: tables.add(target, frame))
    judged = {result.table_name for result in results}
    earlier = [found for table, found in last_results(tables.objects).items() if table not in judged]
    with tempfile.TemporaryDirectory(prefix="embalse-docs-") as folder:
        gate.write_docs(Path(folder), earlier)
        there = {info.key for info in tables.objects.list(f"{paths.quality_docs()}static/")}
        for path in sorted(Path(folder).rglob("*")):
            key = f"{paths.quality_docs()}{path.relative_to(folder).as_posix()}"
            if path.is_file() and key not in there:
                tables.objects.put_file(key, path)
    for table in judged:
        found = [plain(result) for result in results if result.table_name == table]
        tables.objects.put(paths.quality_results(table), encoded({"results": found}))


def last_results(objects: Objects) -> dict[str, list[Result]]:
    """What the last gate of each table found, by table."""
    found: dict[str, list[Result]] = {}
    for info in objects.list(paths.quality_results("").removesuffix(".json")):
        document = read_document(objects, info.key) or {"results": []}
        for entry in document["results"]:
            result = Result(**{**entry, "judged_at": datetime.fromisoformat(entry["judged_at"])})
            found.setdefault(result.table_name, []).append(result)
    return found


def plain(result: Result) -> dict[str, Any]:
    """The result as JSON can hold it."""
    return {key: value.isoformat() if hasattr(value, "isoformat") else value for key, value in asdict(result).items()}
