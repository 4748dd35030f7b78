"""The only module that reads and writes tables: write to a branch, audit it, publish it in one transaction."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from pyspark.sql import Column as Expr
from pyspark.sql import DataFrame, DataFrameWriterV2, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from jobs import iceberg
from jobs.java_errors import java_errors
from jobs.publications import BRANCH, Draft, Publication, as_properties, earlier_one, now, remembered
from lake import paths
from lake.columns import is_wider
from lake.errors import GateError
from store.catalog import NAMESPACES, TABLE_NAME, write_hint
from store.effects import effect
from store.leases import Lease
from store.objects import Objects

INCOMING = "__incoming"


@dataclass(frozen=True)
class Target:
    """Where a draft's rows go: a branch or a staging table, and the name that each retyped column has until the publish."""

    name: str
    renamed: dict[str, str]


Write = Callable[[Target], None]
"""Writes the draft's rows into the target."""
Audit = Callable[[DataFrame], int]
"""Raises GateError, or returns how many rows the frame has."""


class Tables:
    """The lake's tables through one session."""

    def __init__(self, spark: SparkSession, objects: Objects) -> None:
        self.spark = spark
        self.objects = objects
        iceberg.ensure_namespaces(spark, NAMESPACES)

    def publications(self, table: str) -> list[Publication]:
        """What was published in the table, newest first; empty when there is no such table."""
        return remembered(iceberg.properties(self.spark, table) or {})

    def read(self, table: str, snapshot: int | None = None) -> DataFrame:
        """The table as it is, or as it was at a snapshot."""
        reader = self.spark.read
        return (reader.option("versionAsOf", str(snapshot)) if snapshot is not None else reader).table(f"lake.{table}")

    def added(self, table: str, before: int, after: int | str) -> DataFrame | None:
        """The rows that came between a snapshot and a later one, or a branch; None where others left or changed, or none can tell.

        Files that were only brought into another form (`replace`) hold the same rows.
        """
        java_table = iceberg.load(self.spark, table)
        line = iceberg.line_between(java_table, before, after)
        if line is None or any(str(each.operation()) not in ("append", "replace") for each in line):
            return None
        schema = int(java_table.schema().schemaId())
        if not line or any(int(each.schemaId()) != schema for each in (*line, java_table.snapshot(before))):
            return None if line else self.read(table).limit(0)
        span = {"start-snapshot-id": before, "end-snapshot-id": int(line[0].snapshotId())}
        return self.spark.read.options(**{key: str(value) for key, value in span.items()}).table(f"lake.{table}")

    def has_snapshot(self, table: str, snapshot: int) -> bool:
        """Whether the table can still be read as it was at the snapshot."""
        return iceberg.load(self.spark, table).snapshot(snapshot) is not None

    def exists(self, table: str) -> bool:
        """Whether the table was ever published."""
        return iceberg.exists(self.spark, table)

    def publish(self, draft: Draft, lease: Lease, write: Write, audit: Audit | None = None) -> Publication:
        """Write, audit, publish: readers see the table before or after, nothing between.

        Raises GateError when the audit stops it, LockedError when the lease was lost; either leaves the table as it was.
        """
        if self.exists(draft.table):
            return self._publish_branch(draft, lease, write, audit)
        return self._publish_staging(draft, lease, write, audit)

    def _publish_staging(self, draft: Draft, lease: Lease, write: Write, audit: Audit | None) -> Publication:
        """The first publish: a staging table becomes the table by its name."""
        staging = draft.staging
        with effect(f"create {staging}"):
            folder = self.objects.uri(paths.table_folder(draft.table, draft.run))
            iceberg.create_table(self.spark, staging, draft.schema, draft.comments, folder, draft.partition)
        lease.check()
        with effect(f"write {staging}"):
            write(Target(staging, {}))
            iceberg.ensure_snapshot(self.spark, staging)
        try:
            rows = audit(self.read(staging)) if audit else None
        except GateError:
            iceberg.drop_name(self.spark, staging)
            raise
        lease.check()
        table = iceberg.load(self.spark, staging)
        rows = iceberg.rows_of(table, "main") if rows is None else rows
        publication = draft.published(1, int(table.currentSnapshot().snapshotId()), int(table.schema().schemaId()), rows)
        with effect(f"mark {staging}"):
            iceberg.set_properties(table, {TABLE_NAME: draft.table, **as_properties([publication])})
        lease.check()
        with effect(f"publish {draft.table}"):
            iceberg.rename(self.spark, staging, draft.table)
        self._hint(draft.table)
        return publication

    def _publish_branch(self, draft: Draft, lease: Lease, write: Write, audit: Audit | None) -> Publication:
        """Any later publish: a branch of this run becomes main."""
        branch, name = draft.branch, draft.table
        iceberg.drop_branches(self.spark, name, BRANCH)
        renamed = self._add_columns(draft, lease)
        iceberg.ensure_partition(self.spark, name, draft.partition)
        base = iceberg.create_branch(self.spark, name, branch)
        lease.check()
        with effect(f"write {name} branch"):
            write(Target(f"{name}.branch_{branch}", renamed))
        written = self.spark.read.option("branch", branch).table(f"lake.{name}")
        try:
            rows = audit(_logical(written, draft.schema, renamed)) if audit else None
        except GateError:
            iceberg.drop_branches(self.spark, name, branch)
            raise
        table = iceberg.load_branch(self.spark, name, branch, base)
        rows = iceberg.rows_of(table, branch) if rows is None else rows
        earlier = self.publications(name)
        dropped = [column for column in _columns(table) if column not in draft.schema.names and not column.endswith(INCOMING)]
        published: list[Publication] = []

        def properties(snapshot: int, schema: int) -> dict[str, str]:
            published.append(draft.published(earlier[0].number + 1 if earlier else 1, snapshot, schema, rows))
            return as_properties([*published, *earlier])

        lease.check()
        with effect(f"publish {name}"):
            iceberg.fast_forward(table, branch, properties, renamed, dropped)
        self._hint(name)
        return published[0]

    def replace_runs(self, draft: Draft, lease: Lease, frame: DataFrame, runs: list[str]) -> None:
        """Put the rows in place of all the table's rows of these runs; the table has no gate."""
        self.publish(draft, lease, lambda target: self.overwrite(target, frame, F.col("_run_id").isin(*runs)))

    def overwrite(self, target: Target, frame: DataFrame, where: Expr) -> None:
        """Put the rows in place of those that `where` is true for, which must be whole partitions or all there are."""
        self._fitted(target, frame).overwrite(where)

    def add(self, target: Target, frame: DataFrame) -> None:
        """Put the rows beside those there are."""
        self._fitted(target, frame).append()

    def merge(self, target: Target, frame: DataFrame, key: list[str], gone: DataFrame | None = None) -> None:
        """Put the rows in place of those with their key, or beside the others; rows with a key in `gone` leave."""
        view = f"incoming_{target.name.replace('.', '_')}"
        marked = frame.withColumn("_gone", F.lit(False))
        if gone is not None:
            marked = marked.unionByName(gone.withColumn("_gone", F.lit(True)), allowMissingColumns=True)
        marked.createOrReplaceTempView(view)
        same = " AND ".join(f"t.`{name}` <=> s.`{name}`" for name in key)
        with java_errors(target.name):
            self.spark.sql(
                f"MERGE INTO lake.{target.name} t USING {view} s ON {same} WHEN MATCHED AND s._gone THEN DELETE "
                "WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED AND NOT s._gone THEN INSERT *"
            )
        self.spark.catalog.dropTempView(view)

    def _fitted(self, target: Target, frame: DataFrame) -> DataFrameWriterV2:
        """A writer of the frame under the target's physical columns; those about to be dropped are null."""
        physical = frame.withColumnsRenamed(target.renamed) if target.renamed else frame
        columns = self.spark.table(f"lake.{target.name}").schema.fields
        given = set(physical.columns)
        filled = [F.col(f.name) if f.name in given else F.lit(None).cast(f.dataType).alias(f.name) for f in columns]
        return physical.select(*filled).writeTo(f"lake.{target.name}")

    def roll_back(self, table: str, number: int | None, run: str, lease: Lease) -> Publication:
        """Make an earlier publish the current one again, marks included; the one before when `number` is left out.

        Raises LockedError when another publish came in between, UsageError when there is no such publish.
        """
        earlier = self.publications(table)
        target = earlier_one(table, earlier, number, iceberg.snapshots(self.spark, table) if earlier else ())
        facts = {**target.facts, "rolled_back_to": target.number, "held": earlier[0].facts.get("held", earlier[0].fingerprint)}
        publication = replace(target, number=earlier[0].number + 1, run=run, published_at=now(), facts=facts)
        lease.check()
        with effect(f"publish {table}"):
            iceberg.restore(self.spark, table, target.snapshot, target.schema, as_properties([publication, *earlier]))
        self._hint(table)
        return publication

    def _add_columns(self, draft: Draft, lease: Lease) -> dict[str, str]:
        """Add what the table lacks and widen what is too narrow; a column of any other type comes under another name
        until it is published.
        """
        lease.check()
        there = {f.name: f.dataType for f in self.read(draft.table).schema.fields}
        other = [f for f in draft.schema.fields if f.name in there and there[f.name] != f.dataType]
        widened = [f for f in other if is_wider(there[f.name].simpleString(), f.dataType.simpleString())]
        renamed = {f.name: f.name + INCOMING for f in other if f not in widened}
        wanted = [(renamed.get(f.name, f.name), f.dataType) for f in draft.schema.fields if f not in widened]
        added = [(name, kind) for name, kind in wanted if there.get(name) != kind]
        stale = [name for name in there if name.endswith(INCOMING) and (name, there[name]) not in wanted]
        if added or stale or widened:
            with effect(f"change columns of {draft.table}"):
                iceberg.change_columns(self.spark, draft.table, added, stale, [(f.name, f.dataType) for f in widened])
        return renamed

    def _hint(self, table: str) -> None:
        write_hint(self.objects, table, iceberg.metadata_location(self.spark, table))


def _logical(frame: DataFrame, schema: T.StructType, renamed: dict[str, str]) -> DataFrame:
    """The frame with the columns that will be published, under the names they will have."""
    return frame.select(*(F.col(renamed.get(name, name)).alias(name) for name in schema.names))


def _columns(table: Any) -> list[str]:
    return [str(column.name()) for column in table.schema().columns()]
