"""Rows that were deleted in a database leave the trusted table with the publish that learns of it, and no other rows do."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

import ingest.landing
from ingest.landing import Wish, pull
from ingest.originals import AllKeys, Fetched, Visit, Window
from jobs import deleted
from tests.spark.conftest import Lab

COLUMNS = {"id": {"type": "int", "from": "an odd.name"}, "part": "decimal(4,2)", "v": "string"}
Row = tuple[str | None, ...]


@dataclass
class Table:
    """A database's table as its bot sees it: what is new in it, and the keys of all its rows."""

    lab: Lab
    name: str
    new: list[Row] = field(default_factory=list)
    all: list[Row] = field(default_factory=list)
    fields: tuple[str, ...] = ("an odd.name", "part")
    extension: str = "parquet"

    def fingerprint(self) -> str:
        return self.name

    def originals(self, visit: Visit) -> Iterator[Fetched]:
        path, size, digest = _written(visit, self.new, ("an odd.name", "part", "v"))
        cursor = {"at": len(self.new)}
        yield Fetched(path, self.name, size, digest, datetime.now(UTC).isoformat(), cursor=cursor)
        if not visit.window:
            visit.keep_keys(AllKeys(*_written(visit, self.all, self.fields), len(self.all), list(self.fields)))

    def declare(self, **keys: Any) -> None:
        facts = {"kind": "database", "url": "mysql://u@h/d", "table": "t", "load": "merge", "deletes": "key_sweep"}
        self.lab.declare(self.name, COLUMNS, **{**facts, "key": ["id", "part"], **keys})

    def pull(self, window: Window | None = None) -> str:
        sources = self.lab.declared().sources
        run = "01ARZ3NDEKTSV4RRFFQ69G5FA0"
        done = pull(self.name, {self.name: sources[self.name]}, self.lab.objects, run, wish=Wish(window=window))
        assert done.outcome == "new"
        return done.run

    def build(self, *accept: str) -> dict[str, Any]:
        record: dict[str, Any] = self.lab.build(self.lab.plan(self.name, accept=accept))[f"trusted.{self.name}"]
        return record

    @property
    def rows(self) -> list[tuple[Any, ...]]:
        return [(key, str(part), v) for key, part, v in self.lab.rows(f"trusted.{self.name}", "id", "part", "v")]


