"""Builds the table of a detector: only points that came since, each series going on from where it stood; late points restate."""

from dataclasses import dataclass
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.audit import Appended, Auditor
from jobs.build_refined import fewest_rows, table_schema
from jobs.memory import Keep, memory
from jobs.publications import Draft, Publication
from jobs.series.judgements import FEW_POINTS, judged_points, judged_series, ready_series
from jobs.series.news import News, added_news, compared_news, first_news
from jobs.series.points import series_name
from jobs.series.refits import refits
from jobs.series.tracks import Facts, Kept, runs_named
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
        given = self.tables.read(name, int(pin["snapshot"]))
        kept = Kept(self.tables, self.declared.name, self.series, {} if self._is_first else self.published[0].facts["tracks"])
        with memory() as keep:
            news = self._news(name, given, kept, keep)
            judged, fitted = self._judged(news, keep)
            tracks = kept.written(run, judged, news.counts, news.standing)
            restated = news.standing.restated
            is_added = not self._is_first and (restated is None or restated.isEmpty())
            draft = self._draft(run, tracks)
            publication = self.tables.publish(
                draft,
                self.lease,
                write=lambda target: self._write(target, judged_points(judged, self.series), None if is_added else restated),
                audit=lambda written: self._audit(written, {name: given}, draft.branch if is_added else None),
            )
        remembered = [*(each.facts for each in self.published), publication.facts]
        kept.remove_all_but(set().union(*map(runs_named, remembered)))
        return publication, {"series": news.counts.series, "points": news.counts.points, "refits": fitted}

    @property
    def _is_first(self) -> bool:
        return self.is_whole or not self.published

    def _news(self, name: str, given: DataFrame, kept: Kept, keep: Keep) -> News:
        if self._is_first:
            return first_news(given, self.series, keep)
        before, now = (int(inputs[name]["snapshot"]) for inputs in (self.published[0].inputs, self.wanted.inputs))
        added = self.tables.added(name, before, now)
        if added is None:
            return compared_news(given, kept, self.series, keep)
        return added_news(given, added, kept, self.series, keep)

    def _judged(self, news: News, keep: Keep) -> tuple[DataFrame, int]:
        """The judged series, and how many refits they took."""
        due = news.pending.where("is_due").where(F.col("last_at").isNotNull()).select("_series")
        has_past = news.counts.due and not self._is_first
        past = news.past(due) if has_past else None
        ready = ready_series(news.pending, news.counts, news.standing.latest, past, self.series)
        fits = keep(refits(ready, self.series)) if news.counts.due and self.series.fit == "sparkml" else None
        is_much = news.counts.due > 0 or news.counts.points > FEW_POINTS
        judged = keep(judged_series(ready, fits, self.series, is_much=is_much))
        row = judged.agg(F.sum("refits")).first() if news.counts.due else None
        return judged, row[0] if row else 0

    def _draft(self, run: str, tracks: Facts) -> Draft:
        contract = self.declared.contract
        facts = {"declaration": self.wanted.declaration, "code": self.wanted.code, "tracks": tracks}
        table, schema = self.declared.table, table_schema(contract)
        return Draft(table, run, schema, self.wanted.fingerprint, contract.comments, self.wanted.inputs, facts)

    def _audit(self, written: DataFrame, pinned: dict[str, DataFrame], branch: str | None) -> int:
        """By its added rows alone where the branch has nothing but those of the last publish and more."""
        contract, table = self.declared.contract, self.declared.table
        shrunk = fewest_rows(table, self.published, contract.max_shrink, self.auditor)
        added = self.tables.added(table, self.published[0].snapshot, branch) if branch else None
        appended = None if added is None else Appended(added, self.tables.read(table, self.published[0].snapshot))
        return self.auditor.audit(table, written, contract.rules, shrunk, pinned, appended)

    def _write(self, target: Target, judged: DataFrame, restated: DataFrame | None) -> None:
        """All, or what came since; where a series was judged anew from an earlier point on, in place of what it had since."""
        if self._is_first:
            self.tables.overwrite(target, judged, F.lit(True))
        elif restated is None:
            self.tables.add(target, judged)
        else:
            # Spark 4.1 cannot plan a MERGE whose rows come, however far back, from a read of what was added to a table
            judged, restated = judged.localCheckpoint(), restated.localCheckpoint()
            served = self.tables.read(self.declared.table, self.published[0].snapshot).withColumn(
                "_series", series_name(self.series)
            )
            since = F.coalesce(F.unix_micros(self.series.time) > F.col("last_at"), F.lit(True))
            stale = served.join(F.broadcast(restated), "_series", "inner").where(since)
            gone = stale.join(judged, self.series.key, "left_anti").select(*self.series.key)
            self.tables.merge(target, judged, self.series.key, gone)
