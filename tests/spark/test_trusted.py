"""Decoded rows become typed, checked and deduplicated rows, and every one of them is accounted for."""

from datetime import UTC, datetime
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from jobs import trusted
from lake.source import Source
from lake.sources import source_from

RUNS = {"01ARZ3NDEKTSV4RRFFQ69G5FA1": 1, "01ARZ3NDEKTSV4RRFFQ69G5FA2": 2}
FIRST, SECOND = RUNS


def declared(**changes: Any) -> Source:
    columns = {"id": "bigint", "price": "decimal(10,2)", "changed_on": "date", "email": {"type": "string", "pii": True}}
    given = {
        "name": "goods",
        "description": "One row per good.",
        "kind": "rest",
        "url": "http://x",
        "load": "merge",
        "key": ["id"],
    }
    return source_from({**given, "columns": columns, **changes}, "goods.yaml")


def decoded(spark: SparkSession, source: Source, *rows: tuple[str, int, dict[str, str | None]]) -> DataFrame:
    texts = []
    for run, number, values in rows:
        key = f"raw/goods/dt=2020-01-01/run={run}/original/000001.json"
        fields = [values.get(name) for name in source.columns]
        texts.append((*fields, key, (1, number, 0), None, values.get("_faults")))
    return spark.createDataFrame(texts, trusted.decoded_schema(source))


def judged(spark: SparkSession, source: Source, *rows: tuple[str, int, dict[str, str | None]]) -> DataFrame:
    at = datetime(2020, 1, 1, tzinfo=UTC)
    runs = spark.createDataFrame([(run, seq, at) for run, seq in RUNS.items()], trusted.RUN)
    return trusted.judged_rows(decoded(spark, source, *rows), runs, source)


def fates(frame: DataFrame) -> list[tuple[Any, ...]]:
    return sorted((row["id"], str(row["price"]), row["_fate"]) for row in frame.collect())


def test_a_row_with_two_faults_lists_both_problems(spark: SparkSession) -> None:
    source = declared()
    row = trusted.rejected_rows(decoded(spark, source, (FIRST, 1, {"id": "x", "price": "1.999"})), source).first()
    assert row is not None
    assert [(p["column"], p["rule"], p["value"]) for p in row["problems"]] == [
        ("id", "type", "x"),
        ("price", "type", "1.999"),
    ]


def test_what_identifies_a_person_is_in_no_trusted_or_quarantined_row(spark: SparkSession) -> None:
    source = declared(checks=[{"column": "email", "rule": "matches", "pattern": ".+@.+"}])
    rows = ((FIRST, 1, {"id": "1", "email": "hidden"}), (FIRST, 2, {"id": "2", "email": "hidden@x"}))
    assert "hidden" not in str(judged(spark, source, *rows).collect())
    rejected = trusted.rejected_rows(decoded(spark, source, *rows), source).collect()
    assert "hidden" not in str(rejected)
    assert [row["problems"][0]["rule"] for row in rejected] == ["matches"]


CHECKS: list[dict[str, Any]] = [
    {"column": "price", "rule": "between", "low": 1},
    {"column": "price", "rule": "between", "high": 5, "on_fail": "warn"},
    {"column": "price", "rule": "in", "values": [3], "on_fail": "halt"},
]


@pytest.mark.parametrize(
    ("values", "is_rejected", "is_misfit", "warnings", "halts"),
    [
        ({"id": "1", "price": "3"}, False, False, 0, 0),
        ({"id": "1", "price": "9"}, False, False, 1, 1),
        ({"id": "1", "price": "0"}, True, False, 0, 1),
        ({"id": "x", "price": "3"}, True, True, 0, 0),
        ({"id": None, "price": "3"}, True, False, 0, 0),
        ({"id": "1", "_faults": '[{"rule": "ragged", "message": "2 fields, expected 3"}]'}, True, False, 0, 0),
    ],
)
def test_a_row_is_rejected_just_when_its_problems_can_be_spelled_out(
    spark: SparkSession, values: dict[str, str | None], is_rejected: bool, is_misfit: bool, warnings: int, halts: int
) -> None:
    source = declared(checks=CHECKS)
    row = judged(spark, source, (FIRST, 1, values)).first()
    assert row is not None
    assert (row["_is_rejected"], row["_is_misfit"], row["_warnings"], row["_halts"]) == (
        is_rejected,
        is_misfit,
        warnings,
        halts,
    )
    assert trusted.rejected_rows(decoded(spark, source, (FIRST, 1, values)), source).count() == is_rejected


