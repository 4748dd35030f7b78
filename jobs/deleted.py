"""What a key sweep tells of a trusted table: the keys that are gone in the source, and those whose rows never came."""

from collections.abc import Sequence
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from jobs.casts import cast
from lake.columns import stored_type
from lake.errors import GateError
from lake.source import Source

Run = dict[str, Any]


def newest_sweep(runs: Sequence[Run], source: Source) -> Run | None:
    """The last of these runs that swept the keys; None when none did.

    Raises GateError when it swept other columns than the key has now: rows that were deleted would come back.
    """
    run = next((run for run in reversed(runs) if run.get("keys")), None)
    lacking = [field for field in _fields(source) if run and field not in run["keys"]["fields"]]
    if run and lacking:
        raise GateError(
            f"{source.trusted}: got a key sweep without {', '.join(lacking)} in run {run['run']}, expected the columns of the key; "
            f"`lake ingest {source.name}` sweeps them; the table stays as it was"
        )
    return run


def sweep_schema(run: Run) -> T.StructType:
    """Schema of a sweep's object: a text per column."""
    return T.StructType([T.StructField(name, T.StringType()) for name in run["keys"]["fields"]])


def swept_keys(texts: DataFrame, source: Source) -> DataFrame:
    """One row per key that the source has, cast as the rows' own texts are; a text that is no such value is no key."""
    places = [f"_{position}" for position in range(len(texts.columns))]
    text = dict(zip(texts.columns, (F.col(place) for place in places), strict=True))
    typed = [
        cast(text[field], source.published[name]).value.cast(stored_type(source.published[name].type)).alias(name)
        for name, field in zip(source.key, _fields(source), strict=True)
    ]
    return texts.toDF(*places).select(*typed)


def differing_keys(served: DataFrame, swept: DataFrame, newer: DataFrame, key: list[str]) -> DataFrame:
    """One row per key that is only `served`, or with `_is_swept` only in the sweep.

    Keys of which a run behind the sweep brought a row (`newer`) are not among them.
    """
    here = served.select(*key, F.lit(True).alias("_is_served"), F.lit(False).alias("_is_swept"))
    there = swept.dropna(subset=key).select(*key, F.lit(False).alias("_is_served"), F.lit(True).alias("_is_swept"))
    places = here.union(there).groupBy(*key).agg(F.max("_is_served").alias("_is_served"), F.max("_is_swept").alias("_is_swept"))
    differing = places.where(F.col("_is_served") != F.col("_is_swept")).select(*key, "_is_swept")
    return differing.join(newer.select(*key), key, "left_anti")


def _fields(source: Source) -> list[str]:
    """Where each column of the key comes from."""
    return [source.columns[name].from_ or name for name in source.key]
