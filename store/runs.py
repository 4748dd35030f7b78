"""Run records: what each run of the lake planned, did, counted and how it ended."""

import json
from collections.abc import Iterator
from typing import Any

from lake import paths
from store.documents import Document, encoded, read_document
from store.objects import Objects


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


def run_ids(objects: Objects) -> Iterator[str]:
    """All runs, oldest first: their names sort by time."""
    for folder in objects.folders(f"{paths.STATE}/runs/"):
        yield folder.rstrip("/").rpartition("/")[2]
