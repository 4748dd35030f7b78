"""Types of declared columns as Spark has them, and rows that are part of a plan."""

from datetime import UTC, datetime

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import types as T

from jobs.schemas import column_type, literal_rows
from lake.columns import SIMPLE_TYPES, stored_type


@pytest.mark.parametrize("declared", [*SIMPLE_TYPES, "decimal(10,2)", "decimal(38,0)"])
def test_a_declared_type_is_what_spark_calls_so(spark: SparkSession, declared: str) -> None:
    assert column_type(declared) == T._parse_datatype_string(stored_type(declared))


ROWS = [
    ("it's", 1 << 40, float("inf"), True, datetime(2020, 2, 29, 23, 59, 59, 123456, tzinfo=UTC)),
    ('"\\\n', None, 0.1, None, datetime(2020, 2, 29, tzinfo=UTC)),
    (None, -1, None, False, None),
]
SCHEMA = "text string, number bigint, share double, is_so boolean, read_at timestamp"


def test_literal_rows_keep_every_value_and_start_no_python_worker(spark: SparkSession) -> None:
    schema = T._parse_datatype_string(SCHEMA)
    assert isinstance(schema, T.StructType)
    frame = literal_rows(spark, ROWS, schema)
    assert frame.schema == schema
    assert "PythonRDD" not in frame.rdd.toDebugString().decode()
    told = frame.selectExpr("text", "number", "share", "is_so", "unix_micros(read_at)").collect()
    micros = [None if row[4] is None else (row[4] - datetime(1970, 1, 1, tzinfo=UTC)) for row in ROWS]
    assert [tuple(row) for row in told] == [
        (*row[:4], None if age is None else round(age.total_seconds() * 1_000_000))
        for row, age in zip(ROWS, micros, strict=True)
    ]


def test_no_literal_rows_are_a_frame_of_the_schema_too(spark: SparkSession) -> None:
    schema = T.StructType([T.StructField("text", T.StringType())])
    assert (literal_rows(spark, [], schema).collect(), literal_rows(spark, [], schema).schema) == ([], schema)
