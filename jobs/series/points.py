"""The points of series as Spark has them: each once, and what tells whether those judged before are still the same."""

from collections.abc import Sequence
from functools import reduce
from operator import and_

from pyspark.sql import Column as Expr
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lake.series import SeriesModel


def points(rows: DataFrame, series: SeriesModel, names: DataFrame | None = None) -> DataFrame:
    """One row per series and time: `_series` string (the entity as JSON), the entity's columns, `_at` bigint (epoch
    microseconds), and each value double, null where there is none or it is no finite number. `names` (`_series`): of these only.

    Several rows with one time are one point, in the middle between the least and the greatest of each value. A row without a
    time ends the build.
    """
    missing = F.raise_error(F.lit(f"{series.time}: got a row without it, expected the time of each point"))
    given = rows.select(
        *(F.col(name).cast(column.type).alias(name) for name, column in series.entity.items()),
        F.coalesce(F.unix_micros(F.col(series.time).cast("timestamp")), missing.cast("bigint")).alias("_at"),
        *(_value(name, each.value).alias(name) for name, each in series.values.items()),
    ).withColumn("_series", series_name(series))
    asked = given if names is None else given.join(F.broadcast(names), "_series", "left_semi")
    # a series' rows come together once, for all that follows
    single = asked.repartition("_series").groupBy("_series", *series.entity, "_at")
    return single.agg(*(((F.min(name) + F.max(name)) / 2).alias(name) for name in series.values))


def counted(values: Sequence[Expr]) -> Expr:
    """Whether a point with these values is judged and learnt from: none is missing."""
    return reduce(and_, (value.isNotNull() for value in values))


def series_name(series: SeriesModel) -> Expr:
    """The name of the row's series: its entity as JSON."""
    return F.to_json(F.struct(*series.entity)) if series.entity else F.lit("{}")


def digests(points_: DataFrame, checkpoints: DataFrame, series: SeriesModel) -> DataFrame:
    """One row per checkpoint (`_series`, `last_at`): `points` bigint and `digest` bigint of all points up to it."""
    marks = F.broadcast(checkpoints.select("_series", "last_at").distinct())
    upto = points_.join(marks, "_series", "inner").where(F.col("_at") <= F.col("last_at"))
    return upto.groupBy("_series", "last_at").agg(F.count("*").alias("points"), F.bit_xor(seal(series)).alias("digest"))


def seal(series: SeriesModel) -> Expr:
    """A hash of the point; those of several points, in any order, are one by exclusive or."""
    return F.xxhash64("_at", *series.values)


def gathered(points_: DataFrame, series: SeriesModel) -> DataFrame:
    """One row per series: `_series` and `points` array of structs (`at`, each value) in order of time."""
    each = F.struct(F.col("_at").alias("at"), *series.values)
    return points_.groupBy("_series").agg(F.sort_array(F.collect_list(each)).alias("points"))


def _value(name: str, expression: str | None) -> Expr:
    value = F.expr(expression or f"`{name}`").cast("double")
    return F.when(~F.isnan(value) & (F.abs(value) != F.lit(float("inf"))), value)
