"""The only module that reads and writes tables: write to a branch, audit it, publish it in one transaction."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from pyspark.sql import Column as Expr
from pyspark.sql import DataFrame, DataFrameWriterV2, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from jobs import iceberg
from lake import paths
from lake.columns import is_wider
from lake.errors import GateError, UsageError
from store.catalog import NAMESPACES, PUBLICATIONS, TABLE_NAME, write_hint
from store.effects import effect
from store.leases import Lease
from store.objects import Objects

#: Publications a table remembers, newest first; `lake rollback` can go back to any of them.
REMEMBERED = 20
INCOMING = "__incoming"


@dataclass(frozen=True)
class Publication:
    """One publish of a table, kept in its property `lake.publications`."""

    number: int
    run: str
    published_at: str
    snapshot: int
    schema: int
    fingerprint: str
    rows: int
    inputs: dict[str, dict[str, Any]]
    """Per trusted table `{source: {seq, run}}`, the marks; per refined table `{input: {number, snapshot}}`."""
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Draft:
    """What is to be published: everything but the numbers that only the table knows."""

    table: str
    run: str
    fingerprint: str
    schema: T.StructType
    comments: dict[str, str]
    inputs: dict[str, dict[str, Any]]
    facts: dict[str, Any] = field(default_factory=dict)
    partition: tuple[str, ...] = ()


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
        properties = iceberg.properties(self.spark, table)
        return [Publication(**entry) for entry in json.loads((properties or {}).get(PUBLICATIONS, "[]"))]

    def read(self, table: str, snapshot: int | None = None) -> DataFrame:
        """The table as it is, or as it was at a snapshot."""
        reader = self.spark.read
        return (reader.option("versionAsOf", str(snapshot)) if snapshot is not None else reader).table(f"lake.{table}")

    def has_snapshot(self, table: str, snapshot: int) -> bool:
        """Whether the table can still be read as it was at the snapshot."""
        return iceberg.load(self.spark, table).snapshot(snapshot) is not None

    def exists(self, table: str) -> bool:
        """Whether the table was ever published."""
        return iceberg.exists(self.spark, table)

    def publish(self, draft: Draft, lease: Lease, write: Write, audit: Audit) -> Publication:
        """Write, audit, publish: readers see the table before or after, nothing between.

        Raises GateError when the audit stops it, LockedError when the lease was lost; either leaves the table as it was.
        """
        if self.exists(draft.table):
            return self._publish_branch(draft, lease, write, audit)
        return self._publish_staging(draft, lease, write, audit)

    def _publish_staging(self, draft: Draft, lease: Lease, write: Write, audit: Audit) -> Publication:
        """The first publish: a staging table becomes the table by its name."""
        staging = f"{draft.table}__staging_{draft.run.lower()}"
        self._drop_leftovers(draft.table, lease)
        with effect(f"create {staging}"):
            folder = self.objects.uri(paths.table_folder(draft.table, draft.run))
            named = {TABLE_NAME: draft.table}
            iceberg.create_table(self.spark, staging, draft.schema, draft.comments, folder, named, draft.partition)
        lease.check()
        with effect(f"write {staging}"):
            write(Target(staging, {}))
            iceberg.ensure_snapshot(self.spark, staging)
        try:
            rows = audit(self.read(staging))
        except GateError:
            iceberg.drop(self.spark, staging)
            raise
        lease.check()
        table = iceberg.load(self.spark, staging)
        publication = _publication(draft, 1, int(table.currentSnapshot().snapshotId()), int(table.schema().schemaId()), rows)
        with effect(f"mark {staging}"):
            iceberg.set_properties(table, _properties([publication]))
        lease.check()
        with effect(f"publish {draft.table}"):
            iceberg.rename(self.spark, staging, draft.table)
        self._hint(draft.table)
        return publication

    def _publish_branch(self, draft: Draft, lease: Lease, write: Write, audit: Audit) -> Publication:
        """Any later publish: a branch of this run becomes main."""
        branch, name = f"run_{draft.run.lower()}", draft.table
        iceberg.drop_branches(self.spark, name, "run_")
        renamed = self._add_columns(draft, lease)
        iceberg.ensure_partition(self.spark, name, draft.partition)
        iceberg.create_branch(self.spark, name, branch)
        lease.check()
        with effect(f"write {name} branch"):
            write(Target(f"{name}.branch_{branch}", renamed))
        written = self.spark.read.option("branch", branch).table(f"lake.{name}")
        try:
            rows = audit(_logical(written, draft.schema, renamed))
        except GateError:
            iceberg.drop_branches(self.spark, name, branch)
            raise
        earlier = self.publications(name)
        table = iceberg.load(self.spark, name)
        dropped = [column for column in _columns(table) if column not in draft.schema.names and not column.endswith(INCOMING)]
        published: list[Publication] = []

        def properties(snapshot: int, schema: int) -> dict[str, str]:
            published.append(_publication(draft, earlier[0].number + 1 if earlier else 1, snapshot, schema, rows))
            return _properties([*published, *earlier])

        lease.check()
        with effect(f"publish {name}"):
            iceberg.fast_forward(table, branch, properties, renamed, dropped)
        self._hint(name)
        return published[0]

    def append(self, table: str, frame: DataFrame) -> None:
        """Add rows to a table that has no gate, made when it is missing."""
        self._ensure(table, frame.schema, ())
        with effect(f"append {table}"):
            frame.writeTo(f"lake.{table}").append()

    def replace_runs(self, table: str, frame: DataFrame, runs: list[str]) -> None:
        """Put the rows in place of all the table's rows of these runs, in one commit."""
        self._ensure(table, frame.schema, ("_run_id",))
        with effect(f"replace runs in {table}"):
            frame.writeTo(f"lake.{table}").overwrite(F.col("_run_id").isin(*runs))

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
        with iceberg.java_errors(target.name):
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
        target = _earlier(table, earlier, number)
        facts = {**target.facts, "rolled_back_to": target.number, "held": earlier[0].facts.get("held", earlier[0].fingerprint)}
        publication = replace(target, number=earlier[0].number + 1, run=run, published_at=_now(), facts=facts)
        lease.check()
        with effect(f"publish {table}"):
            iceberg.restore(self.spark, table, target.snapshot, target.schema, _properties([publication, *earlier]))
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

    def _ensure(self, table: str, schema: T.StructType, partition: tuple[str, ...]) -> None:
        if not self.exists(table):
            with effect(f"create {table}"):
                folder = self.objects.uri(paths.table_folder(table, "main"))
                iceberg.create_table(self.spark, table, schema, {}, folder, {TABLE_NAME: table}, partition)

    def _drop_leftovers(self, table: str, lease: Lease) -> None:
        """Remove staging tables of dead runs."""
        for name in iceberg.names_like(self.spark, f"{table}__staging_"):
            lease.check()
            with effect(f"drop {name}"):
                iceberg.drop(self.spark, name)

    def _hint(self, table: str) -> None:
        write_hint(self.objects, table, iceberg.metadata_location(self.spark, table))