def _written(visit: Visit, rows: list[Row], names: tuple[str, ...]) -> tuple[Any, int, str]:
    path = visit.new_path()
    columns = zip(*rows, strict=True) if rows else [()] * len(names)
    pq.write_table(pa.table([pa.array(column, pa.string()) for column in columns], list(names)), path)
    return path, path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def pulled_table(lab: Lab, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Table:
    """A table of three rows that is in raw."""
    found = Table(lab, request.node.name.removeprefix("test_")[:40])
    monkeypatch.setattr(ingest.landing, "bot_of", lambda *given: found)
    found.declare()
    found.new = [("1", "1", "a"), ("2", "2.50", "b"), ("3", "3", "c")]
    found.all = [("1", "1"), ("2", "2.50"), ("3", "3")]
    found.pull()
    return found


@pytest.fixture
def table(pulled_table: Table) -> Table:
    """A table of three rows that is in the lake."""
    pulled_table.build()
    return pulled_table


def counted(record: dict[str, Any], *fates: str) -> list[tuple[Any, ...]]:
    return [tuple(count.get(fate) for fate in fates) for count in record["counts"]]


def test_a_deleted_row_leaves_while_others_come_and_change(table: Table) -> None:
    table.new, table.all = [("3", "3", "new"), ("4", "4", "d")], [("1", "1"), ("3", "3"), ("4", "4")]
    table.pull()
    record = table.build()
    assert table.rows == [(1, "1.00", "a"), (3, "3.00", "new"), (4, "4.00", "d")]
    assert (record["rows"], counted(record, "decoded", "kept", "deleted")) == (3, [(2, 2, 1)])
    assert table.lab.tables.publications(f"trusted.{table.name}")[0].facts["counts"]["deleted"] == 1


def test_only_rows_newer_than_the_sweep_of_a_build_stay_without_being_in_it(table: Table) -> None:
    table.new, table.all = [("4", "4", "came and went")], [("1", "1"), ("2", "2.5"), ("3", "3"), ("4", "4")]
    table.pull()
    table.new, table.all = [], [("1", "1")]
    table.pull()
    table.new = [("2", "2.5", "b"), ("9", "9", "late")]  # the first as the table has it already
    table.pull(Window("2020-01-01", "2020-02-01"))
    assert counted(table.build(), "kept", "duplicates", "deleted") == [(1, 0, 0), (0, 0, 2), (1, 1, 0)]
    assert [key for key, *_ in table.rows] == [1, 2, 9]
    table.new = [("5", "5", "late")]
    table.pull(Window("2020-01-01", "2020-03-01"))
    assert counted(table.build(), "kept", "deleted") == [(1, None)]
    assert [key for key, *_ in table.rows] == [1, 2, 5, 9]


def test_a_row_that_the_cursor_never_saw_is_told(table: Table) -> None:
    table.new, table.all = [("4", "x", "rejected")], [("1", "1"), ("2", "2.5"), ("3", "3"), ("4", "4"), ("5", "5")]
    table.pull()
    record = table.build()
    assert counted(record, "quarantined", "deleted", "absent") == [(1, 0, 2)]
    assert "2 keys of the source have no row here: rejected, or behind the cursor" in record["changes"]


def test_an_emptied_table_waits_for_consent_to_this_very_sweep(table: Table) -> None:
    table.new, table.all = [], []
    run = table.pull()
    stopped = table.build()
    assert (stopped["outcome"], stopped["exit_code"], len(table.rows)) == ("failed", 3, 3)
    consent = f"(if that is right: `lake run --no-ingest --accept {run}`)"
    assert "share of keys lost: got 1, expected at least 0 and at most 0.5" in stopped["reason"]
    assert f"the source has no rows at all, was it emptied? {consent}" in stopped["reason"]
    assert counted(table.build(run), "deleted") == [(3,)]
    assert table.rows == []


def test_a_rebuild_keeps_deleted_rows_out_and_waits_for_a_sweep_of_its_own_key(table: Table) -> None:
    table.new, table.all = [], [("1", "1"), ("3", "3")]
    table.pull()
    table.build()
    table.declare(checks=[{"column": "v", "rule": "in", "values": ["a", "b", "c"]}])
    record = table.build()
    assert (record["reason"], counted(record, "deleted")) == ("its declaration changed", [(0,), (1,)])
    assert [key for key, *_ in table.rows] == [1, 3]
    table.declare(key=["id", "v"])
    stopped = table.build()
    assert (stopped["exit_code"], "got a key sweep without v in run" in stopped["reason"]) == (3, True)
    table.fields, table.all = ("an odd.name", "v"), [("1", "a"), ("3", "c")]
    table.pull()
    assert (table.build()["outcome"], [key for key, *_ in table.rows]) == ("published", [1, 3])


def test_rows_whose_deletion_is_not_asked_for_stay(lab: Lab, pulled_table: Table) -> None:
    (run,) = lab.plan(pulled_table.name)["tables"][0]["runs"]
    assert run["keys"]["rows"] == 3
    pulled_table.declare(deletes="kept")
    assert [run["keys"] for run in lab.plan(pulled_table.name)["tables"][0]["runs"]] == [None]


def test_keys_are_compared_as_the_table_has_them(spark: SparkSession, pulled_table: Table) -> None:
    source = pulled_table.lab.declared().sources[pulled_table.name]
    texts = spark.createDataFrame([("1.00", "01"), ("2.5", "2"), ("3", "x"), (None, None)], "part string, `an odd.name` string")
    served = spark.sql("select * from values (1, 1.00), (2, 2.50), (3, 3.00) as t (id, part)")
    found = deleted.differing_keys(served, deleted.swept_keys(texts, source), served.limit(0), source.key).collect()
    assert [(row["id"], str(row["part"]), row["_is_swept"]) for row in found] == [(3, "3.00", False)]
