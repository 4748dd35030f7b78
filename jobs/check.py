"""What would become of the first rows of a source: cast and judged as a build would, written nowhere."""

from typing import Any

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from jobs import trusted
from lake.sources import source_from


def checked_rows(spark: SparkSession, plan: dict[str, Any]) -> list[dict[str, Any]]:
    """One entry per decoded row of the sample: `values` as they would be published (as text), `problems` that reject it.

    The sample is a file of this machine, read with the declaration in the plan.
    """
    source = source_from(plan["source"], f"{plan['source']['name']}.yaml")
    decoded = spark.read.schema(trusted.decoded_schema(source)).parquet(f"file://{plan['sample']}")
    spelled = trusted.spelled_rows(decoded.orderBy("_raw_row").limit(plan["rows"]), source)
    values = F.struct(*(F.col(name).cast("string").alias(name) for name in source.published)).alias("values")
    rows = spelled.select(values, F.col("_raw_row.row").alias("row"), "problems").collect()
    return [
        {
            "row": row["row"],
            "values": row["values"].asDict(),
            "problems": [_told(problem.asDict()) for problem in row["problems"]],
        }
        for row in rows
    ]


def _told(problem: dict[str, Any]) -> str:
    """A problem in words, as `lake quarantine show` says it; the value is null where it must not be seen."""
    came = "" if problem["value"] is None else f"got {problem['value']!r}, "
    return f"{problem['column'] or 'row'}: {came}{problem['message']} ({problem['rule']})"
