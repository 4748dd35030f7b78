"""Builds the table of a detector: only points that came since, each series going on from where it stood; late points restate."""

from dataclasses import dataclass
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.audit import Auditor
from jobs.build_refined import fewest_rows, table_schema
from jobs.memory import memory
from jobs.publications import Draft, Publication
from jobs.series.judgements import judged_points, judged_series, pending_series
from jobs.series.points import points, series_name
from jobs.series.refits import refits
from jobs.series.tracks import Kept, Standing
from jobs.tables import Tables, Target
from lake.planning import Wanted
from lake.series import SeriesModel
from lake.tables import Refined
from store.leases import Lease

Record = dict[str, Any]


@dataclass(frozen=True)
class SeriesBuild:
    """One build of one detector's table, under its lease."""

    tables: Tables
    auditor: Auditor
    declared: Refined
    series: SeriesModel
    wanted: Wanted
    published: list[Publication]
    is_whole: bool
    lease: Lease

    def publish(self, run: str) -> tuple[Publication, Record]:
        """The publication, and how many points of how many series were judged, after how many refits.

        Raises GateError when a check stops it.
        """
        ((name, pin),) = self.wanted.inputs.items()
        given, kept = self.tables.read(name, int(pin["snapshot"])), Kept(self.tables, self.declared.name, self.series)
        is_first = self.is_whole or not self.published
        with memory() as keep:
            now = keep(points(given, self.series))
            standing = kept.standing(None if is_first else self.published[0].facts.get("tracks"), now, keep)
            pending = keep(pending_series(now, standing.latest, self.series))
            fits, number = refits(pending, now, self.series)
            judged = keep(judged_series(pending, keep(fits), self.series))
            kept.write(run, judged, standing, now)
            publication = self.tables.publish(
                self._draft(run),
                self.lease,
                write=lambda target: self._write(target, judged_points(judged, self.series), standing, is_whole=is_first),
                audit=lambda written: self._audit(written, {name: given}),
            )
            sizes = judged.select(F.count("*"), F.sum(F.size("judged"))).first()
        kept.remove_all_but({run, *(str(each.facts.get("tracks")) for each in self.published)})
        assert sizes is not None
        return publication, {"series": sizes[0], "points": sizes[1] or 0, "refits": number}

    def _draft(self, run: str) -> Draft:
        contract = self.declared.contract
        facts = {"declaration": self.wanted.declaration, "code": self.wanted.code, "tracks": run}
        table, schema = self.declared.table, table_schema(contract)
        return Draft(table, run, schema, self.wanted.fingerprint, contract.comments, self.wanted.inputs, facts)

    def _audit(self, written: DataFrame, pinned: dict[str, DataFrame]) -> int:
        contract, table = self.declared.contract, self.declared.table
        shrunk = fewest_rows(table, self.published, contract.max_shrink, self.auditor)
        return self.auditor.audit(table, written, contract.rules, shrunk, pinned)

    def _write(self, target: Target, judged: DataFrame, standing: Standing, *, is_whole: bool) -> None:
        """All, or what came since; where a series was judged anew from an earlier point on, in place of what it had since."""
        if is_whole:
            self.tables.overwrite(target, judged, F.lit(True))
        elif standing.restated.isEmpty():
            self.tables.add(target, judged)
        else:
            served = self.tables.read(self.declared.table, self.published[0].snapshot).withColumn(
                "_series", series_name(self.series)
            )
            since = F.coalesce(F.unix_micros(self.series.time) > F.col("last_at"), F.lit(True))
            stale = served.join(F.broadcast(standing.restated), "_series", "inner").where(since)
            gone = stale.join(judged, self.series.key, "left_anti").select(*self.series.key)
            self.tables.merge(target, judged, self.series.key, gone)
