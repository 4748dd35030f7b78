"""Run records: written from a run's beginning to its end, read back, and what became of a run that never said."""

import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from lake.errors import LakeError
from store import leases
from store.objects import Objects
from store.runs import read_record, run_ids, write_record

Record = dict[str, Any]
AT_ONCE = 8
SIGNALS = {130: "stopped by Ctrl-C", 143: "stopped by SIGTERM"}


@contextmanager
def recorded(objects: Objects, run_id: str, verb: str, record: dict[str, Any]) -> Iterator[None]:
    """The record of a run is in the lake from its beginning; one that is killed leaves it without an end."""
    began = time.monotonic()
    record |= {"run": run_id, "verb": verb, "started_at": _now(), "process": leases.this_process()}
    write_record(objects, run_id, record)

    def end(facts: dict[str, Any]) -> None:
        record.update(facts, ended_at=_now(), seconds=round(time.monotonic() - began, 3))
        write_record(objects, run_id, record)

    try:
        yield
    except LakeError as error:
        end({"error": str(error), "exit_code": error.exit_code})
        raise
    except KeyboardInterrupt as stop:
        with suppress(LakeError):
            end({"error": "stopped by a signal", "exit_code": stop.args[0] if stop.args else 128 + signal.SIGINT})
        raise
    end({})


def last_records(objects: Objects, count: int, is_failed: bool = False) -> list[Record]:
    """The newest records, oldest first; with `is_failed` only those of runs that did not end well."""
    return list(islice(_newest_first(objects, is_failed), count))[::-1]


def _newest_first(objects: Objects, is_failed: bool) -> Iterator[Record]:
    """Records as they are asked for, a few read at once."""
    ids = list(run_ids(objects))[::-1]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for start in range(0, len(ids), AT_ONCE):
            for record in pool.map(lambda run: read_record(objects, run), ids[start : start + AT_ONCE]):
                if record and (not is_failed or has_failed(record)):
                    yield record


def has_failed(record: Record) -> bool:
    """Whether the run ended with an error, was stopped, or is gone without an end."""
    return record["exit_code"] not in (0, 4) if "exit_code" in record else outcome(record) != "running"


def outcome(record: Record) -> str:
    """How a run ended, in words."""
    if "exit_code" in record:
        code = int(record["exit_code"])
        return "done" if code == 0 else SIGNALS.get(code, f"exit code {code}")
    is_alive = leases.is_alive(record["process"]) if "process" in record else False
    if is_alive is None:
        return f"no end so far, on {record['process']['host']}"
    return "running" if is_alive else "no end: its process is gone"


def published_tables(record: Record) -> list[str]:
    """The tables that a run published."""
    return [name for name, table in record.get("tables", {}).items() if table["outcome"] == "published"]


def told(record: Record) -> Record:
    """One run in short."""
    return {
        "run": record["run"],
        "verb": record["verb"],
        "started_at": record["started_at"],
        "seconds": record.get("seconds"),
        "published": published_tables(record),
        "exit_code": record.get("exit_code"),
        "outcome": outcome(record),
    }


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
