"""Spark's types of declared columns, and rows that Python knows as a frame, without asking Spark's parser or a Python worker."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from lake.columns import DECIMAL, stored_type

SIMPLE: dict[str, T.DataType] = {
    "string": T.StringType(),
    "boolean": T.BooleanType(),
    "int": T.IntegerType(),
    "bigint": T.LongType(),
    "float": T.FloatType(),
    "double": T.DoubleType(),
    "date": T.DateType(),
    "timestamp": T.TimestampType(),
}


def column_type(declared: str) -> T.DataType:
    """The type that a declared column has in its table.

    Spark's own parser takes a lone type for a faulty table first: an exception with its stack for each column.
    """
    stored = stored_type(declared)
    match = DECIMAL.fullmatch(stored)
    return T.DecimalType(int(match[1]), int(match[2])) if match else SIMPLE[stored]


def literal_rows(spark: SparkSession, rows: Sequence[tuple[Any, ...]], schema: T.StructType) -> DataFrame:
    """The rows, in one partition; they are part of the plan, so that no Python worker is started to hand them over."""
    entries = [dict(zip(schema.names, map(_plain, row), strict=True)) for row in rows]
    parsed = F.from_json(F.lit(json.dumps(entries)), T.ArrayType(schema), {"mode": "FAILFAST"})
    return spark.range(0, 1, 1, 1).select(F.inline(parsed))


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
