"""What is to be judged, and what came of it, a series in a row."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.series import tasks
from jobs.series.points import gathered
from lake.series import SeriesModel


def pending_series(points: DataFrame, latest: DataFrame, series: SeriesModel) -> DataFrame:
    """One row per series with points after its latest checkpoint: `_series`, the entity's columns, `points` array of those
    points, `passed` and `before` bigint (how many came before them, and how many of those counted) and `track` binary (how
    to go on; null from the beginning).
    """
    stands = latest.select("_series", F.col("points").alias("passed"), F.col("seen").alias("before"), "last_at", "track")
    later = points.join(F.broadcast(stands.select("_series", "last_at")), "_series", "left")
    new = gathered(later.where(F.col("last_at").isNull() | (F.col("_at") > F.col("last_at"))), series)
    return new.join(stands.drop("last_at"), "_series", "left").na.fill(0, ["passed", "before"])


def judged_series(pending: DataFrame, fits: DataFrame, series: SeriesModel) -> DataFrame:
    """One row per pending series, as `tasks.judged_schema` has it."""
    by_series = fits.groupBy("_series").agg(F.collect_list(F.struct("at_row", "fit")).alias("fits"))
    ready = pending.join(by_series, "_series", "left")
    spread = ready.repartition(pending.sparkSession.sparkContext.defaultParallelism, "_series")
    return spread.mapInArrow(tasks.judgements(series), tasks.judged_schema(series))


def judged_points(judged: DataFrame, series: SeriesModel) -> DataFrame:
    """One row per point, as the detector's table has it."""
    flat = judged.select(*series.entity, F.inline("judged"))
    return flat.withColumn("at", F.timestamp_micros("at")).withColumnRenamed("at", series.time)
