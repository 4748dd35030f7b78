"""Iceberg's Java API as the table module needs it: names, branches, and transactions that a stale owner cannot commit."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from pyspark.sql import SparkSession
from pyspark.sql import types as T

from jobs.java_errors import java_errors
from lake.errors import LockedError
from store.catalog import SWEPT

#: Properties every table of the lake is made with.
TABLE_PROPERTIES = {
    "format-version": "2",
    "write.parquet.compression-codec": "zstd",
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "30",
    "write.update.mode": "copy-on-write",
    "write.merge.mode": "copy-on-write",
}


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


def snapshots(spark: SparkSession, table: str) -> set[int]:
    """The snapshots that the table can still be read at."""
    return {int(snapshot.snapshotId()) for snapshot in load(spark, table).snapshots()}


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
    partition: tuple[str, ...] = (),
) -> None:
    """An empty table; its files go below `folder`."""
    columns = ", ".join(
        f"`{field.name}` {field.dataType.simpleString()}"
        + (f" COMMENT {_quoted(comments[field.name])}" if field.name in comments else "")
        for field in schema.fields
    )
    pairs = ", ".join(f"{_quoted(key)} = {_quoted(value)}" for key, value in TABLE_PROPERTIES.items())
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


def rows_of(java_table: Any, ref: str) -> int:
    """How many rows a branch has."""
    return int(java_table.snapshot(ref).summary().get("total-records") or 0)


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


def drop_name(spark: SparkSession, table: str) -> None:
    """Take a table out of the catalog, be its metadata readable or not; its files stay."""
    jvm = _jvm(spark)
    with java_errors(table):
        catalog = jvm.org.apache.iceberg.spark.Spark3Util.loadIcebergCatalog(spark._jsparkSession, "lake")
        catalog.dropTable(jvm.org.apache.iceberg.catalog.TableIdentifier.parse(table), False)


def names_like(spark: SparkSession, beginning: str) -> list[str]:
    """Full names of the tables that begin like this."""
    namespace, _, start = beginning.partition(".")
    with java_errors(namespace):
        rows = spark.sql(f"SHOW TABLES IN lake.{namespace}").collect()
    return [f"{namespace}.{row.tableName}" for row in rows if row.tableName.startswith(start)]


def drop_branches(spark: SparkSession, table: str, beginning: str, swept: str = "") -> None:
    """Remove branches of unpublished runs with the snapshots that only they have, in one commit.

    `swept`, new each time, is kept in the table: a transaction of a branch made before is refused from then on.
    Raises LockedError when the table changed since it was read.
    """
    java_table = load(spark, table)
    base = java_table.operations().current()
    names = [str(name) for name in java_table.refs() if str(name).startswith(beginning)]
    if not names and not swept:
        return
    jvm = _jvm(spark)
    with java_errors(table):
        unpublished, values = jvm.java.util.ArrayList(), jvm.java.util.HashMap()
        for snapshot in _only_in(java_table, names) if names else ():
            unpublished.add(snapshot)
        if swept:
            values.put(SWEPT, swept)
        builder = jvm.org.apache.iceberg.TableMetadata.buildFrom(base)
        for name in names:
            builder.removeRef(name)
        java_table.operations().commit(base, builder.removeSnapshots(unpublished).setProperties(values).build())


def _only_in(java_table: Any, names: list[str]) -> list[Any]:
    """The snapshots that led to these branches and to nothing else."""
    refs = {str(name): int(ref.snapshotId()) for name, ref in java_table.refs().items()}
    others = {int(each.snapshotId()) for name, head in refs.items() if name not in names for each in _line(java_table, head)}
    found = {int(each.snapshotId()): each for name in names for each in _line(java_table, refs[name])}
    return [snapshot for ancestor, snapshot in found.items() if ancestor not in others]


def line_between(java_table: Any, before: int, after: int | str) -> list[Any] | None:
    """The snapshots that led from one to the other, newest first; None when none did, or one is gone."""
    line: list[Any] = []
    for snapshot in _line(java_table, after):
        if int(snapshot.snapshotId()) == before:
            return line
        line.append(snapshot)
    return None


def _line(java_table: Any, head: int | str) -> Iterator[Any]:
    """A snapshot, by its id or its branch, and all it came from, newest first, as far as the table remembers."""
    snapshot = java_table.snapshot(head)
    while snapshot is not None:
        yield snapshot
        parent = snapshot.parentId()
        snapshot = None if parent is None else java_table.snapshot(parent)


@dataclass(frozen=True)
class Base:
    """What a branch was made from: the table's snapshot, and the last time it was swept."""

    snapshot: int
    swept: str | None


def _base(java_table: Any) -> Base:
    return Base(int(java_table.currentSnapshot().snapshotId()), java_table.properties().get(SWEPT))


def create_branch(spark: SparkSession, table: str, branch: str) -> Base:
    """A branch at the table's current snapshot."""
    java_table = load(spark, table)
    base = _base(java_table)
    with java_errors(table):
        java_table.manageSnapshots().createBranch(branch, base.snapshot).commit()
    return base


def load_branch(spark: SparkSession, table: str, branch: str, base: Base) -> Any:
    """The Java table, read afresh, when its branch may be published.

    Raises LockedError when another owner of the lease published or swept the table since the branch was made: the branch is
    gone, or a write that came late made it again.
    """
    java_table = load(spark, table)
    if _base(java_table) != base or branch not in java_table.refs():
        raise LockedError(f"{table}: another run took over in between; this run's rows were not published")
    return java_table


def fast_forward(
    java_table: Any,
    branch: str,
    properties_of: Callable[[int, int], dict[str, str]],
    renamed: dict[str, str],
    dropped: list[str],
) -> None:
    """Make the branch main, in one transaction with the schema's change and the properties.

    `properties_of` gets the snapshot and schema ids that will be current. Raises LockedError when main has moved or the
    branch is gone since the table was read.
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
