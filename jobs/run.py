"""The one Spark entry point: carries out the plan of a run, table after table, and records what it did."""

import json
import sys
import tempfile
import threading
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import asdict
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

from pyspark.sql import types as T

from jobs.build import Builder, Record
from jobs.gate import Gate, Result
from jobs.iceberg import java_errors
from jobs.session import open_session
from jobs.tables import Tables
from lake import paths
from lake.arguments import parse_job_arguments
from lake.errors import GateError, LakeError, TemporaryError
from lake.log import start_log
from lake.tables import load_refined
from store import effects
from store.documents import encoded, read_document
from store.leases import held
from store.objects import Objects
from store.runs import read_plan, write_table_record

#: Tables built at once: most of a small build is planning and commits, which leave a core idle.
AT_ONCE = 3
Entry = dict[str, Any]
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


def main(arguments: list[str]) -> int:
    """Exit code of the job: 0 when every table of the plan is as wanted."""
    threading.Thread(target=_warm_up, daemon=True).start()
    settings, run_id, action = parse_job_arguments(arguments)
    start_log(settings.log_level)
    effects.arm(settings)
    objects = Objects(settings)
    try:
        plan = read_plan(objects, run_id)
        _tell(event="spark", state="starting")
        spark = open_session(settings, f"lake {run_id}")
        _tell(event="spark", state="up")
        tables = Tables(spark, objects)
        if action == "rollback":
            return _roll_back(objects, tables, plan)
        refined = load_refined(files("jobs") / "refined")
        builder = Builder(spark, objects, tables, Gate(run_id), refined, plan)
        records = build_all(builder)
        _keep_results(builder)
        return _exit_code(records)
    except LakeError as error:
        _tell(event="failed", error=str(error), exit_code=error.exit_code)
        return error.exit_code


def _warm_up() -> None:
    """Great Expectations takes seconds to import: do it while the JVM starts."""
    import great_expectations  # noqa: F401


def build_all(builder: Builder) -> dict[str, Record]:
    """Build every table of the plan after what it needs, several at once; what became of each.

    A failed table stops only what depends on it.
    """
    waiting = {entry["table"]: entry for entry in builder.plan["tables"]}
    records: dict[str, Record] = {}
    running: dict[Future[Record], str] = {}
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="table") as pool:
        while waiting or running:
            for name in [name for name, entry in waiting.items() if not _unfinished(entry, waiting, running)]:
                running[pool.submit(_recorded, builder, waiting.pop(name), records)] = name
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                records[running.pop(future)] = future.result()
    return records


def _unfinished(entry: Record, waiting: dict[str, Entry], running: dict[Future[Record], str]) -> list[str]:
    """What the table needs and this job has still to build; what needs itself in a circle does not count."""
    return [name for name in entry["needs"] if name != entry["table"] and (name in waiting or name in running.values())]


def _recorded(builder: Builder, entry: Entry, records: dict[str, Record]) -> Record:
    """Build a table unless what it needs failed; keep and tell what became of it."""
    failed = sorted({name for name in entry["needs"] if records.get(name, {}).get("outcome") in ("failed", "blocked")})
    if failed:
        record: Record = {"outcome": "blocked", "reason": f"needs {', '.join(failed)}"}
    else:
        _tell(event="table", table=entry["table"], state="building")
        record = _built(builder, entry)
    write_table_record(builder.objects, builder.run, entry["table"], record)
    _tell(event="table", table=entry["table"], state=record["outcome"], **{k: v for k, v in record.items() if k != "outcome"})
    return record


def _exit_code(records: dict[str, Record]) -> int:
    codes = {record["exit_code"] for record in records.values() if "exit_code" in record}
    return next((code for code in (1, 2, TemporaryError.exit_code, GateError.exit_code, 5) if code in codes), 0)


def _built(builder: Builder, entry: Record) -> Record:
    started = time.monotonic()
    try:
        with held(builder.objects, f"table/{entry['table']}", builder.run) as lease, java_errors(entry["table"]):
            record = builder.build(entry, lease)
    except LakeError as error:
        record = {"outcome": "failed", "reason": str(error), "exit_code": error.exit_code}
    checks = [_plain(result) for result in builder.gate.results if result.table_name == entry["table"]]
    return {**record, "seconds": round(time.monotonic() - started, 3), **({"checks": checks} if checks else {})}


def _keep_results(builder: Builder) -> None:
    """Append the results of all gates to `meta.quality_results`, and show the last ones of every table as Data Docs."""
    results = builder.gate.results
    if not results:
        return
    rows = [tuple(asdict(result).values()) for result in results]
    builder.tables.append("meta.quality_results", builder.spark.createDataFrame(rows, QUALITY).coalesce(1))
    judged = {result.table_name for result in results}
    earlier = [found for table, found in last_results(builder.objects).items() if table not in judged]
    with tempfile.TemporaryDirectory(prefix="embalse-docs-") as folder:
        builder.gate.write_docs(Path(folder), earlier)
        there = {info.key for info in builder.objects.list(f"{paths.quality_docs()}static/")}
        for path in sorted(Path(folder).rglob("*")):
            key = f"{paths.quality_docs()}{path.relative_to(folder).as_posix()}"
            if path.is_file() and key not in there:
                builder.objects.put_file(key, path)
    for table in judged:
        found = [_plain(result) for result in results if result.table_name == table]
        builder.objects.put(paths.quality_results(table), encoded({"results": found}))


def last_results(objects: Objects) -> dict[str, list[Result]]:
    """What the last gate of each table found, by table."""
    found: dict[str, list[Result]] = {}
    for info in objects.list(paths.quality_results("").removesuffix(".json")):
        document = read_document(objects, info.key) or {"results": []}
        for entry in document["results"]:
            result = Result(**{**entry, "judged_at": datetime.fromisoformat(entry["judged_at"])})
            found.setdefault(result.table_name, []).append(result)
    return found


def _roll_back(objects: Objects, tables: Tables, plan: Record) -> int:
    table = plan["rollback"]["table"]
    with held(objects, f"table/{table}", plan["run"]) as lease:
        publication = tables.roll_back(table, plan["rollback"]["number"], plan["run"], lease)
    record = {"outcome": "rolled back", "number": publication.number, "to": publication.facts["rolled_back_to"]}
    write_table_record(objects, plan["run"], table, record)
    _tell(event="table", table=table, state="rolled back", rows=publication.rows, to=publication.facts["rolled_back_to"])
    return 0


def _plain(result: Result) -> dict[str, Any]:
    return {key: value.isoformat() if hasattr(value, "isoformat") else value for key, value in asdict(result).items()}


def _tell(**event: Any) -> None:
    """One line of JSON on stdout per event, for whoever started the job."""
    sys.stdout.write(f"{json.dumps(event)}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
