"""What there is to judge: from the rows that were added alone where the input says so, else by looking at all points."""

from collections.abc import Callable
from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.memory import Keep
from jobs.series.judgements import pending_series
from jobs.series.points import points
from jobs.series.tracks import CHECKPOINTS, Counts, Kept, Standing
from lake.series import SeriesModel


@dataclass(frozen=True)
class News:
    """The series to be judged (`pending_series`), where they stand, and the points there are of all those that are asked for."""

    pending: DataFrame
    counts: Counts
    standing: Standing
    past: Callable[[DataFrame], DataFrame]


def first_news(rows: DataFrame, series: SeriesModel, keep: Keep) -> News:
    """Everything."""
    columns = (part.split() for part in CHECKPOINTS.split(", "))
    nothing = rows.sparkSession.range(0).select(*(F.lit(None).cast(kind).alias(name) for name, kind in columns))
    now = points(rows, series)
    pending = keep(pending_series(now, nothing, series))
    return News(pending, _counts(pending), Standing(nothing), lambda names: now.join(names, "_series", "left_semi"))


def compared_news(rows: DataFrame, kept: Kept, series: SeriesModel, keep: Keep) -> News:
    """What differs from the points that were judged: all are read, and those that stand are known by their digest."""
    now = keep(points(rows, series))
    standing = kept.standing(now)
    pending = keep(_later(now, standing.latest, series))
    return News(pending, _counts(pending), standing, lambda names: now.join(names, "_series", "left_semi"))


def added_news(rows: DataFrame, added: DataFrame, kept: Kept, series: SeriesModel, keep: Keep) -> News:
    """What the added rows bring: other rows are read of series alone that have late points, or fall due to be fitted."""

    def past(names: DataFrame) -> DataFrame:
        return points(rows, series, names)

    pending = keep(pending_series(points(added, series), kept.newest(), series))
    counts = _counts(pending)
    if not counts.late:
        return News(pending, counts, Standing(kept.newest(pending)), past)
    doubted = pending.where("is_late").select("_series").localCheckpoint()
    now = past(doubted).localCheckpoint()
    again = kept.standing(now, doubted)
    pending = keep(pending.where("not is_late").unionByName(_later(now, again.latest, series)))
    sure = kept.newest(pending).join(F.broadcast(doubted), "_series", "left_anti")
    standing = Standing(sure.unionByName(again.latest), doubted, again.valid, again.restated)
    return News(pending, _counts(pending), standing, past)


def _later(now: DataFrame, latest: DataFrame, series: SeriesModel) -> DataFrame:
    """The pending series, of points of which those up to where their series stands are known."""
    marks = F.broadcast(latest.select("_series", F.col("last_at").alias("_upto")))
    later = now.join(marks, "_series", "left").where(F.col("_upto").isNull() | (F.col("_at") > F.col("_upto")))
    return pending_series(later.drop("_upto"), latest, series)


def _counts(pending: DataFrame) -> Counts:
    points_ = F.coalesce(F.sum(F.size("points")), F.lit(0))
    row = pending.agg(
        F.count("*"),
        points_,
        F.count_if(F.col("last_at").isNull()),
        F.count_if("is_due"),
        F.count_if("is_stop"),
        F.count_if("is_late"),
    ).first()
    assert row is not None
    return Counts(*row)
