"""Text becomes a value, or a reason why not; never something near."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from jobs.casts import cast
from lake.columns import Column


def cast_one(spark: SparkSession, text: str | None, **column: Any) -> tuple[Any, str | None]:
    frame = spark.createDataFrame([(text,)], "text string")
    made = cast(F.col("text"), Column(**column))
    value = made.value.cast("string") if column["type"] == "timestamp" else made.value
    row = frame.select(value.alias("value"), made.fault.alias("fault")).first()
    assert row is not None
    return row["value"], row["fault"]


GOOD = [
    ({"type": "bigint"}, "42", 42),
    ({"type": "bigint"}, " -7 ", -7),
    ({"type": "bigint"}, "9223372036854775807", 9223372036854775807),
    ({"type": "decimal(10,2)"}, "109.95", Decimal("109.95")),
    ({"type": "decimal(10,2)"}, "10.990", Decimal("10.99")),
    ({"type": "decimal(10,2)"}, "1.5e3", Decimal("1500.00")),
    ({"type": "decimal(10,2)"}, "150e-2", Decimal("1.50")),
    ({"type": "decimal(10,2)"}, "0.000", Decimal("0.00")),
    ({"type": "decimal(38,10)"}, "1234567890123456789012345678.0123456789", Decimal("1234567890123456789012345678.0123456789")),
    ({"type": "double"}, "0.1", 0.1),
    ({"type": "double"}, "-1e-3", -0.001),
    ({"type": "boolean"}, "True", True),
    ({"type": "date"}, "2020-02-29", date(2020, 2, 29)),
    ({"type": "date", "format": "d/M/yyyy"}, "31/1/2020", date(2020, 1, 31)),
    ({"type": "timestamp"}, "2020-03-02T00:00:00.000Z", "2020-03-02 00:00:00"),
    ({"type": "timestamp"}, "2020-03-02T01:30:00+01:30", "2020-03-02 00:00:00"),
    ({"type": "timestamp", "format": "epoch_s"}, "1583107200", "2020-03-02 00:00:00"),
    ({"type": "timestamp", "format": "epoch_ms"}, "1583107200123", "2020-03-02 00:00:00.123"),
    ({"type": "timestamp", "zone": "America/New_York"}, "2013-01-01 05:00:00", "2013-01-01 10:00:00"),
    ({"type": "timestamp", "zone": "America/New_York"}, "2013-01-01T05:00:00Z", "2013-01-01 05:00:00"),
    ({"type": "timestamp", "zone": "America/New_York", "on_overlap": "earlier"}, "2013-11-03 01:30:00", "2013-11-03 05:30:00"),
    ({"type": "timestamp", "zone": "America/New_York", "on_overlap": "later"}, "2013-11-03 01:30:00", "2013-11-03 06:30:00"),
    ({"type": "timestamp", "zone": "Australia/Lord_Howe", "on_overlap": "later"}, "2013-04-07 01:45:00", "2013-04-06 15:15:00"),
    ({"type": "timestamp", "zone": "Europe/Madrid", "format": "dd.MM.yyyy HH:mm"}, "02.03.2020 01:00", "2020-03-02 00:00:00"),
    ({"type": "string"}, " as it is ", " as it is "),
]


@pytest.mark.parametrize(("column", "text", "value"), GOOD)
def test_a_text_becomes_just_this_value(spark: SparkSession, column: dict[str, Any], text: str, value: Any) -> None:
    assert cast_one(spark, text, **column) == (value, None)


BAD = [
    ({"type": "bigint"}, "517.0", "whole number"),
    ({"type": "bigint"}, "", "whole number"),
    ({"type": "bigint"}, "9223372036854775808", "out of range"),
    ({"type": "tinyint"}, "128", "out of range"),
    ({"type": "decimal(10,2)"}, "10.999", "2 decimals"),
    ({"type": "decimal(10,2)"}, "1e-3", "2 decimals"),
    ({"type": "decimal(10,2)"}, "123456789.00", "out of range"),
    ({"type": "decimal(10,2)"}, "12,50", "a number"),
    ({"type": "double"}, "1e400", "out of range"),
    ({"type": "double"}, "1e-400", "too small"),
    ({"type": "double"}, "NaN", "a number"),
    ({"type": "double"}, "Infinity", "a number"),
    ({"type": "double"}, "1.0d", "a number"),
    ({"type": "float"}, "1e39", "out of range"),
    ({"type": "boolean"}, "yes", "true or false"),
    ({"type": "date"}, "2020-02-30", "a date"),
    ({"type": "date"}, "2020-2-3", "a date"),
    ({"type": "date", "format": "d/M/yyyy"}, "31/4/2020", "a date like"),
    ({"type": "timestamp"}, "12:00", "an instant"),
    ({"type": "timestamp"}, "2020-03-02 00:00:00", "declare `zone`"),
    ({"type": "timestamp", "zone": "America/New_York"}, "2013-03-10 02:30:00", "never showed"),
    ({"type": "timestamp", "zone": "America/New_York"}, "2013-11-03 01:30:00", "twice"),
    ({"type": "timestamp", "zone": "America/New_York"}, "2013-02-30 01:30:00", "a time like"),
    ({"type": "timestamp", "format": "epoch_s"}, "soon", "a number"),
    ({"type": "timestamp", "format": "epoch_s"}, "99999999999999", "years"),
]


@pytest.mark.parametrize(("column", "text", "reason"), BAD)
def test_a_text_that_is_no_such_value_is_a_fault_and_never_a_null(
    spark: SparkSession, column: dict[str, Any], text: str, reason: str
) -> None:
    value, fault = cast_one(spark, text, **column)
    assert value is None
    assert reason in (fault or "")


def test_null_stays_null_without_a_fault(spark: SparkSession) -> None:
    for type_ in ("bigint", "decimal(10,2)", "double", "boolean", "date", "timestamp", "string"):
        assert cast_one(spark, None, type=type_) == (None, None)
