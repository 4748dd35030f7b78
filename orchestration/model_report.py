"""`lake model report`: one page that stands alone, with the clusters, the scores over time, and the top anomalies with reasons."""

from html import escape
from typing import Any

from lake.tables import Refined
from orchestration.charts import Point, bars, scatter
from orchestration.model_axes import on_two_axes
from orchestration.model_facts import drift_facts, figure, model_facts
from orchestration.model_judged import Judged, Row
from orchestration.report_page import html_table, page

Document = dict[str, Any]
#: Panels of the scores.
PANELS = 6


def report(table: Refined, document: Document, judged: Judged) -> str:
    """The page as HTML; it asks nothing of any server."""
    counts = judged.counts
    stale = (
        f"<p class=note>The table was scored by model {escape(counts['model'])}; build it again to see this one's scores.</p>"
    )
    head = (
        f"<h1>{table.name}</h1><p>{escape(table.contract.description)}</p>"
        f"<p class=big><b>{counts['anomalies']:,}</b> anomalies in {counts['judged']:,} judged rows of {counts['rows']:,}, "
        f"{counts['first']:%Y-%m-%d} to {counts['last']:%Y-%m-%d}</p>{'' if counts['model'] == document['id'] else stale}"
    )
    parts = [head, _section("Scores over time", _scores_words(judged), _scores(table, document, judged))]
    parts.append(_section("Top anomalies", "The highest scores first.", _top(table, judged)))
    parts.append(_section(f"Worst {judged.unit}s", "With the most anomalies, all entities together.", _worst(judged)))
    parts.append(_section("Clusters", *_clusters(table, document, judged)))
    parts.append(_cluster_table(table, document))
    parts.append(_section("The model", "", html_table(("", ""), model_facts(document))))
    if document["check"]:
        words = "A stability index below 0.1 is steady, above 0.25 another population."
        parts.append(
            _section(f"Drift against {document['check']['against']}", words, html_table(("", ""), drift_facts(document)))
        )
    return page(table.name, parts)


def _section(title: str, words: str, body: str) -> str:
    return f"<h2>{escape(title)}</h2>{f'<p>{escape(words)}</p>' if words else ''}{body}"


def _scores_words(judged: Judged) -> str:
    return f"The highest score of each {judged.unit}, red above the threshold (dashed). UTC."


def _scores(table: Refined, document: Document, judged: Judged) -> str:
    labels = sorted({row["at"] for row in judged.spans})
    place = {at: number for number, at in enumerate(labels)}
    panels: dict[str, list[float | None]] = {}
    for row in judged.spans:
        panels.setdefault(_entity(table, row), [None] * len(labels))[place[row["at"]]] = row["score"]
    by_score = sorted(panels.items(), key=lambda panel: -max((value or 0.0 for value in panel[1]), default=0.0))
    shown = sorted(by_score[:PANELS])
    more = f"<p class=note>{len(panels) - PANELS} more entities have lower scores.</p>" if len(panels) > PANELS else ""
    form = "%Y-%m-%d" if judged.unit == "day" else "%m-%d %H:%M"
    return bars(shown, [f"{at:{form}}" for at in labels], document["threshold"], "score") + more


def _top(table: Refined, judged: Judged) -> str:
    assert table.model is not None
    rows = [
        (f"{row[table.model.time]:%Y-%m-%d %H:%M}", _entity(table, row), f"{row['score']:.1f}", row["reason"])
        for row in judged.top
    ]
    return html_table(("time, UTC", ", ".join(table.model.entity), "score", "why"), rows)


def _worst(judged: Judged) -> str:
    spans: dict[Any, list[float]] = {}
    for row in judged.spans:
        found = spans.setdefault(row["at"], [0, 0.0])
        found[0], found[1] = found[0] + row["anomalies"], max(found[1], row["score"] or 0.0)
    worst = sorted(spans.items(), key=lambda span: (-span[1][0], -span[1][1]))[:10]
    form = "%a %Y-%m-%d" if judged.unit == "day" else "%Y-%m-%d %H:%M"
    rows = [(f"{at:{form}}", int(count), f"{score:.1f}") for at, (count, score) in worst if count]
    return html_table((judged.unit, "anomalies", "highest score"), rows)


def _clusters(table: Refined, document: Document, judged: Judged) -> tuple[str, str]:
    """What the scatter shows, and the scatter."""
    assert table.model is not None
    places = on_two_axes(table.model, document, judged.points)
    points = []
    for row, (x, y) in zip(judged.points, places.points, strict=True):
        told = f"{_entity(table, row)} {row[table.model.time]:%Y-%m-%d %H:%M}: {row['reason']}"
        points.append(Point(x, y, row["cluster"], row["is_anomaly"], told))
    words = f"Each point is a row{places.words}; circles are the centres. Red points are anomalies; triangles lie beyond the border."
    return words, scatter(points, places.centres, *places.names)


def _cluster_table(table: Refined, document: Document) -> str:
    assert table.model is not None
    heads = [f"usual {name}, {feature.unit}" for name, feature in table.model.features.items()]
    rows = [
        (
            number,
            f"{cluster['rows']:,}",
            f"{cluster['share']:.1%}{' (rare)' if cluster['is_rare'] else ''}",
            f"{cluster['spread']:.2f}",
            *(figure(cluster["usual"][name]) for name in table.model.features),
        )
        for number, cluster in enumerate(document["clusters"])
    ]
    return html_table(("cluster", "training rows", "share", "typical distance", *heads), rows)


def _entity(table: Refined, row: Row) -> str:
    assert table.model is not None
    return ", ".join(str(row[name]) for name in table.model.entity)
