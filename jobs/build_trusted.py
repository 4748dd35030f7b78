"""Builds one trusted table: judges the pending runs, keeps what was rejected, and publishes what was accepted."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pyspark.sql import Column as Expr
from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from jobs import changes, deleted, trusted
from jobs.audit import Auditor
from jobs.gate import Metric
from jobs.memory import Keep, memory
from jobs.partitions import has_value
from jobs.publications import Draft, Publication
from jobs.schemas import literal_rows
from jobs.tables import Tables, Target
from lake.errors import CorruptionError, GateError, LockedError
from lake.expectations import Expectation, NotNull, Unique
from lake.planning import Wanted
from lake.source import Source
from store.leases import Lease

Record = dict[str, Any]
COUNTS = ("decoded", "quarantined", "kept", "superseded", "duplicates", "misfits", "keyless", "warnings", "halts")


@dataclass(frozen=True)
class Gone:
    """The keys of rows that the source had no longer when this run swept them, of `swept` rows that it had.

    `counts` says how many they are (`deleted`), and of how many keys that it had no row is served (`absent`).
    """

    run: str
    swept: int
    keys: DataFrame
    counts: dict[str, int]


@dataclass(frozen=True)
class News:
    """What these runs make of the table: rows to keep, in place of which rows of it, and the keys that are gone.

    `has_rows` says whether the source has any rows at all.
    """

    kept: DataFrame
    replaced: Expr
    gone: Gone | None
    has_rows: bool


@dataclass(frozen=True)
class TrustedBuild:
    """One build of one trusted table, under its lease."""

    tables: Tables
    auditor: Auditor
    declared: Source
    entry: Record
    wanted: Wanted
    published: list[Publication]
    is_whole: bool
    lease: Lease

    def publish(self, run: str) -> tuple[Publication, Record]:
        """The publication, and per raw run what became of its rows.

        Raises GateError when a check stops it, CorruptionError when rows do not add up.
        """
        runs = self._pending_runs()
        changes.refuse_changes(self.declared, [run for run in self._binding(runs) if not self.auditor.is_accepted(run["run"])])
        source, evolved, decoded = self._as_it_is_now(runs)
        with memory() as keep:
            judged = keep(trusted.judged_rows(decoded, self._run_rows(runs), source))
            accepted, counts = self._accepted(judged, source, runs, keep)
            counts, repeated = self._with_repeated(source, accepted, counts)
            self._quarantine(run, source, decoded, runs, counts)
            unaccepted = [count for count in self._binding(counts) if not self.auditor.is_accepted(count["run"])]
            changes.refuse_rows(source, unaccepted, repeated, lambda: _misfit(source, decoded, unaccepted))
            fields = trusted.table_schema(source).fields
            typed = accepted.select("_seq", "_fate", *(accepted[f.name].cast(f.dataType) for f in fields))
            gone = self._gone(source, typed, runs, keep)
            kept = typed.where("_fate = 'kept'").drop("_seq", "_fate")
            if gone:
                kept = kept.join(gone.keys, source.key, "left_anti").select(*kept.columns)
                counts = [{**c, **(gone.counts if c["run"] == gone.run else dict.fromkeys(gone.counts, 0))} for c in counts]
            facts = {"declaration": self.wanted.declaration, "code": self.wanted.code, "counts": _total(counts)}
            if source.changes == "evolve":
                facts["evolved"] = evolved
            has_rows = bool(gone.swept if gone else counts[-1]["decoded"])
            publication = self._published(run, source, News(kept, self._replaced(judged, source), gone, has_rows), facts)
        told = [changes.told(runs), changes.told_rows(source, self._binding(counts), repeated)]
        return publication, {"counts": counts, **({"changes": "; ".join(filter(None, told))} if any(told) else {})}

    def _published(self, run: str, source: Source, news: News, facts: Record) -> Publication:
        """The rows written, audited and made visible."""
        schema = trusted.table_schema(source)
        comments = {name: column.description for name, column in source.published.items() if column.description}
        by = (source.partition,) if source.partition else ()
        return self.tables.publish(
            Draft(self.entry["table"], run, schema, self.wanted.fingerprint, comments, self.wanted.inputs, facts, by),
            self.lease,
            write=lambda target: self._write(source, target, news),
            audit=lambda written: self._audit(source, written, news),
        )

    def _pending_runs(self) -> list[Record]:
        """The planned runs that are not in the table yet; all of them when it is built from the beginning."""
        after = self.entry["after"]
        mark = 0 if self.is_whole or not self.published else int(self.published[0].inputs[self.declared.name]["seq"])
        if mark < after or (self.is_whole and after > 0):
            raise LockedError(f"{self.entry['table']}: it changed since the plan was made; run again")
        return [run for run in self.entry["runs"] if run["seq"] > mark]

    def _binding(self, runs: list[Record]) -> list[Record]:
        """The runs whose rows would be served: of a snapshot, the newest alone."""
        return runs[-1:] if self.declared.load == "snapshot" else runs

    def _as_it_is_now(self, runs: list[Record]) -> tuple[Source, changes.Evolved, DataFrame]:
        """The source with the columns and types it has grown into, what grew, and its decoded rows."""
        spark, objects = self.tables.spark, self.tables.objects
        addresses = [objects.uri(key) for run in runs for key in run["objects"]]
        schema = trusted.decoded_schema(self.declared)
        decoded = spark.read.schema(schema).parquet(*addresses) if addresses else literal_rows(spark, [], schema)
        before = changes.evolved_of(publication.facts for publication in self.published[:1])
        evolved = changes.evolved_by(self.declared, runs, before)
        source = changes.evolved_source(self.declared, evolved)
        if self.declared.changes == "evolve":
            wider = changes.wider_types(decoded, source)
            evolved = {**evolved, "widened": {**evolved["widened"], **wider}}
            source = changes.evolved_source(self.declared, evolved)
        return source, evolved, changes.with_added(decoded, evolved["added"])

    def _run_rows(self, runs: list[Record]) -> DataFrame:
        rows = [(run["run"], run["seq"], datetime.fromisoformat(run["created_at"])) for run in runs]
        return literal_rows(self.tables.spark, rows, trusted.RUN)

    def _accepted(self, judged: DataFrame, source: Source, runs: list[Record], keep: Keep) -> tuple[DataFrame, list[Record]]:
        """The accepted rows with their fates, and per run what became of its rows.

        Raises CorruptionError when rows do not add up.
        """
        newest, is_one_run = max(run["seq"] for run in runs), len(runs) == 1
        found = trusted.lone_run_counts(judged, source).collect() if is_one_run else []
        if is_one_run:
            has_repeats = any(row["keys"] != row["kept"] for row in found)
        else:
            has_repeats = bool(source.key) and not trusted.colliding_keys(judged, source, newest).isEmpty()
        accepted = trusted.accepted_rows(judged, source, newest, is_one_run=is_one_run, has_repeats=has_repeats)
        is_compared = self.published and not self.is_whole and source.load in ("append", "merge")
        if is_compared:
            current = self.tables.read(self.entry["table"], self.published[0].snapshot)
            accepted = trusted.changed_rows(accepted, current, source)
        is_plain = not has_repeats and not is_compared
        accepted = accepted if is_plain else keep(accepted)
        if not (is_plain and is_one_run):
            found = trusted.run_counts(judged, accepted).collect()
        return accepted, _checked_counts(self.entry["table"], runs, found)

    def _replaced(self, judged: DataFrame, source: Source) -> Expr:
        """True for the rows of the table that these runs replace: all, or those of the partitions that they name."""
        if self.is_whole or source.load != "overwrite" or not source.partition:
            return F.lit(True)
        named = judged.select(source.partition).where(F.col(source.partition).isNotNull()).distinct().collect()
        return has_value(source.partition, [row[0] for row in named])

    def _quarantine(self, run: str, source: Source, decoded: DataFrame, runs: list[Record], counts: list[Record]) -> None:
        """Commit the rejected rows of these runs before the accepted ones; nothing to do where none ever was."""
        table = f"quarantine.{source.name}"
        self.lease.check()
        if any(count["quarantined"] for count in counts) or self.tables.exists(table):
            draft = quarantine_draft(source.name, run)
            self.tables.replace_runs(draft, self.lease, trusted.rejected_rows(decoded, source), [each["run"] for each in runs])
        halts = sum(count["halts"] for count in self._binding(counts))
        if halts:
            raise GateError(f"{source.trusted}: {halts} rows break checks that halt; the table stays as it was")

    def _with_repeated(self, source: Source, accepted: DataFrame, counts: list[Record]) -> tuple[list[Record], str]:
        """The counts with the keys that came more than once in a run (`repeated`), and one of them in words."""
        suspects = [c["run"] for c in self._binding(counts) if source.key and c["superseded"] + c["duplicates"]]
        rows = accepted.where(F.col("_run_id").isin(*suspects))
        found = {row["_run_id"]: row for row in trusted.repeated_keys(rows, source.key).collect()} if suspects else {}
        example = next((str(row["example"]) for row in found.values()), "")
        return [{**c, "repeated": int(found[c["run"]]["repeated"]) if c["run"] in found else 0} for c in counts], example

    def _gone(self, source: Source, accepted: DataFrame, runs: list[Record], keep: Keep) -> Gone | None:
        """What the newest sweep of these runs says is gone, of the rows there are and of those that came."""
        sweep = deleted.newest_sweep(runs, source)
        if sweep is None:
            return None
        address = self.tables.objects.uri(sweep["keys"]["key"])
        texts = self.tables.spark.read.schema(deleted.sweep_schema(sweep)).parquet(address)
        served = accepted.where("_fate = 'kept'").select(*source.key)
        if self.published and not self.is_whole:
            served = served.union(self.tables.read(self.entry["table"], self.published[0].snapshot).select(*source.key))
        newer = accepted.where(F.col("_seq") > sweep["seq"])
        keys = keep(deleted.differing_keys(served, deleted.swept_keys(texts, source), newer, source.key))
        row = keys.agg(F.count_if(~F.col("_is_swept")).alias("deleted"), F.count_if("_is_swept").alias("absent")).first()
        rows = int(sweep["keys"]["rows"])
        return Gone(sweep["run"], rows, keys.where("not _is_swept").drop("_is_swept"), row.asDict() if row else {})

    def _write(self, source: Source, target: Target, news: News) -> None:
        if source.load in ("snapshot", "overwrite") or self.is_whole:
            self.tables.overwrite(target, news.kept, news.replaced)
        elif source.load == "append":
            self.tables.add(target, news.kept)
        else:
            self.tables.merge(target, news.kept, source.key, news.gone.keys if news.gone else None)

    def _audit(self, source: Source, written: DataFrame, news: News) -> int:
        expectations: list[Expectation] = list(source.expectations)
        if source.key:
            expectations.append(Unique(rule="unique", columns=source.key))
        required = [name for name, column in source.published.items() if column.required]
        if required:
            expectations.append(NotNull(rule="not_null", columns=required))
        may_lose = source.key and self.published and (source.load in ("snapshot", "overwrite") or news.gone)
        extra = [self._lost_keys(source, news)] if may_lose else []
        return self.auditor.audit(self.entry["table"], written, expectations, extra, {})

    def _lost_keys(self, source: Source, news: News) -> Metric:
        """Share of the keys served now, among the rows that may be replaced, that the new rows would lose.

        A source that has no rows at all is named.
        """
        current = self.tables.read(self.entry["table"]).where(news.replaced).select(*source.key)
        gone, has_rows = news.gone, news.has_rows
        newest = gone.run if gone else str(self.entry["runs"][-1]["run"])

        def share(written: DataFrame) -> float:
            there = written.select(*source.key, F.lit(True).alias("_is_there")).dropDuplicates(source.key)
            joined = current.join(there, source.key, "left")
            row = joined.agg(F.count_if(F.col("_is_there").isNull()).alias("lost"), F.count("*").alias("before")).first()
            return float(row["lost"] / row["before"]) if row and row["before"] else 0.0

        high = 1.0 if self.auditor.is_accepted(newest, self.entry["table"]) else source.max_shrink
        consent = self.auditor.consent(newest, is_pulled=gone is None)
        emptied = "" if has_rows else "; the source has no rows at all, was it emptied?"
        return Metric("share of keys lost", "shrink", 0, high, measure=share, next_step=emptied + consent)


def quarantine_draft(source: str, run: str) -> Draft:
    """What a run is going to publish in a source's quarantine."""
    return Draft(f"quarantine.{source}", run, trusted.QUARANTINE, partition=("_run_id",))


