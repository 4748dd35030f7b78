"""`lake model backtest`: how many alerts another setting would have raised, when and why, from the scores there are."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from jobs.series.alerting import Memory, Rule, alerted
from jobs.series.reasons import reason
from lake.errors import UsageError
from lake.series import SeriesModel
from lake.settings import Settings
from lake.tables import Refined
from orchestration.series_judged import Window, words
from sql.engine import open_engine

Row = dict[str, Any]
COLUMNS = ("score", "view", "usual", "came")


@dataclass(frozen=True)
class Backtest:
    """What a setting would have raised in a range: alerts in order of time, and how many the table has in it."""

    alerts: list[Row]
    served: int
    series: int
    points: int


def backtest(settings: Settings, table: Refined, start: datetime, end: datetime, rule: Rule) -> Backtest:
    """The alerts from `start` on and before `end`, had the rule been in force from the beginning of each series.

    Scores are as the table has them: what is usual does not hang on the rule. Raises UsageError when the table was never
    built, or has no judged point in the range.
    """
    series = table.series
    assert series is not None
    listed = ", ".join([*series.key, *COLUMNS, "flag"])
    order = ", ".join([*series.entity, series.time])
    answer = open_engine(settings).ask(  # every name here is a declared one, which has letters, digits and _ alone
        f"SELECT {listed} FROM {table.table} WHERE {series.time} < ? AND score IS NOT NULL ORDER BY {order}",  # noqa: S608
        (end,),
    )
    names = [column.name for column in answer.columns]
    rows = (dict(zip(names, row, strict=True)) for row in answer.rows)
    alerts: list[Row] = []
    served = points = number = 0
    for _, own in groupby(rows, key=lambda row: tuple(row[name] for name in series.entity)):
        told = list(own)
        inside = [row for row in told if row[series.time] >= start]
        number, points = number + bool(inside), points + len(inside)
        served += sum(row["flag"] == 1 for row in inside)
        alerts += [row for row in _alerts(told, series, rule) if row[series.time] >= start]
    if not points:
        raise UsageError(
            f"--from, --to: got {start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M}, in which {table.table} judged no point"
        )
    return Backtest(sorted(alerts, key=lambda row: row[series.time]), served, number, points)


def _alerts(rows: list[Row], series: SeriesModel, rule: Rule) -> Iterator[Row]:
    thresholds, flags, _ = alerted((row["score"] for row in rows), 0, Memory(), rule)
    for row, threshold, is_alert in zip(rows, thresholds, flags, strict=True):
        if is_alert:
            kept = {name: row[name] for name in [*series.key, "score"]}
            why = reason(series, row["view"], row["usual"], row["came"])
            yield {**kept, "threshold": threshold, "reason": why}


def against(windows: list[Window], found: Backtest, series: SeriesModel) -> Row:
    """How the alerts stand to known windows: windows hit and missed, alerts outside of all."""
    inside = [[window for window in windows if _is_in(alert, window, series)] for alert in found.alerts]
    hit = {id(window) for each in inside for window in each}
    missed = [f"{words(window.entity)} {window.start:%Y-%m-%d %H:%M}" for window in windows if id(window) not in hit]
    return {"windows": len(windows), "hit": len(hit), "false": sum(not each for each in inside), "missed": missed}


def _is_in(alert: Row, window: Window, series: SeriesModel) -> bool:
    own = tuple(str(alert[name]) for name in series.entity)
    return own == window.entity and window.start <= alert[series.time] <= window.end
