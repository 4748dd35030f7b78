"""Builds one table of a plan: reads its pinned inputs, calls the pure functions, and hands the rows to the publish."""

import importlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from jobs import trusted
from jobs.gate import Gate, Metric, measured, metric
from jobs.tables import Draft, Publication, Tables, Target
from lake.errors import CorruptionError, GateError, LakeError, LockedError
from lake.expectations import Expectation, NotNull, Unique
from lake.planning import Wanted, decide
from lake.source import Source
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
        decision = decide(wanted, [asdict(publication) for publication in published])
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
        schema = T.StructType([T.StructField(n, T._parse_datatype_string(c.type)) for n, c in contract.columns.items()])
        frame = _as_declared(_called(function, pinned, entry["table"]), schema, entry["table"])
        comments = {name: column.description for name, column in contract.columns.items() if column.description}
        draft = Draft(entry["table"], self.run, wanted.fingerprint, schema, comments, wanted.inputs, self._facts(wanted))
        expectations = [Unique(rule="unique", columns=contract.key), *contract.expectations]
        shrunk = _shrunk_rows(entry["table"], published, contract.max_shrink, self._is_accepted(entry))
        publication = self.tables.publish(
            draft,
            lease,
            write=lambda target: self.tables.overwrite(target, frame),
            audit=lambda written: self._audit(entry["table"], written, expectations, shrunk, pinned),
        )
        return publication, {}

    def _trusted(
        self, entry: Record, wanted: Wanted, published: list[Publication], whole: bool, lease: Lease
    ) -> tuple[Publication, Record]:
        source = source_from(self.plan["sources"][entry["name"]], f"{entry['name']}.yaml")
        runs = self._pending_runs(entry, source, published, whole)
        judged = trusted.judged_rows(self._decoded(source, runs), self._run_rows(runs), source).persist()
        current = self.tables.read(entry["table"], published[0].snapshot) if published and not whole else None
        accepted = trusted.accepted_rows(judged, source, max(run["seq"] for run in runs))
        if current is not None:
            accepted = trusted.changed_rows(accepted, current, source)
        accepted = accepted.persist()
        try:
            counts = _checked_counts(entry["table"], runs, trusted.run_counts(judged, accepted))
            self._quarantine(source, judged, runs, counts, lease)
            kept = accepted.where("_fate = 'kept'").select(*trusted.table_schema(source).names)
            comments = {name: column.description for name, column in source.published.items() if column.description}
            draft = Draft(
                entry["table"],
                self.run,
                wanted.fingerprint,
                trusted.table_schema(source),
                comments,
                wanted.inputs,
                {**self._facts(wanted), "counts": _total(counts)},
            )
            publication = self.tables.publish(
                draft,
                lease,
                write=lambda target: self._write(source, target, kept, whole),
                audit=lambda written: self._audit_trusted(entry, source, written, published, kept, whole),
            )
            return publication, {"counts": counts}
        finally:
            accepted.unpersist()
            judged.unpersist()

    def _pending_runs(self, entry: Record, source: Source, published: list[Publication], whole: bool) -> list[Record]:
        """The planned runs that are not in the table yet; all of them when it is built from the beginning."""
        mark = 0 if whole or not published else int(published[0].inputs[source.name]["seq"])
        if mark < entry["after"] or (whole and entry["after"] > 0):
            raise LockedError(f"{entry['table']}: it changed since the plan was made; run again")
        return [run for run in entry["runs"] if run["seq"] > mark]

    def _decoded(self, source: Source, runs: list[Record]) -> DataFrame:
        addresses = [self.objects.uri(key) for run in runs for key in run["objects"]]
        schema = trusted.decoded_schema(source)
        return self.spark.read.schema(schema).parquet(*addresses) if addresses else self.spark.createDataFrame([], schema)

    def _run_rows(self, runs: list[Record]) -> DataFrame:
        rows = [(run["run"], run["seq"], datetime.fromisoformat(run["created_at"])) for run in runs]
        return self.spark.createDataFrame(rows, trusted.RUN)

    def _quarantine(self, source: Source, judged: DataFrame, runs: list[Record], counts: list[Record], lease: Lease) -> None:
        """Commit the rejected rows of these runs before the accepted ones; nothing to do where none ever was."""
        table = f"quarantine.{source.name}"
        lease.check()
        if any(count["quarantined"] for count in counts) or self.tables.exists(table):
            self.tables.replace_runs(table, trusted.rejected_rows(judged), [run["run"] for run in runs])
        halts = sum(count["halts"] for count in counts)
        if halts:
            raise GateError(f"{source.trusted}: {halts} rows break checks that halt; the table stays as it was")

    def _write(self, source: Source, target: Target, kept: DataFrame, whole: bool) -> None:
        if source.load == "snapshot" or whole:
            self.tables.overwrite(target, kept)
        elif source.load == "append":
            self.tables.add(target, kept)
        else:
            self.tables.merge(target, kept, source.key)

    def _audit_trusted(
        self, entry: Record, source: Source, written: DataFrame, published: list[Publication], kept: DataFrame, whole: bool
    ) -> int:
        expectations: list[Expectation] = list(source.expectations)
        if source.key:
            expectations.insert(0, Unique(rule="unique", columns=source.key))
        required = [name for name, column in source.published.items() if column.required]
        if required:
            expectations.insert(1, NotNull(rule="not_null", columns=required))
        extra: list[Metric] = []
        if source.load == "snapshot" and published:
            extra.append(self._lost_keys(entry, source))
        return self._audit(entry["table"], written, expectations, extra, {})

    def _lost_keys(self, entry: Record, source: Source) -> Metric:
        """Share of the keys served now that the new rows would lose."""
        current = self.tables.read(entry["table"]).select(*source.key)

        def share(written: DataFrame) -> float:
            before = current.count()
            lost = current.join(written.select(*source.key), source.key, "left_anti").count()
            return lost / before if before else 0.0

        high = 1.0 if self._is_accepted(entry) else source.max_shrink
        next_step = _consent(_newest_run(entry))
        return Metric("share of keys lost", "shrink", 0, high, measure=share, next_step=next_step)

    def _audit(
        self, table: str, written: DataFrame, expectations: list[Expectation], extra: list[Metric], pinned: dict[str, DataFrame]
    ) -> int:
        """Judge the table; the number of its rows."""

        def read(name: str) -> DataFrame:
            return pinned[name] if name in pinned else self.tables.read(name if "." in name else f"trusted.{name}")

        metrics = [Metric("rows", "row_count", 0, None, F.count("*")), *extra]
        metrics += [m for m in (metric(expectation, read) for expectation in expectations) if m.name != "rows"]
        counted = [metric(e, read) for e in expectations if e.rule == "row_count"]
        metrics = [*counted[:1], *metrics[1:]] if counted else metrics
        values = measured(written, metrics)
        self.gate.judge(table, metrics, values)
        return int(values["rows"])

    def _facts(self, wanted: Wanted) -> Record:
        return {"declaration": wanted.declaration, "code": wanted.code}

    def _is_accepted(self, entry: Record) -> bool:
        return _newest_run(entry) in self.plan["accept"] or entry["table"] in self.plan["accept"]


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


