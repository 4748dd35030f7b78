"""Which partitions of a table changed between two of its snapshots."""

from functools import reduce
from typing import Any

from pyspark.sql import Column as Expr
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.trusted import LINEAGE


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
