"""Run records: what each run of the lake planned, did, counted and how it ended."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from ulid import ULID

from lake import paths
from store.documents import Document, encoded, read_document
from store.objects import Objects

#: Letters of a run's id that hold its time.
TIME_LETTERS = 10
#: No run is older.
FIRST_DAY = datetime(2020, 1, 1, tzinfo=UTC)


def write_record(objects: Objects, run_id: str, record: Document) -> None:
    """Write the record of a run; only the run itself writes it."""
    objects.put(paths.run_record(run_id), encoded(record))


def read_record(objects: Objects, run_id: str) -> Document | None:
    """The record of a run."""
    return read_document(objects, paths.run_record(run_id))


def write_plan(objects: Objects, run_id: str, plan: Document) -> None:
    """Write what the run is going to build."""
    objects.put(paths.run_plan(run_id), encoded(plan))


def read_plan(objects: Objects, run_id: str) -> Document:
    """The plan of a run.

    Raises LakeError when there is none.
    """
    plan: Document = json.loads(objects.get(paths.run_plan(run_id)))
    return plan


def write_table_record(objects: Objects, run_id: str, table: str, record: dict[str, Any]) -> None:
    """Write what the run did to one table."""
    objects.put(paths.table_record(run_id, table), encoded(record))


def table_records(objects: Objects, run_id: str) -> dict[str, Document]:
    """What the run did to each table, by name."""
    folder = paths.table_record(run_id, "").removesuffix(".json")
    records: dict[str, Document] = {}
    for info in objects.list(folder):
        document = read_document(objects, info.key)
        if document:
            records[info.key.removeprefix(folder).removesuffix(".json")] = document
    return records


def run_ids(objects: Objects, since: datetime | None = None) -> Iterator[str]:
    """All runs, or those that began since then, oldest first: their names sort by time."""
    after = str(ULID.from_datetime(since))[:TIME_LETTERS] if since else ""
    for folder in objects.folders(f"{paths.STATE}/runs/", after):
        yield folder.rstrip("/").rpartition("/")[2]


def newest_run_ids(objects: Objects, count: int, before: str | None = None) -> list[str]:
    """The newest runs, or the newest before one, newest first; only as much of the list is read as holds them."""
    end = datetime.fromtimestamp(ULID.from_str(before).timestamp, UTC) if before else datetime.now(UTC)
    window = timedelta(days=1)
    while True:
        since = end - window if end - window > FIRST_DAY else None
        found = [run for run in run_ids(objects, since) if before is None or run < before]
        if len(found) >= count or since is None:
            return found[: -count - 1 : -1]
        window *= 8