def _newest_run(entry: Record) -> str:
    runs = entry.get("runs") or [{"run": entry["table"]}]
    return str(runs[-1]["run"])


def _consent(name: str) -> str:
    return f" (if that is right: `lake run --accept {name}`)"


def _shrunk_rows(table: str, published: list[Publication], max_shrink: float, is_accepted: bool) -> list[Metric]:
    """The smallest number of rows that a rebuild may have without a person's consent."""
    if not published or is_accepted:
        return []
    fewest = published[0].rows * (1 - max_shrink)
    return [Metric("rows left of the last publish", "shrink", fewest, None, F.count("*"), next_step=_consent(table))]


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


def _checked_counts(table: str, runs: list[Record], counts: DataFrame) -> list[Record]:
    """Per run what became of its rows.

    Raises CorruptionError when a run's rows do not add up.
    """
    found = {row["_run_id"]: row.asDict() for row in counts.collect()}
    names = ("decoded", "quarantined", "kept", "superseded", "duplicates", "warnings", "halts")
    checked = []
    for run in runs:
        count = {name: int(found.get(run["run"], {}).get(name, 0)) for name in names}
        fates = count["quarantined"] + count["kept"] + count["superseded"] + count["duplicates"]
        if count["decoded"] != run["rows"] or count["decoded"] != fates:
            raise CorruptionError(
                f"{table}: run {run['run']}: {run['rows']} rows in its manifest, {count['decoded']} read, {fates} accounted for"
            )
        checked.append({"run": run["run"], **count})
    if set(found) - {run["run"] for run in runs}:
        raise CorruptionError(f"{table}: rows of runs that are not planned: {', '.join(sorted(map(str, found)))}")
    return checked


def _total(counts: list[Record]) -> Record:
    return {name: sum(count[name] for count in counts) for name in counts[0] if name != "run"} if counts else {}
