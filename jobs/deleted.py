"""Which rows of a trusted table are gone in the source: frames of the keys that its newest key sweep has, and has not."""

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


def gone_keys(served: DataFrame, swept: DataFrame, newer: DataFrame, key: list[str]) -> DataFrame:
    """One row per key of `served` that is not in the sweep, and of which no run behind the sweep brought a row (`newer`)."""
    rows = served.select(*key).distinct()
    return rows.join(swept, key, "left_anti").join(newer.select(*key), key, "left_anti")


def _fields(source: Source) -> list[str]:
    """Where each column of the key comes from."""
    return [source.columns[name].from_ or name for name in source.key]
