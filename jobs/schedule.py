"""Builds the tables of a plan, each after what it needs, several at once, and records what became of each."""

import os
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any

from jobs.build import Builder, Record
from jobs.events import tell
from jobs.java_errors import java_errors
from jobs.results import plain
from lake.errors import LakeError, TemporaryError
from store.leases import held
from store.runs import write_table_record

#: Tables built at once: most of a small build is planning and commits, which leave a core idle.
AT_ONCE = 3
Entry = dict[str, Any]


def build_all(builder: Builder) -> dict[str, Record]:
    """Build every table of the plan after what it needs, several at once; what became of each.

    A failed table stops only what depends on it.
    """
    waiting = {entry["table"]: entry for entry in builder.plan["tables"]}
    records: dict[str, Record] = {}
    running: dict[Future[Record], str] = {}
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="table") as pool:
        while waiting or running:
            ready = [name for name, entry in waiting.items() if not _unfinished(entry, waiting, running)]
            for name in sorted(ready, key=lambda name: -_rows(waiting[name])):
                running[pool.submit(_recorded, builder, waiting.pop(name), records)] = name
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                records[running.pop(future)] = future.result()
    return records


def _unfinished(entry: Record, waiting: dict[str, Entry], running: dict[Future[Record], str]) -> list[str]:
    """What the table needs and this job has still to build; what needs itself in a circle does not count."""
    return [name for name in entry["needs"] if name != entry["table"] and (name in waiting or name in running.values())]


def _rows(entry: Entry) -> int:
    """How many raw rows it takes in: what is large begins first, as others wait for it longest."""
    return sum(run["rows"] for run in entry.get("runs", ()))


def _recorded(builder: Builder, entry: Entry, records: dict[str, Record]) -> Record:
    """Build a table unless what it needs failed; keep and tell what became of it."""
    failed = sorted({name for name in entry["needs"] if records.get(name, {}).get("outcome") in ("failed", "blocked")})
    if failed:
        record: Record = {"outcome": "blocked", "reason": f"needs {', '.join(failed)}"}
    else:
        tell(event="table", table=entry["table"], state="building")
        record = _built(builder, entry)
    write_table_record(builder.objects, builder.run, entry["table"], record)
    tell(event="table", table=entry["table"], state=record["outcome"], **{k: v for k, v in record.items() if k != "outcome"})
    return record


def _built(builder: Builder, entry: Record) -> Record:
    started = time.monotonic()
    try:
        with held(builder.objects, f"table/{entry['table']}", builder.run, give_up) as lease:
            try:
                with java_errors(entry["table"]):
                    record = builder.build(entry, lease)
            except LakeError:
                lease.check()  # a late owner stumbles over what was removed under it; what it has to say is that it is late
                raise
    except LakeError as error:
        record = {"outcome": "failed", "reason": str(error), "exit_code": error.exit_code}
    checks = [plain(result) for result in builder.gate.results if result.table_name == entry["table"]]
    return {**record, "seconds": round(time.monotonic() - started, 3), **({"checks": checks} if checks else {})}


def give_up() -> None:
    """End the job at once: without the store its leases are lost, and Iceberg would ask it again for a quarter of an hour."""
    code = TemporaryError.exit_code
    tell(
        event="failed",
        error="the store did not answer for as long as a lease lasts; `lake status` shows what is up",
        exit_code=code,
    )
    os._exit(code)
