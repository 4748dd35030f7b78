"""Where each series stands: checkpoints from which judging goes on, kept as Parquet beside the publishes that they belong to."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

from pyspark.sql import DataFrame, Observation, Window
from pyspark.sql import functions as F

from jobs.series.points import digests
from jobs.tables import Tables
from lake import paths
from lake.series import SeriesModel
from store.effects import effect

#: Checkpoints kept of a series at its last refits, beside where it stands, to go on from there when late points come.
KEPT = 3
#: So many parts at most are read together.
MOST_PARTS = 8
#: So many checkpoints are worth a file for each task.
MANY = 500
#: One row per checkpoint: the points up to it, how many of them count, when the last of them was, a digest of them all, the
#: count at which a refit is due next, and how to go on.
CHECKPOINTS = "_series string, points bigint, seen bigint, last_at bigint, digest bigint, next_refit bigint, track binary"
COLUMNS = [part.split()[0] for part in CHECKPOINTS.split(", ")]

Facts = dict[str, Any]
"""What a publish remembers: the parts of `newest`, where each series stands, and of `refits`, where it stood at its last ones, newest
first, each by the run that wrote it and how many it holds; and how many `series` there are."""


@dataclass(frozen=True)
class Counts:
    """How many series have points to be judged, how many points, and of the series how many start from the beginning, fall due to
    be fitted, come to a count at which they are remembered, and have points that came late.
    """

    series: int
    points: int
    new: int
    due: int
    stops: int
    late: int


@dataclass(frozen=True)
class Standing:
    """Which checkpoints still hold, given the points as they are now.

    `latest`: of each series the one to go on from. Of series whose past is in doubt (`doubted`, all where it is None) `valid`
    are those at refits whose points are unchanged, and `restated` those series where the newest holds no more, with `last_at`
    of the one to go on from, null where there is none.
    """

    latest: DataFrame
    doubted: DataFrame | None = None
    valid: DataFrame | None = None
    restated: DataFrame | None = None


@dataclass(frozen=True)
class Kept:
    """The checkpoints of one detector, as one of its publishes left them."""

    tables: Tables
    name: str
    series: SeriesModel
    facts: Facts

    def newest(self, names: DataFrame | None = None) -> DataFrame:
        """Where each series stands, or each of few that are named."""
        parts = self._parts("newest")
        if names is not None and len(self.facts["newest"]) > 1:
            parts = parts.join(F.broadcast(names.select("_series")), "_series", "left_semi")
        return self._first("newest", parts, 1)

    def standing(self, points: DataFrame, doubted: DataFrame | None = None) -> Standing:
        """Where the series with these points stand, as far as their points are still those."""
        # checkpoints of Spark's own: it writes plans out as text, and kept frames within kept frames double it each time
        newest, refits = (self._first(kind, self._parts(kind), number) for kind, number in (("newest", 1), ("refits", KEPT)))
        if doubted is not None:
            newest, refits = (each.join(F.broadcast(doubted), "_series", "left_semi") for each in (newest, refits))
        both = newest.withColumn("is_newest", F.lit(True)).unionByName(refits.withColumn("is_newest", F.lit(False)))
        before = both.localCheckpoint()
        found = digests(points, before, self.series)
        valid = before.join(found, ["_series", "last_at", "points", "digest"], "left_semi").localCheckpoint()
        order = Window.partitionBy("_series").orderBy(F.desc("last_at"), F.desc("is_newest"))
        latest = valid.withColumn("place", F.row_number().over(order)).where("place = 1").drop("place")
        moved = before.where("is_newest").join(latest.where("is_newest"), "_series", "left_anti").select("_series")
        restated = moved.join(latest.select("_series", "last_at"), "_series", "left")
        return Standing(latest.select(COLUMNS), doubted, valid.where("not is_newest").select(COLUMNS), restated)

    def written(self, run: str, judged: DataFrame, counts: Counts, standing: Standing) -> Facts:
        """Keep where each of the judged series stands now, all others where they stood."""
        ended = judged.where(F.size("tracks") > 0).select("_series", F.element_at("tracks", -1).alias("stop"))
        at_end = ended.select("_series", "stop.*").select(COLUMNS)
        at_refits = judged.select("_series", F.inline("tracks")).where("is_refit").select(COLUMNS)
        if standing.valid is None:
            return self._with_parts(run, at_end, at_refits, counts)
        fresh = _first([at_refits, standing.valid], KEPT)
        if standing.doubted is not None:
            return self._with_parts(run, at_end, fresh, replace(counts, stops=counts.stops + 1))
        newest = self._write(run, "newest", _first([at_end, standing.latest], 1))
        return {"newest": [newest], "refits": [self._write(run, "refits", fresh)], "series": newest[1]}

    def _with_parts(self, run: str, newest: DataFrame, refits: DataFrame, counts: Counts) -> Facts:
        """A part beside those there are, or in place of them where it holds all, or they have become too many.

        `series` may count a series twice that was judged from its beginning again, never too few: a part that is taken to hold
        all does.
        """
        series = self.facts.get("series", 0) + counts.new
        facts: Facts = {**self.facts, "series": series}
        for kind, fresh, many, number in (("newest", newest, counts.series, 1), ("refits", refits, counts.stops, KEPT)):
            parts = self.facts.get(kind, [])
            if not many and parts:
                continue
            later = sum(size for _, size in parts[:-1])
            if kind == "newest" and many == series:
                facts[kind] = [self._write(run, kind, fresh)]
            elif parts and len(parts) < MOST_PARTS and 2 * (many + later) < parts[-1][1]:
                facts[kind] = [self._write(run, kind, fresh, many), *parts]
            else:
                facts[kind] = [self._write(run, kind, _first([fresh, self._parts(kind)] if parts else [fresh], number))]
                facts["series"] = facts["newest"][0][1] if kind == "newest" else facts["series"]
        return facts

    def _write(self, run: str, kind: str, checkpoints: DataFrame, many: int = MANY) -> list[Any]:
        counted, folder = Observation(), self._folder(run, kind)
        files = self.tables.spark.sparkContext.defaultParallelism if many >= MANY else 1
        with effect(f"write {folder}"):
            observed = checkpoints.select(COLUMNS).observe(counted, F.count(F.lit(1)).alias("rows"))
            observed.coalesce(files).write.mode("overwrite").parquet(folder)
        return [run, counted.get["rows"]]

    def remove_all_but(self, runs: set[str]) -> None:
        """Remove the checkpoints of publishes that the table has forgotten, and of builds that came to nothing."""
        objects, beginning = self.tables.objects, paths.tracks(self.name)
        listed = [each.key for each in objects.list(beginning)]
        objects.delete([key for key in listed if key.removeprefix(beginning).partition("/")[0] not in runs])

    def _parts(self, kind: str) -> DataFrame:
        """The checkpoints of all parts, by one scan, with the `_place` of each part: newest first."""
        folders = [self._folder(run, kind) for run, _ in self.facts[kind]]
        place = [
            F.when(F.col("_metadata.file_path").contains(f"/{run}/"), place) for place, (run, _) in enumerate(self.facts[kind])
        ]
        return self.tables.spark.read.schema(CHECKPOINTS).parquet(*folders).withColumn("_place", F.coalesce(*place))

    def _first(self, kind: str, parts: DataFrame, number: int) -> DataFrame:
        """Of each series the first so many; a single part has no more."""
        return parts.drop("_place") if len(self.facts[kind]) == 1 else _first([parts], number)

    def _folder(self, run: str, kind: str) -> str:
        return self.tables.objects.uri(f"{paths.tracks(self.name)}{run}/{kind}")


def runs_named(facts: dict[str, Any]) -> set[str]:
    """The runs whose checkpoints a publish with these facts needs."""
    tracks = facts.get("tracks") or {}
    if isinstance(tracks, str):
        return {tracks}
    return {run for kind in ("newest", "refits") for run, _ in tracks.get(kind, [])}


def _first(frames: Sequence[DataFrame], number: int) -> DataFrame:
    """Of each series the first so many checkpoints: those of a frame before those of the next, and of parts as they are placed;
    then the newest first.
    """
    if len(frames) == 1 and "_place" not in frames[0].columns:
        return frames[0]
    given = [
        each if "_place" in each.columns else each.withColumn("_place", F.lit(place - len(frames)))
        for place, each in enumerate(frames)
    ]
    placed = reduce(DataFrame.unionByName, given)
    order = Window.partitionBy("_series").orderBy("_place", F.desc("last_at"))
    return placed.withColumn("_rank", F.row_number().over(order)).where(F.col("_rank") <= number).drop("_place", "_rank")
