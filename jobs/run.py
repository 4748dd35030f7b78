"""The one Spark entry point: carries out the plan of a run and tells what it does."""

import gc
import sys
import threading
from collections.abc import Callable
from functools import partial
from importlib.resources import files
from typing import Any

from pyspark.sql import functions as F

from jobs.build import Builder, Record
from jobs.build_trusted import quarantine_draft
from jobs.check import checked_rows
from jobs.events import tell
from jobs.gate import Gate
from jobs.java_errors import java_errors
from jobs.maintain import Upkeep, exit_code
from jobs.quality import keep_results
from jobs.results import note_results
from jobs.schedule import build_all
from jobs.session import open_session
from jobs.tables import Tables
from lake.arguments import parse_job_arguments
from lake.errors import GateError, LakeError, TemporaryError
from lake.log import start_log
from lake.model_tables import load_tables
from store import effects
from store.leases import held
from store.objects import Objects
from store.runs import read_plan, write_table_record


def main(arguments: list[str]) -> int:
    """Exit code of the job: 0 when everything in the plan is done."""
    settings, run_id, action = parse_job_arguments(arguments)
    if action == "build":
        threading.Thread(target=_warm_up, daemon=True).start()
    start_log(settings.log_level)
    effects.arm(settings)
    objects = Objects(settings)
    try:
        plan = read_plan(objects, run_id)
        tell(event="spark", state="starting")
        spark = open_session(settings, f"lake {run_id}")
        tell(event="spark", state="up")
        return ACTIONS[action](Tables(spark, objects), plan)
    except LakeError as error:
        tell(event="failed", error=str(error), exit_code=error.exit_code)
        return error.exit_code


def _warm_up() -> None:
    """Great Expectations takes seconds to import: do it while the JVM starts, and collect no garbage where none can be."""
    gc.disable()
    import great_expectations  # noqa: F401

    gc.freeze()
    gc.enable()


def _build(tables: Tables, plan: dict[str, Any]) -> int:
    gate = Gate(plan["run"], partial(note_results, tables.objects))
    builder = Builder(tables.spark, tables.objects, tables, gate, load_tables(files("jobs")), plan)
    records = build_all(builder)
    keep_results(tables, builder.gate)
    return _exit_code(records)


def _roll_back(tables: Tables, plan: dict[str, Any]) -> int:
    table = plan["rollback"]["table"]
    with held(tables.objects, f"table/{table}", plan["run"]) as lease, java_errors(table):
        publication = tables.roll_back(table, plan["rollback"]["number"], plan["run"], lease)
    record = {"outcome": "rolled back", "number": publication.number, "to": publication.facts["rolled_back_to"]}
    write_table_record(tables.objects, plan["run"], table, record)
    tell(event="table", table=table, state="rolled back", rows=publication.rows, to=publication.facts["rolled_back_to"])
    return 0


def _drop(tables: Tables, plan: dict[str, Any]) -> int:
    """Forget rejected rows that a person looked at; the record keeps how many."""
    name, runs = plan["drop"]["source"], plan["drop"]["runs"]
    table = f"quarantine.{name}"
    with held(tables.objects, f"table/trusted.{name}", plan["run"]) as lease, java_errors(table):
        rows = tables.read(table)
        dropped = rows.where(F.col("_run_id").isin(*runs)) if runs else rows
        gone = sorted({row["_run_id"] for row in dropped.select("_run_id").distinct().collect()})
        record = {"outcome": "dropped", "rows": dropped.count(), "runs": gone}
        lease.check()
        if gone:
            tables.replace_runs(quarantine_draft(name, plan["run"]), lease, rows.limit(0), gone)
    write_table_record(tables.objects, plan["run"], table, record)
    tell(event="table", table=table, state="dropped", rows=record["rows"])
    return 0


def _check(tables: Tables, plan: dict[str, Any]) -> int:
    for row in checked_rows(tables.spark, plan["check"]):
        tell(event="row", **row)
    return 0


def _maintain(tables: Tables, plan: dict[str, Any]) -> int:
    return exit_code(Upkeep(tables, plan["run"], plan["maintain"]).all())


def _train(tables: Tables, plan: dict[str, Any]) -> int:
    """Train a model on its input as it is published now."""
    from jobs.models.keeping import train

    table, name = load_tables(files("jobs"))[plan["train"]["model"]], plan["train"]["input"]
    with held(tables.objects, f"model/{table.name}", plan["run"]), java_errors(name):
        published = tables.publications(name)
        if not published:
            raise GateError(
                f"model {table.name}: its input {name} was never published; `lake run {table.name}` builds and trains"
            )
        pin = {"table": name, "number": published[0].number, "snapshot": published[0].snapshot}
        trained = train(tables.objects, table, tables.read(name, published[0].snapshot), pin, plan["run"])
    kept = {
        "outcome": "promoted" if trained.verdict.is_promoted else "kept",
        "why": trained.verdict.why,
        "is_new": trained.is_new,
    }
    tell(event="model", name=table.name, **kept, document=trained.document)
    if trained.verdict.is_promoted:
        return 0
    raise GateError(f"model {table.name}: {trained.document['id']} is kept beside the promoted one: {trained.verdict.why}")


def _exit_code(records: dict[str, Record]) -> int:
    codes = {record["exit_code"] for record in records.values() if "exit_code" in record}
    return next((code for code in (1, 2, TemporaryError.exit_code, GateError.exit_code, 5) if code in codes), 0)


ACTIONS: dict[str, Callable[[Tables, dict[str, Any]], int]] = {
    "build": _build,
    "rollback": _roll_back,
    "drop": _drop,
    "check": _check,
    "maintain": _maintain,
    "train": _train,
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
