"""Makes few large files of many small ones, and few manifests of many; what the table holds stays the same."""

from typing import Any

from pyspark.sql import SparkSession

from jobs import iceberg
from jobs.java_errors import java_errors

#: Size that files are brought to.
TARGET_BYTES = 128 << 20
#: A file below this is small.
SMALL_BYTES = TARGET_BYTES * 3 // 4
#: So many small files of one partition are worth the work.
WORTH_FILES = 5
#: Size that Iceberg writes manifests to, and how many more than needed are worth the work.
MANIFEST_BYTES = 8 << 20
WORTH_MANIFESTS = 10


def small_files(spark: SparkSession, table: str) -> int:
    """How many small files lie in partitions where compacting them is worth the work."""
    java_table = iceberg.load(spark, table)
    snapshot = java_table.currentSnapshot()
    if snapshot is None or int(snapshot.summary().get("total-data-files") or WORTH_FILES) < WORTH_FILES:
        return 0
    with java_errors(table):
        files = spark.table(f"lake.{table}.files").where(f"content = 0 AND file_size_in_bytes < {SMALL_BYTES}")
        by = ["spec_id", *(["partition"] if "partition" in files.columns else [])]
        row = files.groupBy(*by).count().where(f"count >= {WORTH_FILES}").groupBy().sum("count").first()
    return int(row[0] or 0) if row else 0


def compact(spark: SparkSession, table: str) -> int:
    """Bring small files of each partition together, in one commit; how many files gave way to larger ones."""
    options = {
        "target-file-size-bytes": TARGET_BYTES,
        "min-input-files": WORTH_FILES,
        "max-concurrent-file-group-rewrites": 2,
    }
    with java_errors(table):
        action = _actions(spark).rewriteDataFiles(iceberg.load(spark, table)).binPack()
        for name, value in options.items():
            action.option(name, str(value))
        return int(action.execute().rewrittenDataFilesCount())


def surplus_manifests(spark: SparkSession, table: str) -> int:
    """How many manifests the table would do without, when they are worth the work; those of removed files alone go by themselves."""
    java_table = iceberg.load(spark, table)
    snapshot = java_table.currentSnapshot()
    if snapshot is None:
        return 0
    with java_errors(table):
        manifests = snapshot.allManifests(java_table.io())
        lengths = [int(each.length()) for each in manifests if each.hasAddedFiles() or each.hasExistingFiles()]
    surplus = len(lengths) - 1 - sum(lengths) // MANIFEST_BYTES
    return surplus if surplus >= WORTH_MANIFESTS else 0


def rewrite_manifests(spark: SparkSession, table: str) -> int:
    """Bring manifests together, in one commit; how many gave way to larger ones."""
    with java_errors(table):
        result = _actions(spark).rewriteManifests(iceberg.load(spark, table)).execute()
        return sum(1 for _ in result.rewrittenManifests())


def _actions(spark: SparkSession) -> Any:
    """Iceberg's actions; the threads they start ask for the active session, which each thread of ours has to name."""
    jvm: Any = spark._jvm
    jvm.org.apache.spark.sql.classic.SparkSession.setActiveSession(spark._jsparkSession)
    return jvm.org.apache.iceberg.spark.actions.SparkActions.get(spark._jsparkSession)
