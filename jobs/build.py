"""Builds one table of a plan: reads its pinned inputs, calls its pure function, and hands the rows to the publish."""

import importlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from jobs.audit import Auditor
from jobs.build_trusted import TrustedBuild
from jobs.gate import Gate, Metric
from jobs.tables import Draft, Publication, Tables
from lake.columns import stored_type
from lake.errors import GateError, LakeError
from lake.expectations import Unique
from lake.planning import Wanted, decide
from lake.sources import source_from
from lake.tables import Refined
from store.leases import Lease
from store.objects import Objects

Record = dict[str, Any]


@dataclass
class Builder:
    """All that building any table of one run needs."""

    spark: SparkSession
    objects: Objects
    tables: Tables
    gate: Gate
    refined: dict[str, Refined]
    plan: Record

    @property
    def run(self) -> str:
        """The run that builds."""
        return str(self.plan["run"])

    def build(self, entry: Record, lease: Lease) -> Record:
        """Build and publish a table, if under its lease it still needs it; what was done.

        Raises GateError when a check stops it, LockedError when another run was faster.
        """
        inputs = self._pinned(entry)
        published = self.tables.publications(entry["table"])
        wanted = Wanted(entry["declaration"], entry["code"], inputs)
        decision = decide(wanted, [asdict(publication) for publication in published], entry["table"] in self.plan["again"])
        if not decision.build:
            return {"outcome": "skipped", "reason": decision.reason}
        make = self._trusted if entry["kind"] == "trusted" else self._refined
        publication, facts = make(entry, wanted, published, decision.whole, lease)
        return {
            "outcome": "published",
            "reason": decision.reason,
            "number": publication.number,
            "rows": publication.rows,
            **facts,
        }

    def _pinned(self, entry: Record) -> dict[str, dict[str, Any]]:
        """Where each input stands: raw runs as planned, tables as published now."""
        if entry["kind"] == "trusted":
            return dict(entry["inputs"])
        pins = {}
        for table in entry["inputs"]:
            published = self.tables.publications(table)
            if not published:
                raise GateError(f"{entry['table']}: its input {table} was never published")
            pins[table] = {"number": published[0].number, "snapshot": published[0].snapshot}
        return pins

    def _refined(
        self, entry: Record, wanted: Wanted, published: list[Publication], whole: bool, lease: Lease
    ) -> tuple[Publication, Record]:
        table = self.refined[entry["name"]]
        function: Callable[..., DataFrame] = getattr(importlib.import_module(f"jobs.refined.{table.name}"), table.name)
        pinned = {name.partition(".")[2]: self.tables.read(name, int(pin["snapshot"])) for name, pin in wanted.inputs.items()}
        contract = table.contract
        schema = T.StructType(
            [T.StructField(n, T._parse_datatype_string(stored_type(c.type))) for n, c in contract.columns.items()]
        )
        frame = _as_declared(_called(function, pinned, entry["table"]), schema, entry["table"])
        comments = {name: column.description for name, column in contract.columns.items() if column.description}
        facts = {"declaration": wanted.declaration, "code": wanted.code}
        draft = Draft(entry["table"], self.run, wanted.fingerprint, schema, comments, wanted.inputs, facts)
        expectations = [Unique(rule="unique", columns=contract.key), *contract.expectations]
        shrunk = _fewest_rows(entry["table"], published, contract.max_shrink, self.auditor)
        publication = self.tables.publish(
            draft,
            lease,
            write=lambda target: self.tables.overwrite(target, frame),
            audit=lambda written: self.auditor.audit(entry["table"], written, expectations, shrunk, pinned),
        )
        return publication, {}

    def _trusted(
        self, entry: Record, wanted: Wanted, published: list[Publication], whole: bool, lease: Lease
    ) -> tuple[Publication, Record]:
        source = source_from(self.plan["sources"][entry["name"]], f"{entry['name']}.yaml")
        build = TrustedBuild(self.tables, self.auditor, source, entry, wanted, published, whole, lease)
        return build.publish(self.run)

    @property
    def auditor(self) -> Auditor:
        """The gate with what a person consented to."""
        return Auditor(self.gate, self.tables.read, frozenset(self.plan["accept"]))


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


def _fewest_rows(table: str, published: list[Publication], max_shrink: float, auditor: Auditor) -> list[Metric]:
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
