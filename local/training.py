"""A Spark script, never imported: starts a session, uses a small Iceberg table, and so loads the classes worth archiving."""

import contextlib
import sys

from py4j.protocol import Py4JJavaError
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

CLOSED_PORT = "http://127.0.0.1:9"


def session(folder: str) -> SparkSession:
    """A session whose catalog and warehouse lie in the folder."""
    catalog = {
        "": "org.apache.iceberg.spark.SparkCatalog",
        ".type": "jdbc",
        ".uri": f"jdbc:sqlite:{folder}/catalog.db?busy_timeout=30000&journal_mode=WAL",
        ".jdbc.schema-version": "V1",
        ".warehouse": f"file://{folder}/tables",
    }
    builder = SparkSession.builder.config("spark.ui.enabled", "false").config("spark.sql.shuffle.partitions", "2")
    extensions = "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions"
    builder = builder.config("spark.sql.extensions", extensions)
    for name, value in catalog.items():
        builder = builder.config(f"spark.sql.catalog.lake{name}", value)
    s3a = {"impl": "org.apache.hadoop.fs.s3a.S3AFileSystem", "endpoint": CLOSED_PORT, "attempts.maximum": "1"}
    for name, value in {**s3a, "endpoint.region": "us-east-1", "retry.limit": "0", "path.style.access": "true"}.items():
        builder = builder.config(f"spark.hadoop.fs.s3{'' if name == 'impl' else 'a'}.{name}", value)
    return builder.getOrCreate()


def use_tables(spark: SparkSession, folder: str) -> None:
    """Write by branch, merge, join, aggregate, read back: what a run of the lake does."""
    spark.sql("CREATE NAMESPACE lake.trusted")
    rows = spark.range(20).select("id", (F.col("id") % 3).alias("kind"), F.lit("1.10").cast("decimal(10,2)").alias("price"))
    rows.write.parquet(f"{folder}/rows")
    spark.read.parquet(f"{folder}/rows").writeTo("lake.trusted.rows").createOrReplace()
    spark.sql("ALTER TABLE lake.trusted.rows CREATE BRANCH audit")
    rows.writeTo("lake.trusted.rows.branch_audit").overwrite(F.lit(True))
    spark.sql("CALL lake.system.fast_forward('trusted.rows', 'main', 'audit')").collect()
    changed = "MERGE INTO lake.trusted.rows t USING (SELECT 1L id) s ON t.id = s.id WHEN MATCHED THEN UPDATE SET kind = 9"
    spark.sql(changed)
    table = spark.table("lake.trusted.rows")
    sums = table.groupBy("kind").agg(F.sum("price").alias("total"), F.count("*").alias("rows"))
    table.join(sums, on="kind", how="left").orderBy("id").collect()


def touch_s3(spark: SparkSession) -> None:
    """Load the S3 clients by asking a port where nobody answers."""
    jvm = spark._jvm
    assert jvm is not None
    properties = {"s3.endpoint": CLOSED_PORT, "s3.path-style-access": "true", "client.region": "us-east-1"}
    files = jvm.org.apache.iceberg.aws.s3.S3FileIO()
    files.initialize({**properties, "s3.retry.num-retries": "0"})
    for attempt in (
        lambda: files.newInputFile("s3://lake/nothing").exists(),
        lambda: spark.read.text("s3://lake/nothing").count(),
    ):
        with contextlib.suppress(Py4JJavaError, Exception):
            attempt()


if __name__ == "__main__":
    spark = session(sys.argv[1])
    use_tables(spark, sys.argv[1])
    touch_s3(spark)
    spark.stop()
