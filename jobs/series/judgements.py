"""What is to be judged, and what came of it, a series in a row."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.series import tasks
from jobs.series.points import counted, gathered, seal
from jobs.series.setting import setting_of
from jobs.series.tracks import Counts
from lake.series import SeriesModel

#: So many points are handed to every task.
FEW_POINTS = 500_000


def pending_series(points: DataFrame, stands: DataFrame, series: SeriesModel) -> DataFrame:
    """One row per series that has any of these points, given where the series stand.

    `_series`, the entity's columns, `points` array of the points after where it stands, `passed` and `before` bigint (how many
    came before them, and how many of those counted), `digest` bigint of those before, `last_at` bigint of the last of them
    (null: there were none), `is_due`: some refit falls within the points, `is_stop`: or right after them, `is_late`: some of
    these points are no later than `last_at`, so that what is known of those before may not hold.
    """
    known = stands.select(
        "_series", F.col("points").alias("passed"), F.col("seen").alias("before"), "digest", "last_at", "next_refit"
    )
    each = F.struct(F.col("_at").alias("at"), *series.values, seal(series).alias("seal"))
    is_late = F.coalesce(F.col("_at") <= F.col("last_at"), F.lit(False))
    counts = F.count_if(~is_late & counted([F.col(name) for name in series.values]))
    once = [F.first(name).alias(name) for name in (*series.entity, "passed", "before", "digest", "last_at", "next_refit")]
    found = (
        points.join(known, "_series", "left")
        .groupBy("_series")
        .agg(
            *once,
            F.sort_array(F.collect_list(F.when(~is_late, each))).alias("points"),
            F.bool_or(is_late).alias("is_late"),
            counts.alias("counted"),
        )
    )
    filled = found.na.fill({"passed": 0, "before": 0, "digest": 0, "next_refit": setting_of(series).learn})
    now = F.col("before") + F.col("counted")
    is_due, is_stop = (F.col("next_refit") < now).alias("is_due"), (F.col("next_refit") <= now).alias("is_stop")
    return filled.select(
        "_series", *series.entity, "points", "passed", "before", "digest", "last_at", is_due, is_stop, "is_late"
    )


def ready_series(
    pending: DataFrame, counts: Counts, latest: DataFrame, history: DataFrame | None, series: SeriesModel
) -> DataFrame:
    """The pending series with `track` binary (how to go on; null from the beginning) and `history`: of those that are due
    again, the points before that count.
    """
    tracks = latest.select("_series", "track")
    if counts.points > FEW_POINTS:
        ready = pending.join(tracks, "_series", "left")
    else:  # the points go to where the tracks are read, which are by far more bytes
        ready = tracks.join(F.broadcast(pending.where("last_at is not null")), "_series", "inner")
        if counts.new:
            ready = ready.unionByName(pending.where("last_at is null").withColumn("track", F.lit(None).cast("binary")))
    if history is None:
        values = ", ".join(f"`{name}`: double" for name in series.values)
        return ready.withColumn("history", F.lit(None).cast(f"array<struct<at: bigint, {values}>>"))
    due = history.join(F.broadcast(pending.where("is_due").select("_series", "last_at")), "_series", "inner")
    seen = due.where((F.col("_at") <= F.col("last_at")) & counted([F.col(name) for name in series.values]))
    return ready.join(gathered(seen, series).withColumnRenamed("points", "history"), "_series", "left")


def judged_series(ready: DataFrame, fits: DataFrame | None, series: SeriesModel, *, is_much: bool) -> DataFrame:
    """One row per series, as `tasks.judged_schema` has it; without `fits` the tasks find them. Much work is spread evenly."""
    if fits is not None:
        by_series = fits.groupBy("_series").agg(F.collect_list(F.struct("at_row", "fit")).alias("fits"))
        ready = ready.join(by_series, "_series", "left")
    tasks_ = ready.sparkSession.sparkContext.defaultParallelism
    spread = ready.repartition(tasks_, "_series") if is_much else ready.coalesce(tasks_)
    return spread.mapInArrow(tasks.judgements(series), tasks.judged_schema(series))


def judged_points(judged: DataFrame, series: SeriesModel) -> DataFrame:
    """One row per point, as the detector's table has it."""
    flat = judged.select(*series.entity, F.inline("judged"))
    return flat.withColumn("at", F.timestamp_micros("at")).withColumnRenamed("at", series.time)
