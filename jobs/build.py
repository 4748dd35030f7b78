"""Builds one table of a plan, if under its lease it still needs it."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from jobs.audit import Auditor
from jobs.build_refined import RefinedBuild, table_function
from jobs.build_trusted import TrustedBuild
from jobs.gate import Gate
from jobs.orphans import tidied
from jobs.publications import Publication
from jobs.tables import Tables
from lake.errors import GateError
from lake.planning import Inputs, Wanted, decide
from lake.sources import source_from
from lake.tables import Refined
from store.leases import Lease
from store.models import read_model, usable_pin
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
        guarded = [entry["table"], *([f"quarantine.{entry['name']}"] if entry["kind"] == "trusted" else [])]
        facts = tidied(self.spark, self.objects, lease, self.run, *guarded)
        inputs = self._pinned(entry)
        inputs |= self._model_pin(entry, inputs)
        published = self.tables.publications(entry["table"])
        wanted = Wanted(entry["declaration"], entry["code"], inputs)
        decision = decide(wanted, [asdict(publication) for publication in published], entry["table"] in self.plan["again"])
        if not decision.build:
            return {"outcome": "skipped", "reason": decision.reason, **facts}
        make = self._trusted if entry["kind"] == "trusted" else self._refined
        publication, more = make(entry, wanted, published, decision.whole, lease)
        return {
            "outcome": "published",
            "reason": decision.reason + entry.get("told", ""),
            "number": publication.number,
            "rows": publication.rows,
            **facts,
            **more,
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

    def _model_pin(self, entry: Record, inputs: Inputs) -> Inputs:
        """The promoted model of a table that one makes; the first of a declaration is trained now."""
        table = self.refined.get(entry["name"]) if entry["kind"] == "refined" else None
        if table is None or table.model is None:
            return {}
        if not usable_pin(self.objects, table):
            from jobs.models.keeping import train

            ((name, snapshot),) = inputs.items()
            rows = self.tables.read(name, int(snapshot["snapshot"]))
            train(self.objects, table, rows, {"table": name, **snapshot}, self.run)
        return usable_pin(self.objects, table)

    def _refined(
        self, entry: Record, wanted: Wanted, published: list[Publication], whole: bool, lease: Lease
    ) -> tuple[Publication, Record]:
        table = self.refined[entry["name"]]
        if table.series:
            from jobs.series.building import SeriesBuild

            detector = SeriesBuild(self.tables, self.auditor, table, table.series, wanted, published, whole, lease)
            return detector.publish(self.run)
        function = self._scorer(table, wanted.inputs) if table.model else table_function(table)
        build = RefinedBuild(self.tables, self.auditor, table, function, wanted, published, whole, lease)
        return build.publish(self.run)

    def _scorer(self, table: Refined, inputs: Inputs) -> Callable[..., DataFrame]:
        """What makes a model's table from its input: the shared scorer with the pinned model."""
        from jobs.models.scoring import scored

        model, document = table.model, read_model(self.objects, table.name, inputs[f"model.{table.name}"]["model"])
        assert model is not None
        return lambda **frames: scored(frames[model.input], model, document)

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
