"""A refined table with a partition is rebuilt only where its inputs changed, and equals one built whole."""

import sys
from types import ModuleType
from typing import Any

import pytest
from pyspark.sql import SparkSession

from jobs import iceberg
from jobs.compaction import compact
from jobs.partitions import Touched, touched_values
from tests.spark.conftest import Lab

CODE = """
def {name}(visits_{name}, places_{name}):
    joined = visits_{name}.join(places_{name}.withColumnRenamed('id', 'place_id'), 'place_id', 'left')
    return joined.groupBy('day', 'city').count().selectExpr('day', 'city', 'count as visits')
"""


def start(lab: Lab, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    module = ModuleType(f"jobs.refined.{name}")
    exec(CODE.format(name=name), module.__dict__)
    monkeypatch.setitem(sys.modules, f"jobs.refined.{name}", module)
    contract: dict[str, Any] = {
        "description": "One row per day and city.",
        "key": ["day", "city"],
        "columns": {"day": "date", "city": "string", "visits": "bigint"},
        "partition": {"column": "day", "of": [f"visits_{name}"]},
        "max_shrink": 1,
    }
    lab.refine(name, (f"visits_{name}", f"places_{name}"), contract)
    lab.declare(f"visits_{name}", {"id": "bigint", "day": "date", "place_id": "bigint"}, load="merge")
    lab.declare(f"places_{name}", {"id": "bigint", "city": "string"}, max_shrink=1)
    lab.serve(f"places_{name}", [{"id": 1, "city": "Jaén"}, {"id": 2, "city": "Baza"}])
    send(lab, name, (1, "2020-01-01", 1), (2, "2020-01-02", 1), (3, None, 2))


def send(lab: Lab, name: str, *visits: tuple[int, str | None, int]) -> Any:
    lab.serve(f"visits_{name}", [{"id": number, "day": day, "place_id": place} for number, day, place in visits])
    return lab.cycle(name)[f"refined.{name}"]


def rows(lab: Lab, name: str) -> list[tuple[str, str, int]]:
    found = lab.spark.table(f"lake.refined.{name}").selectExpr("string(day)", "city", "visits").collect()
    return sorted((str(row[0]), row[1], row[2]) for row in found)


def test_only_the_days_that_changed_are_built_again(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    start(lab, monkeypatch, "days")
    files = {f.file_path for f in lab.spark.table("lake.refined.days.files").collect()}
    assert send(lab, "days", (4, "2020-01-02", 2), (5, "2020-01-03", 2))["partitions"] == ["2020-01-02", "2020-01-03"]
    kept = {f.file_path for f in lab.spark.table("lake.refined.days.files").collect()} & files
    assert len(kept) == 2
    assert rows(lab, "days") == [
        ("2020-01-01", "Jaén", 1),
        ("2020-01-02", "Baza", 1),
        ("2020-01-02", "Jaén", 1),
        ("2020-01-03", "Baza", 1),
        ("None", "Baza", 1),
    ]


def test_a_row_that_moves_restates_both_its_days(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    start(lab, monkeypatch, "moves")
    assert send(lab, "moves", (1, None, 1))["partitions"] == ["None", "2020-01-01"]
    assert rows(lab, "moves") == [("2020-01-02", "Jaén", 1), ("None", "Baza", 1), ("None", "Jaén", 1)]


def test_another_input_that_changes_rebuilds_the_whole(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    start(lab, monkeypatch, "whole")
    lab.serve("places_whole", [{"id": 1, "city": "Jaén"}, {"id": 2, "city": "Cazorla"}])
    record = lab.cycle("whole")["refined.whole"]
    assert (record["outcome"], "partitions" in record) == ("published", False)
    assert ("None", "Cazorla", 1) in rows(lab, "whole")


def newest(spark: SparkSession, table: str) -> int:
    return int(iceberg.load(spark, table).currentSnapshot().snapshotId())


@pytest.mark.parametrize(
    ("kind", "values"),
    [("date", ["2020-01-01", "2020-01-02", "2020-01-03"]), ("string", ["a", "b", "c"]), ("bigint", [1, 2, 3])],
)
def test_files_tell_in_which_partitions_two_snapshots_may_differ(spark: SparkSession, kind: str, values: list[Any]) -> None:
    table = f"trusted.touched_{kind}"
    first, second, third = (f"cast('{value}' as {kind})" for value in values)
    spark.sql(f"CREATE TABLE lake.{table} (id bigint, part {kind}) USING iceberg PARTITIONED BY (part)")
    spark.sql(f"INSERT INTO lake.{table} VALUES (1, {first}), (2, {second}), (3, null)")
    before = newest(spark, table)
    spark.sql(f"INSERT INTO lake.{table} VALUES (4, {third})")
    spark.sql(f"DELETE FROM lake.{table} WHERE part IS NULL")
    found = touched_values(spark, table, before, newest(spark, table), "part")
    expected = spark.sql(f"SELECT {third}").first()
    assert expected is not None
    assert found == Touched(grown={expected[0]}, rewritten={None})
    assert touched_values(spark, table, before, before, "part") == Touched(set(), set())


def test_a_partition_that_got_rows_and_lost_others_has_to_be_compared(spark: SparkSession) -> None:
    spark.sql("CREATE TABLE lake.trusted.touched_twice (id bigint, part string) USING iceberg PARTITIONED BY (part)")
    spark.sql("INSERT INTO lake.trusted.touched_twice VALUES (1, 'a'), (2, 'b')")
    before = newest(spark, "trusted.touched_twice")
    spark.sql("INSERT INTO lake.trusted.touched_twice VALUES (3, 'a'), (4, 'b'), (5, 'c'), (6, 'd')")
    spark.sql("DELETE FROM lake.trusted.touched_twice WHERE part = 'd' OR id = 3")
    found = touched_values(spark, "trusted.touched_twice", before, newest(spark, "trusted.touched_twice"), "part")
    assert found == Touched(grown={"b", "c"}, rewritten={"a", "d"})


def test_files_do_not_tell_when_one_snapshot_does_not_come_from_the_other(spark: SparkSession) -> None:
    spark.sql("CREATE TABLE lake.trusted.touched_back (id bigint, part string) USING iceberg PARTITIONED BY (part)")
    spark.sql("INSERT INTO lake.trusted.touched_back VALUES (1, 'a')")
    first = newest(spark, "trusted.touched_back")
    spark.sql("INSERT INTO lake.trusted.touched_back VALUES (2, 'b')")
    later = newest(spark, "trusted.touched_back")
    spark.sql(f"CALL lake.system.rollback_to_snapshot('trusted.touched_back', {first})").collect()
    spark.sql("INSERT INTO lake.trusted.touched_back VALUES (3, 'c')")
    assert touched_values(spark, "trusted.touched_back", later, newest(spark, "trusted.touched_back"), "part") is None


def test_files_that_mix_values_do_not_tell(spark: SparkSession) -> None:
    spark.sql("CREATE TABLE lake.trusted.touched_mixed (id bigint, part string) USING iceberg PARTITIONED BY (bucket(2, part))")
    spark.sql("INSERT INTO lake.trusted.touched_mixed VALUES (1, 'a')")
    first = newest(spark, "trusted.touched_mixed")
    spark.sql("INSERT INTO lake.trusted.touched_mixed VALUES (2, 'b')")
    assert touched_values(spark, "trusted.touched_mixed", first, newest(spark, "trusted.touched_mixed"), "part") is None


def test_the_rows_that_were_added_are_told_until_others_change_or_leave(lab: Lab) -> None:
    lab.declare("grown", {"id": "bigint", "price": "bigint"}, load="merge")

    def sent(*rows: tuple[int, int]) -> int:
        lab.serve("grown", [{"id": key, "price": price} for key, price in rows])
        lab.cycle("grown")
        return lab.tables.publications("trusted.grown")[0].snapshot

    def added(before: int, after: int) -> list[tuple[int, int]] | None:
        found = lab.tables.added("trusted.grown", before, after)
        return None if found is None else sorted((row["id"], row.price) for row in found.collect())

    first, second, third = sent((1, 10)), sent((2, 20), (3, 30)), sent((4, 40))
    assert compact(lab.spark, "trusted.grown") == 0
    assert added(first, third) == [(2, 20), (3, 30), (4, 40)]
    assert added(second, second) == []
    assert added(third, first) is None
    changed = sent((1, 11))
    assert added(third, changed) is None
    for number in range(5, 11):
        last = sent((number, 0))
    assert compact(lab.spark, "trusted.grown") > 0
    compacted = int(iceberg.load(lab.spark, "trusted.grown").currentSnapshot().snapshotId())
    assert added(last, compacted) == []
    assert added(changed, compacted) == [(number, 0) for number in range(5, 11)]
