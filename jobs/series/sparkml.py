"""Fits clusters with SparkML's KMeans, several fits at once: most of a small one is waiting for its many little jobs."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
from pyspark.ml.clustering import KMeans
from pyspark.ml.functions import array_to_vector
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from jobs.series.lloyd import ROUNDS, TOLERANCE

#: Fits under way at once, and how many more wait with their points in memory.
AT_ONCE, WAITING = 6, 12
T = TypeVar("T")
R = TypeVar("R")


def centres(spark: SparkSession, points: Any, k: int, seed: int) -> Any:
    """Centres, at most (k, d), of points (n, d), n at least k.

    One partition and a fixed seed: equal points in equal order give equal bits.
    """
    width = points.shape[1]
    flat = pa.array(np.ascontiguousarray(points, float).ravel())
    listed = pa.ListArray.from_arrays(pa.array(np.arange(0, len(flat) + 1, width, dtype="int32")), flat)
    rows = spark.createDataFrame(pa.table({"point": listed})).select(array_to_vector(F.col("point")).alias("features"))
    fitted = KMeans(k=k, seed=seed, maxIter=ROUNDS, initMode="random", tol=TOLERANCE).fit(rows.coalesce(1))
    return np.vstack(fitted.clusterCenters())


def at_once(work: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """What `work` makes of each item, in their order; a bounded number of items is held at any time."""
    source = iter(items)
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="fit") as pool:
        under_way: list[Future[R]] = [pool.submit(work, item) for item in islice(source, AT_ONCE + WAITING)]
        while under_way:
            yield under_way.pop(0).result()
            under_way += [pool.submit(work, item) for item in islice(source, 1)]
