"""Iceberg's Java API as the table module needs it: names, branches, and transactions that a stale owner cannot commit."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession
from pyspark.sql import types as T

from lake.errors import LakeError, LockedError, TemporaryError

#: Properties every table of the lake is made with.
TABLE_PROPERTIES = {
    "format-version": "2",
    "write.parquet.compression-codec": "zstd",
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "30",
    "write.update.mode": "copy-on-write",
    "write.merge.mode": "copy-on-write",
}

#: What Iceberg says when somebody else changed the table first.
OUTRUN = ("CommitFailedException", "AlreadyExistsException", "not an ancestor", "Cannot use branch (does not exist)")
#: What clients say when a server does not answer.
UNREACHABLE = ("Connection refused", "SdkClientException", "UnknownHost", "SocketTimeout", "ConnectTimeout", "Read timed out")


@contextmanager
def java_errors(where: str) -> Iterator[None]:
    """Errors of Iceberg, its catalog and its store turned into ours."""
    try:
        yield
    except (Py4JJavaError, PySparkException) as error:
        raise ours(error, where) from error


def ours(error: Exception, where: str) -> LakeError:
    """The error of ours that a Java error means; it keeps the first line alone."""
    text = str(error)
    if "SQLITE_BUSY" in text or "database is locked" in text:
        return TemporaryError(f"{where}: the catalog stayed locked; try again later")
    if any(sign in text for sign in OUTRUN):
        return LockedError(f"{where}: another run published in between; this run's rows were not published")
    if "XMinioStorageFull" in text or "No space left" in text:
        return TemporaryError(f"{where}: the disk is full; free some space and run again, nothing published was touched")
    if any(sign in text for sign in UNREACHABLE):
        return TemporaryError(f"{where}: the store does not answer; `lake status` shows what is up")
    first = next((line for line in text.splitlines() if line.strip()), type(error).__name__)
    cause = next((line.lstrip(": ") for line in text.splitlines() if line.startswith(": ")), first)
    return LakeError(f"{where}: {cause[:400]}")


def load(spark: SparkSession, table: str) -> Any:
    """The Java table, read afresh."""
    with java_errors(table):
        return _jvm(spark).org.apache.iceberg.spark.Spark3Util.loadIcebergTable(spark._jsparkSession, f"lake.{table}")


def exists(spark: SparkSession, table: str) -> bool:
    """Whether the catalog knows the table."""
    with java_errors(table):
        return bool(spark.catalog.tableExists(f"lake.{table}"))


def properties(spark: SparkSession, table: str) -> dict[str, str] | None:
    """The table's properties, None when there is no such table."""
    return {str(key): str(value) for key, value in load(spark, table).properties().items()} if exists(spark, table) else None


def metadata_location(spark: SparkSession, table: str) -> str:
    """Address of the table's current metadata."""
    return str(load(spark, table).operations().current().metadataFileLocation())


def ensure_namespaces(spark: SparkSession, names: tuple[str, ...]) -> None:
    """Make the namespaces that the catalog lacks."""
    with java_errors("catalog"):
        there = {row.namespace for row in spark.sql("SHOW NAMESPACES IN lake").collect()}
        for name in names:
            if name not in there:
                spark.sql(f"CREATE NAMESPACE IF NOT EXISTS lake.{name}")


def create_table(
    spark: SparkSession,
    table: str,
    schema: T.StructType,
    comments: dict[str, str],
    folder: str,
    properties: dict[str, str],
    partition: tuple[str, ...] = (),
) -> None:
    """An empty table; its files go below `folder`."""
    columns = ", ".join(
        f"`{field.name}` {field.dataType.simpleString()}"
        + (f" COMMENT {_quoted(comments[field.name])}" if field.name in comments else "")
        for field in schema.fields
    )
    pairs = ", ".join(f"{_quoted(key)} = {_quoted(value)}" for key, value in {**TABLE_PROPERTIES, **properties}.items())
    by = f"PARTITIONED BY ({', '.join(partition)})" if partition else ""
    with java_errors(table):
        spark.sql(
            f"CREATE TABLE lake.{table} ({columns}) USING iceberg {by} LOCATION {_quoted(folder)} TBLPROPERTIES ({pairs})"
        )


def change_columns(
    spark: SparkSession,
    table: str,
    added: list[tuple[str, T.DataType]],
    stale: list[str],
    widened: list[tuple[str, T.DataType]],
) -> None:
    """Add columns and widen types; `stale` columns, left by a dead run, go first."""
    with java_errors(table):
        for name, kind in widened:
            spark.sql(f"ALTER TABLE lake.{table} ALTER COLUMN `{name}` TYPE {kind.simpleString()}")
        for name in stale:
            spark.sql(f"ALTER TABLE lake.{table} DROP COLUMN `{name}`")
        if added:
            listed = ", ".join(f"`{name}` {kind.simpleString()}" for name, kind in added)
            spark.sql(f"ALTER TABLE lake.{table} ADD COLUMNS ({listed})")


