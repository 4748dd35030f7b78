"""Takes snapshots that nobody needs out of a table's metadata; their files go with the table's orphans."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from pyspark.sql import SparkSession

from jobs import iceberg
from jobs.java_errors import java_errors
from jobs.publications import BRANCH
from lake.upkeep import Expiry, expiry


def expirable(spark: SparkSession, table: str, kept: Iterable[int], now: datetime, readers: timedelta) -> Expiry:
    """What may go: neither `kept`, nor named by a branch or tag of a person, nor what somebody may still read."""
    java_table = iceberg.load(spark, table)
    made_at = {int(each.snapshotId()): int(each.timestampMillis()) for each in java_table.snapshots()}
    log = [(int(entry.timestampMillis()), int(entry.snapshotId())) for entry in java_table.history()]
    named = {int(ref.snapshotId()) for name, ref in java_table.refs().items() if not str(name).startswith(BRANCH)}
    milliseconds = int(readers.total_seconds() * 1000)
    return expiry(made_at, log, {*kept, *named}, int(now.timestamp() * 1000), milliseconds)


def expire(spark: SparkSession, table: str, snapshots: list[int]) -> None:
    """Take the snapshots out of the metadata, in one commit; properties, and with them the marks, stay.

    Raises LockedError when the table changed since it was read.
    """
    jvm: Any = spark._jvm
    java_table = iceberg.load(spark, table)
    with java_errors(table):
        operations = java_table.operations()
        base, gone = operations.current(), jvm.java.util.ArrayList()
        for snapshot in snapshots:
            gone.add(java_table.snapshot(snapshot))
        operations.commit(base, jvm.org.apache.iceberg.TableMetadata.buildFrom(base).removeSnapshots(gone).build())
