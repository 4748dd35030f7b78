"""Every expectation passes what keeps it, and says what came when it does not."""

from typing import Any

import pytest
from pydantic import TypeAdapter
from pyspark.sql import DataFrame, SparkSession

from jobs.gate import Gate, added_metric, measured, metric
from lake.errors import GateError
from lake.expectations import Expectation

RULES = [
    ({"rule": "row_count", "min": 3, "max": 3}, {"rule": "row_count", "min": 4}, "rows: got 3, expected at least 4"),
    (
        {"rule": "unique", "columns": ["id"]},
        {"rule": "unique", "columns": ["kind"]},
        "rows that share (kind): got 1, expected 0",
    ),
    ({"rule": "unique", "columns": ["kind", "id"]}, {"rule": "unique", "columns": ["note"]}, "rows that share (note): got 1"),
    (
        {"rule": "not_null", "columns": ["id"]},
        {"rule": "not_null", "columns": ["id", "note"]},
        "rows without id or note: got 2",
    ),
    (
        {"rule": "references", "column": "kind", "table": "kinds", "to": "name"},
        {"rule": "references", "column": "id", "table": "kinds", "to": "size"},
        "id not in kinds.size: got 2, expected 0",
    ),
    (
        {"rule": "holds", "equation": "id < 9"},
        {"rule": "holds", "equation": "id < 3"},
        "rows against id < 3: got 1, expected 0",
    ),
    ({"rule": "total", "equation": "sum(id) = 6"}, {"rule": "total", "equation": "sum(id) > 6"}, "sum(id) > 6 holds: got 0"),
    (
        {"rule": "fresh", "column": "at", "hours": 1e9},
        {"rule": "fresh", "column": "at", "hours": 1},
        "hours since the newest at",
    ),
]


def judged(spark: SparkSession, declared: dict[str, Any]) -> None:
    goods = spark.sql(
        "select * from values (1, 'a', 'x', timestamp'2020-01-01'), (2, 'b', null, null), (3, 'b', null, null) t(id, kind, note, at)"
    )
    kinds = spark.sql("select * from values ('a', 1), ('b', null) t(name, size)")
    expectation: Any = TypeAdapter(Expectation).validate_python(declared)
    metrics = [metric(expectation, lambda name: kinds)]
    Gate("run", [].append).judge("trusted.goods", metrics, measured(goods, metrics))


@pytest.mark.parametrize(("kept", "broken", "told"), RULES)
def test_an_expectation_is_kept_or_told(spark: SparkSession, kept: dict[str, Any], broken: dict[str, Any], told: str) -> None:
    judged(spark, kept)
    with pytest.raises(GateError) as caught:
        judged(spark, broken)
    assert told in str(caught.value)


def test_added_rows_may_share_their_key_neither_among_them_nor_with_one_that_was_there(spark: SparkSession) -> None:
    def times(*rows: str) -> DataFrame:
        values = ", ".join(f"({row})" for row in rows)
        return spark.sql(f"select a, timestamp(at) as at from values {values} t(a, at)")

    before = times("1, '2020-01-01'", "1, '2020-01-02'", "2, null", "null, '2020-01-02'")
    added = {
        0: times("1, '2020-01-03'", "2, '2020-01-02'"),
        1: times("1, '2020-01-03'", "1, '2020-01-02'"),
        2: times("1, '2020-01-03'", "1, '2020-01-03'", "2, null"),
        3: times("3, '2020-01-03'", "null, '2020-01-02'", "3, '2020-01-03'", "1, '2020-01-01'"),
    }
    unique: Any = TypeAdapter(Expectation).validate_python({"rule": "unique", "columns": ["a", "at"]})
    filled: Any = TypeAdapter(Expectation).validate_python({"rule": "not_null", "columns": ["a", "at"]})
    for expected, rows in added.items():
        metrics = [added_metric(each, rows, before) for each in (unique, filled)]
        found = measured(before.union(rows), metrics)
        assert found[metrics[0].name] == expected
        assert found[metrics[1].name] == rows.where("a is null or at is null").count()
