"""Builds one refined table: calls its function on pinned inputs, for the whole table or for the partitions that changed."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pyspark.errors import PySparkException
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from jobs.audit import Auditor
from jobs.gate import Metric
from jobs.partitions import changed_values, has_value, touched_values
from jobs.publications import Draft, Publication
from jobs.schemas import column_type
from jobs.tables import Tables, Target
from lake.errors import GateError, LakeError
from lake.planning import Inputs, Wanted
from lake.tables import Refined, Table
from store.leases import Lease

Record = dict[str, Any]


@dataclass(frozen=True)
class RefinedBuild:
    """One build of one refined table, under its lease."""

    tables: Tables
    auditor: Auditor
    declared: Refined
    function: Callable[..., DataFrame]
    wanted: Wanted
    published: list[Publication]
    is_whole: bool
    lease: Lease

    def publish(self, run: str) -> tuple[Publication, Record]:
        """The publication, and which partitions were built when it was not the whole table.

        Raises GateError when a check stops it, LakeError when the table's function fails.
        """
        contract, table = self.declared.contract, self.declared.table
        schema = table_schema(contract)
        tables = [name for name, pin in self.wanted.inputs.items() if "snapshot" in pin]
        pinned = {name.partition(".")[2]: self._read(name, self.wanted.inputs) for name in tables}
        inputs, values = dict(pinned), self._changed_values()
        if values is not None and contract.partition:
            among = has_value(contract.partition.column, values)
            inputs |= {name: pinned[name].where(among) for name in contract.partition.of}
        made = _called(self.function, {name: inputs[name] for name in self.declared.inputs}, table)
        frame = _as_declared(made, schema, table)
        facts = {"declaration": self.wanted.declaration, "code": self.wanted.code}
        by = (contract.partition.column,) if contract.partition else ()
        draft = Draft(table, run, schema, self.wanted.fingerprint, contract.comments, self.wanted.inputs, facts, by)
        shrunk = fewest_rows(table, self.published, contract.max_shrink, self.auditor)
        publication = self.tables.publish(
            draft,
            self.lease,
            write=lambda target: self._write(target, frame, values),
            audit=lambda written: self.auditor.audit(table, written, contract.rules, shrunk, pinned),
        )
        return publication, {} if values is None else {"partitions": [str(value) for value in values]}

    def _read(self, table: str, pins: dict[str, dict[str, Any]]) -> DataFrame:
        return self.tables.read(table, int(pins[table]["snapshot"]))

    def _changed_values(self) -> list[Any] | None:
        """Values of the partition column whose rows differ from the last publish's inputs; None when all must be built."""
        partition = self.declared.contract.partition
        if partition is None or self.is_whole or not self.published:
            return None
        before = self.published[0].inputs
        changed = [
            name
            for name, pin in self.wanted.inputs.items()
            if any(before.get(name, {}).get(fact) != pin.get(fact) for fact in ("snapshot", "model"))
        ]
        if any(name.partition(".")[2] not in partition.of or name not in before for name in changed):
            return None
        if not all(self.tables.has_snapshot(name, int(before[name]["snapshot"])) for name in changed):
            return None
        found: set[Any] = set()
        for name in changed:
            found |= self._changed_in(name, before, partition.column)
        return sorted(found, key=lambda value: (value is not None, str(value)))

    def _changed_in(self, name: str, before: Inputs, column: str) -> set[Any]:
        """Values of the column whose rows differ in this input: of those whose files differ, where its files tell."""
        old, new = self._read(name, before), self._read(name, self.wanted.inputs)
        earlier, now = (int(pins[name]["snapshot"]) for pins in (before, self.wanted.inputs))
        touched = touched_values(self.tables.spark, name, earlier, now, column)
        if touched is None:
            return changed_values(old, new, column)
        if not touched.rewritten:
            return touched.grown
        among = has_value(column, list(touched.rewritten))
        return touched.grown | changed_values(old.where(among), new.where(among), column)

    def _write(self, target: Target, frame: DataFrame, values: list[Any] | None) -> None:
        partition = self.declared.contract.partition
        if values is None or partition is None:
            self.tables.overwrite(target, frame, F.lit(True))
        elif values:
            self.tables.overwrite(target, frame, has_value(partition.column, values))


def table_schema(contract: Table) -> T.StructType:
    """The columns of a refined table as Spark stores them."""
    return T.StructType([T.StructField(n, column_type(c.type)) for n, c in contract.columns.items()])


def table_function(declared: Refined) -> Callable[..., DataFrame]:
    """The function that makes a table which no model makes."""
    function: Callable[..., DataFrame] = getattr(importlib.import_module(f"jobs.refined.{declared.name}"), declared.name)
    return function


def _called(function: Callable[..., DataFrame], inputs: dict[str, DataFrame], table: str) -> DataFrame:
    """What the table's function makes of its inputs.

    Raises LakeError when it fails or returns no frame.
    """
    try:
        frame = function(**inputs)
    except PySparkException:
        raise
    except Exception as error:
        raise LakeError(f"{table}: its function failed: {type(error).__name__}: {error}") from error
    if not isinstance(frame, DataFrame):
        raise LakeError(f"{table}: its function returned {type(frame).__name__}, expected a DataFrame")
    return frame


def fewest_rows(table: str, published: list[Publication], max_shrink: float, auditor: Auditor) -> list[Metric]:
    """The smallest number of rows that a rebuild may have without a person's consent."""
    if not published or auditor.is_accepted(table):
        return []
    fewest = published[0].rows * (1 - max_shrink)
    return [Metric("rows left of the last publish", "shrink", fewest, None, F.count("*"), next_step=auditor.consent(table))]


def _as_declared(frame: DataFrame, schema: T.StructType, table: str) -> DataFrame:
    """The frame in the order of its contract.

    Raises GateError that names the columns that differ from it in name or type.
    """
    given = {field.name: field.dataType for field in frame.schema.fields}
    wanted = {field.name: field.dataType for field in schema.fields}
    if given != wanted:
        differing = sorted(name for name in {*given, *wanted} if given.get(name) != wanted.get(name))
        told = (f"{name}: got {_type(given.get(name))}, expected {_type(wanted.get(name))}" for name in differing)
        raise GateError(f"{table}: its function does not keep its contract: {'; '.join(told)}")
    return frame.select(*schema.names)


def _type(kind: T.DataType | None) -> str:
    return "no such column" if kind is None else kind.simpleString()