def test_only_the_newest_run_of_a_partition_counts(spark: SparkSession) -> None:
    source = declared(load="overwrite", partition="id")
    rows = judged(
        spark,
        source,
        (FIRST, 1, {"id": "1", "price": "1"}),
        (FIRST, 2, {"id": "2", "price": "2"}),
        (SECOND, 1, {"id": "1", "price": "x"}),
    )
    assert fates(trusted.accepted_rows(rows, source, 2)) == [(1, "1.00", "superseded"), (2, "2.00", "kept")]
    assert trusted.colliding_keys(rows, source, 2).isEmpty()


@pytest.mark.parametrize("keys", [{"load": "overwrite", "partition": "id"}, {"load": "snapshot"}, {}])
def test_the_rows_of_one_run_fare_the_same_when_it_is_known_that_there_is_no_other(
    spark: SparkSession, keys: dict[str, Any]
) -> None:
    source = declared(**keys)
    texts = [{"id": "1", "price": "1"}, {"id": "1", "price": "1"}, {"id": "2", "price": "2"}, {"id": "3", "price": "x"}]
    rows = judged(spark, source, *((FIRST, place, values) for place, values in enumerate(texts)))
    expected = [(1, "1.00", "duplicate"), (1, "1.00", "kept"), (2, "2.00", "kept")]
    for is_one_run in (True, False):
        assert fates(trusted.accepted_rows(rows, source, 1, is_one_run=is_one_run)) == expected
    assert [row[0] for row in trusted.colliding_keys(rows, source, 1).collect()] == [1]
    (lone,) = trusted.lone_run_counts(rows, source).collect()
    assert (lone["kept"], lone["keys"]) == (3, 2)


def test_the_newest_row_of_a_key_wins_by_run_and_then_by_place(spark: SparkSession) -> None:
    source = declared()
    rows = judged(
        spark,
        source,
        (SECOND, 1, {"id": "1", "price": "3"}),
        (FIRST, 2, {"id": "1", "price": "2"}),
        (FIRST, 1, {"id": "2", "price": "5"}),
        (FIRST, 3, {"id": "2", "price": "6"}),
    )
    kept = [fate for fate in fates(trusted.accepted_rows(rows, source, 2)) if fate[2] == "kept"]
    assert kept == [(1, "3.00", "kept"), (2, "6.00", "kept")]


def test_order_by_goes_before_the_order_of_arrival(spark: SparkSession) -> None:
    source = declared(order_by=["changed_on"])
    rows = judged(
        spark,
        source,
        (FIRST, 1, {"id": "1", "price": "9", "changed_on": "2020-02-02"}),
        (SECOND, 1, {"id": "1", "price": "3", "changed_on": "2020-01-01"}),
    )
    assert fates(trusted.accepted_rows(rows, source, 2)) == [(1, "3.00", "superseded"), (1, "9.00", "kept")]


def test_a_doubled_row_is_a_duplicate_and_not_superseded(spark: SparkSession) -> None:
    source = declared()
    rows = judged(spark, source, (FIRST, 1, {"id": "1", "price": "3"}), (SECOND, 1, {"id": "1", "price": "3.0"}))
    assert fates(trusted.accepted_rows(rows, source, 2)) == [(1, "3.00", "duplicate"), (1, "3.00", "kept")]


def test_of_a_snapshot_only_the_newest_run_counts(spark: SparkSession) -> None:
    source = declared(load="snapshot")
    rows = judged(spark, source, (FIRST, 1, {"id": "1", "price": "3"}), (SECOND, 1, {"id": "2", "price": "4"}))
    assert fates(trusted.accepted_rows(rows, source, 2)) == [(1, "3.00", "superseded"), (2, "4.00", "kept")]


