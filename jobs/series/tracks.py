"""Where each series stands: checkpoints from which judging goes on, kept as Parquet beside the publish that they belong to."""

from dataclasses import dataclass

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from jobs.memory import Keep
from jobs.series.points import digests
from jobs.tables import Tables
from lake import paths
from lake.series import SeriesModel
from store.effects import effect

#: Checkpoints kept of a series: where it stands, and its last refits, to go on from there when late points come.
KEPT = 4
#: One row per checkpoint: the points up to it, how many of them count, when the last of them was, a digest of them all, and how to go on.
CHECKPOINTS = "_series string, points bigint, seen bigint, last_at bigint, digest bigint, is_refit boolean, is_newest boolean, track binary"


@dataclass(frozen=True)
class Standing:
    """Which checkpoints still hold, given the points as they are now.

    `valid`: CHECKPOINTS whose points are unchanged; `latest`: of each series the newest of them; `restated`: series whose
    newest checkpoint holds no more, with `last_at` of the one to go on from, null where there is none.
    """

    valid: DataFrame
    latest: DataFrame
    restated: DataFrame


@dataclass(frozen=True)
class Kept:
    """The checkpoints of one detector, a folder per publish."""

    tables: Tables
    name: str
    series: SeriesModel

    def standing(self, run: str | None, points: DataFrame, keep: Keep) -> Standing:
        """Where each series stood after the publish of `run`, as far as its points are still those."""
        spark = self.tables.spark
        reader = spark.read.schema(CHECKPOINTS)
        before = keep(reader.parquet(self._folder(run)) if run else spark.createDataFrame([], CHECKPOINTS))
        found = digests(points, before, self.series)
        valid = keep(before.join(found, ["_series", "last_at", "points", "digest"], "left_semi"))
        latest = keep(_newest(valid, 1).drop("place"))
        moved = before.where("is_newest").join(latest.where("is_newest"), "_series", "left_anti").select("_series")
        return Standing(valid, latest, keep(moved.join(latest.select("_series", "last_at"), "_series", "left")))

    def write(self, run: str, judged: DataFrame, standing: Standing, points: DataFrame) -> None:
        """Keep where each series stands now; judged series from what they passed, all others where they stood."""
        passed = judged.select("_series", F.inline("tracks"))
        new = passed.join(digests(points, passed, self.series).drop("points"), ["_series", "last_at"], "inner")
        both = standing.valid.drop("is_newest").unionByName(new)
        last = _newest(both, 1).select("_series", "last_at", F.lit(True).alias("is_newest"))
        marked = both.join(last, ["_series", "last_at"], "left").na.fill(False, ["is_newest"])
        newest = _newest(marked.where("is_newest or is_refit"), KEPT)
        columns = [part.split()[0] for part in CHECKPOINTS.split(", ")]
        with effect(f"write {self._folder(run)}"):
            newest.select(*columns).coalesce(1).write.mode("overwrite").parquet(self._folder(run))

    def remove_all_but(self, runs: set[str]) -> None:
        """Remove the checkpoints of publishes that the table has forgotten, and of builds that came to nothing."""
        objects, beginning = self.tables.objects, paths.tracks(self.name)
        listed = [each.key for each in objects.list(beginning)]
        objects.delete([key for key in listed if key.removeprefix(beginning).partition("/")[0] not in runs])

    def _folder(self, run: str) -> str:
        return self.tables.objects.uri(paths.tracks(self.name) + run)


def _newest(checkpoints: DataFrame, number: int) -> DataFrame:
    """The newest checkpoints of each series, with their `place` from 1."""
    order = Window.partitionBy("_series").orderBy(F.desc("last_at"))
    return checkpoints.withColumn("place", F.row_number().over(order)).where(F.col("place") <= number)