def ensure_partition(spark: SparkSession, table: str, columns: tuple[str, ...]) -> None:
    """Keep the table's files apart by these columns from now on; files written before stay as they are."""
    there = tuple(str(part.name()) for part in load(spark, table).spec().fields())
    with java_errors(table):
        for name in there:
            if name not in columns:
                spark.sql(f"ALTER TABLE lake.{table} DROP PARTITION FIELD `{name}`")
        for name in columns:
            if name not in there:
                spark.sql(f"ALTER TABLE lake.{table} ADD PARTITION FIELD `{name}`")


def ensure_snapshot(spark: SparkSession, table: str) -> None:
    """Give a table without rows a snapshot, so that it can be pinned."""
    java_table = load(spark, table)
    if java_table.currentSnapshot() is None:
        with java_errors(table):
            java_table.newFastAppend().commit()


def set_properties(java_table: Any, values: dict[str, str]) -> None:
    """Set table properties in one commit."""
    with java_errors(str(java_table.name())):
        update = java_table.updateProperties()
        for key, value in values.items():
            update.set(key, value)
        update.commit()


def rename(spark: SparkSession, old: str, new: str) -> None:
    """Give a table another name; refused when the name is taken."""
    with java_errors(new):
        spark.sql(f"ALTER TABLE lake.{old} RENAME TO {new}")


def drop(spark: SparkSession, table: str) -> None:
    """Remove a table and its files."""
    with java_errors(table):
        spark.sql(f"DROP TABLE IF EXISTS lake.{table} PURGE")


def names_like(spark: SparkSession, beginning: str) -> list[str]:
    """Full names of the tables that begin like this."""
    namespace, _, start = beginning.partition(".")
    with java_errors(namespace):
        rows = spark.sql(f"SHOW TABLES IN lake.{namespace}").collect()
    return [f"{namespace}.{row.tableName}" for row in rows if row.tableName.startswith(start)]


def drop_branches(spark: SparkSession, table: str, beginning: str) -> list[str]:
    """Remove branches that dead runs left, so that a late owner has nothing to publish; their names."""
    java_table = load(spark, table)
    names = [str(name) for name in java_table.refs() if str(name).startswith(beginning)]
    if names:
        with java_errors(table):
            update = java_table.manageSnapshots()
            for name in names:
                update.removeBranch(name)
            update.commit()
    return names


def create_branch(spark: SparkSession, table: str, branch: str) -> None:
    """A branch at the table's current snapshot."""
    java_table = load(spark, table)
    with java_errors(table):
        java_table.manageSnapshots().createBranch(branch, java_table.currentSnapshot().snapshotId()).commit()


def fast_forward(
    java_table: Any,
    branch: str,
    properties_of: Callable[[int, int], dict[str, str]],
    renamed: dict[str, str],
    dropped: list[str],
) -> None:
    """Make the branch main, in one transaction with the schema's change and the properties.

    `properties_of` gets the snapshot and schema ids that will be current. Raises LockedError when main has moved or the
    branch is gone.
    """
    with java_errors(str(java_table.name())):
        transaction = java_table.newTransaction()
        transaction.manageSnapshots().fastForwardBranch("main", branch).removeBranch(branch).commit()
        if renamed or dropped:
            update = transaction.updateSchema()
            for column in [*dropped, *renamed]:
                update.deleteColumn(column)
            for column, incoming in renamed.items():
                update.renameColumn(incoming, column)
            update.commit()
            transaction.newFastAppend().commit()  # a snapshot that carries the new schema, so that it can be pinned
        after = transaction.table()
        update = transaction.updateProperties()
        for key, value in properties_of(int(after.currentSnapshot().snapshotId()), int(after.schema().schemaId())).items():
            update.set(key, value)
        update.commit()
        transaction.commitTransaction()


def restore(spark: SparkSession, table: str, snapshot: int, schema: int, properties: dict[str, str]) -> None:
    """Make an earlier snapshot current again with the schema it was published under, in one commit.

    Raises LockedError when the table changed since it was read.
    """
    java_table = load(spark, table)
    jvm = _jvm(spark)
    with java_errors(table):
        operations = java_table.operations()
        base = operations.current()
        values = jvm.java.util.HashMap()
        for key, value in properties.items():
            values.put(key, value)
        builder = jvm.org.apache.iceberg.TableMetadata.buildFrom(base).setCurrentSchema(schema)
        operations.commit(base, builder.setBranchSnapshot(snapshot, "main").setProperties(values).build())


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _jvm(spark: SparkSession) -> Any:
    return spark._jvm