def test_appended_rows_never_replace_what_is_there(spark: SparkSession) -> None:
    source = declared(load="append")
    there = trusted.accepted_rows(judged(spark, source, (FIRST, 1, {"id": "1", "price": "3"})), source, 1)
    news = judged(spark, source, (SECOND, 1, {"id": "1", "price": "4"}), (SECOND, 2, {"id": "2", "price": "5"}))
    changed = trusted.changed_rows(trusted.accepted_rows(news, source, 2), there, source)
    assert fates(changed) == [(1, "4.00", "superseded"), (2, "5.00", "kept")]


@pytest.mark.parametrize(("came", "fate"), [("2020-01-01", "superseded"), ("2020-03-01", "kept")])
def test_a_late_row_does_not_replace_a_newer_one_in_the_table(spark: SparkSession, came: str, fate: str) -> None:
    source = declared(order_by=["changed_on"])
    first = judged(spark, source, (FIRST, 1, {"id": "1", "price": "3", "changed_on": "2020-02-02"}))
    news = judged(spark, source, (SECOND, 1, {"id": "1", "price": "4", "changed_on": came}))
    changed = trusted.changed_rows(trusted.accepted_rows(news, source, 2), trusted.accepted_rows(first, source, 1), source)
    assert fates(changed) == [(1, "4.00", fate)]


def test_keys_that_come_more_than_once_in_a_run_are_counted_with_an_example(spark: SparkSession) -> None:
    source = declared(key=["id", "changed_on"])
    day = {"changed_on": "2020-01-01"}
    rows = judged(
        spark,
        source,
        *((FIRST, row, {"id": key, **day}) for row, key in enumerate(("7", "8", "7", "9", "8", "7"), 1)),
        *((SECOND, row, {"id": key, **day}) for row, key in enumerate(("7", "8"), 1)),
    )
    found = trusted.repeated_keys(trusted.accepted_rows(rows, source, 2), source.key).collect()
    assert [tuple(row) for row in found] == [(FIRST, 2, "id 7, changed_on 2020-01-01")]


def test_a_key_that_is_null_is_named_as_such(spark: SparkSession) -> None:
    source = declared(columns={"id": "bigint", "price": {"type": "decimal(10,2)", "required": True}})
    given = ((FIRST, 1, {"price": "1"}), (FIRST, 2, {"id": "2"}), (FIRST, 3, {"id": "x", "price": "1"}))
    rows = judged(spark, source, *given)
    rejected = trusted.rejected_rows(decoded(spark, source, *given), source).collect()
    assert [(p["column"], p["message"]) for row in rejected for p in row["problems"]] == [
        ("id", "expected a value of the key, got none"),
        ("price", "expected a value, got none"),
        ("id", "expected a whole number (bigint)"),
    ]
    (counted,) = trusted.run_counts(rows, trusted.accepted_rows(rows, source, 1)).collect()
    assert (counted["quarantined"], counted["keyless"], counted["misfits"]) == (3, 1, 1)


def test_every_decoded_row_is_counted_once(spark: SparkSession) -> None:
    source = declared()
    rows = judged(
        spark,
        source,
        (FIRST, 1, {"id": "1", "price": "3"}),
        (FIRST, 2, {"id": "1", "price": "4"}),
        (FIRST, 3, {"id": "1", "price": "4"}),
        (FIRST, 4, {"id": None, "price": "4"}),
        (FIRST, 5, {"_faults": '[{"column": null, "rule": "ragged", "value": null, "message": "3 fields, expected 4"}]'}),
    )
    (counted,) = trusted.run_counts(rows, trusted.accepted_rows(rows, source, 1)).collect()
    fate = {name: counted[name] for name in ("decoded", "quarantined", "kept", "superseded", "duplicates")}
    assert fate == {"decoded": 5, "quarantined": 2, "kept": 1, "superseded": 1, "duplicates": 1}


def test_a_warning_keeps_the_row_and_a_halt_is_counted(spark: SparkSession) -> None:
    checks = [
        {"column": "price", "rule": "between", "high": 5, "on_fail": "warn"},
        {"rule": "expression", "expression": "price < 9", "on_fail": "halt"},
    ]
    source = declared(checks=checks)
    rows = judged(spark, source, (FIRST, 1, {"id": "1", "price": "6"}), (FIRST, 2, {"id": "2", "price": "10"}))
    (counted,) = trusted.run_counts(rows, trusted.accepted_rows(rows, source, 1)).collect()
    assert (counted["kept"], counted["warnings"], counted["halts"]) == (2, 2, 1)
