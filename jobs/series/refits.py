"""Fits by SparkML, for detectors that ask for it: training sets made within tasks, clusters found by one job each."""

from functools import partial
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame, Row, SparkSession

from jobs.series import tasks
from jobs.series.fitting import fits_from
from jobs.series.packing import packed_fit, unpacked_training
from lake.series import SeriesModel


def refits(ready: DataFrame, series: SeriesModel) -> DataFrame:
    """One row per refit that is due in these series: `_series`, `at_row` bigint (points before it) and `fit` binary.

    A refit looks at the series up to its row, however much is judged before it.
    """
    from jobs.series.sparkml import at_once, centres

    spark = ready.sparkSession
    due = ready.where("is_due").repartition(spark.sparkContext.defaultParallelism, "_series")
    sets = due.mapInArrow(tasks.training_sets(series), tasks.SETS).persist()
    try:
        found = list(at_once(partial(_fitted, spark, centres), sets.toLocalIterator()))
    finally:
        sets.unpersist()
    columns = zip(*found, strict=True) if found else ((), (), ())
    kinds = (("_series", pa.string()), ("at_row", pa.int64()), ("fit", pa.binary()))
    arrays = {name: pa.array(values, kind) for (name, kind), values in zip(kinds, columns, strict=True)}
    return spark.createDataFrame(pa.table(arrays))


def _fitted(spark: SparkSession, centres: Any, row: Row) -> tuple[str, int, bytes]:
    training = unpacked_training(bytes(row.training))
    found = centres(spark, training.points(), training.k, training.seed)
    return row["_series"], int(row.at_row), packed_fit(fits_from(training, found))