def _logical(frame: DataFrame, schema: T.StructType, renamed: dict[str, str]) -> DataFrame:
    """The frame with the columns that will be published, under the names they will have."""
    return frame.select(*(F.col(renamed.get(name, name)).alias(name) for name in schema.names))


def _earlier(table: str, publications: list[Publication], number: int | None) -> Publication:
    if not publications:
        raise UsageError(f"{table}: got a table that was never published; `lake tables` lists those that were")
    older = publications[1:]
    found = next((p for p in older if number is None or p.number == number), None)
    if found is None:
        numbers = ", ".join(str(p.number) for p in older) or "none: it was published once"
        raise UsageError(f"{table}: got publish {number or 'before'}, expected one of {numbers}")
    return found


def _publication(draft: Draft, number: int, snapshot: int, schema: int, rows: int) -> Publication:
    return Publication(number, draft.run, _now(), snapshot, schema, draft.fingerprint, rows, draft.inputs, draft.facts)


def _columns(table: Any) -> list[str]:
    return [str(column.name()) for column in table.schema().columns()]


def _properties(publications: list[Publication]) -> dict[str, str]:
    entries = [asdict(publication) for publication in publications[:REMEMBERED]]
    return {PUBLICATIONS: json.dumps(entries, sort_keys=True)}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