def _checked_counts(table: str, runs: list[Record], counts: list[Row]) -> list[Record]:
    """Per run what became of its rows.

    Raises CorruptionError when a run's rows do not add up.
    """
    found = {row["_run_id"]: row.asDict() for row in counts}
    checked = []
    for run in runs:
        count = {name: int(found.get(run["run"], {}).get(name, 0)) for name in COUNTS}
        fates = count["quarantined"] + count["kept"] + count["superseded"] + count["duplicates"]
        if count["decoded"] != run["rows"] or count["decoded"] != fates:
            raise CorruptionError(
                f"{table}: run {run['run']}: {run['rows']} rows in its manifest, {count['decoded']} read, {fates} accounted for"
            )
        checked.append({"run": run["run"], **count})
    if set(found) - {run["run"] for run in runs}:
        raise CorruptionError(f"{table}: rows of runs that are not planned: {', '.join(sorted(map(str, found)))}")
    return checked


def _misfit(source: Source, decoded: DataFrame, counts: list[Record]) -> str:
    """One value of these runs that does not fit its column."""
    rows = trusted.spelled_rows(decoded, source).where(F.col("_run_id").isin(*(count["run"] for count in counts)))
    first = rows.select("problems").where("exists(problems, p -> p.rule = 'type')").first()
    problem = next(p for p in first["problems"] if p["rule"] == "type") if first else {}
    return f"{problem['column']}: got {problem['value'] or 'a value'}, {problem['message']}"


def _total(counts: list[Record]) -> Record:
    return {name: sum(count[name] for count in counts) for name in counts[0] if name != "run"} if counts else {}
