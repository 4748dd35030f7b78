"""The fits that are due: training sets made within tasks, clusters found by SparkML, or within tasks for very many series."""

from functools import partial
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from jobs.series import tasks
from jobs.series.fitting import fits_from
from jobs.series.packing import packed_fit, unpacked_training
from jobs.series.points import counted, gathered
from lake.series import SeriesModel


def refits(pending: DataFrame, points: DataFrame, series: SeriesModel) -> tuple[DataFrame, int]:
    """One row per refit of a pending series: `_series`, `at_row` bigint (points before it) and `fit` binary; how many.

    A refit looks at the series up to its row, however much is judged before it.
    """
    new = F.size(F.filter("points", lambda point: counted([point[name] for name in series.values])))
    grown = pending.select("_series", "before", (F.col("before") + new).alias("now"))
    due = grown.mapInArrow(tasks.due_series(series), tasks.DUE)
    history = gathered(points.where(counted([F.col(name) for name in series.values])), series).join(due, "_series", "inner")
    spread = history.repartition(pending.sparkSession.sparkContext.defaultParallelism, "_series")
    sets = spread.select("_series", "before", "points").mapInArrow(tasks.training_sets(series), tasks.SETS)
    if series.fit == "group":
        fits = sets.mapInArrow(tasks.group_fits, tasks.FITS).persist()
        return fits, fits.count()
    return _by_sparkml(sets)


def _by_sparkml(sets: DataFrame) -> tuple[DataFrame, int]:
    from jobs.series.sparkml import at_once, centres

    spark, kept = sets.sparkSession, sets.persist()
    try:
        found = list(at_once(partial(_fitted, spark, centres), kept.toLocalIterator()))
    finally:
        kept.unpersist()
    columns = zip(*found, strict=True) if found else ((), (), ())
    kinds = (("_series", pa.string()), ("at_row", pa.int64()), ("fit", pa.binary()))
    arrays = {name: pa.array(values, kind) for (name, kind), values in zip(kinds, columns, strict=True)}
    return spark.createDataFrame(pa.table(arrays)), len(found)


def _fitted(spark: SparkSession, centres: Any, row: Row) -> tuple[str, int, bytes]:
    training = unpacked_training(bytes(row.training))
    found = centres(spark, training.points, training.k, training.seed)
    return row["_series"], int(row.at_row), packed_fit(fits_from(training, found))
