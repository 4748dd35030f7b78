"""The only module that builds a Spark session."""

import logging
from pathlib import Path

from pyspark.sql import SparkSession

from lake import paths
from lake.errors import UsageError
from lake.settings import Settings

#: What PySpark asks the JVM for by name, again for every column; a short name makes the JVM look through all jars for wrong guesses.
ASKED_OFTEN = (
    "functions",
    "PythonUtils",
    "PythonSQLUtils",
    "org.apache.spark.sql.functions",
    "org.apache.spark.sql.classic.SparkSession",
)


def catalog_options(settings: Settings) -> dict[str, str]:
    """Spark's settings for the catalog `lake`: where names are kept, and where files are.

    Raises UsageError for a catalog it does not know.
    """
    kind, _, place = settings.catalog.partition(":")
    options = {
        "warehouse": f"{settings.root}/{paths.WAREHOUSE}",
        "io-impl": "org.apache.iceberg.aws.s3.S3FileIO",
        "client.region": settings.s3_region,
        "cache-enabled": "false",
    }
    if kind == "sqlite":
        wait = f"busy_timeout={settings.catalog_wait_seconds * 1000:.0f}"
        options |= {"type": "jdbc", "uri": f"jdbc:sqlite:{place}?{wait}&journal_mode=WAL", "jdbc.schema-version": "V1"}
    elif kind == "glue":
        options |= {"type": "glue"}
    elif kind == "rest":
        options |= {"type": "rest", "uri": place}
    else:
        raise UsageError(f"LAKE_CATALOG: got {settings.catalog!r}, expected sqlite:FILE, glue or rest:URL")
    if settings.s3_endpoint:
        options |= {"s3.endpoint": settings.s3_endpoint, "s3.path-style-access": "true"}
    return options


def open_session(settings: Settings, name: str) -> SparkSession:
    """A session whose catalog `lake` is this lake; instants are UTC, nothing listens beyond loopback on a laptop."""
    builder = SparkSession.builder.appName(name)
    options = {
        "spark.sql.extensions": "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
        "spark.sql.catalog.lake": "org.apache.iceberg.spark.SparkCatalog",
        **{f"spark.sql.catalog.lake.{key}": value for key, value in catalog_options(settings).items()},
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.ansi.enabled": "true",
        "spark.sql.parquet.aggregatePushdown": "false",
        "spark.python.sql.dataFrameDebugging.enabled": "false",  # it asks the JVM five times about every column that is named
        "spark.hadoop.fs.s3.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem",
        "spark.hadoop.fs.s3a.endpoint.region": settings.s3_region,
    }
    if settings.s3_endpoint:
        options |= {
            "spark.hadoop.fs.s3a.endpoint": settings.s3_endpoint,
            "spark.hadoop.fs.s3a.path.style.access": "true",
            "spark.hadoop.fs.s3a.connection.ssl.enabled": str(settings.s3_endpoint.startswith("https")).lower(),
        }
    if settings.catalog.startswith("sqlite:"):
        Path(settings.catalog.removeprefix("sqlite:")).parent.mkdir(parents=True, exist_ok=True)
        options |= {
            "spark.driver.host": "127.0.0.1",
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.ui.enabled": "false",
            "spark.sql.ui.explainMode": "simple",  # nobody looks, and each plan of each stage would be told at length
            "spark.sql.maxPlanStringLength": "1000",
            "spark.sql.shuffle.partitions": "4",
            "spark.sql.adaptive.coalescePartitions.initialPartitionNum": "4",
        }
    for key, value in options.items():
        builder = builder.config(key, value)
    spark: SparkSession = builder.getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    for asked in ASKED_OFTEN:
        setattr(spark._jvm, asked, getattr(spark._jvm, asked))
    for name in ("py4j", "DataFrameQueryContextLogger"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # their errors reach us as exceptions
    return spark
