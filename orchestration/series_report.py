"""`lake model report` of a detector: one page that stands alone, with the series, their scores, alerts and known windows."""

from collections.abc import Sequence
from html import escape
from typing import Any

from lake.series import SeriesModel
from lake.tables import Refined
from orchestration.report_page import html_table, page
from orchestration.series_charts import Mark, Panel, series_panels
from orchestration.series_judged import Series, Watched, Window, words


def report(table: Refined, watched: Watched, windows: Sequence[Window] = ()) -> str:
    """The page as HTML; it asks nothing of any server."""
    series, counts = table.series, watched.counts
    assert series is not None
    head = (
        f"<h1>{table.name}</h1><p>{escape(table.contract.description)}</p>"
        f"<p class=big><b>{counts['alerts']:,}</b> alerts in {counts['judged']:,} judged points of {len(watched.by_series):,} series, "
        f"{counts['first']:%Y-%m-%d %H:%M} to {counts['last']:%Y-%m-%d %H:%M} UTC</p>"
        f"<p>Declared: threshold {series.threshold:g}, rest {series.rest} points. The alerts are those of the table, which follows "
        f"its declaration with the next <code>lake run {table.name}</code>.</p>"
    )
    told = "known windows are shaded; " if windows else ""
    parts = [
        head,
        f"<h2>Series</h2><p>Alerts are red lines; {told}below each series its score, with the threshold in force.</p>",
    ]
    parts += [_panels(series, each, windows) for each in watched.drawn]
    if len(watched.by_series) > len(watched.drawn):
        parts.append(f"<p class=note>{len(watched.by_series) - len(watched.drawn)} more series are not drawn.</p>")
    parts.append("<h2>Alerts</h2><p>The newest first.</p>")
    listed = [
        (
            f"{row[series.time]:%Y-%m-%d %H:%M:%S}",
            words(tuple(row[n] for n in series.entity)),
            f"{row['score']:.2f}",
            row["reason"],
        )
        for row in watched.alerts
    ]
    parts.append(html_table(("time, UTC", ", ".join(series.entity) or "series", "score", "why"), listed))
    parts.append("<h2>All series</h2>")
    rows = [
        (words(tuple(row[n] for n in series.entity)), f"{row['points']:,}", f"{row['alerts']:,}", _figure(row["highest"]))
        for row in watched.by_series[:200]
    ]
    parts.append(html_table((", ".join(series.entity) or "series", "points", "alerts", "highest score"), rows))
    return page(table.name, parts)


def _panels(series: SeriesModel, drawn: Series, windows: Sequence[Window]) -> str:
    """A panel per value, and one of the score."""
    times = [row[series.time].timestamp() for row in drawn.points]
    marks = [
        Mark(row[series.time].timestamp(), f"{row[series.time]:%Y-%m-%d %H:%M:%S}: {row['reason']}")
        for row in drawn.points
        if row["flag"] == 1
    ]
    known = [
        (window.start.timestamp(), window.end.timestamp())
        for window in windows
        if window.entity == tuple(map(str, drawn.entity))
    ]
    values = [
        Panel(f"{words(drawn.entity)}: {name.replace('_', ' ')}, {each.unit}", [row[name] for row in drawn.points])
        for name, each in series.values.items()
    ]
    score = Panel("score", [row["score"] for row in drawn.points], [row["threshold"] for row in drawn.points])
    return series_panels(times, [*values, score], marks, known)


def _figure(value: Any) -> str:
    return "" if value is None else f"{value:.2f}"
