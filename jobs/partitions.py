"""Which partitions of a table changed between two of its snapshots: by its files, then by their rows."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import reduce
from typing import Any

from pyspark.sql import Column as Expr
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs import iceberg
from jobs.java_errors import java_errors
from jobs.trusted import LINEAGE

#: More files than this are not asked one by one: then all rows are compared.
ASKED_FILES = 500
#: Iceberg's identity partitions to Python's values, by the name of their type.
VALUES: dict[str, Callable[[Any], Any]] = {
    "boolean": bool,
    "int": int,
    "long": int,
    "string": str,
    "date": lambda days: date(1970, 1, 1) + timedelta(days=int(days)),
}


def has_value(column: str, values: list[Any]) -> Expr:
    """True where the column has one of the values, of which one may be null; in words that Iceberg can compare files with."""
    given = [value for value in values if value is not None]
    conditions = [F.col(column).isin(*given)] if given else []
    conditions += [F.col(column).isNull()] if None in values else []
    return reduce(lambda left, right: left | right, conditions) if conditions else F.lit(False)


def partition_sums(frame: DataFrame, column: str) -> DataFrame:
    """One row per value of the column: rows bigint and two sums of row hashes that do not depend on order or lineage."""
    names = [F.col(name) for name in frame.columns if name not in LINEAGE]
    text = F.to_json(F.struct(*names), {"ignoreNullFields": "false"})
    return frame.groupBy(F.col(column).alias("value")).agg(
        F.count("*").alias("rows"),
        F.sum(F.xxhash64(text).cast("decimal(38,0)")).alias("first"),
        F.sum(F.hash(text).cast("decimal(38,0)")).alias("second"),
    )


def changed_values(before: DataFrame, after: DataFrame, column: str) -> set[Any]:
    """Values of the column whose rows are not the same in both frames."""
    old, new = partition_sums(before, column).alias("old"), partition_sums(after, column).alias("new")
    same = ["rows", "first", "second"]
    differ = ~F.struct(*(F.col(f"old.{n}") for n in same)).eqNullSafe(F.struct(*(F.col(f"new.{n}") for n in same)))
    joined = old.join(new, F.col("old.value").eqNullSafe(F.col("new.value")), "full").where(differ)
    rows = joined.select(F.when(F.col("new.rows").isNull(), F.col("old.value")).otherwise(F.col("new.value")).alias("value"))
    return {row["value"] for row in rows.collect()}


@dataclass(frozen=True)
class Touched:
    """Values of a column that a file has which only one of two snapshots has: all others have the same rows in both.

    `grown` ones only got files, so they have rows more; of `rewritten` ones only their rows can tell.
    """

    grown: set[Any]
    rewritten: set[Any]


def touched_values(spark: SparkSession, table: str, before: int, after: int, column: str) -> Touched | None:
    """What files tell of the column's values between two snapshots.

    None where they do not tell: `after` does not come from `before`, some file is not kept apart by the column, or there are
    very many.
    """
    java_table, jvm = iceberg.load(spark, table), spark._jvm
    assert jvm is not None
    added, rewritten, anything = set[Any](), set[Any](), jvm.java.lang.Class.forName("java.lang.Object")
    with java_errors(table):
        line = iceberg.line_between(java_table, before, after)
        if line is None or sum(map(_changed_files, line)) > ASKED_FILES:
            return None
        for file, is_added in (each for snapshot in line for each in _files(java_table, snapshot)):
            place = _place(java_table, int(file.specId()), column)
            if place is None:
                return None
            position, kind = place
            value = file.partition().get(position, anything)
            (added if is_added else rewritten).add(None if value is None else VALUES[kind](value))
    return Touched(added - rewritten, rewritten)


def _changed_files(snapshot: Any) -> int:
    summary = snapshot.summary()
    counts = ("added-data-files", "deleted-data-files", "added-delete-files", "removed-delete-files")
    return sum(int(summary.get(name) or 0) for name in counts)


def _files(java_table: Any, snapshot: Any) -> Iterator[tuple[Any, bool]]:
    """The files of data and deletes that a snapshot added or removed, and whether each is data that was added."""
    io = java_table.io()
    yield from ((file, True) for file in snapshot.addedDataFiles(io))
    for files in (snapshot.removedDataFiles(io), snapshot.addedDeleteFiles(io), snapshot.removedDeleteFiles(io)):
        yield from ((file, False) for file in files)


def _place(java_table: Any, spec_id: int, column: str) -> tuple[int, str] | None:
    """Where a file's partition has the column's own value, and its type."""
    source = java_table.schema().findField(column)
    kind = str(source.type()) if source else ""
    for position, part in enumerate(java_table.specs().get(spec_id).fields()):
        if source and kind in VALUES and part.sourceId() == source.fieldId() and part.transform().isIdentity():
            return position, kind
    return None
